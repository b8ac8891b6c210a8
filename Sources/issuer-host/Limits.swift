internal import Authorisation
internal import EMV
internal import IssuerConfiguration

extension SpendingLimits {
    /// - Parameter place: where the limits stand, for errors.
    init(_ limits: IssuerConfiguration.Limits, place: String) throws {
        guard let number = UInt16(limits.currency), limits.currency.utf8.count == 3,
            let currency = CurrencyCode(rawValue: number)
        else { throw WiringError("\(place).currency: three digits are needed, not \(limits.currency)") }
        guard ISO4217.currency(number) != nil else {
            throw WiringError("\(place).currency: \(limits.currency) is no currency of ISO 4217")
        }
        self.init(currency: currency)
        transactionMax = limits.transactionMax.map(Int64.init)
        contactlessMax = limits.contactlessMax.map(Int64.init)
        unverifiedMax = limits.unverifiedMax.map(Int64.init)
        daily = Allowance(limits.dailyAmount, limits.dailyCount)
        rolling = Allowance(limits.rollingAmount, limits.rollingCount)
        rollingDays = Int64(limits.rollingDays)
        dailyCash = Allowance(limits.cashAmount, limits.cashCount)
        blockedMerchantCategories = try Self.codes(
            limits.blockedMerchantCategories, digits: 4, place: "\(place).blockedMerchantCategories")
        blockedCountries = try Self.codes(
            limits.blockedCountries, digits: 3, place: "\(place).blockedCountries")
    }

    private static func codes(_ texts: [String], digits: Int, place: String) throws -> Set<UInt16> {
        try Set(
            texts.map { text in
                guard text.utf8.count == digits, let code = UInt16(text) else {
                    throw WiringError("\(place): \(digits) digits are needed, not \(text)")
                }
                return code
            })
    }
}

extension Allowance {
    fileprivate init(_ minorUnits: Int?, _ count: Int?) {
        self.init(minorUnits: minorUnits.map(Int64.init), count: count.map(Int64.init))
    }
}

extension SpendingLimits {
    /// In words, for people.
    var words: String {
        func amount(_ name: String, _ value: Int64?) -> String? {
            value.map { "\(name) \(ISO4217.text(minorUnits: $0, numericCode: currency.rawValue))" }
        }
        func count(_ name: String, _ value: Int64?) -> String? { value.map { "\(name) \($0) transactions" } }
        let parts = [
            amount("transaction", transactionMax), amount("contactless", contactlessMax),
            amount("unverified", unverifiedMax), amount("daily", daily.minorUnits),
            count("daily", daily.count),
            amount("\(rollingDays) days", rolling.minorUnits), count("\(rollingDays) days", rolling.count),
            amount("daily cash", dailyCash.minorUnits), count("daily cash", dailyCash.count),
            blockedMerchantCategories.isEmpty
                ? nil : "no merchant categories \(blockedMerchantCategories.sorted())",
            blockedCountries.isEmpty ? nil : "no countries \(blockedCountries.sorted())",
        ]
        return parts.compactMap { $0 }.joined(separator: ", ")
    }
}
