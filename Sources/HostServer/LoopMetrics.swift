internal import Authorisation
internal import ISO8583
internal import IssuerMessages

/// Counts of one link on one event loop, in arrays that are laid out once.
struct MessageCounts: Sendable {
    /// Message classes 0 to 8, the second digit of the MTI.
    static let classes = 9
    /// DE39 of both editions of ISO 8583, those of 1987 first.
    static let names = ResponseCode.allCases.map(\.rawValue) + ActionCode.allCases.map(\.rawValue)
    static let codes = names.map { code in code.utf8.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }

    var received = [UInt64](repeating: 0, count: MessageCounts.classes)
    /// By class, then by response code; the last place is for any other code.
    var answers = [UInt64](repeating: 0, count: MessageCounts.classes * (MessageCounts.codes.count + 1))
    var answerTimes = [TimeHistogram](repeating: TimeHistogram(), count: MessageCounts.classes)

    static func place(_ messageClass: Int, _ code: UInt32) -> Int {
        messageClass * (codes.count + 1) + (codes.firstIndex(of: code) ?? codes.count)
    }
}

/// Counts of one event loop. Only the loop touches them, so counting costs an addition.
struct LoopMetrics: Sendable {
    /// By the links' slots.
    var links: [MessageCounts] = []
    var undecodable: UInt64 = 0
    var ignored: UInt64 = 0
    var lateAnswers: UInt64 = 0
    var expired: UInt64 = 0
    var shed: UInt64 = 0
    var invalidFrames: UInt64 = 0
    var peersRefused: UInt64 = 0
    var handshakesRefused: UInt64 = 0
    var macFailures: UInt64 = 0
    var networkRequests: UInt64 = 0
    var untold: UInt64 = 0
    var signOnsRefused: UInt64 = 0
    var abandoned: [AbandonReason: UInt64] = [:]
    var connections: Int = 0
    var connectionsMoved: UInt64 = 0
    var inFlight: Int = 0
    var answerTimes = TimeHistogram()
    var stageTimes = [TimeHistogram](repeating: TimeHistogram(), count: Stage.allCases.count)

    mutating func received(_ slot: Int, _ mti: MTI) {
        reserve(slot)
        links[slot].received[Int(mti.messageClass?.rawValue ?? 0)] += 1
    }

    mutating func answered(_ slot: Int, _ response: Message, microseconds: UInt64) {
        reserve(slot)
        let messageClass = Int(response.mti.messageClass?.rawValue ?? 0)
        let code = response.bytes(.responseCode)?.withUnsafeBytes { bytes in
            switch bytes.count {
            case 2: UInt32(bytes[0]) << 8 | UInt32(bytes[1])
            case 3: UInt32(bytes[0]) << 16 | UInt32(bytes[1]) << 8 | UInt32(bytes[2])
            default: UInt32(0)
            }
        }
        links[slot].answers[MessageCounts.place(messageClass, code ?? 0)] += 1
        links[slot].answerTimes[messageClass].add(microseconds: microseconds)
        answerTimes.add(microseconds: microseconds)
    }

    mutating func reserve(_ slot: Int) { while links.count <= slot { links.append(MessageCounts()) } }

    /// Counts the stages that an authorisation has passed.
    mutating func passed(_ times: StageTimes) {
        for stage in Stage.allCases {
            if let time = times[stage] { stageTimes[stage.rawValue].add(microseconds: time / 1_000) }
        }
    }
}

/// Times in buckets of the Prometheus kind. Adding one costs a few comparisons.
struct TimeHistogram: Sendable {
    /// Upper bounds of the buckets in microseconds.
    static let bounds: [UInt64] = [
        10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000,
        100_000, 500_000, 1_000_000,
    ]

    var counts = [UInt64](repeating: 0, count: TimeHistogram.bounds.count + 1)
    var sum: UInt64 = 0

    mutating func add(microseconds: UInt64) {
        sum += microseconds
        var bucket = 0
        while bucket < TimeHistogram.bounds.count, microseconds > TimeHistogram.bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
    }
}
