internal import Synchronization
internal import VirtualCard

/// What a till remembers from one transaction to the next: the terminal's numbers, the cards, and what was sent. Held while a
/// request is put together or an answer is noted, never while a host is asked: whoever waits for a slow host waits alone.
final class TillMemory: Sendable {
    /// A request that was sent, for repeats and reversals.
    struct Kept: Sendable {
        var sent: SentRequest
        let link: Link
        var canReverse: Bool
    }

    struct Contents: Sendable {
        var terminal: Terminal
        fileprivate var cards: [String: VirtualCard] = [:]
        private var kept: [Int: Kept] = [:]
        private var count = 0
        /// The last one that can be sent again or reversed.
        var last: Int?

        fileprivate init(terminal: Terminal) { self.terminal = terminal }
    }

    /// More than anybody goes back to.
    private static let keptMax = 1_000

    private let contents: Mutex<Contents>

    init(_ terminal: Terminal) { contents = Mutex(Contents(terminal: terminal)) }

    func with<Outcome: Sendable>(_ body: (inout Contents) throws -> Outcome) rethrows -> Outcome {
        try contents.withLock { try body(&$0) }
    }
}

extension TillMemory.Contents {
    /// The card as it was left, with its counter of now: another page or program may have used it meanwhile.
    func card(_ name: String, bench: Bench) throws -> VirtualCard {
        guard var card = cards[name] else {
            return try name == DemoTable.stranger ? bench.stranger() : bench.card(name)
        }
        try card.catchUp()
        return card
    }

    /// Notes how a card was left.
    mutating func put(_ card: VirtualCard, _ name: String) throws {
        var card = card
        try card.catchUp(with: cards[name])
        cards[name] = card
    }

    /// Cards are read anew from their files.
    mutating func forgetCards() { cards = [:] }

    /// Notes a request that is about to be sent.
    /// - Returns: its number.
    mutating func note(_ kept: TillMemory.Kept) -> Int {
        count += 1
        self.kept[count] = kept
        self.kept[count - TillMemory.keptMax] = nil
        last = count
        return count
    }

    subscript(_ number: Int) -> TillMemory.Kept? {
        get { kept[number] }
        set { kept[number] = newValue }
    }

    /// - Parameter id: nil for the last one.
    func find(_ id: Int?) throws -> (number: Int, kept: TillMemory.Kept) {
        guard let number = id ?? last else { throw StepError("nothing has been sent yet") }
        guard let found = kept[number] else { throw StepError("there is no transaction \(number)") }
        return (number, found)
    }
}
