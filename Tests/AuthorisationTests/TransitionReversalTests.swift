@testable import Authorisation
import EMV
import Testing

/// Reversals: given back once, never done and forgotten, never another's money.
@Suite("Reversals, by the transition")
struct TransitionReversalTests {
    @Test("Early or late, whole or in part, told again", arguments: [true, false], [0, 300] as [Int64])
    func earlyAndLate(isEarly: Bool, remaining: Int64) throws {
        var scene = try CardScene()
        let draft = Draft()
        let reversal = draft.reversal(remaining: remaining)
        if isEarly { #expect(try scene.send(reversal).declined == nil) }
        let result = try scene.send(draft)
        if isEarly { #expect(result.declined == (remaining == 0 ? .reversedBefore : nil)) }
        for _ in 0..<2 { #expect(try scene.send(reversal).declined == nil) }
        #expect(scene.available == 10_000 - remaining)
    }

    @Test("Of a time that the store has lost: 25 with a line of its own; before and after it as ever")
    func fromALostTime() throws {
        var scene = try CardScene()
        let times: [(LostTime, DeclineReason?)] = [
            (LostTime(from: scene.now - 600, until: scene.now), .originalUnknown),
            (LostTime(from: scene.now - 6_000, until: scene.now - 3_600), nil),
        ]
        for (index, (lost, declined)) in times.enumerated() {
            scene.lost = [lost]
            let draft = Draft().next(UInt32(index) + 1)
            #expect(try scene.send(draft.reversal()).declined == declined)
            let isTold = scene.lines.contains {
                if case .change("original-lost", _, _) = $0 { true } else { false }
            }
            #expect(isTold == (declined != nil))
            #expect(try scene.send(draft).declined == (declined == nil ? .reversedBefore : nil))
            // One that is there is given back, whenever it was.
            if declined != nil { #expect(try scene.send(draft.reversal()).declined == nil) }
            #expect(scene.available == 10_000)
        }
    }

    @Test(
        "An acquirer that one of the two does not name is no other one, early or late",
        arguments: [true, false], [true, false])
    func unnamedAcquirer(isEarly: Bool, isOriginal: Bool) throws {
        var scene = try CardScene()
        let named = Draft()
        // In its place stands the link.
        func unnamed(_ draft: Draft, link: UInt32) -> Draft {
            draft.with {
                ($0.numbers.acquirer, $0.numbers.namesAcquirer) = (link, false)
                $0.original?.acquirer = link
                $0.original?.namesAcquirer = false
            }
        }
        let draft = isOriginal ? unnamed(named, link: 7) : named
        let reversal = isOriginal ? named.reversal() : unnamed(named.reversal(), link: 7)
        if isEarly { #expect(try scene.send(reversal).declined == nil) }
        #expect(try scene.send(draft).declined == (isEarly ? .reversedBefore : nil))
        if !isEarly {
            #expect(try scene.send(reversal).effect == .givenBack(minorUnits: 1_000, byNumbers: true))
        }
        #expect(scene.available == 10_000)
        // Two links are two acquirers.
        let onOneLink = unnamed(named, link: 7).next(5)
        try scene.send(onOneLink)
        try scene.send(unnamed(onOneLink.reversal(), link: 8))
        #expect(scene.available == 9_000)
    }

    @Test("STAN and time of a transaction beside another amount, DE37 or terminal: 25, never an idle 00")
    func contradicted() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        let reversal = draft.reversal()
        for wrong in [
            reversal.with { $0.minorUnits += 1 }, reversal.with { $0.original?.terminal += 1 },
            reversal.with { $0.original?.reference += 1 },
        ] {
            #expect(try scene.send(wrong).declined == .originalUnknown)
        }
        // Another acquirer counts for itself: its message may still come.
        #expect(try scene.send(reversal.with { $0.original?.acquirer += 1 }).declined == nil)
        #expect(scene.available == 9_000)
        #expect(try scene.send(reversal).declined == nil)
        #expect(scene.available == 10_000)
    }

    @Test("DE90 with a STAN and no time, and no DE37: terminal, amount and acquirer name it, or nothing does")
    func untimed() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        let reversal = draft.reversal().with {
            $0.original = OriginalTransaction(
                stan: draft.numbers.stan, acquirer: draft.numbers.acquirer,
                terminal: draft.numbers.terminal, ownSTAN: 77, ownSentAt: 1_231_235_959)
        }
        for wrong in [
            reversal.with { $0.minorUnits += 1 }, reversal.with { $0.original?.terminal += 1 },
            reversal.with { $0.original?.terminal = 0 }, reversal.with { $0.original?.acquirer += 1 },
            reversal.with { $0.original?.stan += 1 }, reversal.with { $0.original?.isAdvice = true },
        ] {
            #expect(try scene.send(wrong).declined == .originalUnknown)
        }
        #expect(scene.available == 9_000)
        #expect(try scene.send(reversal).declined == nil)
        #expect(scene.available == 10_000)
    }

    @Test func withoutASequenceNumberToo() throws {
        var scene = try CardScene(numbers: [1])
        let draft = Draft { $0.entry = .chip(5, plastic: 1) }
        try scene.send(draft)
        #expect(draft.reversal().sequenceNumber == nil)
        #expect(try scene.send(draft.reversal()).effect == .givenBack(minorUnits: 1_000, byNumbers: true))
        #expect(try scene.send(Draft().next(5)).declined == nil, "a stripe has no sequence number either")
    }

    @Test func aSharedDE37GivesBackWhatIsNamed() throws {
        var scene = try CardScene()
        let first = Draft { $0.entry = .chip(5, plastic: 1) }
        let second = first.next(3).with {
            $0.entry = .chip(6, plastic: 1)
            $0.minorUnits = 2_500
            $0.numbers.reference = first.numbers.reference
        }
        try scene.send(first)
        try scene.send(second)
        #expect(scene.available == 6_500)
        try scene.send(second.reversal())
        #expect(scene.available == 9_000)
    }

    @Test("A second offline sale under one DE37 erases nothing", arguments: [true, false])
    func secondOfflineSale(isVerified: Bool) throws {
        var scene = try CardScene(numbers: [1, 2])
        let first = Draft { $0.entry = .chip(5, plastic: 1) }
        try scene.send(first)
        for (stan, atc, plastic) in [(3, 6, 1), (4, 5, 2)] as [(UInt32, UInt16, UInt8)] {
            let sale = first.next(stan).with {
                $0.entry = isVerified ? .chip(atc, plastic: plastic) : .forged(atc, plastic: plastic)
                $0.minorUnits = 500
                $0.numbers.reference = first.numbers.reference
            }
            try scene.send(sale.advice())
        }
        #expect(scene.available == 8_000)
    }

    @Test func whatMayBeEitherOfTwoIsRefused() throws {
        var scene = try CardScene()
        let first = Draft { $0.numbers.reference = 0 }
        let twin = first.with { ($0.numbers.terminal, $0.numbers.merchant) = (4, 4) }
        try scene.send(first)
        try scene.send(twin)
        let unclear = first.reversal().with { $0.original?.terminal = 0 }
        #expect(try scene.send(unclear).declined == .originalUnknown && scene.available == 8_000)
        // Money is no way to tell them apart: a second reversal of one would give back the other's.
        try scene.send(first.reversal())
        #expect(try scene.send(unclear).declined == .originalUnknown && scene.available == 9_000)
    }

    @Test func theTimeOfARepeatNamesTheOriginal() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        try scene.send(draft.again())
        let bare = draft.again().reversal().with {
            $0.original?.reference = 0
            $0.original?.terminal = 0
        }
        #expect(try scene.send(bare).effect == .givenBack(minorUnits: 1_000, byNumbers: true))
        // Of a repeat that never came.
        let other = draft.next(10)
        try scene.send(other)
        try scene.send(other.again(after: 9).reversal())
        #expect(scene.available == 10_000)
    }

    @Test func aRepeatsReversalThatCameFirstIsTheOriginals() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft.again().with { $0.numbers.stan = 8 }.reversal())
        #expect(try scene.send(draft).declined == .reversedBefore && scene.available == 10_000)
    }

