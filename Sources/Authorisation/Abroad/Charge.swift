/// What an acquirer says that the cardholder pays. A class: hardly any message has it, and every message would carry it.
package final class CardholderBilling: Sendable {
    /// DE6 and DE51.
    package let amount: Amount
    /// DE10; nil: not sent.
    package let rate: ConversionRate?

    /// Takes both.
    package init(amount: Amount, rate: ConversionRate?) { (self.amount, self.rate) = (amount, rate) }
}

/// What a transaction in another currency comes to for the account.
package final class Charge: Sendable {
    /// Where the amount comes from.
    package enum Source: String, Sendable {
        /// DE6: the network has converted.
        case network = "n"
        /// The range's own table.
        case table = "t"
    }

    /// Of the whole transaction, in the account's currency.
    package let amount: Amount
    /// By which it was converted; nil: nobody said so.
    package let rate: ConversionRate?
    /// Who converted.
    package let source: Source
    /// The amount is not what its rate makes of the transaction's, and the range lets that pass.
    package let isFlagged: Bool

    package init(amount: Amount, rate: ConversionRate?, source: Source, isFlagged: Bool = false) {
        self.amount = amount
        self.rate = rate
        self.source = source
        self.isFlagged = isFlagged
    }

    /// In words, for the trace: `9.23 EUR, by DE10 0.9234567`.
    package var words: String {
        let by = source == .network ? "DE10" : "the table's"
        return "\(amount), " + (rate.map { "by \(by) \($0)" } ?? "no DE10")
    }
}

extension Charge {
    /// In the form of the journal: `9234/978/0.9234567/n`, a flagged one with `f` behind it.
    package var stored: String {
        "\(amount.minorUnits)/\(amount.currency.rawValue)/\(rate?.description ?? "-")/\(source.rawValue)"
            + (isFlagged ? "f" : "")
    }

    /// Reads what `stored` wrote; nil where it is none.
    package convenience init?(stored text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, let minorUnits = Int64(parts[0]), let number = UInt16(parts[1]),
            let currency = CurrencyCode(rawValue: number),
            let amount = Amount(minorUnits: minorUnits, currency: currency),
            let source = Source(rawValue: String(parts[3].prefix(1)))
        else { return nil }
        self.init(
            amount: amount, rate: ConversionRate(decimal: parts[2]), source: source,
            isFlagged: parts[3].hasSuffix("f"))
    }
}
