internal import ByteCoding
internal import EMV
package import IssuerMessages
internal import ISO8583
internal import VirtualCard

/// What is done to a request of the demo. A scenario file can name these as they stand.
package enum Deed: String, Sendable, CaseIterable {
    case nothing
    case cryptogramBitFlipped
    case verificationResultsChanged
    case amountRaised
    case counterReplayed
    case counterFarAhead
    case chipDataMalformed
    case messageCutShort

    /// - Parameters:
    ///   - card: before the transaction; replays and jumps depend on its counter.
    ///   - amount: as the card signs it, in minor units.
    func distortion(card: VirtualCard, amount: UInt64) -> Distortion {
        var distortion = Distortion()
        switch self {
        case .nothing: break
        case .cryptogramBitFlipped: distortion.chip = .flippedCryptogramBit(0)
        case .verificationResultsChanged:
            distortion.chip = .changed(.terminalVerificationResults, to: [0, 0, 0, 0, 0])
        case .amountRaised:
            // In DE4 too: only the cryptogram can tell.
            let raised = MoneyText.digits(amount + 100_000, count: 12)
            distortion.fields = [(.transactionAmount, raised)]
            distortion.chip = .changed(.amountAuthorised, to: (try? BCD.encode(raised.utf8)) ?? [])
        case .counterReplayed: distortion.chip = .atc(card.atc)
        case .counterFarAhead:
            let far = UInt32(card.atc.rawValue) + 2_000
            distortion.chip = .atc(ApplicationTransactionCounter(rawValue: UInt16(min(far, 0xFFFF))))
        case .chipDataMalformed: distortion.chip = .malformed(.lengthBeyondEnd)
        case .messageCutShort: distortion.bytesCut = 20
        }
        return distortion
    }
}

/// What the card has to say of the answer for a step to be right.
package enum ExpectedVerdict: Sendable {
    /// Authentic, and approves.
    case approves
    /// Authentic, and declines: the issuer knows the card's cryptogram to be good.
    case declines
    /// No ARPC, or one that declines: what the issuer says of cards that it does not serve is its own choice.
    case noApproval
    /// No ARPC: for a bad cryptogram there is nothing to answer.
    case absent
    /// One that is not the issuer's: for trying out what a card does then.
    case wrong
}

/// One transaction of the demo and what has to come of it.
package struct DemoStep: Sendable {
    /// A demo card, or `DemoTable.stranger`.
    package let card: String
    /// Index of the link, modulo the number of links.
    package let link: Int
    /// Minor units.
    package let amount: UInt64
    /// At the PIN pad.
    package let pin: PINEntry
    /// Behind the backs of card and terminal.
    package let deed: Deed
    /// What was done, in words.
    package let words: String
    /// In another currency than the card's; nil: in the card's.
    package var abroad: Abroad?
    /// A web shop with 3-D Secure, and what it sends of it; nil: a shop with a terminal.
    package var authentication: AuthenticationSettings.Value?
    /// DE39.
    package let expected: ResponseCode
    /// Of the card.
    package let verdict: ExpectedVerdict

    init(
        _ words: String, _ card: String, link: Int, amount: UInt64, pin: PINEntry = .right,
        deed: Deed = .nothing, expected: ResponseCode = .approved, verdict: ExpectedVerdict = .approves
    ) {
        self.card = card
        self.link = link
        self.amount = amount
        self.pin = pin
        self.deed = deed
        self.words = words
        self.expected = expected
        self.verdict = verdict
    }

    init(
        webShop words: String, _ card: String, link: Int, amount: UInt64,
        value authentication: AuthenticationSettings.Value, expected: ResponseCode
    ) {
        self.init(
            words, card, link: link, amount: amount, pin: .none, deed: .nothing, expected: expected,
            verdict: .absent)
        self.authentication = authentication
    }

    init(_ words: String, _ card: String, link: Int, amount: UInt64, abroad: Abroad) {
        self.init(words, card, link: link, amount: amount)
        self.abroad = abroad
    }
}

/// A purchase in another currency than the card's.
package struct Abroad: Sendable {
    /// DE49 and tag 5F2A.
    package let currency: UInt16
    /// DE6 in minor units; nil: not sent.
    package let billed: UInt64?
    /// DE10; nil: not sent.
    package let rate: String?
    /// What DE6 of the answer has to say.
    package let pays: UInt64

    /// DE6, DE10 and DE51 of the request.
    func fields(cardCurrency: UInt16) -> [(element: DataElement, text: String)] {
        guard let billed else { return [] }
        return [
            (.cardholderBillingAmount, MoneyText.digits(billed, count: 12)),
            (.cardholderBillingCurrency, MoneyText.digits(UInt64(cardCurrency), count: 3)),
        ] + (rate.map { [(.cardholderBillingConversionRate, $0)] } ?? [])
    }
}

