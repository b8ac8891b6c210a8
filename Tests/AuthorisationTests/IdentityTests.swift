@testable import Authorisation
import Testing

/// Who is who: a message beside a transaction that is kept, as pairs. Each begins as the same purchase with all numbers.
@Suite("Identity")
struct IdentityTests {
    /// One side of a pair.
    struct Side {
        var numbers = Transmission(
            messageClass: .request, stan: 7, sentAt: 1118_110640, localTime: 1118_120640, reference: 99,
            acquirer: 1,
            terminal: 2, merchant: 3)
        var kind = TransactionKind.purchase
        var minorUnits: Int64 = 1_000
        var currency: UInt16 = 752
        /// Plastic and ATC of a cryptogram that was verified.
        var chip: (plastic: UInt8, atc: UInt16)?
        /// Of one that was not.
        var claimedATC: UInt16?
        /// Seconds after the first.
        var later: Int64 = 0

        /// DE7 so many seconds after 11:06:40.
        mutating func send(after seconds: Int64) {
            numbers.sentAt = MonthClock.at(IdentityTests.start + seconds)
            later = seconds
        }

        /// All that may tell two transactions of a terminal apart.
        mutating func strip(sentAt: Bool = false, localTime: Bool = false, reference: Bool = false) {
            if sentAt { numbers.sentAt = 0 }
            if localTime { numbers.localTime = 0 }
            if reference { numbers.reference = 0 }
        }
    }

    struct Pair: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: Identity.Verdict
        let kept: @Sendable (inout Side) -> Void
        let comes: @Sendable (inout Side) -> Void

        init(
            _ words: String, _ expected: Identity.Verdict,
            kept: @escaping @Sendable (inout Side) -> Void = { _ in },
            comes: @escaping @Sendable (inout Side) -> Void
        ) {
            (testDescription, self.expected, self.kept, self.comes) = (words, expected, kept, comes)
        }

