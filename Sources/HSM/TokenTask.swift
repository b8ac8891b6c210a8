internal import Authorisation
internal import EMV
internal import PKCS11

/// Work for a session beyond the authorisation itself: one small type for each operation, one trip to the token and
/// back. What the host asks for is a public method of `HSMPort` that submits one.
protocol TokenTask: Sendable {
    associatedtype Answer: Sendable

    /// On the thread that has the session. Objects that it makes in the token it destroys again.
    func run(on session: inout CryptographySession) throws(JobError) -> Answer
}

/// One task, its answer, and who waits for it.
final class TokenTaskRun<Task: TokenTask>: TokenJob, @unchecked Sendable {
    let pending = Pending<Task.Answer, CryptographyUnavailable>()
    private let task: Task
    private var answer: Task.Answer?

    init(_ task: Task, deadline: Deadline, mailbox: CompletionMailbox<TokenJob>) {
        self.task = task
        super.init(deadline: deadline, mailbox: mailbox)
    }

    override func perform(on session: inout CryptographySession) throws(JobError) {
        answer = try task.run(on: &session)
    }

    override func deliver(keepingTokensIn tokens: CardTokenStore) -> Bool {
        if let answer { return pending.fulfil(.success(answer)) }
        return pending.fulfil(.failure(failure ?? .stopped))
    }

    override var isDelivered: Bool { pending.isFulfilled }

    override func expire() { pending.fulfil(.failure(.deadlinePassed)) }
}

extension HSMPort {
    /// One job, awaited.
    func perform<Task: TokenTask>(
        _ task: Task, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> Task.Answer {
        let run = TokenTaskRun(task, deadline: deadline, mailbox: mailbox)
        submit(run)
        return try await run.pending.value
    }
}

/// Tag 91 for one verdict: derives the response key again and signs.
struct IssuerAuthenticationTask: TokenTask {
    let question: CryptogramQuestion
    let card: CardIdentity
    let verdict: IssuerVerdict

    func run(on session: inout CryptographySession) throws(JobError) -> IssuerAuthenticationData {
        try session.issuerAuthenticationData(for: question, card: card, verdict: verdict)
    }
}
