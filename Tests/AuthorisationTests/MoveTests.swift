@testable import Authorisation
import EMV
import Testing

/// An account that moves to a new PAN (`cards replace`): its money moves once, and so does what is said of it later.
@Suite struct MoveTests {
    private static let (old, new) = (CardToken(high: 1, low: 1), CardToken(high: 2, low: 2))

    /// The new account of one that was used so.
    private func moved(_ use: (inout CardScene) throws -> Void) throws -> CardScene {
        var (old, new) = (try CardScene(), try CardScene(5))
        try use(&old)
        try new.order(.awaitMove(from: Self.old))
        try old.order(.moveAway(to: Self.new))
        try new.order(.takeOver(CardReading(record: old.record, past: old.past), from: Self.old))
        return new
    }

    private func before(_ draft: Draft) -> Draft { draft.with { $0.isOfPANBefore = true } }

    @Test func untilItIsHereNothingIsDecided() throws {
        var (old, new) = (try CardScene(), try CardScene(5))
        try new.order(.awaitMove(from: Self.old))
        for draft in [Draft(), Draft().advice(), Draft().reversal()] {
            guard case .move? = try new.question(draft) else {
                Issue.record("decided on the way")
                continue
            }
        }
        try old.order(.moveAway(to: Self.new))
        for draft in [Draft(), Draft().advice(), Draft().reversal()] {
            guard case .account(Self.new)? = try old.question(draft) else {
                Issue.record("decided where nothing is any more")
                continue
            }
        }
    }

    @Test func eachStepCanBeRepeated() throws {
        var (old, new) = (try CardScene(), try CardScene(5))
        for _ in 0..<2 {
            try new.order(.awaitMove(from: Self.old))
            try old.order(.moveAway(to: Self.new))
            try new.order(.takeOver(CardReading(record: old.record, past: old.past), from: Self.old))
        }
        #expect(new.available == 10_000)
        #expect(throws: CardScene.Unexpected.self) {
            try old.order(.moveAway(to: CardToken(high: 3, low: 3)))
        }
    }

    @Test func aUsedPANTakesNothingOver() throws {
        var new = try CardScene(5)
        try new.send(Draft { $0.minorUnits = 1 })
        #expect(throws: CardScene.Unexpected.self) { try new.order(.awaitMove(from: Self.old)) }
        var reversed = try CardScene(5)
        try reversed.send(Draft().reversal())
        #expect(throws: CardScene.Unexpected.self) { try reversed.order(.awaitMove(from: Self.old)) }
    }

    @Test func whatIsSaidOfEarlierIsFound() throws {
        let purchase = Draft { $0.entry = .chip(5, plastic: 1) }
        var scene = try moved { try $0.send(purchase) }
        #expect(scene.available == 9_000)
        #expect(try scene.send(before(purchase.again())).repeated)
        #expect(try scene.send(before(purchase.reversal())).declined == nil && scene.available == 10_000)
        // What was reversed meanwhile is not approved again.
        #expect(try scene.send(before(purchase.again(after: 9))).declined == .reversedBefore)
        let next = purchase.next(8).with { $0.entry = .chip(6, plastic: 1) }
        #expect(try scene.send(before(next)).declined == .cardRestricted)
        #expect(scene.available == 10_000)
    }

    @Test func aCompletionOfTheOldPANIsBooked() throws {
        let approval = Draft { $0.kind = .preAuthorisation }
        var scene = try moved { try $0.send(approval) }
        #expect(try scene.send(before(approval.completion(800, stan: 9))).declined == nil)
        #expect(scene.available == 9_200)
    }

    /// The new card counts its transactions from one on: what the old one counted says nothing of it.
    @Test func countersStayWithTheirCard() throws {
        let purchase = Draft { $0.entry = .chip(5, plastic: 1) }
        var scene = try moved { try $0.send(purchase) }
        let late = before(Draft { $0.entry = .chip(6, plastic: 1) }.next(6).advice())
        #expect(try scene.send(late).declined == nil && scene.available == 8_000)
        #expect(try scene.send(late.again()).repeated && scene.available == 8_000)
        for atc in 5...6 as ClosedRange<UInt16> {
            let own = Draft { $0.entry = .chip(atc, plastic: 1) }.next(UInt32(atc) + 20)
            let result = try scene.send(own)
            #expect(result.declined == nil && !result.repeated)
        }
        // The same place, kind and amount as the old card's, and the same ATC.
        let advice = Draft { $0.entry = .chip(7, plastic: 1) }.next(31).advice()
        try scene.send(before(advice))
        let own = Draft { $0.entry = .chip(7, plastic: 1) }.next(41).advice()
        #expect(try !scene.send(own).repeated && scene.available == 4_000)
    }

    /// What the old card has used stays known: an advice that comes again when all else is forgotten is not booked again.
    @Test func theOldCardsCountersAreKept() throws {
        let advice = Draft { $0.entry = .chip(5, plastic: 1) }.advice()
        var scene = try moved { try $0.send(advice) }
        for number in 100..<430 as Range<UInt32> {
            scene.now += 1_000
            try scene.send(
                Draft().next(number).with {
                    $0.minorUnits = 1
                    $0.numbers.sentAt = MonthClock.at(scene.now)
                    $0.numbers.localTime = MonthClock.at(scene.now)
                })
        }
        let available = scene.available
        let again = before(advice.with { $0.numbers.sentAt = MonthClock.at(scene.now) })
        #expect(try scene.send(again).declined == .originalUnknown && scene.available == available)
    }

    @Test func holdsEndOnceAndWhereTheAccountIs() throws {
        var (old, new) = (try CardScene(), try CardScene(5))
        try old.send(Draft { $0.kind = .preAuthorisation })
        try new.order(.awaitMove(from: Self.old))
        try old.order(.moveAway(to: Self.new))
        (old.now, new.now) = (old.now + 40 * 86_400, new.now + 40 * 86_400)
        try old.order(.status(.lost, sequenceNumber: nil))
        #expect(old.available == 9_000)
        try new.order(.takeOver(CardReading(record: old.record, past: old.past), from: Self.old))
        try new.order(.unblockPIN(sequenceNumber: 1))
        #expect(new.available == 10_000)
    }

    @Test func aThirdPANHasAllOfBoth() throws {
        let purchase = Draft { $0.entry = .chip(5, plastic: 1) }
        var second = try moved { try $0.send(purchase) }
        let own = Draft { $0.entry = .chip(5, plastic: 1) }.next(9)
        try second.send(own)
        var third = try CardScene(5)
        try third.order(.awaitMove(from: Self.new))
        try second.order(.moveAway(to: CardToken(high: 3, low: 3)))
        try third.order(.takeOver(CardReading(record: second.record, past: second.past), from: Self.new))
        #expect(third.available == 8_000)
        #expect(try third.send(before(purchase.reversal())).declined == nil && third.available == 9_000)
        #expect(try third.send(before(own.again())).repeated)
        #expect(try third.send(before(own.reversal())).declined == nil && third.available == 10_000)
    }
}
