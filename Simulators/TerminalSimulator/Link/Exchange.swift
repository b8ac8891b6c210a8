package import ISO8583
package import LibCrypto

/// What a terminal has to know of the link that it sends over.
package struct WireForm: Sendable {
    /// How messages are written.
    package let codec: MessageCodec
    /// How they are told apart.
    package let framing: Framing

    /// MACs on the link's messages; nil for none.
    package let mac: LinkMAC?

    package init(codec: MessageCodec, framing: Framing, mac: LinkMAC? = nil) {
        self.codec = codec
        self.framing = framing
        self.mac = mac
    }
}

/// Why a request got no usable answer.
package enum ExchangeError: Error, Sendable, CustomStringConvertible {
    /// The request cannot be written in the link's dialect.
    case unencodable(MessageEncodingError)
    /// The link's MAC cannot be computed.
    case unsealable(LibCryptoError)
    /// The request is too long for the link's framing.
    case unframeable(FrameError)
    /// The connection gave nothing.
    case connection(ConnectionError)
    /// What came is no message of the link's dialect.
    case garbled(MessageDecodingError)
    /// What came cannot be cut into frames; the connection is of no more use.
    case outOfStep(FrameError)
    /// Bytes came within the time, and no whole message.
    case incomplete(bytes: Int, Duration)
    /// Messages came within the time, and none that answers the request.
    case unmatched(messages: Int, Duration)

    /// One line for people.
    package var description: String {
        switch self {
        case .unencodable(let error): "the request cannot be written in this dialect: \(error)"
        case .unsealable(let error): "the request's MAC cannot be computed: \(error)"
        case .unframeable(let error): "the request cannot be framed: \(error)"
        case .connection(let error): error.description
        case .garbled(let error):
            "the host answered, but not in dialect and framing of this link: \(error)"
        case .incomplete(let bytes, let wait):
            "\(bytes) bytes came within \(wait) and make no whole message: is the framing right?"
        case .unmatched(let messages, let wait):
            "\(messages) messages came within \(wait), none with type and STAN of an answer: is the dialect right?"
        case .outOfStep(let error): "the answer has an impossible length, is the framing right? (\(error))"
        }
    }
}

/// What came back for one request.
package struct Answer: Sendable {
    /// The response.
    package let message: Message
    /// From before sending until the response was decoded.
    package let elapsed: Duration
    /// What a response must repeat and does not; empty for a good one.
    package let discrepancies: [String]
    /// Messages that came in between and belong to no request that is still waited for: late answers.
    package let strayMessages: Int
}

