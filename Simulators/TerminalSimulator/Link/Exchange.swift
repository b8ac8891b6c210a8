public import ISO8583
public import LibCrypto

/// What a terminal has to know of the link that it sends over.
public struct LinkForm: Sendable {
    /// How messages are written.
    public let codec: MessageCodec
    /// How they are told apart.
    public let framing: Framing

    /// MACs on the link's messages; nil for none.
    public let mac: LinkMAC?

    /// Takes the parts.
    public init(codec: MessageCodec, framing: Framing, mac: LinkMAC? = nil) {
        self.codec = codec
        self.framing = framing
        self.mac = mac
    }
}

/// Why a request got no usable answer.
public enum ExchangeError: Error, Sendable, CustomStringConvertible {
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

    /// One line for people.
    public var description: String {
        switch self {
        case .unencodable(let error): "the request cannot be written in this dialect: \(error)"
        case .unsealable(let error): "the request's MAC cannot be computed: \(error)"
        case .unframeable(let error): "the request cannot be framed: \(error)"
        case .connection(let error): error.description
        case .garbled(let error):
            "the answer is no message of dialect and framing of this link: \(error)"
        case .outOfStep(let error): "the answer has an impossible length, is the framing right? (\(error))"
        }
    }
}

/// What came back for one request.
public struct Answer: Sendable {
    /// The response.
    public let message: Message
    /// From before sending until the response was decoded.
    public let elapsed: Duration
    /// What a response must repeat and does not; empty for a good one.
    public let discrepancies: [String]
    /// Messages that came in between and belong to no request that is still waited for: late answers.
    public let strayMessages: Int
}

/// One connection to a host, used for one request after the other.
public struct Exchange: ~Copyable {
    /// Dialect and framing.
    public let form: LinkForm
    private let connection: Transport
    private var frames: FrameDecoder
    private var received: [UInt8] = []

    /// Connects.
    /// - Parameter identity: for TLS; nil for a link without it.
    public init(
        to endpoint: Endpoint, form: LinkForm, identity: TLSIdentity? = nil, timeout: Duration
    ) throws(ConnectionError) {
        self.form = form
        frames = FrameDecoder(framing: form.framing)
        connection = try Transport(to: endpoint, identity: identity, timeout: timeout)
    }

    /// Sends a request and waits for its own answer; answers to others are left aside. After a time-out or a
    /// garbled message the connection may be used on.
    /// - Parameters:
    ///   - bytesCut: so many bytes are missing at the end of the message; the frame's length is right.
    ///   - timeout: for sending and waiting together.
    public mutating func perform(
        _ request: Message, bytesCut: Int = 0, timeout: Duration
    ) throws(ExchangeError) -> Answer {
        let limit = TimeLimit(timeout)
        let start = ContinuousClock.Instant.now
        try send(request, bytesCut: bytesCut, limit, timeout)
        return try answer(to: request, since: start, limit, timeout)
    }

    /// Sends a request and does not wait.
    public func send(
        _ request: Message, bytesCut: Int = 0, mac: LinkMAC.Deed = .right, timeout: Duration
    ) throws(ExchangeError) {
        try send(request, bytesCut: bytesCut, mac: mac, TimeLimit(timeout), timeout)
    }

    /// Sends bytes as they are, or as a frame of their own.
    public func send(bytes: [UInt8], framed: Bool, timeout: Duration) throws(ExchangeError) {
        try transmit(framed ? frame(bytes) : bytes, TimeLimit(timeout), timeout)
    }

    /// Waits for the answer to a request that was sent before.
    /// - Parameter start: when it was sent, for the answer's time.
    public mutating func answer(
        to request: Message, since start: ContinuousClock.Instant, timeout: Duration
    ) throws(ExchangeError) -> Answer {
        try answer(to: request, since: start, TimeLimit(timeout), timeout)
    }

    /// The next message, whatever it answers.
    public mutating func nextMessage(timeout: Duration) throws(ExchangeError) -> Message {
        let bytes = try nextPayload(TimeLimit(timeout), timeout)
        do { return try form.codec.decode(bytes) } catch { throw .garbled(error) }
    }

    private func send(
        _ request: Message, bytesCut: Int, mac: LinkMAC.Deed = .right, _ limit: TimeLimit,
        _ timeout: Duration
    ) throws(ExchangeError) {
        var payload = try form.encoded(request, mac: mac)
        payload.removeLast(min(bytesCut, payload.count - 1))
        try transmit(frame(payload), limit, timeout)
    }

    private func transmit(
        _ bytes: [UInt8], _ limit: TimeLimit, _ timeout: Duration
    ) throws(ExchangeError) {
        do { try connection.send(bytes, limit: limit, timeout: timeout) } catch { throw .connection(error) }
    }

    private func frame(_ payload: [UInt8]) throws(ExchangeError) -> [UInt8] {
        var frame: [UInt8] = []
        // A framing with a TPDU of its own sends that of a terminal with no address.
        let tpdu = Array(Terminal.tpdu.prefix(form.framing.tpduLength))
        do { try form.framing.appendFrame(of: payload, tpdu: tpdu, into: &frame) } catch {
            throw .unframeable(error)
        }
        return frame
    }

    private mutating func answer(
        to request: Message, since start: ContinuousClock.Instant, _ limit: TimeLimit, _ timeout: Duration
    ) throws(ExchangeError) -> Answer {
        var stray = 0
        while true {
            let bytes = try nextPayload(limit, timeout)
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

    private mutating func nextPayload(
        _ limit: TimeLimit, _ timeout: Duration
    ) throws(ExchangeError) -> [UInt8] {
        while true {
            switch received.withUnsafeBytes({ frames.nextFrame(in: $0) }) {
            case .frame(let payload, let consumed):
                let bytes = Array(received[payload])
                received.removeFirst(consumed)
                return bytes
            case .invalid(let error): throw .outOfStep(error)
            case .needMore: break
            }
            let more: Bool
            do { more = try connection.receive(into: &received, limit: limit) } catch {
                throw .connection(error)
            }
            guard more else { throw .connection(.timedOut(waitingFor: "answer", timeout)) }
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
