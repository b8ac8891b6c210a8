/// Limits of a plastic's own in the form of the record: thirteen parts divided by spaces: currency, the bounds, blocked
/// categories, blocked countries; `-` for what does not exist.
extension SpendingLimits {
    var stored: String {
        let numbers = [
            Int64(currency.rawValue), transactionMax, contactlessMax, unverifiedMax, daily.minorUnits,
            daily.count, rolling.minorUnits, rolling.count, rollingDays, dailyCash.minorUnits,
            dailyCash.count,
        ]
        let sets = [blockedMerchantCategories, blockedCountries].map { set in
            set.isEmpty ? "-" : set.sorted().map(String.init).joined(separator: ",")
        }
        return (numbers.map { $0.map(String.init) ?? "-" } + sets).joined(separator: " ")
    }

    /// Reads what `stored` has written. What cannot be read lets nothing pass.
    init(stored bytes: ArraySlice<UInt8>) {
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard parts.count == 13, let number = UInt16(parts[0]), let currency = CurrencyCode(rawValue: number),
            let days = Int64(parts[8])
        else {
            self.init(currency: CurrencyCode(rawValue: 0)!)
            transactionMax = 0
            return
        }
        self.init(currency: currency)
        // A bound that is no number lets nothing pass either.
        func bound(_ index: Int) -> Int64? { parts[index] == "-" ? nil : Int64(parts[index]) ?? 0 }
        func set(_ index: Int) -> Set<UInt16> {
            parts[index] == "-" ? [] : Set(parts[index].split(separator: ",").compactMap { UInt16($0) })
        }
        transactionMax = bound(1)
        contactlessMax = bound(2)
        unverifiedMax = bound(3)
        daily = Allowance(minorUnits: bound(4), count: bound(5))
        rolling = Allowance(minorUnits: bound(6), count: bound(7))
        rollingDays = days
        dailyCash = Allowance(minorUnits: bound(9), count: bound(10))
        blockedMerchantCategories = set(11)
        blockedCountries = set(12)
    }
}
