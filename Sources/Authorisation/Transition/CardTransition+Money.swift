internal import EMV

/// What is taken and given, and what bounds it.
extension CardTransition {
    /// The transaction that an advice or a completion speaks of: by DE90, by DE37 and DE41, or by the card's own ATC.
    func original(
        _ message: CardMessage
    ) throws(CardQuestion) -> (place: TransactionPlace, transaction: KeptTransaction)? {
        try needPast()
        let request = message.request
        let isRefund = request.circumstances.kind == .refund
        if let verified = message.verified,
            let plastic = provenNumber(message, plastic: record.plasticIndex(message.sequenceNumber ?? 0))
        {
            let atc = verified.question.atc.rawValue
            let its = request.transmission
            let sameChip = search { kept in
                // Two advices with one ATC are a replay, not each other's completion.
                kept.transmission.messageClass == .request && kept.flags.contains(.chip) && kept.atc == atc
                    && kept.plastic == plastic && kept.isTaking && (kept.kind == .refund) == isRefund
                    && kept.transmission.acquirer == its.acquirer
                    && kept.transmission.terminal == its.terminal
                    && isRecent(kept)
            }
            if let sameChip { return sameChip }
        }
        guard let named = request.original else { return nil }
        let naming = Naming(named, amount: nil, isReversal: false)
        // DE37 of two transactions: a chip's own ATC tells them apart, proven or not.
        let atc = request.chip?.atc?.rawValue
        func isAnotherChip(_ kept: KeptTransaction) -> Bool {
            guard let atc, kept.flags.contains(.hasATC) else { return false }
            let isOwn = kept.atc == atc && kept.plastic == message.sequenceNumber
            return !isOwn && naming.rank(kept) == .byReference
        }
        // What a refund has given is for the same refund alone to take the place of.
        let meant = best(naming) {
            $0.isTaking && ($0.kind == .refund) == isRefund && !isAnotherChip($0)
                && ($0.transmission.messageClass == .request || naming.rank($0) == .exact)
        }
        if case .one(let place, let transaction) = meant { return (place, transaction) }
        return nil
    }

    /// Which transaction a message names.
    enum Meant {
        case one(TransactionPlace, KeptTransaction)
        /// Nothing tells them apart.
        case several
        case none
    }

    func isRecent(_ kept: KeptTransaction) -> Bool { now - Int64(kept.decidedAt) <= Identity.ageMaxSeconds }

    /// The one that is named most surely; of several, what took the place of the others. Money is no way to tell them
    /// apart: a second reversal of one would give back the other's.
    func best(_ naming: Naming, _ mayBe: (KeptTransaction) -> Bool) -> Meant {
        let found = all { mayBe($0) && isRecent($0) && rank(naming, $0) > .none }
        guard let rank = found.map({ rank(naming, $0.transaction) }).max() else { return .none }
        let surest = found.filter { self.rank(naming, $0.transaction) == rank }
        if surest.count == 1 { return .one(surest[0].place, surest[0].transaction) }
        let standing = surest.filter { !$0.transaction.flags.contains(.settled) }
        if standing.count == 1 { return .one(standing[0].place, standing[0].transaction) }
        return .several
    }

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
        var amount = whole.minorUnits
        if let remaining = reversedEarly(request) {
            amount = inAccount(remaining, of: request)
            effect = .reversedBefore(remainingMinorUnits: amount)
            if remaining == 0 { return .reversedBefore }
            if charge != nil { try setOwn(kept, approved: request.amount.minorUnits, left: remaining) }
        }
        if kept.kind == .refund {
            guard moveIn(amount) else { return .transactionAmountTooHigh }
            kept.booked = whole.minorUnits
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
        let freed = settled?.transaction.taken ?? 0
        let (funds, overflow) = record.availableMinorUnits.addingReportingOverflow(freed)
        if overflow { return .transactionAmountTooHigh }
        if amount > funds {
            guard request.mayBeApprovedInPart, funds > 0 else { return .insufficientFunds }
            amount = funds
            if charge != nil {
                let part = affordable(funds, request)
                guard part > 0 else { return .insufficientFunds }
                amount = inAccount(part, of: request)
                try setOwn(kept, approved: part, left: part)
            }
            kept.flags.insert(.partial)
            effect = .partial(minorUnits: amount)
        }
        if kept.kind == .preAuthorisation, Holds(record.content(.holds)).holds.count >= Holds.countMax {
            return .dailyCountExceeded
        }
        if let declined = count(
            &kept, message, amount: amount, limits: limits, others: others, replacing: settled?.transaction)
        {
            return declined
        }
        settle(
            settled, completing: settled.map { measured($0.transaction, amount, request: request) } ?? amount)
        guard moveOut(amount) else { return .transactionAmountTooHigh }
        kept.taken = amount
        kept.booked =
            effect?.takenMinorUnits != nil && !kept.flags.contains(.partial)
            ? whole.minorUnits : amount
        if kept.kind == .preAuthorisation { addHold(kept, message) }
        return nil
    }

