internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore

// `NIOCore` is imported for the buffer of requests: without it the compiler takes, silently, the standard library's
// `append` and `removeFirst` in place of the buffer's own, which cost many times as much.

/// One request on its way. Answered once: with the decision, or when its time is over.
final class RequestInFlight {
    let message: Message
    let receivedAt: UInt64
    let deadline: Deadline
    /// The MAC that it came with, for its answer; nil: that of the link.
    fileprivate(set) var mac: MessageMAC?
    fileprivate(set) var isAnswered = false
    /// Not answered with 91 when its time is over: what is done by then cannot be left undone.
    var takesItsTime = false
    /// What was approved: it is known until the answer has arrived.
    fileprivate(set) var approved: AuthorisationRequest?

    init(_ message: Message, receivedAt: UInt64, deadline: Deadline) {
        self.message = message
        self.receivedAt = receivedAt
        self.deadline = deadline
    }
}

/// Messages to decisions to answers.
extension AcquirerConnection {
    /// Takes one frame; a message that cannot be read costs nothing but itself.
    func receive(_ frame: UnsafeRawBufferPointer) {
        let receivedAt = loop.clock()
        let message: Message
        do throws(MessageDecodingError) {
            message = try link.codec.decode(frame)
        } catch {
            return refuse(error.partial, "\(error)", receivedAt: receivedAt)
        }
        loop.metrics.received(served.slot, message.mti)
        serve(message, macDuty(message, frame), receivedAt: receivedAt)
    }

    /// Takes the start of a frame that is longer than the link allows. Its rest is passed over: the sender learns that
    /// this message came to nothing, and its others are served.
    func receive(start: UnsafeRawBufferPointer, ofFrame bytes: Int) {
        var partial: Message?
        do throws(MessageDecodingError) { partial = try link.codec.decode(start) } catch {
            partial = error.partial
        }
        let fault = FrameError.lengthOverMaximum(bytes: bytes, maximum: link.framing.frameBytesMax)
        refuse(partial, "\(fault)", receivedAt: loop.clock())
    }

    /// Counted, logged, and answered with what could be read.
    private func refuse(_ partial: Message?, _ fault: String, receivedAt: UInt64) {
        loop.metrics.undecodable += 1
        loop.refusals.log(
            logger, .notice, message: "message refused", metadata: partial.fields("fault", fault))
        if let partial { answer(partial, responses.formatError(partial), receivedAt: receivedAt) }
    }

    /// The one way of every message, with a MAC to be checked or without: nothing is decided, and no echo answered, before
    /// its MAC is known to be right. Network management that has none waits for nothing.
    private func serve(_ message: Message, _ duty: MACDuty, receivedAt: UInt64) {
        let isNetwork = message.mti.messageClass == .networkManagement
        if isNetwork, case .none = duty, !isKeyChange(message) {
            return answer(message, networkResponse(message, receivedAt), receivedAt: receivedAt)
        }
        if link.signOnRequired, !network.isSignedOn, !isNetwork {
            return refuse(message, receivedAt, reason: "not signed on")
        }
        guard let inFlight = admit(message, receivedAt) else { return }
        Task.immediate(executorPreference: loop.executor) { [self] in
            if await isAuthentic(inFlight, duty) { await act(on: inFlight) }
            loop.load.ended()
        }
    }

    func deadline(_ receivedAt: UInt64) -> Deadline {
        Deadline(nanoseconds: receivedAt &+ link.answerTimeoutNanoseconds)
    }

    private func formatError(_ message: Message, _ error: MappingError) -> Message? {
        loop.metrics.undecodable += 1
        let fields = Optional(message).fields("fault", "\(error)")
        loop.refusals.log(logger, .notice, message: "message refused", metadata: fields)
        return responses.formatError(message)
    }

    func ignore(_ message: Message, _ why: String) {
        loop.metrics.ignored += 1
        loop.refusals.log(
            logger, .notice, message: "message ignored", metadata: Optional(message).fields("reason", why))
    }

    /// Answered at once with 91: a refusal now is worth more than an answer too late.
    private func refuse(_ message: Message, _ receivedAt: UInt64, reason: String) {
        loop.metrics.shed += 1
        loop.refusals.log(
            logger, .notice, message: "request refused", metadata: Optional(message).fields("reason", reason))
        answer(message, responses.answer(message, .issuerUnavailable), receivedAt: receivedAt)
    }

    // MARK: - Decisions

