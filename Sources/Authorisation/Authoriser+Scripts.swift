internal import EMV

/// What the issuer scripts of a card come to in one transaction.
final class ScriptTurn: Sendable {
    /// The card with what it has reported taken over; nil where nothing changed.
    let card: CardRecord?
    /// For the commit.
    let commit: ScriptCommit
    /// Template 71 or 72, should the commit claim it.
    let template: [UInt8]?

    init(card: CardRecord?, commit: ScriptCommit, template: [UInt8]?) {
        self.card = card
        self.commit = commit
        self.template = template
    }
}

extension Authoriser {
    /// Takes what the card reports, and has the token protect the oldest script that waits: before the commit, so
    /// that nothing is claimed which could not be made.
    /// - Returns: nil for a card without scripts, or without a verified cryptogram: nothing moves for these.
    func scripts(
        _ reading: CardReading, _ verified: VerifiedCryptogram?, _ range: IssuerRange?,
        _ request: AuthorisationRequest, _ trace: inout DecisionTrace
    ) async -> ScriptTurn? {
        guard !reading.scripts.isEmpty, let verified else { return nil }
        let delivery = ScriptDelivery(reading.scripts, range)
        let results = delivery.results(request.chip)
        for (identifier, state) in results {
            let failed = state != .successful
            trace.add(.issuerScript, failed ? .skipped : .approved, "\(identifier): \(state.words)")
        }
        var commit = ScriptCommit(results: results, sent: nil)
        var made: [UInt8]?
        // An advice tells of something that is over: a script in its answer would reach nobody.
        if request.purpose == .decision, let script = delivery.next {
            do throws(CryptographyUnavailable) {
                made = try await template(script, delivery, verified, request)
                commit = ScriptCommit(results: results, sent: script.identifier)
                trace.add(
                    .issuerScript, .approved,
                    "\(script.identifier): \(script.command.kind.words) goes out with this answer")
            } catch {
                // It waits for the next transaction; this one is not the worse for it.
                trace.add(.issuerScript, .skipped, "\(script.identifier): not made, \(error)")
            }
        }
        guard !results.isEmpty || made != nil else { return nil }
        return ScriptTurn(card: delivery.card(reading.card, after: results), commit: commit, template: made)
    }

    /// The script that went out with the first answer, made again for its repeat: the same bytes.
    func scriptAgain(
        _ reading: CardReading, _ verified: VerifiedCryptogram?, _ request: AuthorisationRequest
    ) async -> [UInt8]? {
        guard !reading.scripts.isEmpty, let verified else { return nil }
        let delivery = ScriptDelivery(reading.scripts, ranges.range(for: request.card.pan))
        guard let script = delivery.sent(in: verified.question.atc) else { return nil }
        return try? await template(script, delivery, verified, request)
    }

    private func template(
        _ script: QueuedScript, _ delivery: ScriptDelivery, _ verified: VerifiedCryptogram,
        _ request: AuthorisationRequest
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        guard let question = delivery.question(script, verified, request.card) else {
            throw .tokenFailed("no keys for scripts of this range")
        }
        let command = try await cryptography.protectedCommand(question, deadline: request.deadline)
        return ScriptDelivery.template(script, command)
    }
}

extension Decision {
    /// The same with an issuer script.
    func carrying(_ script: [UInt8]?) -> Decision {
        guard let script else { return self }
        var decision = self
        decision.issuerScript = script
        return decision
    }
}
