extension Identity {
    /// This message beside one that is kept.
    package func verdict(_ kept: KeptTransaction) -> Verdict {
        let its = kept.transmission
        guard its.messageClass == transmission.messageClass,
            now - Int64(kept.decidedAt) <= Self.ageMaxSeconds
        else { return .other }
        // What was declined elsewhere is not what was sold.
        if transmission.messageClass == .advice, kept.flags.contains(.noted) != isNoted { return .other }
        if let chip, kept.flags.contains(.chip) { return chipVerdict(chip, kept) }
        // One of an advice's cryptograms failed and the other did not: the same ATC, terminal and amount.
        if let claimedATC, kept.flags.contains(.hasATC) {
            let isOfAnother = kept.plastic != 255 && claimedPlastic.map { $0 != kept.plastic } ?? false
            guard claimedATC == kept.atc, !isOfAnother else { return .other }
            if transmission.messageClass == .advice, isSamePlaceAndAmount(kept), kept.kind == kind {
                return .same
            }
        }
        return numbersVerdict(kept)
    }

    /// The same plastic and ATC: the same transaction whatever STAN and times say, or a replay, which the ATC's window
    /// judges.
    private func chipVerdict(_ chip: (plastic: UInt8, atc: UInt16), _ kept: KeptTransaction) -> Verdict {
        guard chip.plastic == kept.plastic, chip.atc == kept.atc else { return .other }
        return kind == kept.kind && isSamePlaceAndAmount(kept) ? .same : .other
    }

    private func isSamePlaceAndAmount(_ kept: KeptTransaction) -> Bool {
        isSamePlace(kept) && amount.minorUnits == kept.asked && amount.currency.rawValue == kept.currency
    }

    private func isSamePlace(_ kept: KeptTransaction) -> Bool {
        let its = kept.transmission
        return transmission.acquirer == its.acquirer && transmission.terminal == its.terminal
            && transmission.merchant == its.merchant
    }

    /// Without a chip: place, amount and numbers.
    private func numbersVerdict(_ kept: KeptTransaction) -> Verdict {
        guard isSamePlace(kept), areSameNumbers(kept) else { return .other }
        let isSameContent =
            kind == kept.kind && amount.minorUnits == kept.asked
            && amount.currency.rawValue == kept.currency
        // A new time of sending is a further shipment where the first message was not declared a repeat.
        if transmission.messageClass == .completion, !transmission.isRepeat, isSameContent,
            transmission.sentAt != 0, kept.transmission.sentAt != 0,
            transmission.sentAt != kept.transmission.sentAt, transmission.sentAt != kept.lastSentAt
        {
            return .doubtful
        }
        if isSameContent { return .same }
        // Another STAN tells them apart.
        let isSameSTAN = transmission.stan == kept.transmission.stan || transmission.stan == kept.lastSTAN
        return isSameSTAN ? .doubtful : .other
    }

    private func areSameNumbers(_ kept: KeptTransaction) -> Bool {
        let its = kept.transmission
        let isSameSTAN = transmission.stan == its.stan || transmission.stan == kept.lastSTAN
        let isSameLocalTime = transmission.localTime != 0 && transmission.localTime == its.localTime
        let isSameReference = transmission.reference != 0 && transmission.reference == its.reference
        if isSameSTAN, isSameLocalTime { return true }
        if isSameSTAN, isSameReference, isSentWithinWindow(kept) { return true }
        // The repeat may have overtaken what it repeats.
        if transmission.isRepeat || its.isRepeat || transmission.messageClass == .advice, isSameReference,
            isSameLocalTime
        {
            return true
        }
        // Neither local time nor DE37: the time of sending is all there is.
        guard transmission.localTime == 0, transmission.reference == 0, isSameSTAN, its.reference == 0,
            its.localTime == 0
        else { return false }
        return transmission.isRepeat || its.isRepeat
            ? isSentWithinWindow(kept) : transmission.sentAt == its.sentAt && transmission.sentAt != 0
    }

    private func isSentWithinWindow(_ kept: KeptTransaction) -> Bool {
        if transmission.sentAt == 0, kept.transmission.sentAt == 0 {
            return now - Int64(kept.decidedAt) <= Self.repeatWindowSeconds
        }
        return [kept.transmission.sentAt, kept.lastSentAt].contains { time in
            MonthClock.distance(transmission.sentAt, time).map { $0 <= Self.repeatWindowSeconds } ?? false
        }
    }
}

