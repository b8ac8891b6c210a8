@testable import Authorisation
import EMV
import Testing

/// Limits of a plastic's own beside those of the range, on an account with several.
@Suite struct PlasticLimitsTests {
    /// Number 1 has none of its own, number 2 has these.
    private func scene(_ change: (inout SpendingLimits) -> Void) throws -> CardScene {
        var scene = try CardScene(numbers: [1, 2])
        var limits = SpendingLimits(currency: CardScene.currency)
        change(&limits)
        let plain = CardScene.definition(2, 10_000)
        try scene.order(
            .importCard(
                CardDefinition(
                    sequenceNumber: 2, status: .active, expiry: plain.expiry, pin: plain.pin, pinTriesMax: 3,
                    availableMinorUnits: 10_000, currency: CardScene.currency, profile: plain.profile,
                    limits: limits), forgettingATCs: false))
        return scene
    }

    private func chip(_ plastic: UInt8, _ stan: UInt32) -> Draft {
        Draft().next(stan).with { $0.entry = .chip(UInt16(stan), plastic: plastic) }
    }

    @Test func withAChipEachHasItsOwn() throws {
        var scene = try scene { $0.transactionMax = 500 }
        #expect(try scene.send(chip(1, 1)).declined == nil)
        #expect(try scene.send(chip(2, 2)).declined == .transactionAmountTooHigh)
    }

    @Test func withoutAChipThoseOfEveryOneThatFitsHold() throws {
        var scene = try scene { $0.transactionMax = 500 }
        #expect(try scene.send(Draft()).declined == .transactionAmountTooHigh)
        #expect(try scene.send(Draft { $0.minorUnits = 500 }.next(2)).declined == nil)
        var counted = try self.scene { $0.daily = Allowance(count: 1) }
        #expect(try counted.send(Draft()).declined == nil)
        #expect(try counted.send(Draft().next(2)).declined == .dailyCountExceeded)
        #expect(try counted.send(chip(1, 3)).declined == nil)
    }

    /// They spend the same money: what one spent counts where another is bounded by it.
    @Test func whatOneSpendsCountsForAll() throws {
        var scene = try scene { $0.daily = Allowance(minorUnits: 1_500) }
        #expect(try scene.send(chip(1, 1)).declined == nil)
        #expect(try scene.send(chip(2, 2)).declined == .dailyAmountExceeded)
        #expect(try scene.send(chip(1, 1).reversal()).declined == nil)
        #expect(try scene.send(chip(2, 3)).declined == nil)
    }

    /// The approval says whose limits a completion has to keep, although the completion names no plastic.
    @Test func aCompletionKeepsThoseOfItsApproval() throws {
        var scene = try scene { $0.transactionMax = 500 }
        let approval = chip(1, 1).with { $0.kind = .preAuthorisation }
        #expect(try scene.send(approval).declined == nil)
        #expect(try scene.send(approval.completion(900, stan: 9)).declined == nil)
        let small = chip(2, 2).with {
            $0.kind = .preAuthorisation
            $0.minorUnits = 500
        }
        #expect(try scene.send(small).declined == nil)
        #expect(try scene.send(small.completion(550, stan: 10)).declined == .transactionAmountTooHigh)
    }
}
