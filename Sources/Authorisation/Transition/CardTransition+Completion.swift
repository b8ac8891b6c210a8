internal import EMV

/// Completions and what they complete, and what limits count.
extension CardTransition {
    /// What an earlier transaction holds goes to the one that takes its place. What limits counted of it is taken out
    /// where the new one is counted.
    /// - Parameter amount: what the completion comes to, at the rate of its approval.
    mutating func settle(
        _ settled: (place: TransactionPlace, transaction: KeptTransaction), completing amount: Int64
    ) {
        let place = settled.place
        var transaction = settled.transaction
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

    /// What limits count: the new amount in place of what it replaces.
    mutating func count(
        _ kept: inout KeptTransaction, _ message: CardMessage, amount: Int64, limits: SpendingLimits?,
        others: [SpendingLimits], replacing settled: KeptTransaction?
    ) -> DeclineReason? {
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

    /// An equal completion with a new time of sending, while the hold lasts.
    func isFurtherShipment(
        _ identity: Identity, _ kept: KeptTransaction, message: CardMessage
    ) throws(CardQuestion) -> Bool {
        guard identity.transmission.messageClass == .completion, kept.asked == identity.amount.minorUnits,
            kept.kind == identity.kind
        else { return false }
        return try original(message).flatMap { hold($0.transaction.number) } != nil
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

    func cash(_ kind: TransactionKind, _ request: AuthorisationRequest, amount: Int64) -> Int64? {
        switch kind {
        case .cash: amount
        case .purchaseWithCashBack:
            min(inAccount(request.circumstances.cashBackMinorUnits ?? 0, of: request), amount)
        default: nil
        }
    }

    /// A hold's completions are bounded in their sum; what was approved without a hold is completed once.
    mutating func completionDecline(
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

    mutating func addHold(_ kept: KeptTransaction, _ message: CardMessage) {
        let category = message.request.circumstances.merchantCategory
        var holds = Holds(record.content(.holds))
        holds.holds.append(
            Hold(
                number: kept.number, approved: kept.taken, completed: 0,
                expiresAt: UInt32(clamping: now + policy.holds.days(category) * 86_400),
                merchantCategory: category ?? 0))
        record.set(.holds, holds.content)
    }
}
