/// Amounts as people write them: major units with a point, `42.50`. All currencies of the demo have two
/// decimal places.
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

    /// `42.50 SEK`.
    package static func text(_ minorUnits: UInt64, currency: UInt16) -> String {
        let name = currencies[currency] ?? "(\(digits(UInt64(currency), count: 3)))"
        return "\(minorUnits / 100).\(digits(minorUnits % 100, count: 2)) \(name)"
    }

    /// ISO 4217, those that a demo is likely to use.
    private static let currencies: [UInt16: String] = [
        124: "CAD", 208: "DKK", 578: "NOK", 752: "SEK", 756: "CHF", 826: "GBP", 840: "USD", 978: "EUR",
    ]

    /// The number with zeros before it, cut to its last `count` digits.
    static func digits(_ number: UInt64, count: Int) -> String {
        let text = String(number)
        return text.count >= count
            ? String(text.suffix(count)) : String(repeating: "0", count: count - text.count) + text
    }
}
