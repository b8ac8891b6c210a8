internal import Foundation
package import HSM
package import PKCS11

/// Card key pairs made ahead by threads of their own while others sign: finding primes takes longer than all that comes
/// after it. The pairs are session objects; what is not taken ends with the pool.
package final class CardKeyPool: @unchecked Sendable {
    // Sendable because `state` is only touched under `condition`.
    private struct State {
        var ready: [Int: [KeyPairHandles]] = [:]
        var failure: (any Error)?
        var isEnding = false
        var threads = 0
    }

    private let condition = NSCondition()
    private var state = State()
    private let location: TokenLocation
    /// Pairs still to be made, by bits of their modulus.
    private var missing: [Int: Int]
    private let readyMax: Int

    /// - Parameters:
    ///   - wanted: how many pairs, by bits of their modulus; no more are made.
    ///   - threads: each has a session of its own, which ends with the pool.
    ///   - readyMax: pairs of each length that wait to be taken.
    package init(_ wanted: [Int: Int], at location: TokenLocation, threads: Int, readyMax: Int = 64) {
        self.location = location
        missing = wanted.filter { $0.value > 0 }
        self.readyMax = readyMax
        state.threads = max(1, threads)
        for number in 0..<max(1, threads) {
            let thread = Thread { [self] in work() }
            thread.name = "card-keys-\(number)"
            thread.start()
        }
    }

    /// The next pair, once there is one.
    package func take(bits: Int) throws -> KeyPairHandles {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let pair = state.ready[bits]?.popLast() {
                condition.broadcast()
                return pair
            }
            if let failure = state.failure { throw failure }
            guard !state.isEnding else { throw IssuanceError("card keys", "the pool has ended") }
            condition.wait()
        }
    }

    /// A pair that is ready, or nil: whoever makes one instead takes it off what the pool has still to make.
    func takeReady(bits: Int) throws -> KeyPairHandles? {
        condition.lock()
        defer { condition.unlock() }
        if let failure = state.failure { throw failure }
        if let pair = state.ready[bits]?.popLast() {
            condition.broadcast()
            return pair
        }
        if let count = missing[bits] { missing[bits] = count > 1 ? count - 1 : nil }
        return nil
    }

    /// Waits until so many pairs are ready, or all that are wanted.
    /// - Parameter isStopped: asked twice a second; ends the wait.
    package func fill(_ count: Int, isStopped: () -> Bool) throws {
        condition.lock()
        defer { condition.unlock() }
        while state.ready.values.reduce(0, { $0 + $1.count }) < count, !missing.isEmpty, !isStopped() {
            if let failure = state.failure { throw failure }
            _ = condition.wait(until: Date(timeIntervalSinceNow: 0.5))
        }
    }

    /// Ends the threads, and with their sessions every pair that was made: nothing taken is used after it.
    package func end() {
        condition.lock()
        state.isEnding = true
        condition.broadcast()
        while state.threads > 0 { condition.wait() }
        condition.unlock()
    }

    private func work() {
        do {
            var session = try location.openSession()
            while let bits = next() {
                let pair = try session.generateRSAKeyPair(bits: bits, .leaving)
                condition.lock()
                state.ready[bits, default: []].append(pair)
                condition.broadcast()
                condition.unlock()
            }
            // The session, and what was made in it, lives until the last pair was used.
            wait()
        } catch {
            condition.lock()
            if state.failure == nil { state.failure = error }
            condition.unlock()
        }
        condition.lock()
        state.threads -= 1
        condition.broadcast()
        condition.unlock()
    }

    /// The length that is scarcest; nil once none is missing or the pool ends.
    private func next() -> Int? {
        condition.lock()
        defer { condition.unlock() }
        while !state.isEnding, state.failure == nil, !missing.isEmpty {
            let scarce = missing.keys.min { (state.ready[$0]?.count ?? 0) < (state.ready[$1]?.count ?? 0) }
            if let bits = scarce, (state.ready[bits]?.count ?? 0) < readyMax {
                missing[bits, default: 1] -= 1
                if missing[bits] == 0 { missing[bits] = nil }
                return bits
            }
            condition.wait()
        }
        return nil
    }

    private func wait() {
        condition.lock()
        while !state.isEnding { condition.wait() }
        condition.unlock()
    }
}
