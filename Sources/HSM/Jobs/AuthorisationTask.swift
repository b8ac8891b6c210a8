internal import Authorisation
internal import EMV

/// All cryptography of one authorisation.
final class AuthorisationTask: TokenTask, @unchecked Sendable {
    private let question: CryptographyQuestion
    private var answer: CryptographyAnswer?

    init(_ question: CryptographyQuestion) { self.question = question }

    func run(on session: inout CryptographySession) throws(JobError) {
        let startedAt = monotonicNanoseconds()
        var answer = try session.answer(question)
        answer.startedAt = startedAt
        answer.finishedAt = monotonicNanoseconds()
        self.answer = answer
    }

    /// The answer of a job that has ended. A card token that it brought is kept.
    fileprivate func answer(keepingTokenIn tokens: CardTokenStore) throws(CryptographyUnavailable)
        -> CryptographyAnswer
    {
        guard let answer else { throw .stopped }
        if question.knownToken == nil { tokens.keep(answer.token, of: question.card.pan) }
        return answer
    }
}

/// It as the port knows it.
struct StartedAuthorisation: CryptographyUnderWay {
    let task: AuthorisationTask
    let job: TokenJob
    let tokens: CardTokenStore

    func answer() async throws(CryptographyUnavailable) -> CryptographyAnswer {
        try await job.end()
        return try task.answer(keepingTokenIn: tokens)
    }
}
