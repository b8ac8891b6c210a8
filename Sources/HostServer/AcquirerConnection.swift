internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS
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

    private(set) var link: LinkConfiguration
    let served: ServedLink
    private(set) var responses: ResponseMapping
    let loop: LoopContext
    private(set) var logger: Logger
    private(set) var mapping: RequestMapping

    var state: ConnectionState
    var network = NetworkManagement()
    /// Requests under way, oldest first.
    var requests = CircularBuffer<RequestInFlight>()
    var writing = AnswerBuffer()
    private(set) var context: ChannelHandlerContext?
    /// Approvals on their way to the peer.
    var underWay = AnswersUnderWay()
    /// The link's; nil for plain TCP.
    var tls: TLSContext?
    /// What the peer showed in its handshake, its own certificate first.
    var shown: [Certificate] = []
    private var decoder: FrameDecoder
    private var unread: ByteBuffer?

    /// - Parameter tls: the link's, for the names that the peer's certificate may bear; nil for plain TCP.
    init(_ link: LinkConfiguration, _ served: ServedLink, loop: LoopContext, tls: TLSContext?) {
        self.link = link
        self.served = served
        self.loop = loop
        self.tls = tls
        logger = loop.logger
        logger[metadataKey: "link"] = "\(link.profile.name)"
        logger[metadataKey: "connection"] = "\(loop.nextConnectionName())"
        mapping = RequestMapping(link: link.profile)
        responses = ResponseMapping(
            echo: link.profile.echo, hasNumericCodes: link.profile.hasNumericCodes,
            tellsBilling: link.profile.tellsBilling)
        state = ConnectionState(limits: link.limits, now: loop.clock())
        decoder = FrameDecoder(framing: link.framing)
    }

    var isTLS: Bool { tls != nil }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        loop.opened(self)
        if tls != nil { state.handshakeBegan(now: loop.clock()) } else { established() }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.closed()
        loop.closed(self)
        noteLost()
        self.context = nil
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) { if state.mayRead() { context.read() } }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        perform(state.writable(context.channel.isWritable, now: loop.clock()))
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // The peer has closed its side only: it still waits for its answers.
        case ChannelEvent.inputClosed as ChannelEvent: inputEnded()
        case TLSUserEvent.handshakeCompleted as TLSUserEvent: handshakeEnded(context)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if tls != nil { refusedHandshake() }
        loop.refusals.log(logger, .notice, message: "connection failed", metadata: ["reason": "\(error)"])
        noteArrived()
        context.close(promise: nil)
    }

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

    private func inputEnded() {
        let action = state.inputEnded(hasUnread: unread != nil)
        if state.lingeringSince != nil { lingerOn(now: loop.clock()) } else { perform(action) }
    }

    private func handshakeEnded(_ context: ChannelHandlerContext) {
        state.handshakeEnded()
        guard bearsNames else {
            refusedHandshake()
            loop.refusals.log(
                logger, .warning, message: "certificate bears none of the names of this link", metadata: [:])
            context.close(promise: nil)
            return
        }
        established()
    }

    func refusedHandshake() { if state.refused() { loop.metrics.handshakesRefused += 1 } }

    private func established() {
        state.established()
        logger.info(
            "connected", metadata: ["peer": "\(context?.remoteAddress.map { "\($0)" } ?? "?")"])
        if link.signsOn { sendNetworkRequest(.signOn) }
    }

    // MARK: - Orders

    /// Settings of a reload. How messages look stays as it was when the connection began.
    func adopt(_ settings: ServedLink.Settings) {
        let new = settings.configuration
        let (codec, framing) = (link.codec, link.framing)
        link = new
        (link.codec, link.framing) = (codec, framing)
        mapping = RequestMapping(link: new.profile)
        responses = ResponseMapping(
            echo: new.profile.echo, hasNumericCodes: new.profile.hasNumericCodes,
            tellsBilling: new.profile.tellsBilling)
        state.limits = new.limits
        judgeAgain(settings)
    }

    func drain() {
        if link.signsOn, state.acceptsRequests { sendNetworkRequest(.signOff) }
        perform(state.drain())
        // What comes now is thrown away; unread it would turn the close into a reset.
        if state.takeHeldRead() { context?.read() }
    }

    /// Without half closure: TLS would wait for its time limit instead of ending with the peer's answer.
    func close() {
        guard let context else { return }
        noteArrived()
        if tls != nil { try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false) }
        context.close(promise: nil)
    }

    func tick(now: UInt64) {
        expireRequests(now: now)
        noteArrived()
        watchSignOn(now: now)
        perform(state.tick(now: now))
        lingerOn(now: now)
    }

    func perform(_ action: ConnectionAction) {
        switch action {
        case .nothing, .stopReading: break
        case .resumeReading: resumeReading()
        case .sendEcho: sendNetworkRequest(.echo)
        case .abandon(let reason):
            loop.metrics.abandoned[reason, default: 0] += 1
            logger.warning("connection closed", metadata: ["reason": "\(reason.rawValue)"])
            close()
        case .close:
            // Answers of this turn of the loop go out first.
            loop.services.eventLoop.execute { [self] in
                flush()
                linger()
            }
        }
    }

    // MARK: - Frames

    /// What was read before the peer was made to wait comes first.
    private func resumeReading() {
        if var bytes = unread {
            unread = nil
            take(&bytes)
        }
        if state.takeHeldRead() { context?.read() }
    }

    private func take(_ bytes: inout ByteBuffer) {
        state.framesBegin()
        let hasWhole = takeFrames(&bytes)
        let left = bytes.readableBytes > 0 && state.acceptsRequests
        if left { unread = bytes }
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
            case .oversized(_, _, let consumed): bytes.moveReaderIndex(forwardBy: consumed)
            case .skipped(let consumed, let isLast):
                hasWholeFrames = hasWholeFrames || isLast
                bytes.moveReaderIndex(forwardBy: consumed)
            case .invalid(.emptyFrame):
                // A length of zero is how some switches say that they are alive.
                hasWholeFrames = true
                decoder = FrameDecoder(framing: link.framing)
                bytes.moveReaderIndex(forwardBy: link.framing.lengthForm.byteCount)
            case .invalid(let error):
                outOfStep(error)
                bytes.clear()
            }
        }
        return hasWholeFrames
    }

    /// Where the next frame begins is unknown now; there is nothing left to read.
    private func outOfStep(_ error: FrameError) {
        loop.metrics.invalidFrames += 1
        loop.refusals.log(
            logger, .warning, message: "frame refused, connection closed", metadata: ["reason": "\(error)"])
        perform(state.drain())
    }
}
