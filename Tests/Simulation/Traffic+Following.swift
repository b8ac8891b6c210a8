internal import Authorisation
internal import VectorSupport

/// What speaks of a transaction that was sent, or shares numbers with one.
extension Traffic {
    // MARK: - Neighbours

    /// Another transaction that shares numbers with one that was sent.
    mutating func neighbour(
        _ earlier: Deal, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> (Deal, String)? {
        guard !earlier.isReversal, earlier.original == nil, earlier.purpose == .decision else { return nil }
        var deal = numbers.chance(70) ? fresh(number, &numbers) : advice(number, &numbers)
        guard deal.account == earlier.account else { return (deal, name(deal)) }
        if numbers.chance(50) {
            // A terminal that numbers on its own: the same STAN and times, another place of the same acquirer.
            let place = Place.all.first { place in
                place.acquirer == earlier.place.acquirer && place.terminal != earlier.place.terminal
                    && !deals.contains {
                        $0.place.terminal == place.terminal
                            && ($0.stan == earlier.stan || $0.lastSTAN == earlier.stan)
                    }
            }
            guard let place else { return (deal, name(deal)) }
            guard !isThere(deal, place) else { return (deal, name(deal)) }
            deal.place = place
            // Its terminal has come so far.
            counters[place.counter] = max(counters[place.counter], earlier.stan)
            (deal.stan, deal.sentAt, deal.localTime) = (earlier.stan, earlier.sentAt, earlier.localTime)
            deal.begunAt = earlier.begunAt
            deal.reference = numbers.chance(50) ? earlier.reference : 0
            let isUsed = deals.contains {
                $0.reference == deal.reference && $0.place.terminal == place.terminal
            }
            if isUsed { deal.reference = 0 }
            if numbers.chance(60), deal.kind == earlier.kind {
                (deal.minorUnits, deal.shop) = (earlier.minorUnits, earlier.shop)
            }
            (deal.lastSTAN, deal.lastSentAt) = (deal.stan, deal.sentAt)
            return (deal, "twin at another terminal")
        }
        // DE37 of two transactions: of one terminal only where two chips tell them apart.
        guard earlier.reference != 0 else { return (deal, name(deal)) }
        if deal.isGenuineChip, earlier.isGenuineChip, numbers.chance(70), !isThere(deal, earlier.place) {
            deal.place = earlier.place
            deal.stan = stan(deal.place)
            deal.lastSTAN = deal.stan
        }
        let isTold = !deals.contains { other in
            guard other.account == deal.account, other.reference == earlier.reference,
                other.place.terminal == deal.place.terminal
            else { return false }
            return !other.isGenuineChip || !deal.isGenuineChip
                || (other.plastic, other.atc) == (deal.plastic, deal.atc)
        }
        guard isTold else { return (deal, name(deal)) }
        deal.reference = earlier.reference
        return (deal, "shared DE37")
    }

    /// The same ATC at the same terminal would be the same transaction.
    private func isThere(_ deal: Deal, _ place: Place) -> Bool {
        deals.contains {
            $0.account == deal.account && $0.entry == .chip && deal.entry == .chip && $0.atc == deal.atc
                && $0.place.terminal == place.terminal
        }
    }

    // MARK: - More about one that was sent

    mutating func following(
        _ earlier: Deal, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> (Deal, String)? {
        guard !earlier.isReversal, earlier.purpose != .advice(approved: false) else { return nil }
        if earlier.purpose == .decision, let amount = approved[earlier.number], earlier.kind != .completion,
            earlier.kind != .balanceEnquiry, earlier.isClear, earlier.lastSTAN == earlier.stan
        {
            if earlier.kind == .preAuthorisation, numbers.chance(60) {
                return (completion(earlier, amount, number, &numbers), "completion")
            }
            if numbers.chance(6) { return (completion(earlier, amount, number, &numbers), "completion") }
        }
        if earlier.kind == .completion, numbers.chance(25), let root = earlier.original {
            return further(earlier, deals[root], number)
        }
        guard earlier.kind != .balanceEnquiry else { return nil }
        return reversal(earlier, number, &numbers)
    }

    mutating func about(_ earlier: Deal, _ minorUnits: Int64, _ number: Int) -> Deal {
        var deal = Deal(
            number: number, account: earlier.account, plastic: earlier.plastic, entry: .none,
            minorUnits: minorUnits,
            place: earlier.place, stan: stan(earlier.place), begunAt: clock)
        deal.kind = earlier.kind
        // What is said of an earlier transaction may come under either PAN.
        if moved.contains(earlier.account), number.isMultiple(of: 3) {
            deal.account = plan.firstCount + earlier.account
            deal.plastic = plan.accounts[deal.account].plastics[0]
        }
        deal.category = earlier.category
        deal.shop = earlier.shop
        deal.original = earlier.number
        deal.sentAt = Calendar.digits(clock)
        deal.localTime = Calendar.digits(clock)
        deal.hidesNumber = true
        (deal.lastSTAN, deal.lastSentAt) = (deal.stan, deal.sentAt)
        return deal
    }

    /// Asked for, or told afterwards; in parts.
    mutating func completion(
        _ earlier: Deal, _ amount: Int64, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> Deal {
        let most = max(1, numbers.chance(30) ? amount * 13 / 10 + 2 : amount / 2)
        var deal = about(earlier, Int64.random(in: 1...most, using: &numbers), number)
        deal.kind = .completion
        // The network rounds anew.
        if deal.shop != nil { deal.shop?.shift = numbers.chance(70) ? 0 : numbers.chance(50) ? 1 : -1 }
        deal.excessPercent = Plan.excess(earlier.category)
        deal.approvedPlastics = plan.fitting(earlier)
        if numbers.chance(40) { deal.purpose = .advice(approved: true) }
        deal.reference = earlier.reference
        (deal.naming, deal.isClear) = names(earlier, deal, &numbers, isReversal: false)
        deal.reference = deal.naming?.reference ?? 0
        return deal
    }

    /// An equal part with a new time of sending.
    mutating func further(_ earlier: Deal, _ root: Deal, _ number: Int) -> (Deal, String)? {
        guard earlier.purpose == .decision, root.kind == .preAuthorisation else { return nil }
        var deal = about(root, earlier.minorUnits, number)
        deal.kind = .completion
        deal.excessPercent = earlier.excessPercent
        deal.approvedPlastics = earlier.approvedPlastics
        deal.stan = earlier.stan
        deal.localTime = earlier.localTime
        deal.reference = earlier.reference
        deal.naming = earlier.naming
        deal.isClear = false
        deal.lastSTAN = deal.stan
        return (deal, "further shipment")
    }

    mutating func reversal(
        _ earlier: Deal, _ number: Int, _ numbers: inout SimulatedNumbers
    ) -> (Deal, String) {
        var deal = about(earlier, earlier.minorUnits, number)
        let remaining = numbers.chance(25) ? Int64.random(in: 0...earlier.minorUnits, using: &numbers) : 0
        deal.purpose = .reversal(remainingMinorUnits: remaining)
        (deal.naming, deal.isClear) = names(earlier, deal, &numbers, isReversal: true)
        deals[earlier.number].isReversed = true
        if let naming = deal.naming, naming.stan == 0, naming.ownSTAN == earlier.stan {
            (deal.stan, deal.sentAt) = (naming.ownSTAN, naming.ownSentAt)
        }
        deal.reference = deal.naming?.reference ?? 0
        if let approved = approved[earlier.number], numbers.chance(20) { deal.minorUnits = approved }
        // What was changed or completed has others beside it under its numbers.
        if !earlier.isClear { deal.isClear = false }
        return (
            deal,
            remaining == 0 ? "reversal" : deal.shop == nil ? "partial reversal" : "partial reversal abroad"
        )
    }
}
