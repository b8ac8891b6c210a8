internal import EMV

/// What is taken and given, and what bounds it.
extension CardTransition {
    /// Takes an amount, or gives it for a refund, as far as funds, limits, the approval that it completes and a reversal
    /// that came before it allow.
    mutating func take(
        _ kept: inout KeptTransaction, _ message: CardMessage, limits: SpendingLimits?,
        others: [SpendingLimits]
    ) throws(CardQuestion) -> DeclineReason? {
        let request = message.request
        guard kept.kind != .balanceEnquiry else {
            kept.booked = record.availableMinorUnits
            return nil
        }
        let whole = payable(request)
        guard whole.currency == record.currency else { return .currencyNotServed }
        if kept.kind == .refund || kept.kind == .completion || record.range(.earlyReversals) != nil {
            return try takeBesidesOthers(&kept, message, limits: limits, others: others)
        }
        return try take(whole.minorUnits, &kept, message: message, limits: limits, others: others)
    }

    /// Takes an amount as far as funds and limits allow.
    /// - Parameter settled: the approval that it takes the place of.
    mutating func take(
        _ asked: Int64, _ kept: inout KeptTransaction, message: CardMessage, limits: SpendingLimits?,
        others: [SpendingLimits],
        settled: (place: TransactionPlace, transaction: KeptTransaction)? = nil
    ) throws(CardQuestion) -> DeclineReason? {
        let request = message.request
        var amount = asked
        let freed = settled?.transaction.taken ?? 0
        let (funds, overflow) = record.availableMinorUnits.addingReportingOverflow(freed)
        if overflow { return .transactionAmountTooHigh }
        if amount > funds {
            guard let part = try affordablePart(of: request, funds, kept: &kept) else {
                return .insufficientFunds
            }
            amount = part
        }
        if kept.kind == .preAuthorisation, Holds(record.content(.holds)).holds.count >= Holds.countMax {
            return .dailyCountExceeded
        }
        if countsSpending,
            let declined = count(
                &kept, message, amount: amount, limits: limits, others: others,
                replacing: settled?.transaction)
        {
            return declined
        }
        if let settled {
            if !countsSpending { uncount(settled.transaction, settled.transaction.taken, isWhole: true) }
            settle(settled, completing: measured(settled.transaction, amount, request: request))
        }
        guard moveOut(amount) else { return .transactionAmountTooHigh }
        kept.taken = amount
        kept.booked =
            effect?.takenMinorUnits != nil && !kept.flags.contains(.partial)
            ? payable(request).minorUnits : amount
        if kept.kind == .preAuthorisation { addHold(kept, message) }
        return nil
    }
}

/// What a message comes to for the account; see `+Abroad` for those in another currency.
extension CardTransition {
    /// Finds what a message comes to in the account's currency. Nothing is done for what is in that currency already.
    /// - Returns: why it cannot be booked, or must not.
    @inline(__always)
    mutating func convert(_ request: AuthorisationRequest) -> DeclineReason? {
        if request.amount.currency == record.currency, request.billing == nil { return nil }
        return convertAbroad(request)
    }

    // MARK: - Amounts

    /// What the message comes to for the account.
    @inline(__always)
    func payable(_ request: AuthorisationRequest) -> Amount { charge?.amount ?? request.amount }
}
