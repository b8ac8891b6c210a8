internal import Authorisation
internal import Redis

/// One change of a key at a time, whichever host makes it: a lock in the store that ends by itself, with a number that
/// only grows. Who has to know whether the lock was lost meanwhile asks again before what was done counts.
package struct KeyChangeLock: Sendable {
    /// What a holder shows.
    package struct Held: Sendable {
        /// What is locked.
        package let name: String
        /// Greater than that of every holder before.
        let fence: Int64
    }

    private let store: StateStore
    /// A holder that died is not waited for longer.
    private static let leaseMilliseconds = 30_000
    private static let waitMilliseconds = 2_000
    private static let pauseMilliseconds = 10

    /// - Parameter store: the same for every host on the token.
    package init(_ store: StateStore) { self.store = store }

    /// Waits two seconds at most.
    ///
    /// - Returns: nil where another host holds it all that time.
    /// - Throws: where the store does not answer.
    package func take(_ name: String) async throws -> Held? {
        let reply = try await send(RedisCommand("INCR", "\(Self.tag):key-change-fence"))
        guard case .integer(let fence) = reply else {
            throw StateUnavailable("key change: another reply than INCR's")
        }
        for _ in 0..<Self.waitMilliseconds / Self.pauseMilliseconds {
            let taken = try await send(
                RedisCommand("SET", key(name), "\(fence)", "NX", "PX", "\(Self.leaseMilliseconds)"))
            if taken.text == "OK" { return Held(name: name, fence: fence) }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
        }
        return nil
    }

    /// Whether it is still this holder's.
    package func isHeld(_ held: Held) async throws -> Bool {
        try await send(RedisCommand("GET", key(held.name))).text == "\(held.fence)"
    }

    /// Ends it, if it is still this holder's. Where the store does not answer, it ends by itself.
    package func release(_ held: Held) async {
        guard (try? await isHeld(held)) == true else { return }
        _ = try? await send(RedisCommand("DEL", key(held.name)))
    }

    private static let tag = StoreNames.bucketTag(0)

    private func key(_ name: String) -> String { "\(Self.tag):key-change:\(name)" }

    private func send(_ command: RedisCommand) async throws(StateUnavailable) -> RedisReply {
        do { return try await store.sendFromAnywhere(command, bucket: 0) } catch {
            throw StateUnavailable("key change: \(error)")
        }
    }
}
