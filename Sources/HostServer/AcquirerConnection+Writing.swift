internal import Authorisation
internal import ISO8583
internal import Logging
internal import NIOCore

/// Answers of one turn of the loop, on their way out.
struct AnswerBuffer {
    fileprivate var outbound = ByteBuffer()
    fileprivate var encoded: [UInt8] = []
    fileprivate var prefix: [UInt8] = []
    fileprivate var flushScheduled = false

    init() { encoded.reserveCapacity(1_024) }
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
            writing.outbound.clear()
        }
    }
}
