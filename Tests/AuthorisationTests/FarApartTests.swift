@testable import Authorisation
import EMV
import Testing

/// Messages about one transaction that are sent days apart, under numbers that others share, or under the PAN before. Each
/// was found by the simulation; the kinds stand here without its noise.
@Suite("Messages far apart, by the transition")
struct FarApartTests {
    private static let days: UInt32 = 5_000_000

    private func chip(_ atc: UInt16, _ change: (inout Draft) -> Void = { _ in }) -> Draft {
        Draft {
            $0.entry = .chip(atc, plastic: 1)
            $0.numbers.localTime = 0
            change(&$0)
        }
    }

    // MARK: - Times of sending

    @Test("A reversal names the time of a repeat that was sent days later and has not come")
    func reversalOfALateRepeat() throws {
        var scene = try CardScene()
        let purchase = chip(5)
        try scene.send(purchase)
        scene.now += 5 * 86_400
        let reversal = purchase.again(after: Self.days).reversal()
        #expect(try scene.send(reversal).declined == nil && scene.available == 10_000)
    }

    @Test("A completion names the time of the first message, and only a repeat of days later has come")
    func completionOfALateRepeat() throws {
        var scene = try CardScene()
        let first = chip(5) { $0.kind = .preAuthorisation }
        scene.now += 5 * 86_400
        try scene.send(first.again(after: Self.days))
        try scene.send(first.completion(400, stan: 9))
        #expect(scene.available == 9_600)
    }

    @Test("Without DE37 another day's STAN is another transaction's")
    func anotherDayWithoutDE37() throws {
        var scene = try CardScene()
        let purchase = chip(5) { $0.numbers.reference = 0 }
        try scene.send(purchase)
        scene.now += 5 * 86_400
        #expect(try scene.send(purchase.again(after: Self.days).reversal()).effect == .originalUnknown)
        #expect(scene.available == 9_000)
    }

    @Test("A reversal by the time of a late repeat of what is kept no more is refused")
    func reversalOfWhatIsForgotten() throws {
        var scene = try CardScene(1_000_000)
        let purchase = chip(5)
        try scene.send(purchase)
        scene.now += 2_000
        let late = purchase.again(after: 3_320)
        #expect(try scene.send(late).repeated)
        for number in 100..<430 as Range<UInt32> {
            scene.now += 1
            try scene.send(purchase.next(number).with { $0.entry = .stripe })
        }
        #expect(try scene.send(late.reversal()).declined == .originalUnknown)
    }

    // MARK: - What may be given up

    @Test(
        "An advice whose ATC is too far ahead is not booked again once it is kept no more",
        arguments: [true, false])
    func adviceTooFarAhead(hasLocalTime: Bool) throws {
        var scene = try CardScene(1_000_000)
        try scene.send(chip(1) { $0.numbers.stan = 90 })
        let sale = Draft {
            $0.entry = .chip(1_600, plastic: 1)
            if !hasLocalTime { $0.numbers.localTime = 0 }
        }.advice()
        try scene.send(sale)
        for number in 100..<430 as Range<UInt32> {
            scene.now += 1
            try scene.send(sale.next(number).with { $0.entry = .none })
        }
        let before = scene.available
        scene.now += 5 * 86_400
        let late = sale.with { $0.numbers.sentAt += Self.days }
        #expect(try scene.send(late).declined == .originalUnknown && scene.available == before)
    }

