internal import ByteCoding
internal import EMV
internal import PKCS11
internal import Synchronization

/// Whether the token still answers, asked where no job asks: without traffic `/ready` would say for ever what was true
/// when the last request came.
extension CryptographySession {
    /// Nobody's.
    private static let nobody = try? PAN("0000000000000000")

    /// Asks for what every authorisation asks for first, and forgets it.
    mutating func look() -> ResourceFate {
        guard let nobody = Self.nobody else { return .keep }
        do throws(JobError) {
            _ = try cardToken(of: nobody)
            return .keep
        } catch {
            if case .token(let reason) = error, !reason.leavesSessionIntact { return .evict }
            return .keep
        }
    }
}

extension HSM {
    /// A worker's session that had no job for a while.
    static func look(
        after session: inout CryptographySession, counters: HSMCounters, shelf: MasterKeyShelf?
    ) -> ResourceFate {
        // A call that hangs shows in `/ready` like one of a job; there is no request whose deadline could pass.
        session.underWay?.begin(at: monotonicNanoseconds(), deadline: .max)
        let fate = session.look()
        session.underWay?.end()
        guard fate == .evict else { return .keep }
        shelf?.clear()
        counters.workersDropped.wrappingAdd(1, ordering: .relaxed)
        return .evict
    }
}

extension LoopSeat {
    /// As long as a worker waits.
    static let idleNanoseconds: UInt64 = 400_000_000
    /// How long the call of a loop may take before it counts as one that never returns.
    static let lookNanosecondsMax: UInt64 = 5_000_000_000

    /// Has the loop ask the token where it had no job for a while. On any thread.
    func lookIfIdle(now: UInt64) {
        guard isTaken, now &- askedAt.load(ordering: .relaxed) > Self.idleNanoseconds else { return }
        askedAt.store(now, ordering: .relaxed)
        schedule { [self] in look() }
    }

    private func look() {
        guard isTaken else { return }
        let begun = monotonicNanoseconds()
        underWay.begin(at: begun, deadline: begun + Self.lookNanosecondsMax)
        let fate = session.withLockIfAvailable { session -> ResourceFate in
            guard session != nil else { return .keep }
            return session!.look()
        }
        underWay.end()
        if fate == .evict { open() }
    }
}
