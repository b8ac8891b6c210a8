internal import ISO8583
internal import NIOCore

/// One connection to the stand-in.
final class EchoConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let desk: EchoDesk
    private var frames: FrameDecoder
    private var unread: ByteBuffer?
    private var outbound = ByteBuffer()
    private var held: Message?
    private var context: ChannelHandlerContext?
    private var releaseIsSet = false

    init(_ desk: EchoDesk) {
        self.desk = desk
        frames = FrameDecoder(framing: desk.link.framing)
    }

    func channelActive(context: ChannelHandlerContext) { self.context = context }

    func channelInactive(context: ChannelHandlerContext) { self.context = nil }

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
                    take(UnsafeRawBufferPointer(rebasing: raw[payload]))
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
            case .invalid:
                context.close(promise: nil)
                return
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush() }

    private func take(_ payload: UnsafeRawBufferPointer) {
        guard let request = try? desk.link.codec.decode(payload), let answer = desk.answer(request) else {
            return
        }
        desk.answered += 1
        switch desk.misbehaviour {
        case .none: write(answer)
        case .stall(let count, let seconds):
            if desk.answered == count {
                desk.stalledUntil = NIODeadline.now().uptimeNanoseconds + UInt64(seconds * 1e9)
            }
            write(answer)
        case .swap(let every):
            if var first = held {
                var second = answer
                let stan = first.bytes(.stan) ?? []
                first.copy(.stan, from: second)
                second.set(.stan, bytes: stan)
                held = nil
                write(first)
                write(second)
            } else if desk.answered % every == 0 {
                held = answer
            } else {
                write(answer)
            }
        case .hangUp(let every):
            if desk.answered % every == 0 { context?.close(promise: nil) } else { write(answer) }
        }
    }

    private func write(_ message: Message) {
        guard let payload = try? desk.link.codec.encode(message) else { return }
        var frame: [UInt8] = []
        let tpdu = [UInt8](repeating: 0, count: desk.link.framing.tpduLength)
        guard (try? desk.link.framing.appendFrame(of: payload, tpdu: tpdu, into: &frame)) != nil else {
            return
        }
        outbound.writeBytes(frame)
    }

    private func flush() {
        guard outbound.readableBytes > 0, let context else { return }
        if desk.stalledUntil > NIODeadline.now().uptimeNanoseconds {
            guard !releaseIsSet else { return }
            releaseIsSet = true
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(desk.stalledUntil)) {
                bound.value.releaseIsSet = false
                bound.value.flush()
            }
            return
        }
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        outbound = context.channel.allocator.buffer(capacity: 16_384)
    }
}
