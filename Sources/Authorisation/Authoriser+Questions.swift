internal import EMV

/// What a record asks for before it decides.
extension Authoriser {
    func learn(_ work: Work) async throws(CouldNotDecide) {
        guard case .ask(let question) = work.step else { preconditionFailure("nothing was asked") }
        switch question {
        case .account, .move: throw Self.isMoving
        case .past:
            work.reading = try await records.read(
                work.token, withPast: true, deadline: work.request.deadline)
        case .pin(let record):
            let first = work.message?.pin ?? .notAsked
            work.knowledge.pin = (record, try await lookAgain(at: first, record, request: work.request))
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
