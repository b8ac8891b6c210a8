internal import EMV
package import ISO8583
internal import VirtualCard

/// How a card comes to the terminal.
package enum CardPresentation: String, Hashable, Sendable, CaseIterable {
    case chip
    /// The stripe, read whole.
    case stripe
    /// The stripe, since the chip does not answer.
    case fallback
    /// The stripe as a contactless chip makes it for each payment: a value and a counter of this one.
    case contactlessStripe = "contactless-stripe"
    /// Typed off the card.
    case keyed
    /// Typed into a web shop.
    case eCommerce = "e-commerce"
    /// The same, with the cardholder authenticated by the issuer's access control server.
    case threeDSecure = "e-commerce 3-D Secure"

    /// DE22: 05 chip, 90 stripe, 80 fallback, 91 contactless stripe, 01 typed, 81 electronic commerce; then the PIN pad.
    var entryMode: String {
        switch self {
        case .chip: "051"
        case .stripe: "901"
        case .fallback: "801"
        case .contactlessStripe: "911"
        case .keyed: "012"
        case .eCommerce, .threeDSecure: "812"
        }
    }

    /// DE25: 00 normal, 59 electronic commerce, 08 mail or telephone order.
    var conditionCode: String {
        switch self {
        case .chip, .stripe, .fallback, .contactlessStripe: "00"
        case .keyed: "08"
        case .eCommerce, .threeDSecure: "59"
        }
    }

    /// In a few words, for people.
    package var words: String {
        switch self {
        case .chip: "chip"
        case .stripe: "magnetic stripe"
        case .fallback: "stripe, the chip fails"
        case .contactlessStripe: "contactless stripe"
        case .keyed: "number typed"
        case .eCommerce: "web shop"
        case .threeDSecure: "web shop, 3-D Secure"
        }
    }

    /// CVV2 is asked for; who was authenticated need not type it.
    var sendsPrintedValue: Bool { self == .keyed || self == .eCommerce }

    var hasStripe: Bool { self == .stripe || self == .fallback || self == .contactlessStripe }
}

/// What a request without a chip says of the card.
package struct StripeSettings: Hashable, Sendable {
    /// A card verification value.
    package enum Value: String, Hashable, Sendable, CaseIterable {
        case right, wrong
        /// The chip's iCVV, which only a copy of a chip's data has on a stripe.
        case chip
        case none
    }

    /// Three digits of track 2; 201 says: a chip, and PIN where possible (ISO/IEC 7813).
    package var serviceCode = "201"
    /// On the stripe.
    package var cvv = Value.right
    /// Printed; sent where there is no stripe.
    package var cvv2 = Value.right

    /// A card with a chip, everything right.
    package init() {}
}

/// Where a link has CVV2.
package struct PrintedValuePosition: Hashable, Sendable {
    /// The element.
    package let element: DataElement
    /// Characters of it before the three digits.
    package let offset: Int

    /// Takes both.
    package init(element: DataElement, offset: Int = 0) {
        self.element = element
        self.offset = offset
    }
}

extension StripeSettings {
    /// The right digits as they are sent.
    fileprivate static func shown(_ digits: String, _ value: Value) -> String {
        switch value {
        case .right, .chip: digits
        case .none: ""
        case .wrong: (digits.hasPrefix("0") ? "1" : "0") + digits.dropFirst()
        }
    }
}

extension VirtualCard {
    /// Track 2 (ISO/IEC 7813): PAN, separator, expiry, service code, PIN key index and PVV, CVV.
    /// - Parameter separator: of the dialect.
    func track2(_ stripe: StripeSettings, separator: Character) throws -> String {
        // Who verifies by PVV looks it up; these digits only keep its place.
        try "\(panDigits)\(separator)\(definition.expiry)\(stripe.serviceCode)10000"
            + cardValue(stripe.cvv, serviceCode: stripe.serviceCode)
    }

    /// The same as a contactless chip makes it, with Visa's dCVV and four digits of the counter in place of the CVV.
    /// - Parameter atc: the counter to use, which is not the card's next one then; nil: the next one.
    mutating func contactlessTrack2(
        _ stripe: StripeSettings, separator: Character, atc: ApplicationTransactionCounter?
    ) throws -> String {
        guard let expiry = UInt16(definition.expiry.description, radix: 16),
            let code = UInt16(stripe.serviceCode, radix: 16),
            let input = CardValueInput(expiry: expiry, serviceCode: code)
        else { throw TerminalError.noCardVerificationKey }
        let used = try atc ?? nextATC()
        let value = try dynamicValue(input, atc: used)
        let shown = StripeSettings.shown(value, stripe.cvv)
        let counter = MoneyText.digits(UInt64(used.rawValue) % 10_000, count: 4)
        return "\(panDigits)\(separator)\(definition.expiry)\(stripe.serviceCode)10000"
            + (shown.isEmpty ? "" : shown + counter)
    }

    /// The three digits on the back.
    func printedValue(_ value: StripeSettings.Value) throws -> String {
        try cardValue(value, serviceCode: "000")
    }

    private func cardValue(_ value: StripeSettings.Value, serviceCode: String) throws -> String {
        guard value != .none else { return "" }
        guard let cardValues, let expiry = UInt16(definition.expiry.description, radix: 16),
            let code = UInt16(value == .chip ? "999" : serviceCode, radix: 16),
            let input = CardValueInput(expiry: expiry, serviceCode: code)
        else { throw TerminalError.noCardVerificationKey }
        return StripeSettings.shown(try cardValues.value(input, of: definition.identity.pan), value)
    }

    var panDigits: String {
        let pan = definition.identity.pan
        return (0..<pan.digitCount).map { String(pan.digit(at: $0)) }.joined()
    }
}
