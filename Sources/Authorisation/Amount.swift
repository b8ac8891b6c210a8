internal import EMV

/// A numeric ISO 4217 currency code, 0…999 (DE49, tag 5F2A).
package struct CurrencyCode: Hashable, Sendable, CustomStringConvertible {
    /// The three digits as a number.
    package let rawValue: UInt16

    /// - Parameter rawValue: 0…999; anything else is not a currency.
    package init?(rawValue: UInt16) {
        guard rawValue <= 999 else { return nil }
        self.rawValue = rawValue
    }

    /// The three digits, as DE49 carries them.
    package var description: String {
        let digits = String(rawValue)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }
}

extension CurrencyCode {
    /// `SEK`; the three digits where ISO 4217 has no such currency.
    package var name: String { ISO4217.currency(rawValue)?.alphabeticCode ?? description }
}

/// An amount in the minor unit of its currency. Never a floating point number.
package struct Amount: Hashable, Sendable, CustomStringConvertible {
    /// The largest amount: twelve digits, as DE4 and tag 9F02 hold.
    package static let minorUnitsMax: Int64 = 999_999_999_999

    /// 0…`minorUnitsMax`.
    package let minorUnits: Int64
    /// The currency whose minor unit is counted.
    package let currency: CurrencyCode

    /// - Returns: nil for a negative amount or one of more than twelve digits.
    package init?(minorUnits: Int64, currency: CurrencyCode) {
        guard minorUnits >= 0, minorUnits <= Amount.minorUnitsMax else { return nil }
        self.minorUnits = minorUnits
        self.currency = currency
    }

    /// As people write it, by the currency's exponent: `42.50 SEK`.
    package var description: String { ISO4217.text(minorUnits: minorUnits, numericCode: currency.rawValue) }
}
