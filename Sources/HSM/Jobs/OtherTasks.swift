package import Authorisation
package import EMV
internal import PKCS11
internal import Synchronization

/// Trips to the token that are no part of most authorisations.
extension HSMPort {
    /// From memory; no use of the token.
    package func zonePINKey(before name: KeyName) -> KeyName? { keysBefore[name] }

    /// One job: derives the response key again and signs the verdict.
    package func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.issuerAuthenticationData(for: question, card: card, verdict: verdict)
        }
    }

    /// Watches the deadline, too: a worker may be held up in a call while this side goes on.
    func toWorkers(_ job: TokenJob) {
        watch?.watch(job)
        pool.submit(job)
    }
}

extension HSMPort {
    /// One job.
    package func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.protectedCommand(question)
        }
    }
}

extension TokenJob {
    func refuse(_ refusal: JobRefusal) {
        switch refusal {
        case .queueFull: failure = .overloaded
        case .deadlinePassed: failure = .deadlinePassed
        case .resourceUnavailable(let words): failure = .tokenFailed(words)
        case .stopped: failure = .stopped
        }
    }

    func finished() { mailbox.post(self) }

    /// The deadline passed. A worker may still hold the job: what it does is not touched.
    func expire() { _ = tell(.deadlinePassed) }

    /// Whoever asked has been told, be it that no answer came.
    var isDelivered: Bool { waiting.withLock { if case .over = $0 { true } else { false } } }
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
