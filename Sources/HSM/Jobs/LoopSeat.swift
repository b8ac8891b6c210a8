internal import Glibc
internal import PKCS11
internal import Synchronization

/// The token on an event loop: a session that the loop calls itself, so that a job costs no trip to another thread and
/// back. What the loop has to send in the same turn goes out first: the store then works while the token does.
///
/// The loop only ever calls. Sessions open and close on threads of their own, and where there is none, or the token has
/// become slow, jobs go to the workers.
final class LoopSeat: Sendable {
    private struct Waiting {
        var jobs: [TokenJob] = []
        /// An array that was emptied, for the next turn.
        var spare: [TokenJob] = []
        var isScheduled = false
    }

    /// The job that the loop has in the token now.
    let underWay = JobUnderWay()
    private let waiting = Mutex(Waiting())
    /// Held while a job runs: whoever finds it held goes another way.
    private let session: Mutex<CryptographySession?> = Mutex(nil)
    private let isOpen = Atomic<Bool>(false)
    private let isClosed = Atomic<Bool>(false)
    private let makeSession: @Sendable () throws -> CryptographySession
    private let pace: TokenPace
    private let counters: HSMCounters
    private let share: TokenShare?
    private let schedule: @Sendable (@escaping @Sendable () -> Void) -> Void
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
        underWay.begin(at: begun, deadline: job.deadlineNanoseconds)
        let fate = session.withLockIfAvailable { session in use(&session, job) }
        underWay.end()
        guard let fate = fate ?? nil else { return toWorkers(job) }
        pace.note(monotonicNanoseconds() - begun)
        guard fate.job == .evict else {
            deliver(job)
            if fate.session == .evict { open() }
            return
        }
        open()
        // A worker may find another token.
        if share?.hasOthers == true { toWorkers(job) } else { deliver(job) }
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

    // MARK: - Sessions

    /// Closes the session that there is, and opens one as soon as the token lets it. Not on the loop: both are calls.
    private func open() {
        if isOpen.exchange(false, ordering: .relaxed) {
            counters.loopsDropped.wrappingAdd(1, ordering: .relaxed)
        }
        pthread_detach(
            startThread { [self] in
                var delay: UInt32 = 50_000
                while !isClosed.load(ordering: .relaxed) {
                    if session.withLock({ renew(&$0) }) { return }
                    usleep(delay)
                    delay = min(2 * delay, 3_200_000)
                }
            })
    }

    /// - Returns: false if the token opens none now.
    private func renew(_ session: inout CryptographySession?) -> Bool {
        session = nil
        guard !isClosed.load(ordering: .relaxed) else { return true }
        do { session = try makeSession() } catch { return false }
        isOpen.store(true, ordering: .relaxed)
        return true
    }

    /// Jobs go to the workers from now on; the session closes. Not on the loop.
    /// - Returns: false if the loop is still in a call after `seconds`: the session is left to it.
    func close(seconds: Int) -> Bool {
        isClosed.store(true, ordering: .relaxed)
        isOpen.store(false, ordering: .relaxed)
        let latest = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while session.withLockIfAvailable({ end(&$0) }) == nil {
            guard monotonicNanoseconds() < latest else { return false }
            usleep(1_000)
        }
        return true
    }

    private func end(_ session: inout CryptographySession?) {
        session = nil
        isOpen.store(false, ordering: .relaxed)
    }
}