    /// What limits count: the new amount in place of what it replaces.
    private mutating func count(
        _ kept: inout KeptTransaction, _ message: CardMessage, amount: Int64, limits: SpendingLimits?,
        others: [SpendingLimits], replacing settled: KeptTransaction?
    ) -> DeclineReason? {
        guard countsSpending else {
            if let settled { uncount(settled, settled.taken, isWhole: true) }
            return nil
        }
        var days = SpentDays(record.content(.days))
        if let settled, settled.flags.contains(.counted), settled.taken > 0 {
            days.giveBack(settled.taken, of: settled, isWhole: true)
        }
        let cash = cash(kept.kind, message.request, amount: amount)
        let today = UInt16(clamping: now / 86_400)
        for its in others {
            var trial = days
            let (declined, _) = trial.spend(amount, cash: cash, today: today, limits: its)
            if let declined { return declined }
        }
        let (declined, day) = days.spend(
            amount, cash: cash, today: today, limits: limits ?? SpendingLimits(currency: record.currency))
        if let declined { return declined }
        kept.day = day
        kept.cash = cash ?? 0
        kept.flags.insert(.counted)
        record.set(.days, days.content)
        return nil
    }

    func cash(_ kind: TransactionKind, _ request: AuthorisationRequest, amount: Int64) -> Int64? {
        switch kind {
        case .cash: amount
        case .purchaseWithCashBack:
            min(inAccount(request.circumstances.cashBackMinorUnits ?? 0, of: request), amount)
        default: nil
        }
    }

    /// What an earlier transaction holds goes to the one that takes its place. What limits counted of it is taken out
    /// where the new one is counted.
    /// - Parameter amount: what the completion comes to, at the rate of its approval.
    mutating func settle(
        _ settled: (place: TransactionPlace, transaction: KeptTransaction)?, completing amount: Int64
    ) {
        guard let (place, before) = settled else { return }
        var transaction = before
        let freed = transaction.taken
        // What a refund gave goes back; what anything else took is free.
        _ = transaction.kind == .refund ? moveOut(freed) : moveIn(freed)
        transaction.taken = 0
        transaction.cash = 0
        transaction.flags.insert(.settled)
        // Counted no more: a reversal of it would be taken out of the day a second time.
        if freed > 0 { transaction.flags.remove(.counted) }
        replace(place, transaction)
        var holds = Holds(record.content(.holds))
        if let index = holds.holds.firstIndex(where: { $0.number == transaction.number }) {
            holds.holds[index].completed += amount
            record.set(.holds, holds.content)
        }
        guard freed > 0 else { return }
        effect =
            effect?.takenMinorUnits.map { .settledInPart(takenMinorUnits: $0, minorUnits: freed) }
            ?? .settled(minorUnits: freed)
    }

    /// A hold's completions are bounded in their sum; what was approved without a hold is completed once.
    private mutating func completionDecline(
        _ original: KeptTransaction, _ amount: Int64, message: CardMessage
    ) -> DeclineReason? {
        guard !original.flags.contains(.reversed), !original.flags.contains(.expired) else {
            return .originalUnknown
        }
        guard isWithinExcess(original, amount, message: message) else {
            trace.add(
                .original, .declined,
                reason: "over what was approved and \(excessPercent(original, message)) per cent")
            return .completionTooHigh
        }
        guard original.taken > 0 || hold(original.number) != nil else { return .originalUnknown }
        return nil
    }

    /// By the category of the approval, or of this message where that had none.
    private func excessPercent(_ original: KeptTransaction, _ message: CardMessage) -> Int64 {
        let category = hold(original.number)?.merchantCategory ?? 0
        return policy.holds.excessPercent(
            category == 0 ? message.request.circumstances.merchantCategory : category)
    }

    /// Whether one more completion stays within what was approved and its excess.
    func isWithinExcess(_ original: KeptTransaction, _ amount: Int64, message: CardMessage) -> Bool {
        let hold = hold(original.number)
        let (sum, overflow) = (hold?.completed ?? 0)
            .addingReportingOverflow(measured(original, amount, request: message.request))
        let approved = hold?.approved ?? original.booked
        let (top, over) = approved.multipliedReportingOverflow(by: 100 + excessPercent(original, message))
        return !overflow && !over && sum <= top / 100
    }

    private mutating func addHold(_ kept: KeptTransaction, _ message: CardMessage) {
        let category = message.request.circumstances.merchantCategory
        var holds = Holds(record.content(.holds))
        holds.holds.append(
            Hold(
                number: kept.number, approved: kept.taken, completed: 0,
                expiresAt: UInt32(clamping: now + policy.holds.days(category) * 86_400),
                merchantCategory: category ?? 0))
        record.set(.holds, holds.content)
    }

    /// What reversals that came first leave of this message, in its own currency, and forgets them; nil where none came or
    /// what they leave is the whole. Nothing is less than the whole of nothing: DE4 abroad may be 0 where DE6 is not.
    mutating func reversedEarly(_ request: AuthorisationRequest) -> Int64? {
        let content = record.content(.earlyReversals)
        guard !content.isEmpty else { return nil }
        var early = EarlyReversals(content)
        func isAbout(_ reversal: EarlyReversal) -> Bool {
            reversal.isAbout(request.transmission, asked: request.amount)
        }
        guard let remaining = early.list.filter(isAbout).map(\.remaining).min() else { return nil }
        early.list.removeAll(where: isAbout)
        record.set(.earlyReversals, early.content)
        return remaining == 0 || remaining < request.amount.minorUnits ? remaining : nil
    }
}
