internal import Authorisation
internal import ISO8583

extension Message {
    /// DE3 as a number of six digits; nil where it is absent or none.
    var processingCodeDigits: UInt64? { number(.processingCode) }

    /// What DE3 positions 1 and 2 ask for (ISO 8583:1987), with DE25 06 (pre-authorised request) and DE90 for what
    /// belongs to an earlier approval; nil for what this issuer does not serve.
    ///
    /// Code 30 has two uses in the field: an enquiry where DE4 is zero, a pre-authorisation where it is not.
    func transactionKind() -> TransactionKind? {
        let asksForMoney = (number(.transactionAmount) ?? 0) > 0
        let kind: TransactionKind
        switch (processingCodeDigits ?? 0) / 10_000 {
        case 0: kind = .purchase
        case 1, 11, 17: kind = .cash
        case 9: kind = .purchaseWithCashBack
        case 20: kind = .refund
        case 30: kind = asksForMoney ? .preAuthorisation : .balanceEnquiry
        case 31: kind = .balanceEnquiry
        default: return nil
        }
        guard kind == .purchase || kind == .preAuthorisation else { return kind }
        let isPreauthorised = kind == .preAuthorisation || number(.pointOfServiceConditionCode) == 6
        if mti.messageClass == .financial, isPreauthorised || has(.originalDataElements) {
            return .completion
        }
        return isPreauthorised ? .preAuthorisation : kind
    }

    /// What the message type asks for; nil for one that asks for nothing of an account.
    func purpose() throws(MappingError) -> RequestPurpose? {
        switch mti {
        case .authorisationRequest, .authorisationRepeat, .financialRequest, .financialRepeat:
            return .decision
        case .authorisationAdvice, .authorisationAdviceRepeat, .financialAdvice, .financialAdviceRepeat:
            return .advice(approved: text(.responseCode).map(ResponseCode.saysApproved) ?? true)
        case .reversalRequest, .reversalRepeat, .reversalAdvice, .reversalAdviceRepeat:
            return .reversal(remainingMinorUnits: try remainingMinorUnits())
        default:
            return nil
        }
    }

    /// The first amount of DE95 (n 12, actual amount of the transaction); zero without it.
    private func remainingMinorUnits() throws(MappingError) -> Int64 {
        guard let bytes = bytes(.replacementAmounts) else { return 0 }
        guard bytes.count >= 12, let amount = decimal(bytes.prefix(12)) else {
            throw MappingError(.replacementAmounts, "does not begin with twelve digits")
        }
        return Int64(clamping: amount)
    }
}

/// What these digits come to; nil where one is none.
func decimal(_ digits: some Collection<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for byte in digits {
        let digit = byte &- 0x30
        guard digit <= 9 else { return nil }
        value = value &* 10 &+ UInt64(digit)
    }
    return value
}