/// The demo as a table: every good card on both links, then every decline, each followed by a good request on
/// the same connection.
package enum DemoTable {
    /// A card with a right cryptogram that the issuer never issued.
    package static let stranger = "never-issued"
    static let strangerPAN = "4761739001019094"
    /// The issued card that it otherwise equals.
    static let strangerModel = "visa-cvn18"
    /// The card whose holder forgets the PIN. It has no funds, so that nobody misses its approvals afterwards.
    static let forgetful = "no-funds"

    private static let good = [
        "visa-cvn10", "visa-cvn18", "visa-cvn22", "mchip-10h", "mchip-11h", "mchip-14h", "mchip-15h",
        "ccd-19-digits",
    ]

    private static let purchases = good.enumerated().flatMap { index, card in
        [0, 1].map { link in
            DemoStep(
                "purchase, right PIN", card, link: link, amount: UInt64(4_250 + 1_000 * index + 5 * link))
        }
    }

    private static let declines: [DemoStep] = [
        .init(
            "one bit of the ARQC flipped", "visa-cvn18", link: 0, amount: 1_999, deed: .cryptogramBitFlipped,
            expected: .cryptogramFailure, verdict: .absent),
        .init(
            "one bit of the ARQC flipped", "mchip-14h", link: 1, amount: 1_999, deed: .cryptogramBitFlipped,
            expected: .cryptogramFailure, verdict: .absent),
        .init(
            "TVR changed after signing", "visa-cvn10", link: 0, amount: 1_999,
            deed: .verificationResultsChanged,
            expected: .cryptogramFailure, verdict: .absent),
        .init(
            "amount raised after signing", "ccd-19-digits", link: 1, amount: 1_999, deed: .amountRaised,
            expected: .cryptogramFailure, verdict: .absent),
        .init(
            "wrong PIN", "visa-cvn22", link: 0, amount: 2_500, pin: .wrong, deed: .nothing,
            expected: .wrongPIN, verdict: .declines),
        .init(
            "wrong PIN", "mchip-11h", link: 1, amount: 2_500, pin: .wrong, deed: .nothing,
            expected: .wrongPIN, verdict: .declines),
        .init(
            "used ATC again", "mchip-10h", link: 0, amount: 2_500, deed: .counterReplayed,
            expected: .securityViolation, verdict: .declines),
        .init(
            "ATC 2,000 ahead", "visa-cvn10", link: 1, amount: 2_500, deed: .counterFarAhead,
            expected: .securityViolation, verdict: .declines),
        .init(
            "card never issued", stranger, link: 0, amount: 2_500, deed: .nothing, expected: .unknownCard,
            verdict: .noApproval),
        .init(
            "expired card", "expired", link: 1, amount: 2_500, deed: .nothing, expected: .expiredCard,
            verdict: .noApproval),
        .init(
            "lost card", "blocked", link: 0, amount: 2_500, deed: .nothing, expected: .lostCard,
            verdict: .noApproval),
        .init(
            "no funds", "no-funds", link: 1, amount: 100, deed: .nothing, expected: .insufficientFunds,
            verdict: .declines),
        .init(
            "first wrong PIN", forgetful, link: 0, amount: 100, pin: .wrong, deed: .nothing,
            expected: .wrongPIN, verdict: .declines),
        .init(
            "second wrong PIN", forgetful, link: 1, amount: 100, pin: .wrong, deed: .nothing,
            expected: .wrongPIN, verdict: .declines),
        .init(
            "third wrong PIN", forgetful, link: 0, amount: 100, pin: .wrong, deed: .nothing,
            expected: .pinTriesExceeded, verdict: .declines),
        .init(
            "right PIN, too late", forgetful, link: 1, amount: 100, deed: .nothing,
            expected: .pinTriesExceeded, verdict: .declines),
        .init(
            "DE55 malformed", "mchip-15h", link: 0, amount: 2_500, deed: .chipDataMalformed,
            expected: .formatError, verdict: .absent),
        .init(
            "message cut short", "visa-cvn18", link: 1, amount: 2_500, deed: .messageCutShort,
            expected: .formatError, verdict: .absent),
    ]

    /// In another currency: what the card pays stands in DE6, or comes of the issuer's own table. The answer's DE6 has to say
    /// it.
    private static let abroad: [DemoStep] = [
        .init(
            "in EUR, DE6 says what it costs", "visa-cvn18", link: 0, amount: 2_500,
            abroad: Abroad(currency: 978, billed: 28_011, rate: "51120450", pays: 28_011)),
        .init(
            "in JPY, the issuer converts", "mchip-14h", link: 1, amount: 1_500,
            abroad: Abroad(currency: 392, billed: nil, rate: nil, pays: 10_245)),
    ]

    /// Behind the others, where the links have 3-D Secure: a value is good once.
    package static let webShops: [DemoStep] = [
        .init(
            webShop: "web shop, 3-D Secure", "visa-cvn18", link: 0, amount: 2_999, value: .right,
            expected: .approved),
        .init(
            webShop: "web shop, its value again", "visa-cvn18", link: 1, amount: 2_999, value: .again,
            expected: .securityViolation),
        .init(
            webShop: "web shop, 3-D Secure", "mchip-14h", link: 1, amount: 2_999, value: .right,
            expected: .approved),
        .init(
            webShop: "web shop, a wrong value", "mchip-14h", link: 0, amount: 2_999, value: .wrong,
            expected: .cardValueFailure),
    ]

    /// All of it, in order.
    package static let steps: [DemoStep] =
        purchases + abroad
        + declines.flatMap { step in
            // The same card where it is a good one: a right PIN after a wrong one shows that tries begin anew.
            let card = good.contains(step.card) ? step.card : "mchip-10h"
            return [step, DemoStep("good request after it", card, link: step.link, amount: 1_000)]
        }
}
