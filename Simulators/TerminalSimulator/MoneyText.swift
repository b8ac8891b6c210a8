internal import EMV

/// Amounts as people write them: whole units with a point, `42.50`. All that is typed has two decimal places, as the
/// cards' own currencies have.
package enum MoneyText {
    /// Twelve digits: what DE4 and tag 9F02 can carry.
    package static let minorUnitsMax: UInt64 = 999_999_999_999

    /// - Returns: minor units; nil unless the text is decimal digits, and perhaps a point and one or two more.
    package static func minorUnits(_ text: String) -> UInt64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            (1...10).contains(parts[0].utf8.count), let major = UInt64(parts[0])
        else { return nil }
        guard parts.count == 2 else { return major * 100 }
        guard let minor = UInt64(parts[1]), parts[1].utf8.count <= 2 else { return nil }
        return major * 100 + (parts[1].utf8.count == 1 ? minor * 10 : minor)
    }

    /// `42.50 SEK`, `4250 JPY`: by the currency's exponent.
    package static func text(_ minorUnits: UInt64, currency: UInt16) -> String {
        ISO4217.text(minorUnits: Int64(clamping: minorUnits), numericCode: currency)
    }

    /// The number with zeros before it, cut to its last `count` digits.
    static func digits(_ number: UInt64, count: Int) -> String {
        let text = String(number)
        return text.count >= count
            ? String(text.suffix(count)) : String(repeating: "0", count: count - text.count) + text
    }
}
