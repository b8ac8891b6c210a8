internal import Authorisation

/// Limits as the store keeps them with a card, and as a commit hands them to it.
enum StoredLimits {
    /// `day cash dailyAmount dailyCount rollingAmount rollingCount rollingDays cashAmount cashCount`.
    static func counted(_ counted: CountedLimits, cash: Int64?) -> String {
        let limits = counted.limits
        let numbers = [
            limits.daily.minorUnits, limits.daily.count, limits.rolling.minorUnits, limits.rolling.count,
            limits.rollingDays, limits.dailyCash.minorUnits, limits.dailyCash.count,
        ]
        return "\(counted.day) \(text(cash)) \(numbers.map(text).joined(separator: " "))"
    }

    /// Thirteen parts divided by spaces: currency, the bounds, blocked categories, blocked countries.
    static func text(_ limits: SpendingLimits) -> String {
        let numbers = [
            Int64(limits.currency.rawValue), limits.transactionMax, limits.contactlessMax,
            limits.unverifiedMax,
            limits.daily.minorUnits, limits.daily.count, limits.rolling.minorUnits, limits.rolling.count,
            limits.rollingDays, limits.dailyCash.minorUnits, limits.dailyCash.count,
        ]
        let sets = [limits.blockedMerchantCategories, limits.blockedCountries].map { set in
            set.isEmpty ? "-" : set.sorted().map(String.init).joined(separator: ",")
        }
        return (numbers.map(text) + sets).joined(separator: " ")
    }

    /// Reads what `text` has written; nil for a card without limits of its own.
    static func limits(_ bytes: ArraySlice<UInt8>) throws(StateUnavailable) -> SpendingLimits? {
        if bytes.isEmpty { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard parts.count == 13, let number = UInt16(parts[0]), let currency = CurrencyCode(rawValue: number),
            let days = Int64(parts[8])
        else { throw StateUnavailable("read: the card's limits are damaged") }
        func bound(_ index: Int) throws(StateUnavailable) -> Int64? {
            if parts[index] == "-" { return nil }
            guard let number = Int64(parts[index]) else {
                throw StateUnavailable("read: the card's limits are damaged")
            }
            return number
        }
        func set(_ index: Int) -> Set<UInt16> {
            parts[index] == "-" ? [] : Set(parts[index].split(separator: ",").compactMap { UInt16($0) })
        }
        var limits = SpendingLimits(currency: currency)
        limits.transactionMax = try bound(1)
        limits.contactlessMax = try bound(2)
        limits.unverifiedMax = try bound(3)
        limits.daily = Allowance(minorUnits: try bound(4), count: try bound(5))
        limits.rolling = Allowance(minorUnits: try bound(6), count: try bound(7))
        limits.rollingDays = days
        limits.dailyCash = Allowance(minorUnits: try bound(9), count: try bound(10))
        limits.blockedMerchantCategories = set(11)
        limits.blockedCountries = set(12)
        return limits
    }

    private static func text(_ number: Int64?) -> String { number.map(String.init) ?? "-" }
}