    @Test func ofSeveralReversalsTheOneThatLeavesLeastCounts() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft.reversal(remaining: 300))
        try scene.send(draft.reversal().with { $0.original?.terminal = 0 })
        #expect(try scene.send(draft).declined == .reversedBefore && scene.available == 10_000)
    }

    @Test func theNinthEarlyReversalIsNotForgotten() throws {
        var scene = try CardScene()
        let drafts = (1...33).map { Draft().next(UInt32($0)) }
        for (index, draft) in drafts.enumerated() {
            // What finds no room is refused, not told done.
            #expect(try scene.send(draft.reversal()).declined == (index < 32 ? nil : .originalUnknown))
        }
        for draft in drafts.prefix(32) { #expect(try scene.send(draft).declined == .reversedBefore) }
        #expect(scene.available == 10_000)
    }

    @Test func aDeclineForMoneyKeepsTheReversal() throws {
        var scene = try CardScene(500)
        let draft = Draft()
        try scene.send(draft.reversal(remaining: 700))
        #expect(try scene.send(draft).declined == .insufficientFunds)
        try scene.order(.importCard(CardScene.definition(1, 50_000), forgettingATCs: false))
        // More declines than are kept, then the repeat is judged anew.
        for number in 1...20 as ClosedRange<UInt32> {
            try scene.send(draft.next(number).with { $0.minorUnits = 90_000 })
        }
        try scene.send(draft.again())
        #expect(scene.available == 49_300)
    }

    @Test func aReversedDeclineStaysOne() throws {
        var scene = try CardScene(500)
        let draft = Draft()
        #expect(try scene.send(draft).declined == .insufficientFunds)
        #expect(try scene.send(draft.reversal()).effect == .originalDeclined)
        try scene.order(.importCard(CardScene.definition(1, 50_000), forgettingATCs: false))
        for number in 1...20 as ClosedRange<UInt32> {
            try scene.send(draft.next(number).with { $0.minorUnits = 90_000 })
        }
        #expect(try scene.send(draft.again()).declined != nil && scene.available == 50_000)
    }

    @Test("What names nothing is refused", arguments: [0, 1, 2])
    func weak(index: Int) throws {
        var scene = try CardScene()
        let reversal = Draft().reversal().with {
            $0.original =
                [
                    OriginalTransaction(stan: 7, acquirer: 1),
                    OriginalTransaction(reference: 99, acquirer: 1),
                    OriginalTransaction(acquirer: 1, terminal: 2),
                ][index]
        }
        #expect(try scene.send(reversal).declined == .originalUnknown)
    }

    @Test("DE37 with the terminal, or the original's own numbers, find it", arguments: [0, 1])
    func weakButEnough(index: Int) throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        let reversal = draft.reversal().with {
            $0.original =
                [
                    OriginalTransaction(
                        reference: 99, acquirer: 1, terminal: 2, ownSTAN: 40, ownSentAt: 1118_120000),
                    OriginalTransaction(acquirer: 1, ownSTAN: 7, ownSentAt: 1118_110640),
                ][index]
        }
        #expect(try scene.send(reversal).declined == nil && scene.available == 10_000)
    }

    @Test func whatIsOlderThanAllThatIsKeptIsRefused() throws {
        var scene = try CardScene()
        let draft = Draft()
        try scene.send(draft)
        for number in 100..<430 as Range<UInt32> {
            scene.now += 1_000
            try scene.send(
                draft.next(number).with {
                    $0.minorUnits = 1
                    $0.numbers.sentAt = MonthClock.at(scene.now)
                    $0.numbers.localTime = MonthClock.at(scene.now)
                })
        }
        let before = scene.available
        #expect(try scene.send(draft.reversal()).declined == .originalUnknown && scene.available == before)
        let byReference = draft.reversal().with {
            $0.original = OriginalTransaction(
                reference: 99, acquirer: 1, terminal: 2, ownSTAN: 900, ownSentAt: MonthClock.at(scene.now))
        }
        #expect(try scene.send(byReference).declined == .originalUnknown)
    }

    @Test func aCountFallsOnceHoweverATransactionEnds() throws {
        var scene = try CardScene()
        var limits = SpendingLimits(currency: CardScene.currency)
        limits.daily = Allowance(minorUnits: 100_000, count: 3)
        scene.policy = CardPolicy(limits: limits)
        let hold = Draft { $0.kind = .preAuthorisation }
        try scene.send(hold)
        try scene.send(hold.completion(900, stan: 3))
        try scene.send(hold.reversal().with { $0.original?.reference = 0 })
        for number in 10..<12 as Range<UInt32> {
            #expect(try scene.send(Draft().next(number)).declined == nil)
        }
        #expect(try scene.send(Draft().next(20)).declined == .dailyCountExceeded)
    }
}
