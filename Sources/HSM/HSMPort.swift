package import Authorisation
internal import ByteCoding
package import EMV
internal import PKCS11
internal import Synchronization

/// The way of one event loop to the token: the `CardCryptography` port.
package struct HSMPort: CardCryptography {
    let pool: WorkerPool<CryptographySession, TokenJob>
    let tokens: CardTokenStore
    let mailbox: CompletionMailbox<TokenJob>
    let watch: AnswerWatch?
    /// Where the loop calls the token itself.
    var seat: LoopSeat?
    let keysBefore: [KeyName: KeyName]

    /// From memory; no use of the token.
    package func knownToken(of pan: PAN) -> CardToken? { tokens.token(of: pan) }

    /// One job, for this loop in its next turn or for the next free worker.
    package func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
        let task = AuthorisationTask(question)
        return StartedAuthorisation(
            task: task, job: start(task, deadline: question.deadline), tokens: tokens)
    }

    /// Hands a task over, to this loop in its next turn or to the next free worker, and returns at once.
    func start(_ task: any TokenTask, deadline: Deadline) -> TokenJob {
        let job = TokenJob(task, deadline: deadline, mailbox: mailbox)
        submit(job)
        return job
    }

    func submit(_ job: TokenJob) {
        if let seat, seat.take(job) { return }
        toWorkers(job)
    }
}

/// All cryptography of one authorisation.
final class AuthorisationTask: TokenTask, @unchecked Sendable {
    let question: CryptographyQuestion
    fileprivate var answer: CryptographyAnswer?

    init(_ question: CryptographyQuestion) { self.question = question }

    func run(on session: inout CryptographySession) throws(JobError) {
        let startedAt = monotonicNanoseconds()
        var answer = try session.answer(question)
        answer.startedAt = startedAt
        answer.finishedAt = monotonicNanoseconds()
        self.answer = answer
    }
}

/// It as the port knows it. A card token that it brings is kept.
struct StartedAuthorisation: CryptographyUnderWay {
    let task: AuthorisationTask
    let job: TokenJob
    let tokens: CardTokenStore

    func answer() async throws(CryptographyUnavailable) -> CryptographyAnswer {
        try await job.end()
        guard let answer = task.answer else { throw .stopped }
        if task.question.knownToken == nil { tokens.keep(answer.token, of: task.question.card.pan) }
        return answer
    }
}

/// Work for a session: one trip to the token and back, and its answer. A class, written on the thread that has the session
/// and read on the one that asked, after the job has gone from one to the other.
protocol TokenTask: AnyObject, Sendable {
    /// On the thread that has the session; keeps the answer. Objects that it makes in the token it destroys again.
    func run(on session: inout CryptographySession) throws(JobError)
}

/// A task on its way to the token and back: the only kind of job there is. What it asks for is the task's matter.
///
/// No generic class: of such a one's methods there is one unspecialised copy, which asks the runtime about every value.
final class TokenJob: PooledJob, @unchecked Sendable {
    // Sendable because one thread at a time holds it: the caller until it is handed over, whoever runs it until `finished`,
    // the mailbox's owner after that; queue and mailbox order these. `waiting` has a lock of its own.

    enum Waiting: Sendable {
        case nobody
        case caller(UnsafeContinuation<CryptographyUnavailable?, Never>)
        /// Told, and why there is no answer.
        case over(CryptographyUnavailable?)
    }

    let deadlineNanoseconds: UInt64
    let mailbox: CompletionMailbox<TokenJob>
    private let task: any TokenTask
    /// Tokens that broke off while they had it.
    var failures = 0
    private var isDone = false
    var failure: CryptographyUnavailable?
    let waiting = Mutex(Waiting.nobody)

    init(_ task: any TokenTask, deadline: Deadline, mailbox: CompletionMailbox<TokenJob>) {
        self.task = task
        deadlineNanoseconds = deadline.nanoseconds
        self.mailbox = mailbox
    }

    // MARK: - On its way

    /// On the thread that has the session.
    func run(on session: inout CryptographySession) -> ResourceFate {
        // It may have failed at another token before.
        failure = nil
        do throws(JobError) {
            try task.run(on: &session)
            isDone = true
            return .keep
        } catch {
            failure = .tokenFailed(error.words)
            if case .token(let reason) = error, !reason.leavesSessionIntact { return .evict }
            return .keep
        }
    }

    // MARK: - On the asking side

    /// Tells whoever waits.
    /// - Returns: false for an answer that came after its deadline and reached nobody.
    @discardableResult
    func deliver() -> Bool {
        precondition(isDone || failure != nil, "a job is delivered once it was run or refused")
        return tell(failure)
    }

    /// Returns once the work is done. At most one task waits, once.
    func end() async throws(CryptographyUnavailable) {
        let failure = await withUnsafeContinuation { continuation in
            let told: CryptographyUnavailable?? = waiting.withLock { waiting in
                if case .over(let failure) = waiting { return .some(failure) }
                waiting = .caller(continuation)
                return nil
            }
            if let told { continuation.resume(returning: told) }
        }
        if let failure { throw failure }
    }

    /// The first to tell is heard.
    func tell(_ failure: CryptographyUnavailable?) -> Bool {
        let before = waiting.withLock { waiting in
            defer { if case .over = waiting {} else { waiting = .over(failure) } }
            return waiting
        }
        switch before {
        case .over: return false
        case .nobody: return true
        case .caller(let continuation):
            continuation.resume(returning: failure)
            return true
        }
    }
}

/// The tokens of accounts that the process has seen lately. Two generations: when the young one is full it becomes
/// the old one, so that nothing is moved at a hit and memory is bounded by twice the half.
final class CardTokenStore: Sendable {
    private struct Generations {
        var young: [PAN: CardToken] = [:]
        var old: [PAN: CardToken] = [:]
    }

    private let generations = Mutex(Generations())
    private let half: Int

    init(capacity: Int) { half = max(1, capacity / 2) }

    func token(of card: PAN) -> CardToken? {
        generations.withLock { generations in
            if let token = generations.young[card] { return token }
            guard let token = generations.old[card] else { return nil }
            insert(token, card, generations: &generations)
            return token
        }
    }

    func keep(_ token: CardToken, of card: PAN) {
        generations.withLock { insert(token, card, generations: &$0) }
    }

    private func insert(_ token: CardToken, _ card: PAN, generations: inout Generations) {
        if generations.young.count >= half {
            generations.old = generations.young
            generations.young = Dictionary(minimumCapacity: half)
        }
        generations.young[card] = token
    }
}
