internal import Authorisation
internal import VectorSupport

/// The same transaction once more, by its sender's habits.
extension Traffic {
    mutating func again(
        _ earlier: Deal, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> Sending? {
        var deal = earlier
        // Declined for what its bits have become on the way: the genuine message comes after it.
        if deal.isForged {
            // Nothing of a forgery is kept for ever.
            guard deal.entry != .none, number - deal.number < 150 else { return nil }
            deal.isForged = false
            deals[deal.number].isForged = false
            return Sending(deal: deal, name: "genuine after damaged")
        }
        if numbers.chance(5), !deal.isReversal, deal.kind != .balanceEnquiry {
            return changed(deal, number, &numbers)
        }
        if numbers.chance(4) {
            deal.isForged = deal.entry != .none
            deal.isRepeat = isLate(deal)
            return Sending(deal: deal, name: "damaged repeat")
        }
        if deal.kind == .completion {
            // With a new time of sending it would be a further shipment.
            deal.isRepeat = deal.isAdvice && numbers.chance(50)
            return Sending(deal: deal, name: "repeat")
        }
        deal.isRepeat = numbers.chance(70)
        if isLate(deal) { deal.isRepeat = true }
        let isTold = restamp(&deal, &numbers)
        if !isTold { return Sending(deal: deal, name: "repeat") }
        return Sending(deal: deal, name: "restamped repeat")
    }

    /// An advice may come for the first time long after it happened: what comes again then says so.
    func isLate(_ deal: Deal) -> Bool {
        deal.isAdvice && deal.sentAt == 0 && clock - deal.begunAt > 600
    }

    /// A new time of sending, and with some senders a new STAN, as far as the rest still says who it is.
    mutating func restamp(_ deal: inout Deal, _ numbers: inout SimulatedNumbers) -> Bool {
        guard numbers.chance(60) else { return false }
        let isChip = deal.entry == .chip && deal.isProven
        let isSoon = clock - deal.begunAt < 600
        let hasLocalTime = deal.localTime != 0
        guard !deal.isReversal, !deal.isReversed else { return false }
        guard isChip || hasLocalTime || isSoon && deal.isRepeat && deal.sentAt != 0 else { return false }
        // Long after the first something has to stay that a reversal can name.
        let isNamed = isSoon || hasLocalTime || deal.reference != 0
        if deal.sentAt != 0, isNamed { deal.sentAt = Calendar.digits(clock) }
        deals[deal.number].lastSentAt = deal.sentAt
        // Long after the first nothing else says that it is a repeat.
        if deal.entry != .chip, !isSoon { deal.isRepeat = true }
        let mayChangeSTAN = isChip || hasLocalTime && (deal.isRepeat || deal.isAdvice)
        if mayChangeSTAN, isSoon, earlier(deal).lastSTAN == deal.stan, deal.reference != 0, deal.sentAt != 0,
            numbers.chance(30)
        {
            deal.stan = stan(deal.place)
            deals[deal.number].lastSTAN = deal.stan
        }
        return true
    }

    func earlier(_ deal: Deal) -> Deal { deals[deal.number] }

    /// The same numbers, other content: another transaction, or nothing tells the two apart.
    mutating func changed(
        _ earlier: Deal, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> Sending {
        var deal = Deal(
            number: number, account: earlier.account, plastic: earlier.plastic, entry: earlier.entry,
            minorUnits: earlier.minorUnits + 1 + Int64(number % 100), place: earlier.place,
            stan: earlier.stan, begunAt: clock)
        // With equal content it would be an earlier one that was changed.
        while deals.contains(where: { isChanged($0, earlier) && $0.minorUnits == deal.minorUnits }) {
            deal.minorUnits += 1
        }
        deal.kind = earlier.kind
        deal.purpose = earlier.purpose
        deal.cashBack = earlier.cashBack
        deal.shop = earlier.shop
        (deal.category, deal.country) = (earlier.category, earlier.country)
        (deal.reference, deal.sentAt, deal.localTime) = (earlier.reference, earlier.sentAt, earlier.localTime)
        (deal.lastSTAN, deal.lastSentAt) = (deal.stan, deal.sentAt)
        deal.atc = earlier.atc
        deal.hidesNumber = earlier.hidesNumber
        deal.original = earlier.original
        deal.naming = earlier.naming
        deal.isClear = false
        deal.excessPercent = earlier.excessPercent
        deal.approvedPlastics = earlier.approvedPlastics
        deals[earlier.number].isClear = false
        deals.append(deal)
        return Sending(deal: deal, name: "changed repeat")
    }

    private func isChanged(_ one: Deal, _ earlier: Deal) -> Bool {
        one.account == earlier.account && one.place.terminal == earlier.place.terminal
            && (one.stan == earlier.stan || one.entry == .chip && one.atc == earlier.atc)
    }
}
