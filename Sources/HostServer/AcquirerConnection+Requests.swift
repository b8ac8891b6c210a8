internal import Authorisation
internal import ByteCoding
internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore

// `NIOCore` is imported for the buffer of requests: without it the compiler takes, silently, the standard library's
// `append` and `removeFirst` in place of the buffer's own, which cost many times as much.

/// One request on its way. Answered once: with the decision, or when its time is over.
final class RequestInFlight: @unchecked Sendable {  // Only the loop of its connection touches it.
    let message: Message
    let receivedAt: UInt64
    /// When nobody waits for the answer any more, on the clock of `receivedAt`.
    let answerBy: UInt64
    /// The MAC that it came with, for its answer; nil: that of the link.
    var mac: MessageMAC?
    fileprivate(set) var isAnswered = false
    /// Not answered with 91 when its time is over: what is done by then cannot be left undone.
    var takesItsTime = false
    /// What was approved: it is known until the answer has arrived.
    fileprivate(set) var approved: AuthorisationRequest?

    init(_ message: Message, receivedAt: UInt64, answerBy: UInt64) {
        (self.message, self.receivedAt, self.answerBy) = (message, receivedAt, answerBy)
    }
}

/// Messages to decisions to answers.
extension AcquirerConnection {
    /// - Returns: nil where the request was refused instead.
    func admit(_ message: Message, _ receivedAt: UInt64) -> RequestInFlight? {
        guard state.admitsRequest,
            loop.load.admits(within: link.answerTimeoutNanoseconds, now: receivedAt)
        else {
            refuse(message, receivedAt, reason: "overload")
            return nil
        }
        let inFlight = RequestInFlight(message, receivedAt: receivedAt, answerBy: answerBy(receivedAt))
        requests.append(inFlight)
        loop.load.begun()
        perform(state.accepted(now: receivedAt))
        return inFlight
    }

    func act(on inFlight: RequestInFlight) async {
        let message = inFlight.message
        if message.mti.messageClass == .networkManagement { return await manage(inFlight) }
        let incoming: IncomingMessage
        do throws(MappingError) {
            incoming = try mapping.interpret(
                message, receivedAt: inFlight.receivedAt, answerBy: inFlight.answerBy)
        } catch {
            return conclude(inFlight, formatError(message, error))
        }
        switch incoming {
        case .authorise(let request):
            guard !inFlight.isAnswered, context != nil else { return late(inFlight, request) }
            finish(inFlight, request, result: await loop.services.decide(request))
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
        guard !inFlight.isAnswered, context != nil else { return late(inFlight, request, result: result) }
        guard case .success(let decision) = result else {
            return undecided(inFlight, request, result: result)
        }
        loop.metrics.passed(decision.times)
        if case .approved = decision.outcome { inFlight.approved = request }
        conclude(inFlight, responses.response(to: inFlight.message, decision))
    }

    /// The one end of every request that was accepted.
    func conclude(_ request: RequestInFlight, _ response: Message?) {
        guard !request.isAnswered else { return }
        request.isAnswered = true
        while requests.first?.isAnswered == true { _ = requests.popFirst() }
        let message = request.message
        if let response, link.mac != nil, let mac = sealingMAC(message) {
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

    func send(
        _ answer: Message, for request: Message, receivedAt: UInt64, approved: AuthorisationRequest? = nil,
        isTheResponse: Bool = true
    ) {
        guard context != nil else { return cannotTell(approved) }
        var response = answer
        response.header = link.codec.responseHeader(for: request)
        let isWritten = write(response)
        if !isWritten, let bare = malfunction(request), write(bare) { response = bare }
        if let approved { isWritten && isTheResponse ? follow(approved) : noteToldOtherwise(approved) }
        let microseconds = (loop.clock() &- receivedAt) / 1_000
        loop.metrics.answered(served.slot, response, microseconds: microseconds)
        logger.debug(
            "answered",
            metadata: Optional(response).fields("microseconds", "\(microseconds)", withResponseCode: true))
    }
}

/// Answers of one turn of the loop, on their way out.
struct AnswerBuffer {
    fileprivate(set) var outbound = ByteBuffer()
    fileprivate var encoded: [UInt8] = []
    fileprivate var prefix: [UInt8] = []
    fileprivate var flushScheduled = false

    init() { encoded.reserveCapacity(1_024) }
}

/// Approvals that were written and of which nothing shows yet that they reached the peer's machine.
struct AnswersUnderWay {
    /// Bytes that were given to the channel since the connection began.
    var passed: UInt64 = 0
    var approvals = CircularBuffer<(end: UInt64, request: AuthorisationRequest)>()

    /// An approval whose last byte is this one of the connection.
    mutating func add(_ request: AuthorisationRequest, end: UInt64) { approvals.append((end, request)) }
}

extension AcquirerConnection {
    /// The approval that was written last is under way until the peer has it.
    func follow(_ request: AuthorisationRequest) {
        underWay.add(request, end: underWay.passed + UInt64(writing.outbound.readableBytes))
    }

    /// - Returns: false if the dialect cannot carry the message.
    func write(_ message: Message) -> Bool {
        writing.encoded.removeAll(keepingCapacity: true)
        writing.prefix.removeAll(keepingCapacity: true)
        do {
            try link.codec.encode(message, into: &writing.encoded)
            try link.framing.appendPrefix(
                forPayloadCount: writing.encoded.count, into: &writing.prefix)
        } catch {
            logger.error("answer cannot be encoded", metadata: ["reason": "\(error)"])
            return false
        }
        writing.outbound.writeBytes(writing.prefix)
        writing.outbound.writeBytes(writing.encoded)
        if !writing.flushScheduled {
            writing.flushScheduled = true
            loop.services.eventLoop.execute { [self] in flush() }
        }
        return true
    }

    func flush() {
        writing.flushScheduled = false
        guard writing.outbound.readableBytes > 0, let context else { return }
        underWay.passed += UInt64(writing.outbound.readableBytes)
        context.writeAndFlush(wrapOutboundOut(writing.outbound), promise: nil)
        // Used again if the write is over, which it nearly always is; but one burst's size is not kept for
        // ever.
        if writing.outbound.capacity > 65_536 {
            writing.outbound = ByteBuffer()
        } else {
            writing.outbound.clear(minimumCapacity: 512)
        }
    }
}
