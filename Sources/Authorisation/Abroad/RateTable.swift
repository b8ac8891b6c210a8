/// An issuer's own rates, for messages that say in no currency of the cardholder's what he pays.
package struct RateTable: Sendable {
    private var rates: [UInt32: ConversionRate] = [:]

    /// No rates yet.
    package init() {}

    /// How many there are.
    package var count: Int { rates.count }

    /// - Returns: false where a rate for the two is there already.
    package mutating func add(
        _ rate: ConversionRate, from: CurrencyCode, to: CurrencyCode
    ) -> Bool {
        rates.updateValue(rate, forKey: Self.key(from, to)) == nil
    }

    /// What one unit of a currency comes to in another; nil where the table does not say so.
    package func rate(from: CurrencyCode, to: CurrencyCode) -> ConversionRate? { rates[Self.key(from, to)] }

    private static func key(_ from: CurrencyCode, _ to: CurrencyCode) -> UInt32 {
        UInt32(from.rawValue) << 16 | UInt32(to.rawValue)
    }
}

/// What a range does with transactions in another currency than the account's.
package final class AbroadPolicy: Sendable {
    /// Used where a message has no amount in the cardholder's currency; nil: such a message is declined.
    package let rates: RateTable?
    /// An amount in the cardholder's currency that is not what DE10 makes of the transaction's: declined, or booked as it
    /// came and flagged.
    package let declinesDifference: Bool

    package init(rates: RateTable? = nil, declinesDifference: Bool = true) {
        self.rates = rates
        self.declinesDifference = declinesDifference
    }
}
