@testable import Authorisation
import EMV
import Testing

/// At most once: repeats, neighbours and forgeries, by the transition alone.
@Suite("Repeats, by the transition")
struct TransitionRepeatTests {
    private static let repeatedKinds: [(TransactionKind, Draft.Entry, Int64)] = [
        (.purchase, .stripe, -1_000), (.cash, .stripe, -1_000), (.refund, .stripe, 1_000),
        (.purchase, .chip(5, plastic: 1), -1_000), (.preAuthorisation, .chip(5, plastic: 1), -1_000),
    ]

    @Test("A repeat with a new time of sending moves nothing", arguments: repeatedKinds.indices)
    func newTimeOfSending(index: Int) throws {
        let (kind, entry, moved) = Self.repeatedKinds[index]
        var scene = try CardScene()
        let draft = Draft {
            $0.kind = kind
            $0.entry = entry
        }
        let first = try scene.send(draft)
        #expect(first.declined == nil && scene.available == 10_000 + moved)
        let again = try scene.send(draft.again())
        #expect(again.declined == nil && again.repeated && again.approvalCode == first.approvalCode)
        #expect(scene.available == 10_000 + moved)
    }

    @Test func anAdviceWithoutDE37IsBookedOnce() throws {
        var scene = try CardScene()
        let advice = Draft {
            $0.entry = .none
            $0.numbers.reference = 0
        }.advice()
        try scene.send(advice)
        #expect(try scene.send(advice.again()).repeated)
        #expect(scene.available == 9_000)
    }

    @Test func aRepeatThatOvertakesIsTheOriginal() throws {
        var scene = try CardScene()
        let draft = Draft()
        let renumbered = draft.again().with { $0.numbers.stan = 8 }
        try scene.send(renumbered)
        #expect(try scene.send(draft).repeated)
        let bare = Draft {
            $0.numbers.stan = 20
            ($0.numbers.localTime, $0.numbers.reference) = (0, 0)
        }
        try scene.send(bare.again())
        #expect(try scene.send(bare).repeated)
        #expect(scene.available == 8_000)
    }

    @Test("Terminals number on their own", arguments: [true, false])
    func anotherTerminal(hasChip: Bool) throws {
        var scene = try CardScene()
        func draft(_ terminal: UInt32, _ atc: UInt16) -> Draft {
            Draft {
                $0.entry = hasChip ? .chip(atc, plastic: 1) : .stripe
                ($0.numbers.sentAt, $0.numbers.reference) = (0, 0)
                ($0.numbers.terminal, $0.numbers.merchant) = (terminal, terminal)
            }
        }
        #expect(try scene.send(draft(2, 5)).declined == nil)
        let second = try scene.send(draft(3, 6))
        #expect(second.declined == nil && !second.repeated && scene.available == 8_000)
    }