    /// - Returns: nil where the request was refused instead.
    func admit(_ message: Message, _ receivedAt: UInt64) -> RequestInFlight? {
        guard state.admitsRequest,
            loop.load.admits(within: link.answerTimeoutNanoseconds, now: receivedAt)
        else {
            refuse(message, receivedAt, reason: "overload")
            return nil
        }
        let inFlight = RequestInFlight(message, receivedAt: receivedAt, deadline: deadline(receivedAt))
        requests.append(inFlight)
        loop.load.begun()
        perform(state.accepted(now: receivedAt))
        return inFlight
    }

    /// - Returns: false where the message is not to be acted upon; it has its answer then.
    private func isAuthentic(_ inFlight: RequestInFlight, _ duty: MACDuty) async -> Bool {
        if case .none = duty { return true }
        let message = inFlight.message
        switch await macFinding(duty, inFlight.deadline) {
        case .right(let mac):
            inFlight.mac = mac
            return true
        case .wrong(let why):
            loop.metrics.macFailures += 1
            loop.refusals.log(
                logger, .warning, message: "MAC \(why)", metadata: Optional(message).fields("mac", why))
            conclude(inFlight, responses.answer(message, .messageAuthenticationFailed))
        case .unavailable(let why):
            loop.refusals.log(
                logger, .error, message: "request not decided",
                metadata: Optional(message).fields("reason", why))
            conclude(inFlight, responses.answer(message, .issuerUnavailable))
        }
        return false
    }

    private func act(on inFlight: RequestInFlight) async {
        let message = inFlight.message
        if message.mti.messageClass == .networkManagement {
            guard isKeyChange(message) else {
                return conclude(inFlight, networkResponse(message, inFlight.receivedAt))
            }
            inFlight.takesItsTime = true
            return conclude(inFlight, await keyChangeAnswer(message))
        }
        let incoming: IncomingMessage
        do throws(MappingError) {
            incoming = try mapping.interpret(
                message, receivedAt: inFlight.receivedAt, deadline: inFlight.deadline)
        } catch {
            return conclude(inFlight, formatError(message, error))
        }
        switch incoming {
        case .authorise(let request): finish(inFlight, request, result: await loop.services.decide(request))
        case .answer(let response): conclude(inFlight, response)
        case .ignore(let why):
            ignore(message, why)
            conclude(inFlight, nil)
        }
    }

    private func finish(
        _ inFlight: RequestInFlight, _ request: AuthorisationRequest,
        result: Result<Decision, CouldNotDecide>
    ) {
        if case .failure(let failure) = result {
            loop.services.note(request, .undecided(reason: failure.description))
        }
        guard !inFlight.isAnswered, context != nil else { return late(inFlight, request, result: result) }
        switch result {
        case .success(let decision):
            loop.metrics.passed(decision.times)
            if case .approved = decision.outcome { inFlight.approved = request }
            conclude(inFlight, responses.response(to: inFlight.message, decision))
        case .failure(let failure):
            let fields = Optional(inFlight.message).fields("reason", "\(failure)")
            loop.refusals.log(logger, .error, message: "request not decided", metadata: fields)
            conclude(inFlight, responses.response(to: inFlight.message, failure))
        }
    }

    /// The one end of every request that was accepted.
    func conclude(_ request: RequestInFlight, _ response: Message?) {
        guard !request.isAnswered else { return }
        request.isAnswered = true
        while requests.first?.isAnswered == true { _ = requests.popFirst() }
        let message = request.message
        if let response, let mac = sealingMAC(message) {
            seal(
                response, for: message, receivedAt: request.receivedAt, mac: request.mac ?? mac,
                approved: request.approved
            ) { [self] in
                ended()
            }
        } else {
            if let response {
                send(response, for: message, receivedAt: request.receivedAt, approved: request.approved)
            }
            ended()
        }
    }

    private func ended() { perform(state.answered(now: loop.clock())) }

    /// Decided after the switch had its 91, or after its connection went: it is told to nobody any more, least of all
    /// on another connection. The journal has the decision, and a note that it came late.
    private func late(
        _ inFlight: RequestInFlight, _ request: AuthorisationRequest,
        result: Result<Decision, CouldNotDecide>
    ) {
        loop.metrics.lateAnswers += 1
        let reason = inFlight.isAnswered ? "after the deadline" : "connection gone"
        var fields = Optional(inFlight.message).fields("reason", reason)
        if case .success(let decision) = result {
            let type = inFlight.message.mti.response ?? inFlight.message.mti
            fields["de39"] = "\(ResponseCode(decision).text(in: type, numeric: false))"
            loop.services.note(request, inFlight.isAnswered ? .lateForDeadline : .lateForConnection)
        }
        logger.warning("late answer not sent", metadata: fields)
    }

