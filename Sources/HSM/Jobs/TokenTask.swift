internal import Authorisation
internal import PKCS11
internal import Synchronization

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

    private enum Waiting: Sendable {
        case nobody
        case caller(UnsafeContinuation<CryptographyUnavailable?, Never>)
        /// Told, and why there is no answer.
        case over(CryptographyUnavailable?)
    }

    let deadlineNanoseconds: UInt64
    private let mailbox: CompletionMailbox<TokenJob>
    private let task: any TokenTask
    /// Tokens that broke off while they had it.
    var failures = 0
    private var isDone = false
    private var failure: CryptographyUnavailable?
    private let waiting = Mutex(Waiting.nobody)

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

    func refuse(_ refusal: JobRefusal) {
        switch refusal {
        case .queueFull: failure = .overloaded
        case .deadlinePassed: failure = .deadlinePassed
        case .resourceUnavailable(let words): failure = .tokenFailed(words)
        case .stopped: failure = .stopped
        }
    }

    func finished() { mailbox.post(self) }

    // MARK: - On the asking side

    /// Tells whoever waits.
    /// - Returns: false for an answer that came after its deadline and reached nobody.
    @discardableResult
    func deliver() -> Bool {
        precondition(isDone || failure != nil, "a job is delivered once it was run or refused")
        return tell(failure)
    }

    /// The deadline passed. A worker may still hold the job: what it does is not touched.
    func expire() { _ = tell(.deadlinePassed) }

    /// Whoever asked has been told, be it that no answer came.
    var isDelivered: Bool { waiting.withLock { if case .over = $0 { true } else { false } } }

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
    private func tell(_ failure: CryptographyUnavailable?) -> Bool {
        var isFirst = true
        let caller: UnsafeContinuation<CryptographyUnavailable?, Never>? = waiting.withLock { waiting in
            switch waiting {
            case .nobody:
                waiting = .over(failure)
                return nil
            case .caller(let continuation):
                waiting = .over(failure)
                return continuation
            case .over:
                isFirst = false
                return nil
            }
        }
        caller?.resume(returning: failure)
        return isFirst
    }
}

/// Whatever is no part of an authorisation.
private final class OtherTask<Answer: Sendable>: TokenTask, @unchecked Sendable {
    private let work: @Sendable (inout CryptographySession) throws(JobError) -> Answer
    private(set) var answer: Answer?

    init(_ work: @escaping @Sendable (inout CryptographySession) throws(JobError) -> Answer) {
        self.work = work
    }

    func run(on session: inout CryptographySession) throws(JobError) { answer = try work(&session) }
}

extension HSMPort {
    /// Hands a task over, to this loop in its next turn or to the next free worker, and returns at once.
    func start(_ task: any TokenTask, deadline: Deadline) -> TokenJob {
        let job = TokenJob(task, deadline: deadline, mailbox: mailbox)
        submit(job)
        return job
    }

    /// One job, awaited.
    /// - Parameter work: on the thread that has the session.
    func perform<Answer: Sendable>(
        deadline: Deadline,
        _ work: @escaping @Sendable (inout CryptographySession) throws(JobError) -> Answer
    ) async throws(CryptographyUnavailable) -> Answer {
        let task = OtherTask(work)
        try await start(task, deadline: deadline).end()
        guard let answer = task.answer else { throw .stopped }
        return answer
    }
}
