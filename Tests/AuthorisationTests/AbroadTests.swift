@testable import Authorisation
import EMV
import Testing

/// Transactions in another currency than the account's, which is kept in SEK.
@Suite struct AbroadTests {
    private static let dollar = CurrencyCode(rawValue: 840)!
    private static let yen = CurrencyCode(rawValue: 392)!
    private static let dinar = CurrencyCode(rawValue: 414)!

    /// A purchase in another currency for which the network bills.
    private func abroad(
        _ minorUnits: Int64, _ currency: CurrencyCode = dollar, bills billed: Int64, by rate: String?
    ) -> Draft {
        Draft {
            $0.minorUnits = minorUnits
            $0.currency = currency
            $0.billing = CardholderBilling(
                amount: Amount(minorUnits: billed, currency: CardScene.currency)!,
                rate: rate.flatMap { ConversionRate(decimal: $0) })
        }
    }

    private func approve(_ draft: Draft, _ scene: inout CardScene) throws -> CardOutcome {
        let outcome = try scene.outcome(draft)
        #expect(outcome.result.declined == nil)
        return outcome
    }

    @Test(
        "DE6 is what the account pays, whatever the exponents",
        arguments: [
            (10_00, dollar, 105_12, "10.5123"), (1_500, yen, 97_50, "0.065"), (1_250, dinar, 42_50, "34"),
        ])
    func booked(_ asked: Int64, _ currency: CurrencyCode, _ billed: Int64, _ rate: String) throws {
        var scene = try CardScene(100_000)
        let outcome = try approve(abroad(asked, currency, bills: billed, by: rate), &scene)
        #expect(scene.available == 100_000 - billed)
        #expect(outcome.charge?.amount.minorUnits == billed)
        #expect(outcome.charge?.source == .network)
        _ = try approve(abroad(asked, currency, bills: billed, by: rate).reversal(), &scene)
        #expect(scene.available == 100_000)
    }

    @Test(
        "DE6 may be one minor unit from DE4 by DE10, no more",
        arguments: [(105_11, true), (105_12, true), (105_13, true), (105_10, false), (105_14, false)])
    func difference(_ billed: Int64, _ isRight: Bool) throws {
        let purchase = abroad(10_00, bills: billed, by: "10.512")
        var strict = try CardScene(100_000)
        #expect(try strict.send(purchase).declined == (isRight ? nil : .conversionDiffers))
        #expect(strict.available == (isRight ? 100_000 - billed : 100_000))
        var flagging = try CardScene(100_000)
        flagging.policy = CardPolicy(abroad: AbroadPolicy(declinesDifference: false))
        let outcome = try approve(purchase, &flagging)
        #expect(flagging.available == 100_000 - billed)
        #expect(outcome.charge?.isFlagged == !isRight)
    }

    @Test("DE6 without DE10 is nothing to hold it against")
    func noRate() throws {
        var scene = try CardScene()
        #expect(try scene.send(abroad(10_00, bills: 90_00, by: nil)).declined == .conversionDiffers)
    }

