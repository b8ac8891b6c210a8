public import Authorisation
public import EMV
internal import Glibc
internal import PKCS11
internal import Synchronization
internal import WorkerPool

/// Runs work on the asking side after so many milliseconds.
public typealias HSMSchedule = @Sendable (Int64, @escaping @Sendable () -> Void) -> Void

/// The token with its workers: one for the whole host. Each event loop takes a port of its own from it.
public final class HSM: Sendable {
    private let pool: WorkerPool<CryptographySession, CryptographyJob>
    private let tokens: CardTokenStore
    private let counters: HSMCounters
    private let workers: Int
    /// Zone PIN keys, each with the version that passes beside it.
    private let keysBefore: [KeyName: KeyName]

    /// Starts the workers. Each opens a session and makes working copies of the keys; until one has, jobs
    /// fail with the reason. Run `HSMCheck` before: this checks nothing.
    ///
    /// - Parameter predecessor: one with the same PAN hash key, whose names of cards are known here, too.
    public convenience init(
        _ configuration: HSMConfiguration, at location: TokenLocation, after predecessor: HSM? = nil
    ) throws {
        let chaining = try ChainingProbe.run(at: location)
        self.init(configuration, zoneKeys: configuration.zoneKeyLabels, tokens: predecessor?.tokens) {
            var session = try location.openSession()
            let keys = try KeyRing(configuration, &session)
            return CryptographySession(
                session: session, keys: keys, configuration: configuration, chaining: chaining)
        }
    }

    /// - Parameter makeSession: opens a worker's session, again after each eviction.
    init(
        _ configuration: HSMConfiguration, zoneKeys: [KeyName: ZoneKeyLabels] = [:],
        tokens: CardTokenStore? = nil,
        makeSession: @escaping @Sendable () throws -> CryptographySession
    ) {
        let counters = HSMCounters()
        self.counters = counters
        workers = configuration.workers
        self.tokens = tokens ?? CardTokenStore(capacity: configuration.cardTokensKeptMax)
        keysBefore = zoneKeys.compactMapValues(\.previousKey)
        pool = WorkerPool(
            workers: configuration.workers, queuedJobsMax: configuration.queuedJobsMax,
            makeResource: { _ in
                do {
                    let session = try makeSession()
                    counters.opened(failure: nil)
                    return session
                } catch {
                    counters.opened(failure: "\(error)")
                    throw error
                }
            },
            run: { job, session in
                let before = session.session.callCount
                let fate = job.run(on: &session)
                counters.add(jobs: 1, calls: session.session.callCount &- before, failed: fate == .evict)
                return fate
            })
    }

    /// A port whose answers arrive through `wake`.
    /// - Parameters:
    ///   - schedule: for deadlines; without it, an answer is waited for as long as the token takes.
    ///   - wake: called on a worker's thread with work that has to be run soon on the asking side.
    public func port(
        after schedule: HSMSchedule? = nil,
        wake: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) -> HSMPort {
        let (tokens, counters) = (tokens, counters)
        let mailbox = CompletionMailbox<CryptographyJob> { mailbox in
            wake {
                mailbox.drain { if !$0.deliver(keepingTokensIn: tokens) { counters.addLate() } }
            }
        }
        return HSMPort(
            pool: pool, tokens: tokens, mailbox: mailbox, watch: schedule.map(AnswerWatch.init),
            keysBefore: keysBefore)
    }

    /// What the workers have done since the start.
    public var statistics: HSMStatistics {
        HSMStatistics(
            jobs: counters.jobs.load(ordering: .relaxed), calls: counters.calls.load(ordering: .relaxed),
            evictions: counters.evictions.load(ordering: .relaxed),
            lateAnswers: counters.lateAnswers.load(ordering: .relaxed), queuedJobs: pool.queuedJobs)
    }

    /// Whether the workers can do anything now.
    public var health: HSMHealth {
        HSMHealth(
            workers: workers, workersReady: counters.openSessions, lastFailure: counters.lastFailure)
    }