        /// The same of both.
        init(
            both: @escaping @Sendable (inout Side) -> Void, _ words: String, _ expected: Identity.Verdict,
            comes: @escaping @Sendable (inout Side) -> Void
        ) {
            self.init(words, expected, kept: both) {
                both(&$0)
                comes(&$0)
            }
        }
    }

    /// 18 November 2026, 11:06:40 UTC.
    static let start: Int64 = 1_795_000_000

    static let withoutChip: [Pair] = [
        Pair("the very same message", .same) { _ in },
        Pair("declared a repeat", .same) { $0.numbers.isRepeat = true },
        Pair("a new time of sending", .same) { $0.send(after: 5) },
        Pair("a new time of sending, hours later", .same) { $0.send(after: 7_200) },
        Pair("a repeat with another STAN, DE37 and local time", .same) {
            $0.numbers.isRepeat = true
            $0.numbers.stan = 8
        },
        Pair("such a repeat came first", .same, kept: { $0.numbers.isRepeat = true }) { $0.numbers.stan = 8 },
        Pair("no repeat, another STAN", .other) { $0.numbers.stan = 8 },
        Pair("another terminal", .other) { $0.numbers.terminal = 4 },
        Pair("another merchant", .other) { $0.numbers.merchant = 4 },
        Pair("no terminal in one of the two", .other) { $0.numbers.terminal = 0 },
        Pair("another acquirer", .other) { $0.numbers.acquirer = 4 },
        Pair("other content, all numbers alike", .doubtful) { $0.minorUnits = 1_001 },
        Pair("another currency, all numbers alike", .doubtful) { $0.currency = 978 },
        Pair("another kind, all numbers alike", .doubtful) { $0.kind = .refund },
        Pair("other content and STAN", .other) {
            $0.minorUnits = 1_001
            $0.numbers.stan = 8
        },
        Pair("another DE37, STAN and local time", .same) { $0.numbers.reference = 98 },
        Pair("DE37 in one of the two only, STAN and local time", .same) { $0.numbers.reference = 0 },
        Pair("another local time, STAN and DE37, soon", .same) { $0.numbers.localTime = 1118_120641 },
        Pair("an advice of the same", .other) { $0.numbers.messageClass = .advice },
        Pair("a reversal of the same", .other) { $0.numbers.messageClass = .reversal },
        Pair("a completion of the same", .other) { $0.numbers.messageClass = .completion },
        Pair("the same numbers a third of a year later", .other) { $0.later = 121 * 86_400 },
    ]

    static let weak: [Pair] = [
        Pair(both: { $0.strip(localTime: true) }, "STAN and DE37, soon", .same) { $0.send(after: 899) },
        Pair(both: { $0.strip(localTime: true) }, "STAN and DE37, not soon", .other) { $0.send(after: 901) },
        Pair(both: { $0.strip(localTime: true) }, "DE37 and no local time, another STAN", .other) {
            $0.numbers.isRepeat = true
            $0.numbers.stan = 8
        },
        Pair(both: { $0.strip(sentAt: true, localTime: true) }, "STAN and DE37 without any time", .same) {
            $0.later = 60
        },
        Pair(
            both: { $0.strip(sentAt: true, localTime: true) }, "STAN and DE37 without any time, late", .other
        ) {
            $0.later = 1_000
        },
        Pair(both: { $0.strip(localTime: true, reference: true) }, "nothing but STAN and DE7", .same) { _ in
        },
        Pair(both: { $0.strip(localTime: true, reference: true) }, "nothing but STAN, another DE7", .other) {
            $0.send(after: 5)
        },
        Pair(both: { $0.strip(localTime: true, reference: true) }, "the same, declared a repeat", .same) {
            $0.send(after: 5)
            $0.numbers.isRepeat = true
        },
        Pair(
            both: { $0.strip(localTime: true, reference: true) }, "the same, declared a repeat, late", .other
        ) {
            $0.send(after: 901)
            $0.numbers.isRepeat = true
        },
        Pair(
            "the same, and the repeat came first", .same,
            kept: {
                $0.strip(localTime: true, reference: true)
                $0.numbers.isRepeat = true
            }
        ) {
            $0.strip(localTime: true, reference: true)
            $0.numbers.sentAt = 1118_110630
        },
        Pair(both: { $0.strip(sentAt: true, localTime: true, reference: true) }, "nothing but STAN", .other) {
            _ in
        },
        Pair(both: { $0.strip(sentAt: true, reference: true) }, "STAN and local time alone", .same) { _ in },
        Pair(both: { $0.strip(reference: true) }, "no DE37, another DE7", .same) { $0.send(after: 5) },
    ]

    static let others: [Pair] = [
        Pair(both: { $0.numbers.messageClass = .advice }, "an advice with another STAN", .same) {
            $0.numbers.stan = 8
        },
        Pair(both: { $0.numbers.messageClass = .advice }, "an advice with another STAN and amount", .other) {
            $0.numbers.stan = 8
            $0.minorUnits = 1_001
        },
        Pair(
            both: {
                $0.numbers.messageClass = .completion; $0.kind = .completion
            },
            "an equal completion with a new DE7", .doubtful
        ) { $0.send(after: 60) },
        Pair(
            both: {
                $0.numbers.messageClass = .completion; $0.kind = .completion
            },
            "an equal completion declared a repeat", .same
        ) {
            $0.send(after: 60)
            $0.numbers.isRepeat = true
        },
        Pair(
            both: {
                $0.numbers.messageClass = .completion; $0.kind = .completion
            },
            "the very same completion", .same
        ) { _ in },
    ]

    static let chips: [Pair] = [
        Pair(both: { $0.chip = (1, 5) }, "the same ATC, all numbers new", .same) {
            $0.numbers.stan = 8
            $0.numbers.localTime = 1118_130000
            $0.numbers.reference = 5
            $0.send(after: 3_600)
        },
        Pair(both: { $0.chip = (1, 5) }, "the same ATC, another amount", .other) { $0.minorUnits = 1_001 },
        Pair(both: { $0.chip = (1, 5) }, "the same ATC at another terminal", .other) {
            $0.numbers.terminal = 4
        },
        Pair(both: { $0.chip = (1, 5) }, "the same ATC and another kind", .other) { $0.kind = .refund },
        Pair(both: { $0.chip = (1, 5) }, "the same numbers, the next ATC", .other) { $0.chip = (1, 6) },
        Pair(both: { $0.chip = (1, 5) }, "the same ATC of another card", .other) { $0.chip = (2, 5) },
        Pair("one cryptogram failed, another ATC", .other, kept: { $0.claimedATC = 5 }) { $0.chip = (1, 6) },
        Pair(
            "an advice whose first cryptogram failed", .same,
            kept: {
                $0.numbers.messageClass = .advice
                $0.claimedATC = 5
            }
        ) {
            $0.numbers.messageClass = .advice
            $0.chip = (1, 5)
            $0.numbers.stan = 8
        },
        Pair(
            "an advice whose cryptogram failed, other amount", .doubtful,
            kept: {
                $0.numbers.messageClass = .advice
                $0.claimedATC = 5
            }
        ) {
            $0.numbers.messageClass = .advice
            $0.chip = (1, 5)
            $0.minorUnits = 1_001
        },
        Pair("a chip beside a stripe under the same numbers", .same, kept: { $0.chip = (1, 5) }) { _ in },
    ]

    @Test("Pairs", arguments: withoutChip + weak + others + chips)
    func pair(_ pair: Pair) {
        var (first, second) = (Side(), Side())
        pair.kept(&first)
        pair.comes(&second)
        var kept = KeptTransaction(
            first.numbers, number: 1, kind: first.kind,
            amount: Amount(minorUnits: first.minorUnits, currency: CurrencyCode(rawValue: first.currency)!)!,
            now: Self.start)
        if let chip = first.chip {
            (kept.plastic, kept.atc) = (chip.plastic, chip.atc)
            kept.flags.formUnion([.chip, .hasATC])
        } else if let atc = first.claimedATC {
            kept.atc = atc
            kept.flags.insert(.hasATC)
        }
        let identity = Identity(
            transmission: second.numbers, kind: second.kind,
            amount: Amount(
                minorUnits: second.minorUnits, currency: CurrencyCode(rawValue: second.currency)!)!,
            chip: second.chip, claimedATC: second.claimedATC ?? second.chip?.atc,
            claimedPlastic: second.chip?.plastic, isNoted: false, now: Self.start + second.later)
        #expect(identity.verdict(kept) == pair.expected)
    }

    @Test func thereAreEnoughPairs() {
        #expect((Self.withoutChip + Self.weak + Self.others + Self.chips).count >= 40)
    }

    // MARK: - Naming

    struct Name: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: Naming.Rank
        let isReversal: Bool
        let names: @Sendable (inout OriginalTransaction) -> Void
        init(
            _ words: String, _ expected: Naming.Rank, isReversal: Bool = true,
            _ names: @escaping @Sendable (inout OriginalTransaction) -> Void
        ) {
            (testDescription, self.expected, self.isReversal, self.names) = (
                words, expected, isReversal, names
            )
        }
    }

    /// Of a reversal of the purchase above; what is always there is the acquirer.
    static let names: [Name] = [
        Name("STAN and DE7", .exact) { ($0.stan, $0.sentAt) = (7, 1118_110640) },
        Name("STAN and DE7 of another terminal", .none) {
            ($0.stan, $0.sentAt, $0.terminal) = (7, 1118_110640, 4)
        },
        Name("STAN and DE7 of another acquirer", .none) {
            ($0.stan, $0.sentAt, $0.acquirer) = (7, 1118_110640, 4)
        },
        Name("STAN and DE7, another DE37", .none) {
            ($0.stan, $0.sentAt, $0.reference) = (7, 1118_110640, 98)
        },
        Name("an advice's STAN and DE7", .none) {
            ($0.stan, $0.sentAt, $0.isAdvice) = (7, 1118_110640, true)
        },
        Name("STAN and the time of a repeat at this terminal", .byNumbers) {
            ($0.stan, $0.sentAt, $0.terminal) = (7, 1118_110700, 2)
        },
        Name("STAN, another day", .none) { ($0.stan, $0.sentAt, $0.terminal) = (7, 1119_110640, 2) },
        Name("STAN, another day, the same local time", .byNumbers) {
            ($0.stan, $0.sentAt, $0.localTime) = (7, 1119_110640, 1118_120640)
        },
        Name("STAN and DE37 without a time", .byNumbers) { ($0.stan, $0.reference) = (7, 99) },
        Name("STAN alone", .none) { $0.stan = 7 },
        Name("STAN and DE37 at this terminal, another day", .byNumbers) {
            ($0.stan, $0.sentAt, $0.reference, $0.terminal) = (7, 1119_110640, 99, 2)
        },
        Name("STAN and DE37, another day", .none) {
            ($0.stan, $0.sentAt, $0.reference) = (7, 1119_110640, 99)
        },
        Name("DE37 with another STAN", .none) { ($0.stan, $0.reference) = (8, 99) },
        Name("a repeat renumbered, by its local time", .byReference) {
            ($0.stan, $0.localTime, $0.reference, $0.terminal) = (8, 1118_120640, 99, 2)
        },
        Name("a renumbered repeat", .byReference) {
            ($0.stan, $0.sentAt, $0.reference, $0.terminal) = (8, 1118_110645, 99, 2)
        },
        Name("DE37 and terminal", .byReference) { ($0.reference, $0.terminal) = (99, 2) },
        Name("DE37 without a terminal", .none) { $0.reference = 99 },
        Name("its own STAN and DE7 are the original's", .exact) {
            ($0.ownSTAN, $0.ownSentAt) = (7, 1118_110640)
        },
        Name("the same of a completion say nothing", .none, isReversal: false) {
            ($0.ownSTAN, $0.ownSentAt) = (7, 1118_110640)
        },
        Name("its own STAN and local time", .byNumbers) { ($0.ownSTAN, $0.localTime) = (7, 1118_120640) },
    ]

    @Test("What a reversal names", arguments: names)
    func name(_ name: Name) {
        let kept = KeptTransaction(
            Side().numbers, number: 1, kind: .purchase,
            amount: Amount(minorUnits: 1_000, currency: CurrencyCode(rawValue: 752)!)!, now: Self.start)
        var original = OriginalTransaction(acquirer: 1)
        name.names(&original)
        #expect(
            Naming(original, amount: name.isReversal ? 1_000 : nil, isReversal: name.isReversal).rank(kept)
                == name.expected)
    }

    @Test func anAmountThatWasNeverAskedNamesNothing() {
        let kept = KeptTransaction(
            Side().numbers, number: 1, kind: .purchase,
            amount: Amount(minorUnits: 1_000, currency: CurrencyCode(rawValue: 752)!)!, now: Self.start)
        let original = OriginalTransaction(stan: 7, sentAt: 1118_110640, acquirer: 1)
        #expect(Naming(original, amount: 999, isReversal: true).rank(kept) == .none)
    }
}
