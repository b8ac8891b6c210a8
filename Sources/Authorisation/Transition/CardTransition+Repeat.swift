internal import EMV

/// Repeats: the earlier answer once more.
extension CardTransition {
    /// What is kept of the same transaction, or under the same numbers.
    enum Finding {
        case same(TransactionPlace, KeptTransaction)
        case doubtful
    }

    /// It may be the repeat of what was given up, by the time of sending, or of a repeat by the local time, which stays. An
    /// advice may be told first long after its local time. The window of a PAN before says nothing of its ATCs.
    func mayRepeatForgotten(_ message: CardMessage) -> Bool {
        let its = message.request.transmission
        guard record.forgottenUntil > 0 else { return false }
        if message.isOfPANBefore, message.verified != nil { return mayBeForgotten(byLocalTime: its) }
        if its.isRepeat || its.sentAt == 0 && message.request.purpose == .decision, its.localTime != 0 {
            return mayBeForgotten(byLocalTime: its)
        }
        guard let age = MonthClock.age(of: its.sentAt, at: now) else { return its.isRepeat }
        return now - age <= Int64(record.forgottenUntil)
    }

    /// The same where a time of sending says nothing: a chip's transaction may be sent again at any time. A local time has
    /// no zone.
    func mayBeForgotten(byLocalTime its: Transmission) -> Bool {
        guard record.forgottenUntil > 0 else { return false }
        guard let age = MonthClock.age(of: its.localTime, at: now) else { return true }
        return now - age - MonthClock.zoneSeconds <= Int64(record.forgottenUntil)
    }

    func hold(_ number: UInt32) -> Hold? { Holds(record.content(.holds)).hold(of: number) }

    /// The earlier answer once more. What was reversed meanwhile is not approved again.
    mutating func answerAgain(
        _ place: TransactionPlace, _ kept: KeptTransaction, message: CardMessage
    ) -> CardOutcome {
        var trace = DecisionTrace()
        let declined = kept.declined ?? (kept.flags.contains(.reversed) ? .reversedBefore : nil)
        trace.add(.retransmission, declined == nil ? .approved : .declined, reason: "answered before")
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }
        let isEnquiry = kept.kind == .balanceEnquiry
        let plastic = record.plasticIndex(kept.plastic).map { record.plastic($0) }
        let isPart = kept.flags.contains(.partial) && declined == nil && !isEnquiry
        var outcome = CardOutcome(
            result: CommitResult(
                declined: declined, approvalCode: declined == nil ? kept.approvalCodeBytes : [],
                repeated: true, atc: .notAsked,
                pinTriesLeft: plastic.map { Int($0.pinTriesMax) - Int($0.pinTriesUsed) } ?? 0,
                availableMinorUnits: isEnquiry ? kept.booked : record.availableMinorUnits,
                effect: isPart ? .partial(minorUnits: kept.booked) : nil),
            trace: trace, currency: record.currency)
        if declined == nil {
            outcome.basis = basis(message)
            if isPart { outcome.partialMinorUnits = own(kept).approved }
            outcome.charge = charge(kept, message.request)
            if isEnquiry || isPart { outcome.balanceMinorUnits = outcome.result.availableMinorUnits }
            if kept.flags.contains(.chip), !kept.flags.contains(.beforeReset) {
                outcome.script = scriptSent(atc: kept.atc, sequenceNumber: kept.plastic)
            }
        }
        learnNumbers(place, kept, message: message)
        return outcome
    }

    /// A reversal may name the numbers of the repeat instead of those of the first message.
    mutating func learnNumbers(_ place: TransactionPlace, _ kept: KeptTransaction, message: CardMessage) {
        let its = message.request.transmission
        let first = kept.transmission
        var changed = kept
        if its.stan != first.stan { changed.lastSTAN = its.stan }
        if its.sentAt != first.sentAt { changed.lastSentAt = its.sentAt }
        guard changed != kept else { return }
        lines.append(
            .change(operation: "renumbered", value: "\(its.stan)", before: "\(kept.transmission.stan)"))
        replace(place, changed)
    }
}
