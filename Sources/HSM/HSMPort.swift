package import Authorisation
package import EMV

/// The port of one event loop.
package struct HSMPort: CardCryptography {
    let pool: WorkerPool<CryptographySession, TokenJob>
    let tokens: CardTokenStore
    let mailbox: CompletionMailbox<TokenJob>
    let watch: AnswerWatch?
    /// Where the loop calls the token itself.
    var seat: LoopSeat?
    let keysBefore: [KeyName: KeyName]

    /// From memory; no use of the token.
    package func zonePINKey(before name: KeyName) -> KeyName? { keysBefore[name] }

    /// From memory; no use of the token.
    package func knownToken(of pan: PAN) -> CardToken? { tokens.token(of: pan) }

    /// One job, for this loop in its next turn or for the next free worker.
    package func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
        let task = AuthorisationTask(question)
        return StartedAuthorisation(
            task: task, job: start(task, deadline: question.deadline), tokens: tokens)
    }

    /// One job: derives the response key again and signs the verdict.
    package func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.issuerAuthenticationData(for: question, card: card, verdict: verdict)
        }
    }

    func submit(_ job: TokenJob) {
        if let seat, seat.take(job) { return }
        toWorkers(job)
    }

    /// Watches the deadline, too: a worker may be held up in a call while this side goes on.
    func toWorkers(_ job: TokenJob) {
        watch?.watch(job)
        pool.submit(job)
    }
}

extension HSMPort: IssuerScriptCryptography {
    /// One job.
    package func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.protectedCommand(question)
        }
    }
}
