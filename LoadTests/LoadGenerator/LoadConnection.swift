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
    /// By DE11.
    var pending: [UInt32: PendingRequest] = [:]
    /// True while requests may be written.
    private(set) var isOpen = false
    /// No new requests; closed when the last answer is here.
    var isLeaving = false
    var isDirty = false

    private unowned let engine: LoadEngine
    private var context: ChannelHandlerContext?
    private var frames: FrameDecoder
    private var unread: ByteBuffer?
    private var outbound = ByteBuffer()
    private var encoded: [UInt8] = []
    private var prefix: [UInt8] = []

    init(number: Int, builder: RequestBuilder, engine: LoadEngine) {
        self.number = number
        self.builder = builder
        self.engine = engine
        frames = FrameDecoder(framing: builder.link.framing)
        pending.reserveCapacity(64)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        frames = FrameDecoder(framing: link.framing)
        unread = nil
        outbound = context.channel.allocator.buffer(capacity: 16_384)
        isOpen = true
        isLeaving = false
        engine.opened(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        self.context = nil
        engine.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var earlier = unread {
            earlier.writeBuffer(&bytes)
            bytes = earlier
            unread = nil
        }
        while bytes.readableBytes > 0 {
            let outcome = bytes.withUnsafeReadableBytes { raw in
                let outcome = frames.nextFrame(in: raw)
                if case .frame(let payload, _) = outcome {
                    engine.received(UnsafeRawBufferPointer(rebasing: raw[payload]), on: self)
                }
                return outcome
            }
            switch outcome {
            case .needMore:
                unread = bytes
                return
            case .frame(_, let consumed), .oversized(_, _, let consumed), .skipped(let consumed, _):
                bytes.moveReaderIndex(forwardBy: consumed)
            case .invalid(let error):
                engine.outOfStep(self, error)
                context.close(promise: nil)
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
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        outbound = context.channel.allocator.buffer(capacity: 16_384)
    }

    func close() { context?.close(promise: nil) }
}
