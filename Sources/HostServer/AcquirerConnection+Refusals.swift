internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore

/// What is answered without a decision: messages that cannot be read, come too many, or take too long.
extension AcquirerConnection {
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

    /// What is no whole frame is passed over.
    /// - Returns: whether a frame ended there.
    func pass(over outcome: FrameDecoder.Outcome, _ bytes: inout ByteBuffer) -> Bool {
        switch outcome {
        case .needMore: return false
        case .frame(_, let consumed):
            bytes.moveReaderIndex(forwardBy: consumed)
            return true
        case .oversized(_, _, let consumed):
            bytes.moveReaderIndex(forwardBy: consumed)
            return false
        case .skipped(let consumed, let isLast):
            bytes.moveReaderIndex(forwardBy: consumed)
            return isLast
        case .invalid(.emptyFrame):
            // A length of zero is how some switches say that they are alive.
            decoder = FrameDecoder(framing: link.framing)
            bytes.moveReaderIndex(forwardBy: link.framing.lengthForm.byteCount)
            return true
        case .invalid(let error):
            outOfStep(error)
            bytes.clear()
            return false
        }
    }

    /// Counted, logged, and answered with what could be read.
    func refuse(_ partial: Message?, _ fault: String, receivedAt: UInt64) {
        loop.metrics.undecodable += 1
        loop.refusals.log(
            logger, .notice, message: "message refused", metadata: partial.fields("fault", fault))
        if let partial { answer(partial, responses.formatError(partial), receivedAt: receivedAt) }
    }

    func formatError(_ message: Message, _ error: MappingError) -> Message? {
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
    func refuse(_ message: Message, _ receivedAt: UInt64, reason: String) {
        loop.metrics.shed += 1
        loop.refusals.log(
            logger, .notice, message: "request refused", metadata: Optional(message).fields("reason", reason))
        answer(message, responses.answer(message, .issuerUnavailable), receivedAt: receivedAt)
    }

    /// Token or store gave no answer: 91 or 96, and a note.
    func undecided(
        _ inFlight: RequestInFlight, _ request: AuthorisationRequest,
        result: Result<Decision, CouldNotDecide>
    ) {
        guard case .failure(let failure) = result else { return }
        loop.services.note(request, .undecided(reason: failure.description))
        let fields = Optional(inFlight.message).fields("reason", "\(failure)")
        loop.refusals.log(logger, .error, message: "request not decided", metadata: fields)
        conclude(inFlight, responses.response(to: inFlight.message, failure))
    }

    /// Decided after the switch had its 91, or after its connection went: it is told to nobody any more, least of all
    /// on another connection. The journal has the decision, and a note that it came late.
    func late(
        _ inFlight: RequestInFlight, _ request: AuthorisationRequest,
        result: Result<Decision, CouldNotDecide> = .failure(AcquirerConnection.notBegun)
    ) {
        loop.metrics.lateAnswers += 1
        let reason = inFlight.isAnswered ? "after the deadline" : "connection gone"
        var fields = Optional(inFlight.message).fields("reason", reason)
        if case .success(let decision) = result {
            let type = inFlight.message.mti.response ?? inFlight.message.mti
            fields["de39"] = "\(ResponseCode(decision).text(in: type, numeric: false))"
            loop.services.note(request, inFlight.isAnswered ? .lateForDeadline : .lateForConnection)
        } else if case .failure(let failure) = result {
            loop.services.note(request, .undecided(reason: failure.description))
        }
        loop.refusals.log(logger, .warning, message: "late answer not sent", metadata: fields)
    }

    /// Requests whose time is over are answered with 91, oldest first.
    func expireRequests(now: UInt64) {
        while let request = requests.first, request.isAnswered || now >= request.answerBy {
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

    /// Sends the answer once the token has made its MAC. A token that stands still must not hold it for ever.
    func seal(
        _ response: Message, for request: Message, receivedAt: UInt64, mac: MessageMAC,
        approved: AuthorisationRequest? = nil, sent: @escaping @Sendable () -> Void
    ) {
        let latest = Deadline(nanoseconds: answerBy(loop.clock()))
        tasks += 1
        Task.immediate(executorPreference: loop.executor) { [self] in
            let (sealed, isTheResponse) = await sealed(request, response, mac: mac, deadline: latest)
            if let sealed {
                send(
                    sealed, for: request, receivedAt: receivedAt, approved: approved,
                    isTheResponse: isTheResponse)
            } else if let approved {
                noteToldOtherwise(approved)
            }
            tasks -= 1
            sent()
        }
    }
}

extension AcquirerConnection {
    /// It waited for its turn until then.
    static let notBegun = CouldNotDecide.state(
        StateUnavailable("not begun before the deadline or the end of the connection"))

    /// The connection went before its answer could be written.
    func cannotTell(_ approved: AuthorisationRequest?) {
        loop.metrics.lateAnswers += 1
        if let approved { loop.services.note(approved, .lateForConnection) }
    }

    func malfunction(_ request: Message) -> Message? {
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
