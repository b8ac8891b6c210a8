internal import ByteCoding
internal import PKCS11
internal import Synchronization

/// The token on an event loop: a session that the loop calls itself, so that a job costs no trip to another thread and
/// back. What the loop has to send in the same turn goes out first: the store then works while the token does.
///
/// The loop only ever calls. Sessions open and close on other threads; without one, or with a slow token, workers take the jobs.
final class LoopSeat: Sendable {
    struct Waiting {
        var jobs: [TokenJob] = []
        /// An array that was emptied, for the next turn.
        var spare: [TokenJob] = []
        var isScheduled = false
    }

    /// The job that the loop has in the token now.
    let underWay = JobUnderWay()
    let waiting = Mutex(Waiting())
    /// Held while a job runs: whoever finds it held goes another way.
    let session: Mutex<CryptographySession?> = Mutex(nil)
    /// When the token was asked last.
    let askedAt = Atomic<UInt64>(0)
    let isOpen = Atomic<Bool>(false)
    let isClosed = Atomic<Bool>(false)
    let makeSession: @Sendable () throws -> CryptographySession
    private let pace: TokenPace
    let counters: HSMCounters
    private let share: TokenShare?
    let schedule: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let toWorkers: @Sendable (TokenJob) -> Void

    /// - Parameters:
    ///   - schedule: runs work on the loop, after what stands in line there.
    ///   - toWorkers: the other way.
    init(
        pace: TokenPace, counters: HSMCounters, share: TokenShare? = nil,
        schedule: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        toWorkers: @escaping @Sendable (TokenJob) -> Void,
        makeSession: @escaping @Sendable () throws -> CryptographySession
    ) {
        self.pace = pace
        self.counters = counters
        self.share = share
        self.schedule = schedule
        self.toWorkers = toWorkers
        self.makeSession = makeSession
        open()
    }

    /// Whether the loop has a session and may use it.
    var isTaken: Bool { isOpen.load(ordering: .relaxed) && pace.isQuick }

    /// - Returns: false if the job has to go to the workers.
    func take(_ job: TokenJob) -> Bool {
        guard isTaken else { return false }
        let isFirst = waiting.withLock { waiting in
            waiting.jobs.append(job)
            defer { waiting.isScheduled = true }
            return !waiting.isScheduled
        }
        // Twice: the first time what this turn writes may stand behind it in line.
        if isFirst { schedule { [self] in schedule { [self] in work() } } }
        return true
    }

    private func work() {
        var jobs = waiting.withLock { waiting in
            waiting.isScheduled = false
            defer { (waiting.jobs, waiting.spare) = (waiting.spare, []) }
            return waiting.jobs
        }
        for job in jobs { run(job) }
        jobs.removeAll(keepingCapacity: true)
        waiting.withLock { $0.spare = jobs }
    }

    private func run(_ job: TokenJob) {
        guard isTaken else { return toWorkers(job) }
        let begun = monotonicNanoseconds()
        guard begun < job.deadlineNanoseconds else {
            job.refuse(.deadlinePassed)
            return deliver(job)
        }
        askedAt.store(begun, ordering: .relaxed)
        underWay.begin(at: begun, deadline: job.deadlineNanoseconds)
        let fate = session.withLockIfAvailable { session in use(&session, job) }
        underWay.end()
        guard let fate = fate ?? nil else { return toWorkers(job) }
        pace.note(monotonicNanoseconds() - begun)
        if fate.session == .evict || fate.job == .evict { open() }
        // A worker may find another token.
        if fate.job == .evict, share?.hasOthers == true { toWorkers(job) } else { deliver(job) }
    }

    /// What became of the job, and what is to become of the session, which may go home.
    private func use(
        _ session: inout CryptographySession?, _ job: TokenJob
    ) -> (job: ResourceFate, session: ResourceFate)? {
        guard session != nil else { return nil }
        let before = session!.callCount
        let fate = job.run(on: &session!)
        counters.add(jobs: 1, calls: session!.callCount &- before)
        let isHomeAgain = session!.away.map { share?.answers($0) == true } ?? false
        return (fate, isHomeAgain ? .evict : fate)
    }

    private func deliver(_ job: TokenJob) {
        if !job.deliver() { counters.addLate() }
    }
}

/// How quick the token is at present. A loop must not wait in calls: after one slow job the workers have them, until so
/// many in a row were quick.
final class TokenPace: Sendable {
    /// A job that takes longer is slow.
    static let slowNanoseconds: UInt64 = 1_000_000
    /// Quick jobs in a row that prove a token quick again.
    static let quickJobsMin = 64
    /// A job that has been under way for so long, and four times as long as the last one that ended, hangs.
    static let heldUpNanoseconds: UInt64 = 150_000_000

    private let quickJobs = Atomic<Int>(TokenPace.quickJobsMin)
    let last = Atomic<UInt64>(0)

    /// Whether loops may call the token.
    var isQuick: Bool { quickJobs.load(ordering: .relaxed) >= Self.quickJobsMin }

    func note(_ nanoseconds: UInt64) {
        last.store(nanoseconds, ordering: .relaxed)
        guard nanoseconds <= Self.slowNanoseconds else { return quickJobs.store(0, ordering: .relaxed) }
        if !isQuick { quickJobs.wrappingAdd(1, ordering: .relaxed) }
    }
}

/// The job that one thread has in the token now, for others to look at.
final class JobUnderWay: Sendable {
    let begunAt = Atomic<UInt64>(0)
    let deadline = Atomic<UInt64>(0)

    func begin(at now: UInt64, deadline nanoseconds: UInt64) {
        deadline.store(nanoseconds, ordering: .relaxed)
        begunAt.store(now, ordering: .releasing)
    }

    func end() { begunAt.store(0, ordering: .releasing) }
}

final class HSMCounters: Sendable {
    let jobs = Atomic<UInt64>(0)
    let calls = Atomic<UInt64>(0)
    /// Sessions that workers dropped.
    let workersDropped = Atomic<UInt64>(0)
    /// Sessions that loops dropped.
    let loopsDropped = Atomic<UInt64>(0)
    let lateAnswers = Atomic<UInt64>(0)
    let sessions = Atomic<UInt64>(0)
    let failure = Mutex<String?>(nil)

    func add(jobs: UInt64, calls: UInt64) {
        self.jobs.wrappingAdd(jobs, ordering: .relaxed)
        self.calls.wrappingAdd(calls, ordering: .relaxed)
    }
}
