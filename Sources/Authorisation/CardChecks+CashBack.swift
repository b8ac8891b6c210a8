internal import EMV

/// Purchases with cash back.
extension AmountAgreementCheck {
    /// Tag 9F03 is cash within the amount, and that of DE54 where the message has one.
    static func agreesOnCash(_ circumstances: Circumstances, _ chip: ICCData, signed: UInt64) -> Bool {
        guard let cash = chip.amountOther, cash > 0, cash <= signed else { return false }
        return circumstances.cashBackMinorUnits.map { UInt64(clamping: $0) == cash } ?? true
    }
}
