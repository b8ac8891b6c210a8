/// Reversals: what a transaction took is given back, whether they came before, come later or again. A reversal lowers what
/// is taken to what remains, so that a second one finds nothing to give back.
extension CardTransition {
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

    mutating func reverse(_ message: CardMessage, _ remaining: Int64) throws(CardQuestion) -> CardOutcome {
        isUrgent = true
        let request = message.request
        trace.add(.transaction, .approved, reason: request.purpose.words(request.circumstances.kind))
        let index = message.sequenceNumber.flatMap { record.plasticIndex($0) }
        guard let original = request.original else {
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        let asked = request.amount.minorUnits
        let naming = Naming(
            original, amount: asked == 0 ? nil : asked, currency: request.amount.currency.rawValue,
            isReversal: true)
        try needPast()
        let found: (place: TransactionPlace, transaction: KeptTransaction)
        switch meant(naming, givesBackRefund: request.circumstances.kind == .refund) {
        case .none: return notFound(message, naming, remaining: remaining, plastic: index)
        case .several:
            trace.add(.original, .declined, reason: "several transactions fit")
            return accepted(.originalUnknown, .notAsked, plastic: index)
        case .one(let place, let transaction): found = (place, transaction)
        }
        // What is to remain is said in the transaction's own currency.
        guard remaining == 0 || request.amount.currency.rawValue == found.transaction.currency else {
            return accepted(.currencyNotServed, .notAsked, plastic: index)
        }
        if found.transaction.declined != nil || found.transaction.flags.contains(.noted) {
            // A decline is given up early; with its reversal told it stays one for as long as an approval.
            var transaction = found.transaction
            transaction.flags.insert(.reversed)
            replace(found.place, transaction)
            effect = .originalDeclined
            return accepted(nil, .notAsked, plastic: index)
        }
        return try giveBack(found, naming, message: message, remaining: remaining, plastic: index)
    }

    /// What was settled has gone on under the number of what took its place. A refund and what takes money are not each
    /// other's where STAN and time do not say so.
    private func meant(_ naming: Naming, givesBackRefund: Bool) -> Meant {
        let found = best(naming) {
            $0.transmission.messageClass != .reversal && $0.kind != .balanceEnquiry
                && (($0.kind == .refund) == givesBackRefund || rank(naming, $0) > .byReference)
        }
        guard case .one(_, let settled) = found, settled.flags.contains(.settled),
            hold(settled.number) == nil,
            settled.transmission.reference != 0
        else { return found }
        // What another chip made, or what gives money, shares a reference and is no successor.
        func isAnother(_ kept: KeptTransaction) -> Bool {
            (kept.kind == .refund) != (settled.kind == .refund)
                || kept.flags.contains(.hasATC) && settled.flags.contains(.hasATC)
                    && (kept.atc, kept.plastic) != (settled.atc, settled.plastic)
        }
        let successors = all {
            !isAnother($0) && $0.isTaking && !$0.isOver && $0.number > settled.number && isRecent($0)
                && $0.transmission.reference == settled.transmission.reference
                && $0.transmission.acquirer == settled.transmission.acquirer
                && $0.transmission.terminal == settled.transmission.terminal
        }
        return successors.count == 1 ? .one(successors[0].place, successors[0].transaction) : found
    }

    private mutating func giveBack(
        _ found: (place: TransactionPlace, transaction: KeptTransaction), _ naming: Naming,
        message: CardMessage, remaining: Int64, plastic index: Int?
    ) throws(CardQuestion) -> CardOutcome {
        var transaction = found.transaction
        let own = own(transaction)
        let isForeign = isForeign(transaction)
        let left = isForeign ? proportion(of: transaction.booked, remaining, of: own.approved) : remaining
        let back = max(0, transaction.taken - left)
        let isWhole = remaining == 0
        let hasMoved = transaction.kind == .refund ? moveOut(back) : moveIn(back)
        guard hasMoved else { return accepted(.transactionAmountTooHigh, .notAsked, plastic: index) }
        // A day's count falls once.
        uncount(transaction, back, isWhole: isWhole)
        if isWhole { transaction.flags.remove(.counted) }
        transaction.cash = max(0, min(transaction.cash, transaction.taken - back))
        transaction.taken -= back
        if isForeign { try setOwn(transaction, approved: own.approved, left: min(own.left, remaining)) }
        if isWhole {
            transaction.flags.insert(.reversed)
            endHold(transaction.number)
        }
        replace(found.place, transaction)
        let rank = rank(naming, found.transaction)
        effect = .givenBack(minorUnits: back, byNumbers: rank >= .byNumbers)
        // Another STAN is a repeat's that has not come, or a completion's: that must take nothing when it comes.
        if naming.original.stan != 0, rank == .byReference, transaction.kind == .preAuthorisation {
            _ = remember(naming, message, remaining: remaining)
        }
        return accepted(nil, .notAsked, plastic: index)
    }

    /// For a message that may still come.
    /// - Returns: false where there is no room.
    private mutating func remember(_ naming: Naming, _ message: CardMessage, remaining: Int64) -> Bool {
        var early = EarlyReversals(record.content(.earlyReversals))
        let currency = message.request.amount.currency
        let reversal = EarlyReversal(
            original: naming.original, amount: naming.amount ?? 0,
            currency: currency == record.currency ? 0 : currency.rawValue, remaining: remaining,
            receivedAt: UInt32(clamping: now))
        guard early.remember(reversal, now: now) else { return false }
        record.set(.earlyReversals, early.content)
        return true
    }

    private mutating func endHold(_ number: UInt32) {
        var holds = Holds(record.content(.holds))
        guard holds.holds.contains(where: { $0.number == number }) else { return }
        holds.holds.removeAll { $0.number == number }
        record.set(.holds, holds.content)
    }

    /// Remembered for an original that may still come, or told that there is none: never a 00 that did nothing.
    private mutating func notFound(
        _ message: CardMessage, _ naming: Naming, remaining: Int64, plastic index: Int?
    ) -> CardOutcome {
        guard naming.isStrong, !mayBeForgotten(naming) else {
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        if !all({ $0.kind != .balanceEnquiry && naming.namesByNumbers($0) }).isEmpty {
            trace.add(
                .original, .declined,
                reason: "STAN and time fit, and amount, reference or terminal contradicts")
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        let moment = naming.age(at: now).map { now - $0 }
        if message.lost.contains(where: { $0.mayHaveTaken(moment, now: now) }) {
            trace.add(.original, .declined, reason: "from a time of which the store lacks decisions")
            lines.append(
                .change(
                    operation: "original-lost", value: "\(message.request.amount.minorUnits)",
                    before: "\(naming.original.stan)"))
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        guard remember(naming, message, remaining: remaining) else {
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        effect = .originalUnknown
        return accepted(nil, .notAsked, plastic: index)
    }

    /// The original may be one that was given up, or is older than anything that comes late.
    private func mayBeForgotten(_ naming: Naming) -> Bool {
        let age = naming.age(at: now)
        if let age, age > EarlyReversals.secondsMax { return true }
        guard record.forgottenUntil > 0 else { return false }
        guard let age else { return true }
        // A local time has no zone.
        let slack =
            naming.original.sentAt == 0 ? MonthClock.zoneSeconds : Identity.repeatWindowSeconds
        return now - age <= Int64(record.forgottenUntil) + slack
    }
}
