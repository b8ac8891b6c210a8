/// What is taken or given in the light of other transactions: refunds, completions, what was reversed before it came, and
/// approvals in part.
extension CardTransition {
    mutating func takeBesidesOthers(
        _ kept: inout KeptTransaction, _ message: CardMessage, limits: SpendingLimits?,
        others: [SpendingLimits]
    ) throws(CardQuestion) -> DeclineReason? {
        let request = message.request
        let whole = payable(request).minorUnits
        var amount = whole
        if record.range(.earlyReversals) != nil, let remaining = reversedEarly(request) {
            amount = inAccount(remaining, of: request)
            effect = .reversedBefore(remainingMinorUnits: amount)
            if remaining == 0 { return .reversedBefore }
            if charge != nil { try setOwn(kept, approved: request.amount.minorUnits, left: remaining) }
        }
        if kept.kind == .refund {
            guard moveIn(amount) else { return .transactionAmountTooHigh }
            kept.booked = whole
            kept.taken = amount
            return nil
        }
        var settled: (place: TransactionPlace, transaction: KeptTransaction)?
        if kept.kind == .completion {
            settled = try original(message)
            guard let found = settled else { return .originalUnknown }
            if let declined = completionDecline(found.transaction, amount, message: message) {
                return declined
            }
        }
        return try take(
            amount, &kept, message: message, limits: limits, others: others, settled: settled)
    }

    /// What there is, where the terminal can go on with less than it asked for; nil where it cannot, or there is nothing.
    mutating func affordablePart(
        of request: AuthorisationRequest, _ funds: Int64, kept: inout KeptTransaction
    ) throws(CardQuestion) -> Int64? {
        guard request.mayBeApprovedInPart, funds > 0 else { return nil }
        var amount = funds
        if charge != nil {
            let part = affordable(funds, request)
            guard part > 0 else { return nil }
            amount = inAccount(part, of: request)
            try setOwn(kept, approved: part, left: part)
        }
        kept.flags.insert(.partial)
        effect = .partial(minorUnits: amount)
        return amount
    }
}

extension CardTransition {
    /// Gives an amount to the account.
    mutating func moveIn(_ minorUnits: Int64) -> Bool {
        let (left, overflow) = record.availableMinorUnits.addingReportingOverflow(minorUnits)
        guard !overflow, minorUnits >= 0 else { return false }
        record.availableMinorUnits = left
        movedIn += minorUnits
        return true
    }
}

extension CardTransition {
    /// What an enquiry asked for, and what is left after a part was approved.
    func tellBalance(_ outcome: inout CardOutcome, _ kept: KeptTransaction) {
        if kept.flags.contains(.partial) { outcome.partialMinorUnits = own(kept).approved }
        outcome.balanceMinorUnits = record.availableMinorUnits
    }
}