    /// Waits until every worker has a session. Not on an event loop.
    /// - Returns: false if one has none after `seconds`.
    public func waitUntilReady(seconds: Int) -> Bool {
        let end = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while counters.openSessions < workers {
            guard monotonicNanoseconds() < end else { return false }
            usleep(1_000)
        }
        return true
    }

    /// Runs what is queued, then closes the sessions.
    /// - Returns: false if a worker is still in a call of the token after `seconds`; it is left there.
    @discardableResult
    public func stop(seconds: Int = 5) -> Bool { pool.stop(seconds: seconds) }
}

/// Counts of the workers.
public struct HSMStatistics: Sendable {
    /// Jobs run.
    public let jobs: UInt64
    /// Cryptoki functions called by them.
    public let calls: UInt64
    /// Sessions dropped after a failure.
    public let evictions: UInt64
    /// Answers of the token that came after their deadline and were told to nobody.
    public let lateAnswers: UInt64
    /// Jobs that wait now.
    public let queuedJobs: Int
}

/// What there is to say about the way to the token.
public struct HSMHealth: Sendable {
    /// Threads.
    public let workers: Int
    /// Those that have a session.
    public let workersReady: Int
    /// Why the last attempt to open one failed; nil after one that did not.
    public let lastFailure: String?
}

final class HSMCounters: Sendable {
    let jobs = Atomic<UInt64>(0)
    let calls = Atomic<UInt64>(0)
    let evictions = Atomic<UInt64>(0)
    let lateAnswers = Atomic<UInt64>(0)
    private let sessions = Atomic<UInt64>(0)
    private let failure = Mutex<String?>(nil)

    func opened(failure words: String?) {
        if words == nil { sessions.wrappingAdd(1, ordering: .relaxed) }
        failure.withLock { $0 = words }
    }

    var openSessions: Int {
        Int(clamping: sessions.load(ordering: .relaxed) &- evictions.load(ordering: .relaxed))
    }

    var lastFailure: String? { failure.withLock { $0 } }

    func addLate() { lateAnswers.wrappingAdd(1, ordering: .relaxed) }

    func add(jobs: UInt64, calls: UInt64, failed: Bool) {
        self.jobs.wrappingAdd(jobs, ordering: .relaxed)
        self.calls.wrappingAdd(calls, ordering: .relaxed)
        if failed { evictions.wrappingAdd(1, ordering: .relaxed) }
    }
}

/// The port of one event loop.
public struct HSMPort: CardCryptography {
    let pool: WorkerPool<CryptographySession, CryptographyJob>
    let tokens: CardTokenStore
    let mailbox: CompletionMailbox<CryptographyJob>
    let watch: AnswerWatch?
    let keysBefore: [KeyName: KeyName]

    /// From memory; no use of the token.
    public func zonePINKey(before name: KeyName) -> KeyName? { keysBefore[name] }

    /// From memory; no use of the token.
    public func knownToken(of card: CardIdentity) -> CardToken? { tokens.token(of: card) }

    /// One job for the next free worker.
    public func begin(
        _ question: CryptographyQuestion
    ) -> Pending<CryptographyAnswer, CryptographyUnavailable> {
        let pending = Pending<CryptographyAnswer, CryptographyUnavailable>()
        submit(
            CryptographyJob(
                .authorisation(question, pending), knownToken: tokens.token(of: question.card),
                deadline: question.deadline, mailbox: mailbox))
        return pending
    }

    /// One job: derives the response key again and signs the verdict.
    public func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData {
        let pending = Pending<IssuerAuthenticationData, CryptographyUnavailable>()
        submit(
            CryptographyJob(
                .issuerAuthentication(question, card, verdict, pending), knownToken: nil, deadline: deadline,
                mailbox: mailbox))
        return try await pending.value
    }

    /// Watches the deadline, too.
    func submit(_ job: CryptographyJob) {
        watch?.watch(job)
        pool.submit(job)
    }
}

extension HSMPort: IssuerScriptCryptography {
    /// One job for the next free worker.
    public func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        try await perform(IssuerScriptTask(question: question), deadline: deadline)
    }
}
