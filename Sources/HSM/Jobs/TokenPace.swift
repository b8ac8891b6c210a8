internal import Synchronization

/// How quick the token is at present. A loop must not wait in calls: after one slow job the workers have them, until so
/// many in a row were quick.
final class TokenPace: Sendable {
    /// A job that takes longer is slow.
    static let slowNanoseconds: UInt64 = 1_000_000
    /// Quick jobs in a row that prove a token quick again.
    static let quickJobsMin = 64
    /// A job that has been under way for so long, and four times as long as the last one that ended, hangs.
    private static let heldUpNanoseconds: UInt64 = 150_000_000

    private let quickJobs = Atomic<Int>(TokenPace.quickJobsMin)
    private let last = Atomic<UInt64>(0)

    /// Whether loops may call the token.
    var isQuick: Bool { quickJobs.load(ordering: .relaxed) >= Self.quickJobsMin }

    /// Takes up what a job took.
    func note(_ nanoseconds: UInt64) {
        last.store(nanoseconds, ordering: .relaxed)
        guard nanoseconds <= Self.slowNanoseconds else { return quickJobs.store(0, ordering: .relaxed) }
        if !isQuick { quickJobs.wrappingAdd(1, ordering: .relaxed) }
    }

    /// From when on a job counts as held up.
    var heldUpAfterNanoseconds: UInt64 {
        max(Self.heldUpNanoseconds, 4 * min(last.load(ordering: .relaxed), 60_000_000_000))
    }
}

/// The job that one thread has in the token now, for others to look at.
final class JobUnderWay: Sendable {
    private let begunAt = Atomic<UInt64>(0)
    private let deadline = Atomic<UInt64>(0)

    func begin(at now: UInt64, deadline nanoseconds: UInt64) {
        deadline.store(nanoseconds, ordering: .relaxed)
        begunAt.store(now, ordering: .releasing)
    }

    func end() { begunAt.store(0, ordering: .releasing) }

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