/// Whether a kept transaction is the one that a reversal, an advice or a completion speaks of.
package struct Naming: Sendable {
    /// How surely. A higher one wins.
    package enum Rank: Int, Comparable, Sendable {
        case none = 0
        /// DE37 with the terminal, or STAN with terminal and amount where no time is said, nothing contradicting.
        case byReference = 1
        /// STAN with local time, with DE37 and the terminal whatever the time of sending, or with a time nearby.
        case byNumbers = 2
        /// STAN and time of sending.
        case exact = 3

        /// Less sure is less.
        package static func < (left: Rank, right: Rank) -> Bool { left.rawValue < right.rawValue }
    }

    /// What the message says.
    package let original: OriginalTransaction
    /// DE4 of a reversal, in minor units; nil: not compared.
    package let amount: Int64?
    /// The numeric code of its DE49; 0: not compared.
    package let currency: UInt16
    /// A reversal may name its original by its own numbers, which stay for the life of a transaction with some senders.
    /// An advice and a completion have numbers of their own.
    package let isReversal: Bool

    package init(_ original: OriginalTransaction, amount: Int64?, currency: UInt16 = 0, isReversal: Bool) {
        (self.original, self.amount, self.currency, self.isReversal) = (
            original, amount, currency, isReversal
        )
    }

    /// Enough to remember a reversal by whose original has not come: STAN and time, or STAN and DE37.
    package var isStrong: Bool {
        if original.stan != 0 {
            return original.sentAt != 0 || original.reference != 0 || original.localTime != 0
        }
        return original.ownSTAN != 0
            && (original.ownSentAt != 0 || original.reference != 0 || original.localTime != 0)
    }

    /// How long before a moment the original was, by the earliest time that is named, in seconds; nil where none is. Its own
    /// time of sending is the original's with some senders only.
    func age(at now: Int64) -> Int64? {
        [original.sentAt, original.localTime].compactMap { MonthClock.age(of: $0, at: now) }.max()
    }

    /// This naming beside one transaction.
    package func rank(_ kept: KeptTransaction) -> Rank {
        rank(kept, approved: kept.booked, left: kept.taken)
    }

    /// The same where the transaction's own currency is not the account's.
    /// - Parameters: in its own currency.
    func rank(_ kept: KeptTransaction, approved: Int64, left: Int64) -> Rank {
        if let amount, amount != kept.asked, amount != approved, amount != left { return .none }
        let rank = rank(kept.transmission, lastSTAN: kept.lastSTAN, lastSentAt: kept.lastSentAt)
        // An amount of another currency is another amount, where STAN and time do not say which transaction is meant.
        let isOfAnother = amount != nil && currency != 0 && currency != kept.currency
        return isOfAnother && rank == .byReference ? .none : rank
    }

    /// This naming beside the numbers of a message.
    func rank(_ its: Transmission, lastSTAN: UInt32, lastSentAt: UInt32) -> Rank {
        guard its.messageClass != .reversal, !contradicts(its) else { return .none }
        let isSameReference = original.reference != 0 && original.reference == its.reference
        let isSameLocalTime = original.localTime != 0 && original.localTime == its.localTime
        let isSameTerminal = original.terminal != 0 && original.terminal == its.terminal
        func isNear(_ sentAt: UInt32) -> Bool {
            [its.sentAt, lastSentAt].contains { time in
                MonthClock.distance(sentAt, time).map { $0 <= Identity.repeatWindowSeconds } ?? false
            }
        }
        if original.stan != 0 {
            guard original.isAdvice == (its.messageClass == .advice) else { return .none }
            guard original.stan == its.stan || original.stan == lastSTAN else {
                // A repeat under another STAN: all else is the same, the amount too. A completion under another STAN is
                // another one.
                let isNearInTime = isSameLocalTime || amount != nil && isNear(original.sentAt)
                let isRenumbered = isSameReference && isSameTerminal && isNearInTime
                return isRenumbered && its.messageClass != .completion ? .byReference : .none
            }
            if original.sentAt != 0, original.sentAt == its.sentAt || original.sentAt == lastSentAt {
                return .exact
            }
            if isSameLocalTime { return .byNumbers }
            // The time of a repeat, which may not have come, or none on one of the two sides.
            if isNear(original.sentAt) {
                return isSameReference || isSameTerminal || amount != nil ? .byNumbers : .none
            }
            // DE7 is the transmission's: a repeat may have been sent days later, and be the one that is named.
            let isUntimed = original.sentAt == 0 || its.sentAt == 0
            if isSameReference, isUntimed || isSameTerminal { return .byNumbers }
            // Neither time nor DE37: terminal and amount beside the STAN, and nothing that contradicts.
            return isReversal && isUntimed && isSameTerminal && amount != nil ? .byReference : .none
        }
        if isReversal, original.ownSTAN == its.stan || original.ownSTAN == lastSTAN {
            if original.ownSentAt != 0, original.ownSentAt == its.sentAt || original.ownSentAt == lastSentAt {
                return .exact
            }
            if isSameReference || isSameLocalTime || isSameTerminal && isNear(original.ownSentAt) {
                return .byNumbers
            }
        }
        return isSameReference && original.terminal == its.terminal ? .byReference : .none
    }

    /// Whether STAN and time are this transaction's, asked where something else is not: amount, DE37 or DE41. An acquirer
    /// sends no other message of the card under them.
    func namesByNumbers(_ kept: KeptTransaction) -> Bool {
        let its = kept.transmission
        guard its.messageClass != .reversal, !isOfAnotherAcquirer(its) else { return false }
        func isTime(_ sentAt: UInt32) -> Bool {
            sentAt != 0 && (sentAt == its.sentAt || sentAt == kept.lastSentAt)
        }
        guard original.stan != 0 else {
            return [its.stan, kept.lastSTAN].contains(original.ownSTAN) && isTime(original.ownSentAt)
        }
        return [its.stan, kept.lastSTAN].contains(original.stan)
            && original.isAdvice == (its.messageClass == .advice) && isTime(original.sentAt)
    }

    /// What both name and name differently.
    private func contradicts(_ its: Transmission) -> Bool {
        isOfAnotherAcquirer(its) || differs(original.terminal, its.terminal)
            || original.reference != 0 && its.reference != 0 && original.reference != its.reference
    }

    /// Beside a name the link is no other name.
    private func isOfAnotherAcquirer(_ its: Transmission) -> Bool {
        original.namesAcquirer == its.namesAcquirer && differs(original.acquirer, its.acquirer)
    }

    private func differs(_ left: UInt32, _ right: UInt32) -> Bool { left != 0 && right != 0 && left != right }
}
