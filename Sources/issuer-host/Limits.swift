internal import Authorisation
internal import IssuerConfiguration

extension SpendingLimits {
    /// - Parameter place: where the limits stand, for errors.
    init(_ limits: IssuerConfiguration.Limits, place: String) throws {
        guard let number = UInt16(limits.currency), limits.currency.utf8.count == 3,
            let currency = CurrencyCode(rawValue: number)
        else { throw WiringError("\(place).currency: three digits are needed, not \(limits.currency)") }
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
