internal import EMV

/// What the acquirer asks for must be what the card signed: DE4 = 9F02, DE49 = 5F2A. Otherwise a right
/// cryptogram over a small amount would open a large one.
///
/// What was left out of DE55 the card has signed as zeros, or not at all, as the profile says; the cryptogram has proved
/// it. No amount of 0 agrees with more in DE4; no currency leaves DE49 as the only one that is named.
struct AmountAgreementCheck {
    static func evaluate(
        _ request: AuthorisationRequest, _ chip: ICCData, trace: inout DecisionTrace
    ) -> DeclineReason? {
        let (amount, circumstances) = (request.amount, request.circumstances)
        if circumstances.kind == .completion {
            trace.add(.amountAgreement, .skipped, reason: "signed for the approval that it completes")
            return nil
        }
        guard let signed = chip.amountAuthorised ?? leftOut(.amountAuthorised, counts: 0, in: chip),
            let currency = chip.transactionCurrencyCode
                ?? leftOut(.transactionCurrencyCode, counts: amount.currency.rawValue, in: chip)
        else {
            trace.add(.amountAgreement, .declined, reason: "9F02 or 5F2A malformed")
            return .chipDataMalformed
        }
        guard signed == UInt64(amount.minorUnits), currency == amount.currency.rawValue else {
            trace.add(.amountAgreement, .declined, reason: "DE4 or DE49 differs from 9F02 or 5F2A")
            return .amountDiffers
        }
        if circumstances.kind == .purchaseWithCashBack {
            let cash = chip.amountOther
            guard let cash, cash > 0, cash <= signed,
                circumstances.cashBackMinorUnits.map({ UInt64(clamping: $0) == cash }) ?? true
            else {
                trace.add(
                    .amountAgreement, .declined,
                    reason: "9F03 is not cash back within DE4, or not that of DE54")
                return .amountDiffers
            }
        }
        trace.add(.amountAgreement, .approved, reason: "as signed")
        return nil
    }

    /// What counts in place of an object that is not there; nil for one that is, and is malformed.
    private static func leftOut<Value>(_ tag: Tag, counts value: Value, in chip: ICCData) -> Value? {
        chip.isLeftOut(tag) ? value : nil
    }
}

/// What DE3 asks for must be what the card signed in tag 9C; otherwise a purchase that was signed would pay the card as a
/// refund. A table, not equality: a card signs cash back as a purchase, and enquiries under several codes.
struct TransactionTypeCheck {
    /// The codes of 9C (ISO 8583:1987 DE3, positions 1 and 2, in BCD) for each kind; a kind that is not here signs none.
    private static let signed: [TransactionKind: Set<UInt8>] = [
        .purchase: [0x00, 0x09], .purchaseWithCashBack: [0x00, 0x09], .cash: [0x01, 0x11, 0x17],
        .refund: [0x20], .preAuthorisation: [0x00, 0x30], .balanceEnquiry: [0x00, 0x30, 0x31],
    ]

    static func evaluate(
        _ request: AuthorisationRequest, _ chip: ICCData, profile: CryptogramProfile,
        trace: inout DecisionTrace
    ) -> DeclineReason? {
        guard let codes = signed[request.circumstances.kind] else { return nil }
        // Where the card signs none and none came there is nothing to hold; money is not given on such a word.
        if !profile.signsTransactionType, !chip.has(.transactionType), request.circumstances.kind != .refund {
            return nil
        }
        // What the terminal left out the card has signed as zeros.
        let code = chip[.transactionType]?.first ?? 0x00
        let isEnquiry = request.circumstances.kind == .balanceEnquiry
        guard codes.contains(code), !isEnquiry || chip.amountAuthorised ?? 0 == 0 else {
            trace.add(
                .amountAgreement, .declined,
                reason:
                    "DE3 is \(request.circumstances.kind.words), the card signed another transaction type in 9C"
            )
            return .transactionTypeDiffers
        }
        return nil
    }
}
