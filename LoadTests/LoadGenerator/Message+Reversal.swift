package import ISO8583

extension Message {
    /// A request becomes its own reversal: DE90 names it, the rest stays (ISO 8583:1987, 0400).
    /// - Parameters:
    ///   - stan: the reversal's own, 1…999,999.
    ///   - type: 0400 or 0420.
    ///   - remaining: minor units that stay taken (DE95); 0 for none.
    package mutating func becomeReversal(
        stan: UInt64, type: MTI = .reversalRequest, remaining: UInt64 = 0
    ) {
        let acquirer = text(.acquirerIdentifier) ?? ""
        let original =
            "\(mti)\(text(.stan) ?? "")\(text(.transmissionTime) ?? "")"
            + String(repeating: "0", count: 11 - acquirer.count) + acquirer
            + String(repeating: "0", count: 11)
        mti = type
        remove(.iccData)
        remove(.pinData)
        set(.stan, text: digits(Int(stan), count: 6))
        set(.originalDataElements, text: original)
        if remaining > 0 {
            // In transaction and in settlement currency, then two fees of nothing.
            let fee = "D" + digits(0, count: 8)
            let amounts = digits(Int(remaining), count: 12) + digits(0, count: 12) + fee + fee
            set(.replacementAmounts, text: amounts)
        }
    }
}
