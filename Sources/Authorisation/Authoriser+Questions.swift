internal import EMV

/// What a record asks for before it decides.
extension Authoriser {
    func learn(_ work: Work) async throws(CouldNotDecide) {
        guard case .ask(let question) = work.step, let message = work.message else {
            preconditionFailure("nothing was asked")
        }
        switch question {
        case .account, .move: throw Self.isMoving
        case .past:
            work.reading = try await records.read(
                work.token, withPast: true, deadline: work.request.deadline)
        case .pin(let record):
            work.knowledge.pin = (record, try await lookAgain(at: message.pin, record, request: work.request))
        case .script(let script):
            do throws(CryptographyUnavailable) {
                work.template = try await template(script, work)
                work.knowledge.script = (script.identifier, nil)
            } catch {
                work.knowledge.script = (script.identifier, error.description)
            }
        }
    }
}

extension Authoriser {
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

/// What the token is asked after the decision, for few of them.
extension Authoriser {
    /// A repeat gets the script that went out with the first answer, made again: the same bytes.
    func addScript(to decision: Decision, _ work: Work) async {
        guard case .decided(let outcome, _) = work.step, let script = outcome.script else { return }
        decision.issuerScript =
            outcome.result.repeated ? (try? await template(script, work)) ?? [] : work.template ?? []
    }

    /// Tag 91, from a second job where it was not foreseen. The decision is already booked: should the token fail now, the
    /// decline goes out without tag 91 rather than not at all.
    func addResponseCryptogram(to decision: Decision, _ work: Work) async {
        guard let question = work.verified?.question else { return }
        let verdict = codes.verdict(for: decision.outcome.declineReason, profile: question.profile)
        let from = surroundings.monotonicNanoseconds()
        decision.issuerAuthenticationData = try? await cryptography.issuerAuthenticationData(
            for: question, card: work.request.card, verdict: verdict, deadline: work.request.deadline)
        decision.times.set(.responseCryptogram, from: from, to: surroundings.monotonicNanoseconds())
    }
}
