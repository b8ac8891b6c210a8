internal import Authorisation
internal import EMV
internal import PKCS11
internal import WorkerPool

/// One job on its way to a worker and back, with its result.
final class CryptographyJob: PooledJob, @unchecked Sendable {
    // Sendable because one thread at a time holds it: the caller until `submit`, the worker until
    // `finished`, the mailbox's owner after that; queue and mailbox order these.
    enum Task {
        case authorisation(CryptographyQuestion, Pending<CryptographyAnswer, CryptographyUnavailable>)
        case issuerAuthentication(
            CryptogramQuestion, CardIdentity, IssuerVerdict,
            Pending<IssuerAuthenticationData, CryptographyUnavailable>)
        case other(any TokenTaskInFlight)
    }

    enum Output {
        case answer(CryptographyAnswer)
        case issuerAuthenticationData(IssuerAuthenticationData)
        /// The task keeps its answer itself.
        case done
        case failed(CryptographyUnavailable)
    }

    let deadlineNanoseconds: UInt64
    let knownToken: CardToken?
    private let task: Task
    private let mailbox: CompletionMailbox<CryptographyJob>
    private var output = Output.failed(.stopped)

    init(
        _ task: Task, knownToken: CardToken?, deadline: Deadline, mailbox: CompletionMailbox<CryptographyJob>
    ) {
        self.task = task
        self.knownToken = knownToken
        self.mailbox = mailbox
        deadlineNanoseconds = deadline.nanoseconds
    }

    /// On the worker's thread.
    func run(on session: inout CryptographySession) -> ResourceFate {
        do throws(JobError) {
            switch task {
            case .authorisation(let question, _):
                let startedAt = monotonicNanoseconds()
                var answer = try session.answer(question, knownToken: knownToken)
                answer.startedAt = startedAt
                answer.finishedAt = monotonicNanoseconds()
                output = .answer(answer)
            case .issuerAuthentication(let question, let card, let verdict, _):
                output = .issuerAuthenticationData(
                    try session.issuerAuthenticationData(for: question, card: card, verdict: verdict))
            case .other(let task):
                try task.run(on: &session)
                output = .done
            }
            return .keep
        } catch {
            output = .failed(.tokenFailed(error.words))
            if case .token(let failure) = error, !failure.leavesSessionIntact { return .evict }
            return .keep
        }
    }

    func refuse(_ refusal: JobRefusal) {
        switch refusal {
        case .queueFull: output = .failed(.overloaded)
        case .deadlinePassed: output = .failed(.deadlinePassed)
        case .resourceUnavailable(let words): output = .failed(.tokenFailed(words))
        case .stopped: output = .failed(.stopped)
        }
    }

    func finished() { mailbox.post(self) }

    /// On the asking side. A card token that the answer brought is kept first, so that whoever waits for the
    /// answer finds it.
    /// - Returns: false for an answer that came after its deadline and reached nobody.
    func deliver(keepingTokensIn tokens: CardTokenStore) -> Bool {
        switch (task, output) {
        case (.authorisation(let question, let pending), .answer(let answer)):
            if knownToken == nil { tokens.keep(answer.token, of: question.card) }
            return pending.fulfil(.success(answer))
        case (.authorisation(_, let pending), .failed(let reason)):
            return pending.fulfil(.failure(reason))
        case (.issuerAuthentication(_, _, _, let pending), .issuerAuthenticationData(let data)):
            return pending.fulfil(.success(data))
        case (.issuerAuthentication(_, _, _, let pending), .failed(let reason)):
            return pending.fulfil(.failure(reason))
        case (.other(let task), .done): return task.deliver(failure: nil)
        case (.other(let task), .failed(let reason)): return task.deliver(failure: reason)
        // `run` leaves no other pair behind.
        case (.authorisation(_, let pending), _): return pending.fulfil(.failure(.stopped))
        case (.issuerAuthentication(_, _, _, let pending), _): return pending.fulfil(.failure(.stopped))
        case (.other(let task), _): return task.deliver(failure: .stopped)
        }
    }

    /// Whoever asked has an answer, be it that none came.
    var isDelivered: Bool {
        switch task {
        case .authorisation(_, let pending): pending.isFulfilled
        case .issuerAuthentication(_, _, _, let pending): pending.isFulfilled
        case .other(let task): task.isDelivered
        }
    }

    /// The deadline passed. The worker may still hold the job: its output is not touched.
    func expire() {
        switch task {
        case .authorisation(_, let pending): pending.fulfil(.failure(.deadlinePassed))
        case .issuerAuthentication(_, _, _, let pending): pending.fulfil(.failure(.deadlinePassed))
        case .other(let task): task.expire()
        }
    }
}