    @Test("Without DE6 the range's table converts, and without a rate there the currency is not served")
    func table() throws {
        var rates = RateTable()
        let isNew = rates.add(ConversionRate(decimal: "10.5")!, from: Self.dollar, to: CardScene.currency)
        #expect(isNew)
        let purchase = Draft {
            $0.minorUnits = 3
            $0.currency = Self.dollar
        }
        var scene = try CardScene()
        #expect(try scene.send(purchase).declined == .currencyNotServed)
        scene.policy = CardPolicy(abroad: AbroadPolicy(rates: rates))
        let outcome = try approve(purchase.next(8), &scene)
        // 31.5 minor units: half is rounded up.
        #expect(scene.available == 10_000 - 32)
        #expect(outcome.charge?.source == .table)
        #expect(
            try scene.send(purchase.next(9).with { $0.currency = Self.yen }).declined == .currencyNotServed)
        // DE6 wins where it is there.
        _ = try approve(abroad(1_00, bills: 12_00, by: "12").next(10), &scene)
        #expect(scene.available == 10_000 - 32 - 12_00)
    }

    @Test("Billed in a third currency: by the table, or not at all")
    func thirdCurrency() throws {
        let purchase = abroad(10_00, bills: 90_00, by: "9").with {
            $0.billing = CardholderBilling(
                amount: Amount(minorUnits: 9_00, currency: CurrencyCode(rawValue: 978)!)!,
                rate: ConversionRate(decimal: "0.9"))
        }
        var scene = try CardScene()
        #expect(try scene.send(purchase).declined == .currencyNotServed)
    }

    @Test("In the account's own currency DE4 counts; another DE6 is a difference")
    func atHome() throws {
        var scene = try CardScene(10_000)
        _ = try approve(abroad(10_00, CardScene.currency, bills: 10_00, by: nil), &scene)
        #expect(scene.available == 9_000)
        let other = abroad(10_00, CardScene.currency, bills: 1, by: nil).next(8)
        #expect(try scene.send(other).declined == .conversionDiffers)
        scene.policy = CardPolicy(abroad: AbroadPolicy(declinesDifference: false))
        _ = try approve(other.next(9), &scene)
        #expect(scene.available == 8_000)
    }

    @Test("Limits count in the account's currency")
    func limits() throws {
        var limits = SpendingLimits(currency: CardScene.currency)
        limits.transactionMax = 200_00
        limits.daily = Allowance(minorUnits: 250_00)
        limits.dailyCash = Allowance(minorUnits: 150_00)
        var scene = try CardScene(1_000_00)
        scene.policy = CardPolicy(limits: limits)
        #expect(try scene.send(abroad(21_00, bills: 210_00, by: "10")).declined == .transactionAmountTooHigh)
        // Cash in DE54 is in the shop's currency too.
        let cashBack = abroad(20_00, bills: 200_00, by: "10").next(8).with {
            $0.kind = .purchaseWithCashBack
            $0.cashBack = 15_01
        }
        #expect(try scene.send(cashBack).declined == .cashAmountExceeded)
        _ = try approve(cashBack.next(9).with { $0.cashBack = 15_00 }, &scene)
        #expect(
            try scene.send(abroad(6_00, bills: 60_00, by: "10").next(30)).declined == .dailyAmountExceeded)
        _ = try approve(abroad(5_00, bills: 50_00, by: "10").next(40), &scene)
        #expect(scene.available == 750_00)
    }

    @Test("Parts that are given back come to the whole, each rounded once")
    func parts() throws {
        for (asked, billed, rate) in [
            (7, 100, "14.3"), (1_000, 333, "0.333"), (3, 1, "0.3333"), (5, 0, "0.01"),
        ] {
            var scene = try CardScene(10_000)
            let purchase = abroad(Int64(asked), bills: Int64(billed), by: rate)
            _ = try approve(purchase, &scene)
            var given: Int64 = 0
            for remaining in stride(from: asked - 1, through: 0, by: asked > 100 ? -111 : -1) {
                let before = scene.available
                _ = try approve(
                    purchase.reversal(remaining: Int64(remaining)).next(UInt32(remaining) + 50), &scene)
                given += scene.available - before
                // What is still booked is the booked amount times the part that remains, rounded half up.
                let left = (2 * billed * remaining + asked) / (2 * asked)
                #expect(10_000 - scene.available == Int64(left))
            }
            _ = try approve(purchase.reversal(), &scene)
            #expect(scene.available == 10_000)
            #expect(given <= Int64(billed))
        }
    }

    @Test(
        "A reversal may name what is still taken in the shop's currency, and must not name another currency")
    func naming() throws {
        var scene = try CardScene(100_000)
        let purchase = abroad(100_00, bills: 1_050_00, by: "10.5")
        scene = try CardScene(200_000)
        _ = try approve(purchase, &scene)
        _ = try approve(purchase.reversal(remaining: 60_00), &scene)
        #expect(scene.available == 200_000 - 630_00)
        let inKrona = purchase.reversal(remaining: 30_00).next(9).with { $0.currency = CardScene.currency }
        #expect(
            try scene.send(inKrona.with { $0.original = purchase.reversal().original }).declined
                == .currencyNotServed)
        let further = purchase.reversal(remaining: 30_00).with { $0.minorUnits = 60_00 }
        _ = try approve(further, &scene)
        #expect(scene.available == 200_000 - 315_00)
        // More than is left gives nothing back.
        _ = try approve(purchase.reversal(remaining: 90_00), &scene)
        #expect(scene.available == 200_000 - 315_00)
    }

    @Test("A part is approved in the shop's currency, and costs no more than there is")
    func partly() throws {
        var scene = try CardScene(100)
        let purchase = abroad(7_00, bills: 73_50, by: "10.5").with { $0.allowsPart = true }
        let outcome = try approve(purchase, &scene)
        // 1.00 SEK buys 0.09 USD, which is 0.95 SEK.
        #expect(outcome.partialMinorUnits == 9)
        #expect(outcome.charge?.amount.minorUnits == 95)
        #expect(scene.available == 5)
        let again = try scene.outcome(purchase.again())
        #expect(again.partialMinorUnits == 9)
        #expect(again.charge?.amount.minorUnits == 95)
        _ = try approve(purchase.reversal(remaining: 3), &scene)
        #expect(scene.available == 100 - 32)
        _ = try approve(purchase.reversal(), &scene)
        #expect(scene.available == 100)
        // Less than one minor unit of the shop's is no part.
        var poor = try CardScene(5)
        #expect(try poor.send(purchase).declined == .insufficientFunds)
    }

    @Test("A reversal that comes first leaves what it says in the shop's currency")
    func early() throws {
        var scene = try CardScene(100_000)
        let purchase = abroad(30_00, bills: 315_00, by: "10.5")
        _ = try approve(purchase.reversal(remaining: 10_00), &scene)
        _ = try approve(purchase, &scene)
        #expect(scene.available == 100_000 - 105_00)
        _ = try approve(purchase.reversal(remaining: 5_00), &scene)
        #expect(scene.available == 100_000 - 52_50)
        _ = try approve(purchase.reversal(), &scene)
        #expect(scene.available == 100_000)
    }

    @Test("Completions are measured at the rate of their approval and booked at their own")
    func completions() throws {
        var scene = try CardScene(1_000_00)
        let hold = abroad(50_00, bills: 500_00, by: "10").with {
            $0.kind = .preAuthorisation
            $0.category = 5_542
        }
        _ = try approve(hold, &scene)
        // Fuel has no excess; the rate has risen by a tenth.
        func completion(_ minorUnits: Int64, _ billed: Int64, stan: UInt32) -> Draft {
            hold.completion(minorUnits, stan: stan).with {
                $0.billing = CardholderBilling(
                    amount: Amount(minorUnits: billed, currency: CardScene.currency)!,
                    rate: ConversionRate(decimal: "11"))
            }
        }
        #expect(try scene.send(completion(50_01, 550_11, stan: 21)).declined == .completionTooHigh)
        _ = try approve(completion(30_00, 330_00, stan: 22), &scene)
        #expect(scene.available == 670_00)
        #expect(try scene.send(completion(20_01, 220_11, stan: 23)).declined == .completionTooHigh)
        _ = try approve(completion(20_00, 220_00, stan: 24), &scene)
        #expect(scene.available == 450_00)
    }

    @Test("What was sold elsewhere is booked as DE6 says, and flagged where DE10 does not make it so")
    func advices() throws {
        var scene = try CardScene(1_000_00)
        _ = try approve(abroad(10_00, bills: 99_00, by: "10.5").advice(), &scene)
        #expect(scene.available == 901_00)
        _ = try approve(
            abroad(10_00, bills: 90_00, by: "9").with { $0.kind = .refund }.next(9).advice(), &scene)
        #expect(scene.available == 991_00)
    }

    @Test(
        "The rate of DE10 and of a table's line",
        arguments: [("61123456", "1.123456"), ("00000042", "42"), ("70000015", "0.0000015")])
    func rates(_ element: String, _ text: String) throws {
        let rate = try #require(ConversionRate(element: Array(element.utf8)))
        #expect(rate.description == text)
        let read = try #require(ConversionRate(decimal: text))
        let (left, right) = (Int(read.places), Int(rate.places))
        #expect(left == right)
        #expect(read == rate)
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "0", "0.000", "1,5", "1.2.3", "١"] {
            #expect(ConversionRate(decimal: wrong) == nil, "\(wrong)")
        }
    }
}
