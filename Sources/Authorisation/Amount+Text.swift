internal import EMV

extension CurrencyCode {
    /// The three digits, as DE49 carries them.
    package var description: String {
        let digits = String(rawValue)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }

    /// `SEK`; the three digits where ISO 4217 has no such currency.
    package var name: String { ISO4217.currency(rawValue)?.alphabeticCode ?? description }
}

extension Amount {
    /// As people write it, by the currency's exponent: `42.50 SEK`.
    package var description: String { ISO4217.text(minorUnits: minorUnits, numericCode: currency.rawValue) }
}
