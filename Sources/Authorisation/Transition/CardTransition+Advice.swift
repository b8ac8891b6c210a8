internal import EMV

/// Advices: what was decided elsewhere. It is booked, not judged: what was sold is sold, whatever the cryptogram says.
extension CardTransition {
    mutating func book(
        _ message: CardMessage, _ knowledge: CardKnowledge, approvedElsewhere: Bool
    ) throws(CardQuestion) -> CardOutcome {
        let request = message.request
        let kind = request.circumstances.kind
        trace.add(.transaction, .approved, reason: request.purpose.words(kind))
        let index = message.sequenceNumber.flatMap { record.plasticIndex($0) }
        let identity = identity(message, plastic: index)
        switch try find(identity, message, plastic: index) {
        case .same(let place, let kept)?: return bookedBefore(place, kept, message: message, plastic: index)
        case .doubtful?:
            trace.add(.retransmission, .declined, reason: "other content")
            return accepted(.retransmissionDiffers, .notAsked, plastic: index)
        case nil: trace.add(.retransmission, .approved, reason: "first")
        }
        if approvedElsewhere, mayRepeatForgotten(message) {
            trace.add(.retransmission, .declined, reason: "from a time of which not all is kept")
            return accepted(.originalUnknown, .notAsked, plastic: index)
        }
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }

