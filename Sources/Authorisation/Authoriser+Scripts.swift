internal import EMV

/// What the issuer scripts of a card come to in one transaction.
struct ScriptTurn {
    /// The card with what it has reported taken over; nil where nothing changed.
    var card: CardRecord?
    /// For the commit.
    var commit: ScriptCommit
    /// Template 71 or 72, should the commit claim it.
    var template: [UInt8]?
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
        var turn = ScriptTurn(commit: ScriptCommit(results: results, sent: nil))
        turn.card = delivery.card(reading.card, after: results)
        // An advice tells of something that is over: a script in its answer would reach nobody.
        if request.purpose == .decision, let script = delivery.next {
            do throws(CryptographyUnavailable) {
                turn.template = try await template(script, delivery, verified, request)
                turn.commit = ScriptCommit(results: results, sent: script.identifier)
                trace.add(
                    .issuerScript, .approved,
                    "\(script.identifier): \(script.command.kind.words) goes out with this answer")
            } catch {
                // It waits for the next transaction; this one is not the worse for it.
                trace.add(.issuerScript, .skipped, "\(script.identifier): not made, \(error)")
            }
        }
        return results.isEmpty && turn.template == nil ? nil : turn
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
