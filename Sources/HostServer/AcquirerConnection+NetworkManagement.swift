internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging

/// Sign-on, sign-off and echo, in both directions. None of it waits for token or store.
extension AcquirerConnection {
    /// What is answered to a message of class 08; nil for an answer to one of the host's own requests.
    func networkResponse(_ message: Message, _ receivedAt: UInt64) -> Message? {
        guard message.mti.isRequest else {
            networkAnswer(message)
            return nil
        }
        network.received(NetworkManagement.Code(message))
        guard
            case .answer(let response)? = try? mapping.interpret(
                message, receivedAt: receivedAt, answerBy: answerBy(receivedAt))
        else { return nil }
        return response
    }

    private func networkAnswer(_ message: Message) {
        let stan = message.text(.stan).flatMap { UInt32($0) }
        let approved = ResponseCode.isAccepted(message)
        guard network.answered(stan: stan, approved: approved, now: loop.clock()) else {
            return ignore(message, "answers nothing that was asked")
        }
        if network.signOnFault != nil, NetworkManagement.Code(message) != .signOff {
            loop.metrics.signOnsRefused += 1
        }
        if !approved {
            logger.warning(
                "network management request refused",
                metadata: Optional(message).fields(
                    "code", "\(message.shown(message.networkElement) ?? "")", withResponseCode: true))
        }
    }

    /// A sign-on without an answer is as good as a refused one, and is sent again: the peer may have come up
    /// late.
    func watchSignOn(now: UInt64) {
        if network.signOnIsDue(now: now), state.acceptsRequests { return sendNetworkRequest(.signOn) }
        guard network.signOnOverdue(now: now, after: link.echoAnswerNanoseconds) else { return }
        loop.metrics.signOnsRefused += 1
        logger.warning("sign-on not answered")
        sendNetworkRequest(.signOn)
    }

    /// One request of the host itself.
    func sendNetworkRequest(_ code: NetworkManagement.Code) {
        let is1993 = link.codec.dialect.messageType.version == 1
        var message = Message(mti: is1993 ? .networkManagementRequest1993 : .networkManagementRequest)
        let stan = String(network.next(code))
        message.set(.stan, text: String(repeating: "0", count: 6 - stan.utf8.count) + stan)
        message.set(.transmissionTime, text: loop.transmissionTime())
        if is1993 { message.set(.localTime, text: loop.localTime()) }
        message.set(message.networkElement, text: code.text(is1993: is1993))
        message.header = link.codec.ownHeader
        if write(message) {
            loop.metrics.networkRequests += 1
            if code == .signOn { network.signOnSent(now: loop.clock()) }
        }
    }
}
