internal import EMV
internal import Foundation
internal import Issuance

/// What a batch came to: for each card what it got. PANs are masked.
struct DeliveryReport: Encodable {
    private struct Card: Encodable {
        let card: Int
        let pan: String
        let panSequenceNumber: String?
        let application: String
        let chip: String
        let channel: String
        let keyVersion: UInt8
        let serialNumbers: [String]
        let checkValues: [String]
        let channelCheckValues: [String]
    }

    private let format = "issuer-keys personalisation report 1"
    private let list: String
    private let masterKey: String
    private let created: String
    private let cards: [Card]
    private let inDoubt: [CardRecord]
    /// Chips that hold parts of a card and are none.
    let spoiledChips: [String]
    private let left: Int

    init(
        list: String, masterKey: String, orders: [CardOrder], done: [CardRecord], inDoubt: [CardRecord],
        spoiled: [String], left: Int
    ) {
        self.list = list
        self.masterKey = masterKey
        created = Date().formatted(.iso8601)
        cards = done.map { record in
            let order = orders[record.card - 1]
            return Card(
                card: record.card, pan: "\(order.card.identity.pan)",
                panSequenceNumber: order.card.identity.panSequenceNumber.map { "\($0)" },
                application: order.identifier.map { String($0 >> 4, radix: 16) + String($0 & 0xF, radix: 16) }
                    .joined().uppercased(), chip: record.chip, channel: record.channel,
                keyVersion: record.keyVersion, serialNumbers: record.serialNumbers,
                checkValues: record.checkValues, channelCheckValues: record.channelCheckValues)
        }
        self.inDoubt = inDoubt
        spoiledChips = spoiled
        self.left = left
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(self)
        guard
            FileManager.default.createFile(
                atPath: path, contents: data, attributes: [.posixPermissions: 0o600])
        else { throw CocoaError(.fileWriteUnknown) }
    }
}

/// How far a batch is: a bar at a terminal, a line a second elsewhere.
final class DeliveryProgress: @unchecked Sendable {
    // Sendable because everything that changes is only touched under `lock`.
    private let lock = NSLock()
    private let total: Int
    private let earlier: Int
    private var done = 0
    private var start = ContinuousClock.now
    private var last = ContinuousClock.now
    private let busyBefore: Duration
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private static let width = 30

    /// - Parameter busyBefore: how long the token's session was at work until now.
    init(total: Int, earlier: Int, busyBefore: Duration) {
        self.total = total
        self.earlier = earlier
        self.busyBefore = busyBefore
    }

    /// The first card is about to begin: what went before took time of no card.
    func restart() {
        lock.lock()
        defer { lock.unlock() }
        start = ContinuousClock.now
    }

    func cardIsDone() {
        lock.lock()
        defer { lock.unlock() }
        done += 1
        let now = ContinuousClock.now
        guard now - last >= (isTerminal ? .milliseconds(100) : .seconds(1)) || earlier + done == total else {
            return
        }
        last = now
        show(now)
    }

    private func show(_ now: ContinuousClock.Instant) {
        let seconds = DeliveryProgress.seconds(now - start)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let left = rate > 0 ? Int((Double(total - earlier - done) / rate).rounded(.up)) : 0
        let words =
            "\(earlier + done) of \(total) cards, \(Int(rate * 60)) a minute, \(left) s left"
            + (earlier > 0 ? " (\(earlier) earlier)" : "")
        let filled = DeliveryProgress.width * (earlier + done) / max(1, total)
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: DeliveryProgress.width - filled)
        write(isTerminal ? "\r[\(bar)] \(words)\u{1B}[K" : words + "\n")
    }

    func end() {
        lock.lock()
        defer { lock.unlock() }
        if isTerminal, done > 0 { write("\n") }
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    /// - Parameter token: how long the session was at work that signs and speaks to the cards, from its beginning.
    func summary(_ done: Int, left: Int, inDoubt: Int, spoiled: Int, token: Duration) -> String {
        let seconds = DeliveryProgress.seconds(ContinuousClock.now - start)
        let rate = String(format: "%.1f", seconds > 0 ? Double(self.done) / seconds : 0)
        var words = "\(done) of \(total) cards are personalised, \(self.done) of them now, \(rate) a second"
        if left > 0 { words += "; \(left) are left" }
        if inDoubt > 0 { words += "; \(inDoubt) are in doubt" }
        if spoiled > 0 { words += "; \(spoiled) chips hold parts of a card" }
        if self.done > 0 {
            let each = DeliveryProgress.seconds(token - busyBefore) / Double(self.done)
            words += String(
                format: "; the token's session was at work %.0f%% of the time, %.2f ms a card",
                100 * each * Double(self.done) / seconds,
                1_000 * each)
        }
        return words
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
