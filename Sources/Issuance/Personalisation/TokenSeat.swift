internal import Foundation
package import HSM
internal import PKCS11

/// One session of the token for many cards side by side: they take turns, a job at a time.
package final class TokenSeat: @unchecked Sendable {
    // Sendable because `keys` is only touched under `lock`.
    private let lock = NSLock()
    private var keys: SigningKeys
    private var working = Duration.zero

    /// Opens the session.
    package init(at location: TokenLocation) throws { keys = try SigningKeys(at: location) }

    /// A job, alone with the session.
    package func work<Result>(_ body: (inout SigningKeys) throws -> Result) rethrows -> Result {
        lock.lock()
        let start = ContinuousClock.now
        defer {
            working += ContinuousClock.now - start
            lock.unlock()
        }
        return try body(&keys)
    }

    /// How long it was at work so far.
    package var busy: Duration {
        lock.lock()
        defer { lock.unlock() }
        return working
    }
}
