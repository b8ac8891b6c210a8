internal import EMV

/// After the record: what the acquirer and the card are told.
extension Authoriser {
    func decision(after outcome: CardOutcome, _ work: Work) async -> Decision {
        var decision = decision(outcome, work)
        if let verified = work.verified, work.request.purpose == .decision {
            await addResponseCryptogram(to: &decision, verified, request: work.request)
        }
        if let script = outcome.script {
            // A repeat gets the script that went out with the first answer, made again: the same bytes.
            decision.issuerScript =
                outcome.result.repeated ? (try? await template(script, work)) ?? [] : work.template ?? []
        }
        return decision
    }

    @inline(never)
    private func decision(_ outcome: CardOutcome, _ work: Work) -> Decision {
        let result = outcome.result
        var trace = outcome.trace
        if !result.repeated { trace.add(result) }
        let isDecision = work.request.purpose == .decision
        let final =
            isDecision
            ? Outcome.final(result.declined, approvalCode: result.approvalCode, basis: outcome.basis)
            : result.declined.map(Outcome.declined) ?? .accepted
        var decision = Decision(
            outcome: final, issuerAuthenticationData: nil, authorisationResponseCode: nil,
            repeated: result.repeated, trace: trace, times: work.times)
        if let finding = work.authentication {
            decision.configuredAnswer = finding.answer(final.declineReason, outcome.basis)
        }
        guard isDecision, final.declineReason == nil else { return decision }
        decision.partialMinorUnits = outcome.partialMinorUnits
        decision.balanceMinorUnits = outcome.balanceMinorUnits
        if outcome.balanceMinorUnits != nil { decision.balanceCurrency = outcome.currency }
        decision.charge = outcome.charge
        return decision
    }

    /// Tag 91, from a second job where it was not foreseen. The decision is already booked: should the token fail now, the
    /// decline goes out without tag 91 rather than not at all.
    private func addResponseCryptogram(
        to decision: inout Decision, _ verified: VerifiedCryptogram, request: AuthorisationRequest
    ) async {
        let reason = decision.outcome.declineReason
        let verdict = codes.verdict(for: reason, profile: verified.question.profile)
        decision.authorisationResponseCode = codes.code(for: reason)
        decision.issuerAuthenticationData = verified.prepared(verdict)
        guard decision.issuerAuthenticationData == nil else { return }
        let from = surroundings.monotonicNanoseconds()
        decision.issuerAuthenticationData = try? await cryptography.issuerAuthenticationData(
            for: verified.question, card: request.card, verdict: verdict, deadline: request.deadline)
        decision.times.set(.responseCryptogram, from: from, to: surroundings.monotonicNanoseconds())
    }

    /// An issuer script's command protected by the token, in template 71 or 72.
    func template(
        _ script: QueuedScript, _ work: Work
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        guard let verified = work.verified,
            let question = ScriptDelivery(work.range).question(script, verified, card: work.request.card)
        else { throw .tokenFailed("no keys for scripts of this range") }
        let command = try await cryptography.protectedCommand(question, deadline: work.request.deadline)
        return ScriptDelivery.template(script, command)
    }
}
