internal import EMV

/// Is the card one that may be used at all? Lost before stolen before restricted, each with its own reason,
/// since the acquirer is told different things (keep the card, or hand it back).
struct CardStatusCheck {
    static func evaluate(_ card: CardRecord, _ trace: inout DecisionTrace) -> DeclineReason? {
        let reason: DeclineReason? =
            switch card.status {
            case .active: nil
            case .lost: .cardLost
            case .stolen: .cardStolen
            case .restricted: .cardRestricted
            }
        trace.add(.cardStatus, reason == nil ? .approved : .declined, card.status.rawValue)
        return reason
    }
}

/// A card may be used until the last day of its expiry month, in the time zone of UTC.
struct ExpiryCheck {
    /// The current month.
    let currentMonth: ExpiryDate

    func evaluate(
        _ card: CardRecord, sent: ExpiryDate?, _ trace: inout DecisionTrace
    ) -> DeclineReason? {
        if card.expiry < currentMonth {
            trace.add(.expiry, .declined, "expired")
            return .cardExpired
        }
        if let sent, sent != card.expiry {
            trace.add(.expiry, .declined, "not the date of the card")
            return .expiryDiffers
        }
        trace.add(.expiry, .approved, sent == nil ? "valid, none sent" : "valid")
        return nil
    }
}

/// What the acquirer asks for must be what the card signed: DE4 = 9F02, DE49 = 5F2A. Otherwise a right
/// cryptogram over a small amount would open a large one.
struct AmountAgreementCheck {
    static func evaluate(
        _ request: AuthorisationRequest, _ chip: ICCData, _ trace: inout DecisionTrace
    ) -> DeclineReason? {
        let (amount, circumstances) = (request.amount, request.circumstances)
        if circumstances.kind == .completion {
            trace.add(.amountAgreement, .skipped, "signed for the approval that it completes")
            return nil
        }
        guard let signed = chip.amountAuthorised, let currency = chip.transactionCurrencyCode else {
            trace.add(.amountAgreement, .declined, "9F02 or 5F2A missing or malformed")
            return .chipDataMalformed
        }
        guard signed == UInt64(amount.minorUnits), currency == amount.currency.rawValue else {
            trace.add(.amountAgreement, .declined, "DE4 or DE49 differs from 9F02 or 5F2A")
            return .amountDiffers
        }
        if circumstances.kind == .purchaseWithCashBack {
            let cash = chip.amountOther
            guard let cash, cash > 0, cash <= signed,
                circumstances.cashBackMinorUnits.map({ UInt64(clamping: $0) == cash }) ?? true
            else {
                trace.add(
                    .amountAgreement, .declined, "9F03 is not cash back within DE4, or not that of DE54")
                return .amountDiffers
            }
        }
        trace.add(.amountAgreement, .approved, "as signed")
        return nil
    }
}
