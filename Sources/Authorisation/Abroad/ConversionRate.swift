internal import EMV

/// How much of the cardholder's currency one unit of the shop's comes to, between whole units and not minor ones: a number
/// of at most fifteen digits and the place of its decimal point. Never a floating point number.
package struct ConversionRate: Hashable, Sendable, CustomStringConvertible {
    /// Above zero.
    package let digits: UInt64
    /// How many of them stand behind the decimal point, 0…15.
    package let places: UInt8

    /// - Returns: nil for zero, for more than fifteen digits and for more than fifteen places.
    package init?(digits: UInt64, places: Int) {
        guard digits > 0, digits < 1_000_000_000_000_000, (0...15).contains(places) else { return nil }
        (self.digits, self.places) = (digits, UInt8(places))
    }

    /// DE10 (n 8): the first digit says how many of the seven others stand behind the decimal point.
    /// - Returns: nil for anything else than eight digits, for more than seven places and for a rate of zero.
    package init?(element bytes: some Collection<UInt8>) {
        guard bytes.count == 8, let first = bytes.first, (0x30...0x37).contains(first) else { return nil }
        var digits: UInt64 = 0
        for byte in bytes.dropFirst() {
            guard (0x30...0x39).contains(byte) else { return nil }
            digits = digits * 10 + UInt64(byte - 0x30)
        }
        self.init(digits: digits, places: Int(first - 0x30))
    }

    /// A decimal number as people write it: `0.9234567`, `161.05`.
    package init?(decimal text: some StringProtocol) {
        let parts = String(text).split(
            separator: Character("."), maxSplits: 1, omittingEmptySubsequences: false
        ).map(String.init)
        let fraction = parts.count == 2 ? parts[1] : ""
        let all = parts[0] + fraction
        guard !parts[0].isEmpty, parts.count == 1 || !fraction.isEmpty,
            all.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let digits = UInt64(all)
        else { return nil }
        self.init(digits: digits, places: fraction.utf8.count)
    }

    /// One to one: two amounts in one currency.
    static let one = ConversionRate(digits: 1, places: 0)!

    /// An amount in another currency, half a minor unit rounded up, by the exponents of both (ISO 4217).
    /// - Returns: nil where one of the currencies is none of ISO 4217, or the result has more than twelve digits.
    package func converted(_ amount: Amount, to currency: CurrencyCode) -> Amount? {
        guard let from = ISO4217.currency(amount.currency.rawValue),
            let to = ISO4217.currency(currency.rawValue)
        else { return nil }
        let shift = to.exponent - from.exponent - Int(places)
        // At most 12 + 15 digits and four more, or divided by at most 19: far within 128 bits.
        var value = UInt128(amount.minorUnits.magnitude) * UInt128(digits)
        if shift >= 0 {
            value *= Self.power(shift)
        } else {
            let divisor = Self.power(-shift)
            value = (value + divisor / 2) / divisor
        }
        return Int64(exactly: value).flatMap { Amount(minorUnits: $0, currency: currency) }
    }

    private static func power(_ exponent: Int) -> UInt128 {
        (0..<exponent).reduce(1) { value, _ in value * 10 }
    }

    /// `0.9234567`.
    package var description: String {
        let text = String(digits)
        guard places > 0 else { return text }
        let padded = String(repeating: "0", count: max(0, Int(places) + 1 - text.count)) + text
        return "\(padded.dropLast(Int(places))).\(padded.suffix(Int(places)))"
    }
}

/// A part of an amount that was converted once: half a minor unit rounded up. What remains is rounded and never what goes,
/// so that all parts come to the whole.
/// - Parameters:
///   - part: in the transaction's currency, 0…`whole`; anything more counts as all of it.
///   - whole: what `amount` was made of.
func proportion(of amount: Int64, _ part: Int64, of whole: Int64) -> Int64 {
    guard part > 0, amount > 0 else { return 0 }
    guard part < whole else { return amount }
    // Both have at most twelve digits.
    return Int64((Int128(amount) * Int128(part) * 2 + Int128(whole)) / (Int128(whole) * 2))
}