        var kept = newTransaction(request)
        let original = approvedElsewhere ? try self.original(message) : nil
        var finding = ATCFinding.notAsked
        if let verified = message.verified, let index {
            kept.flags.insert(.chip)
            kept.plastic = record.plastic(index).sequenceNumber
            // A completion may bring what the card reports of its scripts.
            _ = try turnScripts(message, knowledge, verified: verified, plastic: index)
            finding = claimATC(verified.question.atc.rawValue, plastic: index)
            // Its own request had claimed it.
            if finding == .replayed, original != nil { finding = .notAsked }
            // Used by a transaction that is kept no more: this one, told once more.
            if finding == .replayed, record.forgottenUntil > 0, !isKept(kept.atc, plastic: kept.plastic) {
                return accepted(.originalUnknown, finding, plastic: index)
            }
            // Too far ahead to be claimed, the first time too.
            if finding == .outOfRange, original == nil, mayBeForgotten(byLocalTime: request.transmission) {
                return accepted(.originalUnknown, finding, plastic: index)
            }
            if finding == .replayed { flag(&kept, "an ATC that another transaction had") }
        } else if message.verified != nil, message.isOfPANBefore, let number = message.sequenceNumber {
            // Its window has stayed with the old PAN.
            kept.flags.insert(.chip)
            kept.plastic = number
        } else if request.chip != nil {
            if let index, kept.flags.contains(.hasATC), record.forgottenUntil > 0,
                mayHaveSeen(kept.atc, plastic: index),
                !isKept(kept.atc, plastic: record.plastic(index).sequenceNumber)
            {
                return accepted(.originalUnknown, .notAsked, plastic: index)
            }
            // Says of which plastic it claims to be.
            if let index { kept.plastic = record.plastic(index).sequenceNumber }
            flag(&kept, "its cryptogram is not verified")
        }
        guard approvedElsewhere else {
            kept.flags.insert(.noted)
            try keep(kept)
            return accepted(nil, finding, plastic: index)
        }
        if let verified = message.authentication {
            if wasUsed(verified) { flag(&kept, "its authentication value had been used") }
            keepAuthentication(verified, message)
        }
        if let declined = try bookMoney(&kept, message, original: original) {
            dropOwn(kept)
            return accepted(declined, finding, plastic: index)
        }
        try keep(kept)
        return accepted(nil, finding, plastic: index)
    }

    private func isKept(_ atc: UInt16, plastic: UInt8) -> Bool {
        search { $0.flags.contains(.chip) && $0.atc == atc && $0.plastic == plastic } != nil
    }

    /// Taken or given whatever the account has; only what cannot be booked at all is refused.
    private mutating func bookMoney(
        _ kept: inout KeptTransaction, _ message: CardMessage,
        original: (place: TransactionPlace, transaction: KeptTransaction)?
    ) throws(CardQuestion) -> DeclineReason? {
        let request = message.request
        if let declined = convert(request) { return declined }
        if charge?.isFlagged == true { kept.flags.insert(.flagged) }
        guard kept.kind != .balanceEnquiry else { return nil }
        var amount = payable(request).minorUnits
        if let remaining = reversedEarly(request) {
            amount = inAccount(remaining, of: request)
            effect = .reversedBefore(remainingMinorUnits: amount)
            if remaining == 0 { kept.flags.insert(.reversed) }
            if charge != nil { try setOwn(kept, approved: request.amount.minorUnits, left: remaining) }
        }
        kept.booked = payable(request).minorUnits
        kept.taken = amount
        if kept.kind == .refund {
            if let original { settle(original, completing: amount) }
            return moveIn(amount) ? nil : .transactionAmountTooHigh
        }
        if let original = original?.transaction {
            if original.isOver, hold(original.number) == nil {
                flag(&kept, "its original had been settled before")
            }
            if !isWithinExcess(original, amount, message: message) {
                flag(&kept, "over what was approved and its excess")
            }
            uncount(original, original.taken, isWhole: original.taken > 0)
        }
        countBooked(&kept, message, amount: amount)
        if let original {
            settle(original, completing: measured(original.transaction, amount, request: request))
        }
        return moveOut(amount) ? nil : .transactionAmountTooHigh
    }

    /// What is booked is counted and not held up.
    private mutating func countBooked(_ kept: inout KeptTransaction, _ message: CardMessage, amount: Int64) {
        guard countsSpending else { return }
        var days = SpentDays(record.content(.days))
        let cash = cash(kept.kind, message.request, amount: amount)
        let (_, day) = days.spend(
            amount, cash: cash, today: UInt16(clamping: now / 86_400),
            limits: SpendingLimits(currency: record.currency))
        (kept.day, kept.cash) = (day, cash ?? 0)
        kept.flags.insert(.counted)
        record.set(.days, days.content)
    }

    private mutating func flag(_ kept: inout KeptTransaction, _ why: String) {
        kept.flags.insert(.flagged)
        trace.add(.original, .skipped, reason: "booked and flagged: \(why)")
    }

    /// A repeat, or the verified form of what was booked without proof: that takes its place.
    private mutating func bookedBefore(
        _ place: TransactionPlace, _ kept: KeptTransaction, message: CardMessage, plastic index: Int?
    ) -> CardOutcome {
        trace.add(.retransmission, .approved, reason: "answered before")
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }
        guard let verified = message.verified, let index, !kept.flags.contains(.chip) else {
            learnNumbers(place, kept, message: message)
            var outcome = accepted(kept.declined, .notAsked, plastic: index, isDecision: !lines.isEmpty)
            outcome.result = outcome.result.repeatedResult
            return outcome
        }
        var proven = kept
        proven.flags.insert(.chip)
        proven.flags.insert(.hasATC)
        proven.flags.remove(.flagged)
        proven.plastic = record.plastic(index).sequenceNumber
        proven.atc = verified.question.atc.rawValue
        replace(place, proven)
        trace.add(.original, .approved, reason: "proven now, booked before without proof")
        let finding = claimATC(proven.atc, plastic: index)
        var outcome = accepted(nil, finding, plastic: index)
        outcome.result = outcome.result.repeatedResult
        return outcome
    }

    /// An advice is no approval of this issuer's: it has no code.
    mutating func accepted(
        _ declined: DeclineReason?, _ finding: ATCFinding, plastic index: Int?, isDecision: Bool = true
    ) -> CardOutcome {
        if isDecision { lines.append(.decision) }
        let plastic = index.map { record.plastic($0) }
        return CardOutcome(
            result: CommitResult(
                declined: declined, approvalCode: [], repeated: false, atc: finding,
                pinTriesLeft: plastic.map { Int($0.pinTriesMax) - Int($0.pinTriesUsed) } ?? 0,
                availableMinorUnits: record.availableMinorUnits, effect: effect), trace: trace,
            currency: record.currency)
    }
}

extension CommitResult {
    /// The same, told again.
    var repeatedResult: CommitResult {
        CommitResult(
            declined: declined, approvalCode: approvalCode, repeated: true, atc: atc,
            pinTriesLeft: pinTriesLeft,
            availableMinorUnits: availableMinorUnits, effect: effect)
    }
}
