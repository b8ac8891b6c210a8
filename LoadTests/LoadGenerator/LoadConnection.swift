internal import ISO8583
internal import NIOCore

/// One connection to the host: frames in, frames out, and the requests that wait for their answers.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// For descriptions.
    let number: Int
    let builder: RequestBuilder
    var link: LoadLink { builder.link }
    // One event loop touches all of this: the checks of exclusive access are a twentieth of the generator's time.
    /// By DE11.
    @exclusivity(unchecked) var pending = PendingTable()
    /// True while requests may be written.
    @exclusivity(unchecked) private(set) var isOpen = false
    /// No new requests; closed when the last answer is here.
    @exclusivity(unchecked) var isLeaving = false
    @exclusivity(unchecked) var isDirty = false
    /// It stands in the engine's list of those that wait for answers.
    @exclusivity(unchecked) var isWaiting = false

    private unowned let engine: LoadEngine
    private var context: ChannelHandlerContext?
    @exclusivity(unchecked) private var frames: FrameDecoder
    @exclusivity(unchecked) private var unread: ByteBuffer?
    @exclusivity(unchecked) private var outbound = ByteBuffer()
    @exclusivity(unchecked) private var encoded: [UInt8] = []
    @exclusivity(unchecked) private var prefix: [UInt8] = []
    /// Nil with TLS, whose bytes the event loop has to read.
    private var clock: ArrivalClock?
    private var inbound = ByteBuffer()
    /// Writes that the event loop has and that are not over.
    @exclusivity(unchecked) private var writesUnderWay = 0

    init(number: Int, builder: RequestBuilder, engine: LoadEngine) {
        self.number = number
        self.builder = builder
        self.engine = engine
        frames = FrameDecoder(framing: builder.link.framing)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        frames = FrameDecoder(framing: link.framing)
        unread = nil
        outbound = context.channel.allocator.buffer(capacity: 16_384)
        inbound = context.channel.allocator.buffer(capacity: LoadConnection.readBytes)
        clock =
            link.tls == nil
            ? try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self, ArrivalClock.init) ?? nil : nil
        isOpen = true
        isLeaving = false
        writesUnderWay = 0
        setPolled(engine.polls)
        engine.opened(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        self.context = nil
        engine.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(unwrapInboundIn(data), at: NIODeadline.now().uptimeNanoseconds)
    }

    private static let readBytes = 16_384

    /// The engine can ask it for answers.
    var isPolled: Bool { clock != nil }

    /// Whether the engine asks for what has come, or the event loop brings it at once.
    func setPolled(_ polled: Bool) {
        guard clock != nil, let context else { return }
        _ = context.channel.setOption(ChannelOptions.autoRead, value: !polled)
    }

    /// Takes what has come, without waiting.
    func poll() {
        while let clock, isOpen {
            inbound.clear()
            var outcome = ArrivalClock.Outcome.nothing
            inbound.writeWithUnsafeMutableBytes(minimumWritableBytes: LoadConnection.readBytes) { space in
                outcome = clock.read(into: space)
                if case .bytes(let count, _) = outcome { return count }
                return 0
            }
            switch outcome {
            case .nothing: return
            case .ended:
                context?.close(promise: nil)
                return
            case .bytes(let count, let moment):
                take(inbound, at: moment)
                if count < LoadConnection.readBytes { return }
            }
        }
    }

    /// - Parameter moment: at which the last of the bytes came, in monotonic nanoseconds.
    private func take(_ received: ByteBuffer, at moment: UInt64) {
        var bytes = received
        if var earlier = unread {
            earlier.writeBuffer(&bytes)
            bytes = earlier
            unread = nil
        }
        while bytes.readableBytes > 0 {
            let outcome = bytes.withUnsafeReadableBytes { raw in
                let outcome = frames.nextFrame(in: raw)
                if case .frame(let payload, _) = outcome {
                    engine.received(UnsafeRawBufferPointer(rebasing: raw[payload]), on: self, at: moment)
                }
                return outcome
            }
            switch outcome {
            case .needMore:
                bytes.discardReadBytes()
                unread = bytes
                return
            case .frame(_, let consumed), .oversized(_, _, let consumed), .skipped(let consumed, _):
                bytes.moveReaderIndex(forwardBy: consumed)
            case .invalid(let error):
                engine.outOfStep(self, error)
                context?.close(promise: nil)
                return
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { engine.flush() }

    /// Puts a message behind the others that leave with the next flush.
    /// - Parameter bytesCut: so many bytes are missing at its end; the frame's length is right.
    func write(_ message: Message, bytesCut: Int = 0) throws {
        encoded.removeAll(keepingCapacity: true)
        prefix.removeAll(keepingCapacity: true)
        if let mac = link.mac {
            try mac.seal(message, link.codec, into: &encoded)
        } else {
            try link.codec.encode(message, into: &encoded)
        }
        encoded.removeLast(min(bytesCut, encoded.count - 1))
        try link.framing.appendPrefix(forPayloadCount: encoded.count, into: &prefix)
        outbound.writeBytes(prefix)
        if link.framing.tpduLength > 0 {
            let length = link.framing.tpduLength
            outbound.writeBytes(
                ([0x60, 0x00, 0x01, 0x00, 0x02] + Array(repeating: 0, count: length)).prefix(length))
        }
        outbound.writeBytes(encoded)
    }

    func flush() {
        isDirty = false
        guard outbound.readableBytes > 0, let context else { return }
        if let clock, writesUnderWay == 0 {
            outbound.moveReaderIndex(forwardBy: outbound.withUnsafeReadableBytes(clock.write))
        }
        // What the kernel does not take at once, and what comes behind it, the event loop writes.
        if outbound.readableBytes > 0 {
            writesUnderWay += 1
            context.writeAndFlush(wrapOutboundOut(outbound)).assumeIsolated().whenComplete { _ in
                self.writesUnderWay -= 1
            }
        }
        outbound.clear(minimumCapacity: LoadConnection.readBytes)
    }

    func close() { context?.close(promise: nil) }
}
