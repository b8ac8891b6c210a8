internal import Synchronization

/// Which calls hang.
extension TokenPace {
    /// From when on a job counts as held up.
    var heldUpAfterNanoseconds: UInt64 {
        max(Self.heldUpNanoseconds, 4 * min(last.load(ordering: .relaxed), 60_000_000_000))
    }
}

extension JobUnderWay {
    /// For how long it has been under way, in nanoseconds; nil where none is.
    func age(now: UInt64) -> UInt64? {
        let begun = begunAt.load(ordering: .acquiring)
        return begun == 0 ? nil : now > begun ? now - begun : 0
    }

    /// A job is under way, and whoever asked for it has given up.
    func isOverdue(now: UInt64) -> Bool {
        begunAt.load(ordering: .acquiring) != 0 && now > deadline.load(ordering: .relaxed)
    }
}
