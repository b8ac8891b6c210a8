internal import NIOCore
internal import NIOPosix

/// One side of a connection: what it reads goes to the other side, as the behaviour of its direction wants it.
final class ProxySide: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes kept back before a side is not read any more.
    private static let keptBytesMax = 1 << 20

    private enum Item {
        case bytes(ByteBuffer)
        /// The peer has closed its side.
        case end
    }

    /// The way of what this side reads.
    let direction: Direction
    private let hub: ProxyHub
    private var other: ProxySide?
    private var context: ChannelHandlerContext?
    private var kept = CircularBuffer<(due: NIODeadline, item: Item)>()
    private(set) var keptBytes = 0
    private var readHeld = false
    private var alarm: Scheduled<Void>?
    private var eventLoop: (any EventLoop)?
    /// The connection of this side has ended; what was read from it still goes on.
    private var isGone = false

    init(_ direction: Direction, _ hub: ProxyHub, other: ProxySide? = nil) {
        self.direction = direction
        self.hub = hub
        self.other = other
    }

    // MARK: - Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        eventLoop = context.eventLoop
        hub.opened(self)
        if direction == .toTarget {
            hub.counts.connections += 1
            connect(context)
        } else {
            other?.reached(self)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        isGone = true
        guard other?.context != nil else { return end() }
        pump()
    }

    private func end() {
        alarm?.cancel()
        hub.closed(self)
        other = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let behaviour = hub.behaviour(direction)
        if behaviour.cutsPerMillion > 0,
            UInt32.random(in: 0..<1_000_000, using: &hub.numbers) < behaviour.cutsPerMillion
        {
            return cut(after: bytes)
        }
        keep(.bytes(bytes), bytes.readableBytes, behaviour: behaviour)
        pump()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
        keep(.end, 0, behaviour: hub.behaviour(direction))
        pump()
    }

    func read(context: ChannelHandlerContext) {
        if keptBytes >= Self.keptBytesMax || other?.context?.channel.isWritable == false {
            readHeld = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { other?.readOn() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - Passing on

    private func keep(_ item: Item, _ count: Int, behaviour: Behaviour) {
        var delay = behaviour.delay.nanoseconds
        let jitter = behaviour.jitter.nanoseconds
        if jitter > 0 { delay += Int64.random(in: 0...jitter, using: &hub.numbers) }
        // Never before what came earlier.
        let due = max(.now() + .nanoseconds(delay), kept.last?.due ?? .now())
        kept.append((due, item))
        keptBytes += count
    }

    /// Passes on what is due.
    func pump() {
        guard let target = other?.context, !hub.behaviour(direction).isHeld else { return }
        let now = NIODeadline.now()
        while let first = kept.first, first.due <= now {
            kept.removeFirst()
            switch first.item {
            case .bytes(let bytes):
                keptBytes -= bytes.readableBytes
                hub.passed(bytes.readableBytes, direction)
                target.write(wrapOutboundOut(bytes), promise: nil)
            case .end:
                target.flush()
                target.close(mode: .output, promise: nil)
            }
        }
        target.flush()
        alarm?.cancel()
        if let first = kept.first {
            alarm = eventLoop?.assumeIsolated().scheduleTask(deadline: first.due) { self.pump() }
        } else if isGone {
            // What was written before may still be on its way out.
            let channel = target.channel
            channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
            return end()
        }
        readOn()
    }

    private func readOn() {
        guard readHeld, let context else { return }
        readHeld = false
        read(context: context)
    }

    /// Half of what is next goes on: nothing overtakes what is kept back, as on no connection.
    private func cut(after bytes: ByteBuffer) {
        var half = bytes
        for case .bytes(let earlier) in kept.lazy.map(\.item).prefix(1) { half = earlier }
        if let target = other?.context, let part = half.readSlice(length: half.readableBytes / 2) {
            target.writeAndFlush(wrapOutboundOut(part), promise: nil)
        }
        reset()
    }

    /// Ends both sides with a reset.
    func reset() {
        hub.counts.cuts += 1
        for side in [other, self] {
            guard let context = side?.context else { continue }
            // On the loop this takes effect at once.
            _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            context.close(promise: nil)
        }
    }

    // MARK: - The other side

    private func connect(_ context: ChannelHandlerContext) {
        let isTCP = if case .tcp = hub.target { true } else { false }
        let bootstrap = ClientBootstrap(group: context.eventLoop)
            .connectTimeout(.seconds(2))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { [side = NIOLoopBound(self, eventLoop: context.eventLoop)] channel in
                channel.eventLoop.makeCompletedFuture {
                    if isTCP { try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1) }
                    try channel.pipeline.syncOperations.addHandler(
                        ProxySide(.toClient, side.value.hub, other: side.value))
                }
            }
        let connecting =
            switch hub.target {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        connecting.assumeIsolated().whenFailure { _ in
            self.hub.counts.unreachable += 1
            self.context?.close(promise: nil)
        }
    }

    private func reached(_ target: ProxySide) {
        other = target
        // The client may have gone while the target was being reached.
        guard context != nil else {
            target.context?.close(promise: nil)
            return
        }
        pump()
        target.pump()
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