    @Test func sixteenWrongValuesForgetNothing() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        for number in 1...16 as ClosedRange<UInt32> {
            #expect(
                try scene.send(draft.next(number).with { $0.entry = .badStripe }).declined == .cardValueWrong)
        }
        for number in 20...40 as ClosedRange<UInt32> {
            try scene.send(draft.next(number).with { $0.minorUnits = 1 })
        }
        let before = scene.available
        #expect(try scene.send(draft.again()).repeated && scene.available == before)
    }

    @Test func aForgeryLeavesNoTrace() throws {
        for forged in [Draft.Entry.forged(5, plastic: 1), .badStripe] {
            var scene = try CardScene()
            let genuine = Draft { $0.entry = .chip(5, plastic: 1) }
            try scene.send(genuine.with { $0.entry = forged })
            #expect(try scene.send(genuine).declined == nil)
            #expect(scene.available == 9_000)
        }
        // With other content too.
        var scene = try CardScene()
        try scene.send(
            Draft {
                $0.entry = .badStripe
                $0.minorUnits = 9_999
            })
        #expect(try scene.send(Draft()).declined == nil)
    }

    @Test func otherContentUnderTheSameNumbersIsRefused() throws {
        var scene = try CardScene()
        try scene.send(Draft())
        #expect(try scene.send(Draft { $0.minorUnits = 2_000 }).declined == .retransmissionDiffers)
        #expect(scene.available == 9_000)
    }

    @Test func theSameATCElsewhereIsAReplay() throws {
        var scene = try CardScene()
        let draft = Draft { $0.entry = .chip(5, plastic: 1) }
        try scene.send(draft)
        #expect(try scene.send(draft.next(3).with { $0.numbers.terminal = 9 }).declined == .atcReplayed)
        #expect(try scene.send(draft.next(4).with { $0.minorUnits = 2_000 }).declined == .atcReplayed)
        #expect(scene.available == 9_000)
    }

    @Test func oneTCUnderTwoNumbersIsBookedOnce() throws {
        var scene = try CardScene()
        let advice = Draft { $0.entry = .chip(5, plastic: 1) }.advice()
        try scene.send(advice)
        #expect(try scene.send(advice.next(9).with { $0.original = nil }).repeated)
        #expect(scene.available == 9_000)
    }

    @Test func anUnprovenAdviceGivesWayToItsProof() throws {
        var scene = try CardScene()
        let advice = Draft { $0.entry = .forged(5, plastic: 1) }.advice()
        try scene.send(advice)
        #expect(scene.available == 9_000)
        #expect(try scene.send(advice.with { $0.entry = .chip(5, plastic: 1) }).repeated)
        #expect(scene.available == 9_000)
    }

    @Test func adviceOfADeclineBooksNothingAndClaimsTheATC() throws {
        var scene = try CardScene()
        let note = Draft { $0.entry = .chip(5, plastic: 1) }.advice(approved: false)
        #expect(try scene.send(note).declined == nil && scene.available == 10_000)
        let later = Draft { $0.entry = .chip(5, plastic: 1) }.next(3)
        #expect(try scene.send(later).declined == .atcReplayed)
    }

    /// 330 more transactions: more than is kept.
    private func wearOut(_ scene: inout CardScene, _ draft: Draft) throws {
        for number in 100..<430 as Range<UInt32> {
            scene.now += 1_000
            try scene.send(
                draft.next(number).with {
                    $0.entry = .stripe
                    $0.minorUnits = 1
                    $0.numbers.sentAt = MonthClock.at(scene.now)
                    $0.numbers.localTime = MonthClock.at(scene.now)
                })
        }
    }

    @Test("Beyond what is kept a repeat is told so", arguments: [true, false])
    func beyondWhatIsKept(isAdvice: Bool) throws {
        var scene = try CardScene()
        let draft = isAdvice ? Draft { $0.entry = .chip(5, plastic: 1) }.advice() : Draft()
        try scene.send(draft)
        try wearOut(&scene, Draft())
        let before = scene.available
        let again = draft.again(after: 1_000)
        #expect(try scene.send(again).declined == .originalUnknown && scene.available == before)
        // What comes first is nothing of the kind.
        let first = Draft().next(900).with {
            $0.numbers.sentAt = MonthClock.at(scene.now)
            $0.numbers.localTime = MonthClock.at(scene.now)
            $0.numbers.isRepeat = true
        }
        #expect(try scene.send(first).declined == nil)
    }

    /// Rule 4 holds whatever else would decline: what may have been approved once is not called declined, and is not kept as a
    /// decline that a reversal then finds in place of the approval.
    @Test(
        "Beyond what is kept no other decline takes the place of an approval",
        arguments: [0, 400] as [Int64],
        [true, false])
    func beyondWhatIsKeptNothingIsADecline(remaining: Int64, isChip: Bool) throws {
        let draft = Draft { if isChip { $0.entry = .chip(5, plastic: 1) } }
        for (name, prepare) in Self.declines {
            var scene = try CardScene()
            try scene.send(draft)
            try wearOut(&scene, Draft())
            if isChip { try scene.order(.resetATC(sequenceNumber: 1)) }
            var again = draft.again(after: 1_000)
            try prepare(&scene, &again)
            let before = scene.available
            #expect(try scene.send(again).declined == .originalUnknown, "\(name)")
            let reversal = try scene.send(again.reversal(remaining: remaining))
            #expect(reversal.declined == .originalUnknown, "\(name)")
            #expect(scene.available == before, "\(name)")
        }
    }

    private static let declines: [(String, @Sendable (inout CardScene, inout Draft) throws -> Void)] = [
        ("nothing", { _, _ in }),
        ("lost", { scene, _ in try scene.order(.status(.lost, sequenceNumber: nil)) }),
        ("plastic stolen", { scene, _ in try scene.order(.status(.stolen, sequenceNumber: 1)) }),
        ("wrong PIN", { _, again in again.pin = 78 }),
        ("another expiry date", { _, again in again.expiry = ExpiryDate(monthsSince2000: 12 * 29) }),
        (
            "limit",
            { scene, _ in
                var limits = SpendingLimits(currency: CardScene.currency)
                limits.transactionMax = 1
                scene.policy = CardPolicy(limits: limits)
            }
        ),
    ]

    @Test func aHundredTransactionsLaterARepeatIsStillOne() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        for number in 1...100 as ClosedRange<UInt32> {
            try scene.send(draft.next(number).with { $0.minorUnits = 1 })
        }
        let before = scene.available
        #expect(try scene.send(draft.again()).repeated && scene.available == before)
    }

    @Test func afterAResetOfTheATCsARepeatIsStillOne() throws {
        var scene = try CardScene()
        let draft = Draft { $0.entry = .chip(5, plastic: 1) }
        try scene.send(draft)
        for number in 1...20 as ClosedRange<UInt32> {
            try scene.send(draft.next(number).with { $0.entry = .chip(5 + UInt16(number), plastic: 1) })
        }
        try scene.order(.resetATC(sequenceNumber: 1))
        let before = scene.available
        #expect(try scene.send(draft.again()).repeated && scene.available == before)
    }
}
