internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// How a connection begins, goes over to other settings, drains and ends.
extension AcquirerConnection {
    var isTLS: Bool { tls != nil }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        if state.isInTransit {
            arrived()
            return context.fireChannelActive()
        }
        loop.opened(self)
        if tls != nil { state.handshakeBegan(now: loop.clock()) } else { established() }
        context.fireChannelActive()
        if isMovable { loop.placeNew(self) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Its socket is open, and another channel's.
        guard !state.isInTransit else { return }
        state.closed()
        loop.closed(self)
        noteLost()
        self.context = nil
        context.fireChannelInactive()
    }

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
        responses = new.profile.responses
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

    func tick(now: UInt64, asks: Bool) {
        expireRequests(now: now)
        if asks { noteArrived() }
        watchSignOn(now: now)
        perform(state.tick(now: now, sheds: loop.load.sheds))
        lingerOn(now: now)
    }

    // MARK: - Frames

    /// What was read before the peer was made to wait comes first.
    func resumeReading() {
        if var bytes = unread {
            unread = nil
            take(&bytes)
        }
        if state.takeHeldRead() { context?.read() }
    }

    /// Where the next frame begins is unknown now; there is nothing left to read.
    func outOfStep(_ error: FrameError) {
        loop.metrics.invalidFrames += 1
        loop.refusals.log(
            logger, .warning, message: "frame refused, connection closed", metadata: ["reason": "\(error)"])
        perform(state.drain())
    }
}
