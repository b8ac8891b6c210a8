internal import Authorisation
internal import Glibc
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

/// Approvals that were written and of which nothing shows yet that they reached the peer's machine.
struct AnswersUnderWay {
    /// Bytes that were given to the channel since the connection began.
    var passed: UInt64 = 0
    var approvals = CircularBuffer<(end: UInt64, request: AuthorisationRequest)>()

    /// An approval whose last byte is this one of the connection.
    mutating func add(_ request: AuthorisationRequest, end: UInt64) { approvals.append((end, request)) }

    /// Forgets those that are there.
    mutating func arrived(upTo place: UInt64) {
        while let first = approvals.first, first.end <= place { _ = approvals.popFirst() }
    }
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

    /// Looks what has arrived. Some times a second, and before a close.
    func noteArrived() {
        guard !underWay.approvals.isEmpty, let onTheirWay = bytesOnTheirWay() else { return }
        if isTLS {
            if onTheirWay == 0 { underWay.arrived(upTo: underWay.passed) }
        } else {
            underWay.arrived(upTo: underWay.passed &- min(underWay.passed, onTheirWay))
        }
    }

    /// Bytes that wait in the channel or that the peer's machine has not acknowledged; nil where that cannot
    /// be known.
    func bytesOnTheirWay() -> UInt64? {
        guard let context,
            let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        else { return nil }
        let queued = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { descriptor in
            var bytes: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 ? bytes : nil
        }
        guard let sent = queued ?? nil else { return nil }
        return UInt64(max(0, waiting)) + UInt64(max(0, sent))
    }
}