    /// Requests whose time is over are answered with 91, oldest first.
    func expireRequests(now: UInt64) {
        while let request = requests.first, request.isAnswered || now >= request.deadline.nanoseconds {
            // One that takes its time holds nobody up: it leaves the line, and is answered when it is done.
            guard !request.isAnswered, !request.takesItsTime else {
                _ = requests.popFirst()
                continue
            }
            loop.metrics.expired += 1
            let fields = Optional(request.message).fields("reason", "deadline passed")
            loop.refusals.log(logger, .error, message: "request not decided", metadata: fields)
            conclude(request, responses.answer(request.message, .issuerUnavailable))
        }
    }

    // MARK: - Answers

    /// For what was not accepted as a request: answered as it comes.
    func answer(_ request: Message, _ response: Message?, receivedAt: UInt64) {
        guard let response else { return }
        if let mac = sealingMAC(request) {
            seal(response, for: request, receivedAt: receivedAt, mac: mac) {}
        } else {
            send(response, for: request, receivedAt: receivedAt)
        }
    }

    /// The MAC that the answer to this message needs; nil for none.
    private func sealingMAC(_ request: Message) -> MessageMAC? {
        guard var mac = link.mac else { return nil }
        let isNetwork = request.mti.messageClass == .networkManagement
        mac.key = loop.services.zoneKeys.current[mac.key] ?? mac.key
        return isNetwork && MACPlace(in: request, link.codec) == nil ? nil : mac
    }

    /// Sends the answer once the token has made its MAC. A token that stands still must not hold it for ever.
    private func seal(
        _ response: Message, for request: Message, receivedAt: UInt64, mac: MessageMAC,
        approved: AuthorisationRequest? = nil, sent: @escaping @Sendable () -> Void
    ) {
        let latest = deadline(loop.clock())
        Task.immediate(executorPreference: loop.executor) { [self] in
            if let sealed = await sealed(request, response, mac: mac, deadline: latest) {
                send(sealed, for: request, receivedAt: receivedAt, approved: approved)
            }
            sent()
        }
    }

    private func send(
        _ answer: Message, for request: Message, receivedAt: UInt64, approved: AuthorisationRequest? = nil
    ) {
        guard context != nil else {
            loop.metrics.lateAnswers += 1
            if let approved { loop.services.note(approved, .lateForConnection) }
            return
        }
        var response = answer
        response.header = link.codec.responseHeader(for: request)
        if !write(response), let bare = malfunction(request) { _ = write(bare) }
        if let approved { follow(approved) }
        let microseconds = (loop.clock() &- receivedAt) / 1_000
        loop.metrics.answered(served.slot, response, microseconds: microseconds)
        logger.debug(
            "answered",
            metadata: Optional(response).fields("microseconds", "\(microseconds)", withResponseCode: true))
    }
}

extension AcquirerConnection {
    private func malfunction(_ request: Message) -> Message? {
        var bare = responses.malfunction(request)
        bare?.header = link.codec.responseHeader(for: request)
        return bare
    }
}

extension Message? {
    /// What a log line says of a message: its type, STAN and retrieval reference number. Both together are the
    /// correlation of all lines about one request; the journal and the acquirer know it by them as well.
    func fields(_ key: String, _ value: String, withResponseCode: Bool = false) -> Logger.Metadata {
        var fields: Logger.Metadata = [key: "\(value)"]
        guard let message = self else { return fields }
        fields["mti"] = "\(message.mti)"
        let (stan, rrn) = (message.shown(.stan), message.shown(.retrievalReferenceNumber))
        if message.mti.is1993 {
            if let code = message.shown(.functionCode) { fields["de24"] = "\(code)" }
            if let code = message.shown(.messageReasonCode) { fields["de25"] = "\(code)" }
        }
        if let stan { fields["stan"] = "\(stan)" }
        if let rrn { fields["rrn"] = "\(rrn)" }
        if stan != nil || rrn != nil { fields["correlation"] = "\(rrn ?? "")-\(stan ?? "")" }
        if withResponseCode, let code = message.shown(.responseCode) { fields["de39"] = "\(code)" }
        return fields
    }
}
