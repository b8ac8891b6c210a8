internal import EMV
internal import ISO8583
internal import VirtualCard

/// A request that was sent, and what is needed to judge its answer.
struct SentRequest: Sendable {
    let message: Message
    /// Nil for requests without a card.
    let cardAnswer: CardAnswer?
    let card: String?
    let start: ContinuousClock.Instant
    var answer: Message?
    /// What is changed in the answer's DE55 before the card sees it.
    var answerFlips: [(tag: Tag, bit: Int)] = []
}

/// A link and its connection, opened when it is needed.
final class ScenarioSession {
    private(set) var link: Link
    private let ownIdentity: TLSIdentity?
    /// Has the bytes since they were last taken.
    let tap: WireTap
    /// The last request that expects, or got, an answer.
    var last: SentRequest?
    private var exchange: Exchange?

    /// - Parameter capture: gets every byte; nil for none.
    init(_ link: Link, capture: CaptureFile? = nil) {
        let tap = WireTap(capture: capture)
        self.link = link
        self.link.tap = tap
        self.tap = tap
        ownIdentity = link.tls
    }

    /// The next use opens another connection, with what is changed of the terminal's own certificate.
    func show(_ change: (inout TLSIdentity) -> Void) {
        disconnect()
        link.tls = ownIdentity
        if var identity = ownIdentity {
            change(&identity)
            link.tls = identity
        }
    }

    var dialect: Dialect { link.form.codec.dialect }

    /// Closes; the next use opens another connection.
    func disconnect() { _ = exchange.take() }

    func use<Result>(
        timeout: Duration, _ body: (inout Exchange) throws(ExchangeError) -> Result
    ) throws(ExchangeError) -> Result {
        var current: Exchange
        if let kept = exchange.take() {
            current = kept
        } else {
            do { current = try Exchange(to: link, timeout: timeout) } catch {
                throw .connection(error)
            }
        }
        // After a failure the connection is closed: what comes late must not meet the next step.
        let result = try body(&current)
        exchange = consume current
        return result
    }

    /// The same, for waiting: silence leaves the connection open.
    func wait<Result>(
        _ body: (inout Exchange) throws(ExchangeError) -> Result
    ) throws(ExchangeError) -> Result {
        guard var current = exchange.take() else { throw .connection(.closed(afterBytes: 0)) }
        do throws(ExchangeError) {
            let result = try body(&current)
            exchange = consume current
            return result
        } catch {
            if case .connection(.timedOut) = error { exchange = consume current }
            throw error
        }
    }
}

/// Chance that can be repeated (SplitMix64).
struct ScenarioChance {
    private var state: UInt64

    /// - Parameter name: scenarios draw independently of each other, whichever of them are run.
    init(seed: UInt64, name: String) {
        state = name.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    mutating func draw(_ range: ClosedRange<UInt64>) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        let width = range.upperBound - range.lowerBound
        return width == .max ? mixed : range.lowerBound + mixed % (width + 1)
    }
}
