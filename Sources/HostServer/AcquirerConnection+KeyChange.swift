internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging

/// New zone keys over the wire. Under way like a request: bounded, drained, answered once; on a link with MACs only with
/// one. The answer says what became of the key, so it is not given up at the link's time for answers: a switch that is
/// told 91 while its key goes into service would take the change for refused.
extension AcquirerConnection {
    func isKeyChange(_ message: Message) -> Bool { KeyChangeRequest.isOne(message, link.keyChange) }

    /// Answers network management that was let in as a request: at once, or once a new key is in force or refused.
    func manage(_ inFlight: RequestInFlight) async {
        let message = inFlight.message
        guard isKeyChange(message) else {
            return conclude(inFlight, networkResponse(message, inFlight.receivedAt))
        }
        // A sender that has its 91, or is gone, would keep the old key.
        guard !inFlight.isAnswered, context != nil else { return }
        inFlight.takesItsTime = true
        conclude(inFlight, responses.networkManagement(message, await keyChangeCode(message)))
    }

    private func keyChangeCode(_ message: Message) async -> ResponseCode {
        guard let arrangement = link.keyChange else {
            loop.refusals.log(
                logger, .warning, message: "key change refused",
                metadata: Optional(message).fields("reason", "this link has no keyChange"))
            return .unsupportedTransaction
        }
        do throws(KeyChangeFault) {
            let request = try KeyChangeRequest(message, arrangement)
            return await loop.services.changeKey(request, link.profile.name)
        } catch {
            loop.refusals.log(
                logger, .warning, message: "key change refused",
                metadata: Optional(message).fields("reason", "\(error)"))
            return .formatError
        }
    }
}