/// One connection to a host, used for one request after the other.
package struct Exchange: ~Copyable {
    /// Dialect and framing.
    package let form: WireForm
    private let connection: Transport
    private let tap: WireTap?
    /// Of the connection in a capture file.
    private let number: Int
    private var frames: FrameDecoder
    private var received: [UInt8] = []

    /// Connects.
    /// - Parameters:
    ///   - identity: for TLS; nil for a link without it.
    ///   - tap: sees every byte; nil for none.
    package init(
        to endpoint: Endpoint, form: WireForm, identity: TLSIdentity? = nil, tap: WireTap? = nil,
        timeout: Duration
    ) throws(ConnectionError) {
        self.form = form
        self.tap = tap
        frames = FrameDecoder(framing: form.framing)
        connection = try Transport(to: endpoint, identity: identity, timeout: timeout)
        number = tap?.opened(endpoint) ?? 0
    }

    deinit { tap?.closed(number) }

    /// Sends a request and waits for its own answer; answers to others are left aside. After a time-out or a
    /// garbled message the connection may be used on.
    /// - Parameters:
    ///   - bytesCut: so many bytes are missing at the end of the message; the frame's length is right.
    ///   - timeout: for sending and waiting together.
    package mutating func perform(
        _ request: Message, bytesCut: Int = 0, timeout: Duration
    ) throws(ExchangeError) -> Answer {
        let limit = TimeLimit(timeout)
        let start = ContinuousClock.Instant.now
        try send(request, bytesCut: bytesCut, limit: limit, timeout: timeout)
        return try answer(to: request, since: start, limit: limit, timeout: timeout)
    }

    /// Sends a request and does not wait.
    package func send(
        _ request: Message, bytesCut: Int = 0, mac: LinkMAC.Deed = .right, timeout: Duration
    ) throws(ExchangeError) {
        try send(request, bytesCut: bytesCut, mac: mac, limit: TimeLimit(timeout), timeout: timeout)
    }

    /// Sends bytes as they are, or as a frame of their own.
    package func send(bytes: [UInt8], framed: Bool, timeout: Duration) throws(ExchangeError) {
        let whole = framed ? try frame(bytes) : bytes
        try transmit(
            whole, payload: whole.count - bytes.count..<whole.count, limit: TimeLimit(timeout),
            timeout: timeout)
    }

    /// Waits for the answer to a request that was sent before.
    /// - Parameter start: when it was sent, for the answer's time.
    package mutating func answer(
        to request: Message, since start: ContinuousClock.Instant, timeout: Duration
    ) throws(ExchangeError) -> Answer {
        try answer(to: request, since: start, limit: TimeLimit(timeout), timeout: timeout)
    }

    /// The next message, whatever it answers.
    package mutating func nextMessage(timeout: Duration) throws(ExchangeError) -> Message {
        let bytes = try nextPayload(TimeLimit(timeout), timeout)
        do { return try form.codec.decode(bytes) } catch { throw .garbled(error) }
    }

    private func send(
        _ request: Message, bytesCut: Int, mac: LinkMAC.Deed = .right, limit: TimeLimit,
        timeout: Duration
    ) throws(ExchangeError) {
        var payload = try form.encoded(request, mac: mac)
        payload.removeLast(min(bytesCut, payload.count - 1))
        let whole = try frame(payload)
        try transmit(
            whole, payload: whole.count - payload.count..<whole.count, limit: limit, timeout: timeout)
    }

    private func transmit(
        _ bytes: [UInt8], payload: Range<Int>, limit: TimeLimit, timeout: Duration
    ) throws(ExchangeError) {
        do { try connection.send(bytes, limit: limit, timeout: timeout) } catch { throw .connection(error) }
        tap?.passed(.sent, bytes, payload: payload, connection: number)
    }

    private func frame(_ payload: [UInt8]) throws(ExchangeError) -> [UInt8] {
        var frame: [UInt8] = []
        // A framing with a TPDU of its own sends that of a terminal with no address; a longer header is zeros from there.
        let length = form.framing.tpduLength
        let tpdu = (Terminal.tpdu + [UInt8](repeating: 0, count: length)).prefix(length)
        do { try form.framing.appendFrame(of: payload, tpdu: tpdu, into: &frame) } catch {
            throw .unframeable(error)
        }
        return frame
    }

    private mutating func answer(
        to request: Message, since start: ContinuousClock.Instant, limit: TimeLimit, timeout: Duration
    ) throws(ExchangeError) -> Answer {
        var stray = 0
        while true {
            let bytes: [UInt8]
            do throws(ExchangeError) { bytes = try nextPayload(limit, timeout) } catch {
                guard case .connection(.timedOut) = error, stray > 0 else { throw error }
                throw .unmatched(messages: stray, timeout)
            }
            let message: Message
            do { message = try form.codec.decode(bytes) } catch { throw .garbled(error) }
            if Exchange.answers(message, request) {
                return Answer(
                    message: message, elapsed: start.duration(to: .now),
                    discrepancies: Exchange.discrepancies(message, request)
                        + (form.macFault(of: message, bytes).map { [$0] } ?? []), strayMessages: stray)
            }
            stray += 1
        }
    }

    /// Nothing came at all. Many hosts drop what they cannot read.
    private static let silence =
        "answer (not a byte; a host is silent where it cannot read dialect or framing)"

    private mutating func nextPayload(
        _ limit: TimeLimit, _ timeout: Duration
    ) throws(ExchangeError) -> [UInt8] {
        while true {
            switch received.withUnsafeBytes({ frames.nextFrame(in: $0) }) {
            case .frame(let payload, let consumed):
                let bytes = Array(received[payload])
                tap?.passed(
                    .received, Array(received[..<consumed]), payload: payload, connection: number)
                received.removeFirst(consumed)
                return bytes
            case .invalid(let error): throw .outOfStep(error)
            case .oversized(_, let bytes, _):
                throw .outOfStep(
                    .lengthOverMaximum(bytes: bytes, maximum: form.framing.frameBytesMax))
            case .needMore, .skipped: break
            }
            let more: Bool
            do { more = try connection.receive(into: &received, limit: limit) } catch {
                throw .connection(error)
            }
            guard more else {
                guard received.isEmpty else { throw .incomplete(bytes: received.count, timeout) }
                throw .connection(.timedOut(waitingFor: Exchange.silence, timeout))
            }
        }
    }

    /// Type and trace number decide whose answer a message is; a terminal has no two requests with one number
    /// under way.
    private static func answers(_ message: Message, _ request: Message) -> Bool {
        message.mti == request.mti.response && message.bytes(.stan) == request.bytes(.stan)
    }

    /// What a response repeats as it came, where it has it at all.
    private static let repeated: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .acquirerIdentifier,
        .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency,
        .networkManagementCode,
    ]

    private static func discrepancies(_ message: Message, _ request: Message) -> [String] {
        var found = repeated.compactMap { element in
            message.has(element) && message.bytes(element) != request.bytes(element)
                ? "\(element) is not that of the request" : nil
        }
        if !message.has(.responseCode) { found.append("DE39 is missing") }
        return found
    }
}
