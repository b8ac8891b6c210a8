internal import Authorisation
internal import ISO8583

extension Message {
    /// DE3 as a number of six digits; nil where it is absent or none.
    var processingCodeDigits: UInt64? { number(.processingCode) }

    /// What DE3 positions 1 and 2 ask for, with DE25 06 (pre-authorised request) and DE90 for what belongs to an earlier
    /// approval (ISO 8583:1987), or with DE24 and DE56 (1993); nil for what this issuer does not serve.
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
        if mti.is1993 { return kind1993(kind) }
        guard kind == .purchase || kind == .preAuthorisation else { return kind }
        let isPreauthorised = kind == .preAuthorisation || number(.pointOfServiceConditionCode) == 6
        if mti.messageClass == .financial, isPreauthorised || hasContent(.originalDataElements) {
            return .completion
        }
        return isPreauthorised ? .preAuthorisation : kind
    }

    /// What the message type asks for; nil for one that asks for nothing of an account. A notification (ISO 8583:1993)
    /// moves what an advice does, and nobody waits for an answer.
    func purpose() throws(MappingError) -> RequestPurpose? {
        guard mti.version <= 1, mti.origin <= 1 else { return nil }
        let tells = mti.function == 2 || mti.is1993 && mti.isNotification
        switch mti.messageClass {
        case .authorisation, .financial:
            if tells { return .advice(approved: saysApproved) }
            return mti.function == 0 ? .decision : nil
        case .reversal:
            guard tells || mti.function == 0 else { return nil }
            return .reversal(
                remainingMinorUnits: mti.is1993 ? try remaining1993() : try remainingMinorUnits())
        default: return nil
        }
    }

    private var saysApproved: Bool {
        guard let code = text(.responseCode) else { return true }
        return mti.is1993 ? ActionCode.saysAccepted(code) : ResponseCode.saysApproved(code)
    }

    /// The first amount of DE95 (n 12, actual amount of the transaction); zero without it.
    private func remainingMinorUnits() throws(MappingError) -> Int64 {
        guard hasContent(.replacementAmounts), let bytes = bytes(.replacementAmounts) else { return 0 }
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
