internal import Authorisation
internal import EMV
internal import PKCS11

/// One job on its way to the token and back, with its result. What it asks for is a subclass's matter: `AuthorisationJob`
/// for what every request needs, `TokenTaskRun` for all else.
class TokenJob: PooledJob, @unchecked Sendable {
    // Sendable because one thread at a time holds it: the caller until it is handed over, whoever runs it until `finished`,
    // the mailbox's owner after that; queue and mailbox order these.

    let deadlineNanoseconds: UInt64
    private let mailbox: CompletionMailbox<TokenJob>
    /// Why it gave no answer.
    private(set) var failure: CryptographyUnavailable?

    init(deadline: Deadline, mailbox: CompletionMailbox<TokenJob>) {
        deadlineNanoseconds = deadline.nanoseconds
        self.mailbox = mailbox
    }

    // MARK: - For subclasses

    /// On the thread that has the session: does the work and keeps the answer.
    func perform(on session: inout CryptographySession) throws(JobError) {
        preconditionFailure("a job without work")
    }

    /// On the asking side: hands over the answer, or `failure`. A card token that the answer brought is kept first, so
    /// that whoever waits for the answer finds it.
    /// - Returns: false for an answer that came after its deadline and reached nobody.
    func deliver(keepingTokensIn tokens: CardTokenStore) -> Bool {
        preconditionFailure("a job that nobody waits for")
    }

    /// Whoever asked has an answer, be it that none came.
    var isDelivered: Bool { preconditionFailure("a job that nobody waits for") }

    /// The deadline passed. A worker may still hold the job: its answer is not touched.
    func expire() { preconditionFailure("a job that nobody waits for") }

    // MARK: - On its way

    /// On the thread that has the session.
    final func run(on session: inout CryptographySession) -> ResourceFate {
        do throws(JobError) {
            try perform(on: &session)
            return .keep
        } catch {
            failure = .tokenFailed(error.words)
            if case .token(let reason) = error, !reason.leavesSessionIntact { return .evict }
            return .keep
        }
    }

    final func refuse(_ refusal: JobRefusal) {
        switch refusal {
        case .queueFull: failure = .overloaded
        case .deadlinePassed: failure = .deadlinePassed
        case .resourceUnavailable(let words): failure = .tokenFailed(words)
        case .stopped: failure = .stopped
        }
    }

    final func finished() { mailbox.post(self) }
}

/// All cryptography of one authorisation. A type of its own beside the generic one: of a generic class's methods there is
/// one unspecialised copy, which asks the runtime about each value that it moves.
final class AuthorisationJob: TokenJob, @unchecked Sendable {
    let pending = Pending<CryptographyAnswer, CryptographyUnavailable>()
    private let question: CryptographyQuestion
    private var answer: CryptographyAnswer?

    init(_ question: CryptographyQuestion, mailbox: CompletionMailbox<TokenJob>) {
        self.question = question
        super.init(deadline: question.deadline, mailbox: mailbox)
    }

    override func perform(on session: inout CryptographySession) throws(JobError) {
        let startedAt = monotonicNanoseconds()
        var answer = try session.answer(question, knownToken: question.knownToken)
        answer.startedAt = startedAt
        answer.finishedAt = monotonicNanoseconds()
        self.answer = answer
    }

    override func deliver(keepingTokensIn tokens: CardTokenStore) -> Bool {
        guard let answer else { return pending.fulfil(.failure(failure ?? .stopped)) }
        if question.knownToken == nil { tokens.keep(answer.token, of: question.card.pan) }
        return pending.fulfil(.success(answer))
    }

    override var isDelivered: Bool { pending.isFulfilled }

    override func expire() { pending.fulfil(.failure(.deadlinePassed)) }
}
