internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import X509

/// One acquirer connection: bytes to frames to messages to requests, and decisions back again. What to do when is
/// `ConnectionState`'s matter.
///
/// All frames of one read are taken before anything is written, and all answers of one turn of the loop leave
/// in one write: a write a frame would cost twenty times as much.
final class AcquirerConnection: ChannelDuplexHandler, @unchecked Sendable {
    // Sendable because only its event loop touches it: NIO calls handlers there, and the tasks of requests
    // run on the loop's executor.
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var link: LinkConfiguration
    let served: ServedLink
    var responses: ResponseMapping
    var loop: LoopContext
    private(set) var logger: Logger
    var mapping: RequestMapping

    var state: ConnectionState
    var network = NetworkManagement()
    /// Requests under way, oldest first.
    var requests = CircularBuffer<RequestInFlight>()
    var writing = AnswerBuffer()
    var context: ChannelHandlerContext?
    /// Approvals on their way to the peer.
    var underWay = AnswersUnderWay()
    /// The link's; nil for plain TCP.
    var tls: TLSContext?
    /// What the peer showed in its handshake, its own certificate first.
    var shown: [Certificate] = []
    var decoder: FrameDecoder
    var unread: ByteBuffer?
    var tasks = 0  // Requests that are acted on, answered or not, and answers that wait for their MACs.

    init(_ link: LinkConfiguration, _ served: ServedLink, loop: LoopContext, tls: TLSContext?) {
        (self.link, self.served, self.loop, self.tls) = (link, served, loop, tls)
        logger = loop.logger
        logger[metadataKey: "link"] = "\(link.profile.name)"
        logger[metadataKey: "connection"] = "\(loop.nextConnectionName())"
        mapping = RequestMapping(link: link.profile)
        responses = link.profile.responses
        state = ConnectionState(limits: link.limits, now: loop.clock())
        decoder = FrameDecoder(framing: link.framing)
    }

    func read(context: ChannelHandlerContext) { if state.mayRead() { context.read() } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        state.heard(now: loop.clock())
        if var earlier = unread {
            earlier.writeBuffer(&bytes)
            bytes = earlier
            unread = nil
        }
        take(&bytes)
    }

    func perform(_ action: ConnectionAction) {
        switch action {
        case .nothing, .stopReading: break
        case .resumeReading: resumeReading()
        case .sendEcho: sendNetworkRequest(.echo)
        case .abandon(let reason): abandon(reason)
        case .close: closeAfterAnswers()
        }
    }

    func take(_ bytes: inout ByteBuffer) {
        state.framesBegin()
        let hasWhole = takeFrames(&bytes)
        let left = bytes.readableBytes > 0 && state.acceptsRequests
        if left {
            bytes.discardReadBytes()  // It must not carry along, read after read, what was taken.
            unread = bytes
        }
        perform(
            state.framesEnd(
                hasWhole: hasWhole, isIncomplete: left || decoder.isSkipping, now: loop.clock()))
    }

    /// - Returns: whether a frame ended in these bytes.
    private func takeFrames(_ bytes: inout ByteBuffer) -> Bool {
        var hasWholeFrames = false
        while state.acceptsRequests, !state.readingStopped, bytes.readableBytes > 0 {
            let outcome = bytes.withUnsafeReadableBytes { raw -> FrameDecoder.Outcome in
                let outcome = decoder.nextFrame(in: raw)
                if case .frame(let payload, _) = outcome {
                    receive(UnsafeRawBufferPointer(rebasing: raw[payload]))
                } else if case .oversized(let start, let count, _) = outcome {
                    receive(start: UnsafeRawBufferPointer(rebasing: raw[start]), ofFrame: count)
                }
                return outcome
            }
            switch outcome {
            case .needMore: return hasWholeFrames
            case .frame(_, let consumed):
                hasWholeFrames = true
                bytes.moveReaderIndex(forwardBy: consumed)
            default:
                if pass(over: outcome, &bytes) { hasWholeFrames = true }
            }
        }
        return hasWholeFrames
    }
}

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
        serve(message, link.mac == nil ? .none : macDuty(message, frame), receivedAt: receivedAt)
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
        tasks += 1
        guard !loop.starts.begins(unasked: isNetwork) else { return begin(inFlight, duty) }
        loop.starts.add { [self] in begin(inFlight, duty) }
    }

    private func begin(_ inFlight: RequestInFlight, _ duty: MACDuty) {
        let began = loop.starts.now
        Task.immediate(executorPreference: loop.executor) { [self] in
            let mayAct = if case .none = duty { true } else { await isAuthentic(inFlight, duty) }
            if mayAct { await act(on: inFlight) }
            loop.load.ended()
            tasks -= 1
            if loop.starts.ended(began) { loop.beginWaiting() }
        }
    }

    func answerBy(_ receivedAt: UInt64) -> UInt64 { receivedAt &+ link.answerTimeoutNanoseconds }
}