    @Test("A script that went out with an ATC is not told again when an import has given the ATC free")
    func scriptAfterImport() throws {
        var scene = try CardScene()
        let script = QueuedScript(identifier: 0, command: try #require(ScriptCommand(.pinUnblock)))
        try scene.order(.queueScript(script, sequenceNumber: 1))
        #expect(try scene.outcome(chip(5)).script?.identifier == 1)
        try scene.order(.importCard(CardScene.definition(1, 10_000), forgettingATCs: true))
        let purchase = chip(5).next(20)
        #expect(try scene.outcome(purchase).script == nil)
        let again = try scene.outcome(purchase.again())
        #expect(again.result.repeated && again.script == nil)
    }

    @Test("After a reset of the ATCs a script is not told with what had its ATC before")
    func scriptAfterReset() throws {
        var scene = try CardScene()
        let earlier = chip(5)
        try scene.send(earlier)
        try scene.order(.resetATC(sequenceNumber: 1))
        let script = QueuedScript(identifier: 0, command: try #require(ScriptCommand(.pinUnblock)))
        try scene.order(.queueScript(script, sequenceNumber: 1))
        let later = chip(5).next(20).with { $0.numbers.terminal = 9 }
        #expect(try scene.outcome(later).script?.identifier == 1)
        #expect(try scene.outcome(later.again()).script?.identifier == 1)
        let again = try scene.outcome(earlier.again())
        #expect(again.result.repeated && again.script == nil)
    }

    // MARK: - Under other numbers

    @Test("A completion under another STAN is not what its hold would be reversed by")
    func equalCompletions() throws {
        var scene = try CardScene()
        let hold = Draft { $0.kind = .preAuthorisation }
        try scene.send(hold)
        let (first, second) = (hold.completion(300, stan: 8), hold.completion(300, stan: 9))
        try scene.send(first)
        #expect(try scene.send(second.reversal()).effect == .originalUnknown)
        #expect(scene.available == 9_700)
        #expect(try scene.send(second).declined == .reversedBefore)
        try scene.send(first.reversal())
        #expect(scene.available == 10_000)
    }

    @Test("A part of a completion for all of its hold is reversed before it comes")
    func completionOfTheWholeHold() throws {
        var scene = try CardScene()
        let hold = Draft { $0.kind = .preAuthorisation }
        try scene.send(hold)
        let completion = hold.completion(1_000, stan: 8)
        #expect(try scene.send(completion.reversal(remaining: 100)).declined == nil)
        try scene.send(completion)
        #expect(scene.available == 9_900)
    }

    @Test(
        "A reversal that names another STAN, of another currency or of a refund, is not of what shares its DE37"
    )
    func sharedDE37() throws {
        var scene = try CardScene(numbers: [1, 2])
        let refund = Draft {
            $0.kind = .refund
            $0.entry = .chip(5, plastic: 1)
        }
        try scene.send(refund)
        #expect(scene.available == 11_000)
        func purchase(_ change: (inout Draft) -> Void) -> Draft {
            refund.next(1).with {
                ($0.numbers.stan, $0.kind) = (8, .purchase)
                $0.numbers.reference = refund.numbers.reference
                change(&$0)
            }
        }
        let yen = purchase {
            ($0.kind, $0.currency) = (.refund, CurrencyCode(rawValue: 392)!)
        }
        for other in [purchase { _ in }, yen] {
            #expect(try scene.send(other.reversal()).effect == .originalUnknown && scene.available == 11_000)
        }
    }

    @Test(
        "The reversal of a repeat under another STAN undoes what came first, by its local time",
        arguments: [0, 1_000])
    func renumberedByLocalTime(minorUnits: Int64) throws {
        var scene = try CardScene()
        let purchase = Draft {
            $0.minorUnits = minorUnits
            $0.billing = nil
        }
        let reversal = purchase.with { ($0.numbers.stan, $0.numbers.sentAt) = (8, 1118_110645) }.reversal()
            .with { $0.original?.localTime = purchase.numbers.localTime }
        try scene.send(reversal)
        #expect(try scene.send(purchase).declined == .reversedBefore && scene.available == 10_000)
    }

    // MARK: - Elsewhere declined

    @Test("What was declined elsewhere is not what was sold", arguments: [true, false])
    func notedThenSold(isVerified: Bool) throws {
        var scene = try CardScene(numbers: [1, 2])
        let sale = Draft { $0.entry = isVerified ? .chip(5, plastic: 1) : .forged(5, plastic: 1) }
        try scene.send(sale.advice(approved: false))
        let sold = sale.next(1).with { $0.entry = .chip(5, plastic: isVerified ? 1 : 2) }.advice()
        #expect(try scene.send(sold).declined == nil && scene.available == 9_000)
        #expect(try scene.send(sold.again()).repeated && scene.available == 9_000)
    }

    @Test("An unverified advice of one card is not another card's of the same ATC")
    func unverifiedOfAnotherCard() throws {
        var scene = try CardScene(numbers: [1, 2])
        let forged = Draft { $0.entry = .forged(5, plastic: 1) }
        try scene.send(forged.advice())
        try scene.send(forged.next(1).with { $0.entry = .chip(5, plastic: 2) }.advice())
        #expect(scene.available == 8_000)
        try scene.send(forged.next(2).with { $0.entry = .chip(5, plastic: 1) }.advice())
        #expect(scene.available == 8_000)
    }

    // MARK: - Nothing in the shop's currency

    @Test("DE4 of 0 abroad, where DE6 is not, is given back", arguments: [true, false])
    func nothingAbroad(isEarly: Bool) throws {
        var scene = try CardScene()
        let purchase = Draft {
            ($0.minorUnits, $0.currency) = (0, CurrencyCode(rawValue: 392)!)
            $0.billing = CardholderBilling(
                amount: Amount(minorUnits: 1, currency: CardScene.currency)!,
                rate: ConversionRate(decimal: "0.07"))
        }
        if isEarly { try scene.send(purchase.reversal()) }
        #expect(try scene.send(purchase).declined == (isEarly ? .reversedBefore : nil))
        if !isEarly { try scene.send(purchase.reversal()) }
        #expect(scene.available == 10_000)
    }
}
