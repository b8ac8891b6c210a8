internal import Authorisation
internal import EMV
internal import VectorSupport

typealias SimulatedNumbers = SeededGenerator

extension SeededGenerator {
    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// What terminals send next: requests of all kinds, repeats, reversals, completions and advices.
struct Traffic {
    let plan: Plan
    /// All that were sent, by number.
    var deals: [Deal] = []
    /// Transactions that a terminal may speak of again, in the order of sending.
    var recent: [Int] = []
    var nextATC: [[UInt8: UInt16]]
    var counters = [UInt32](repeating: 0, count: 4)
    var references: UInt64 = 100
    /// What a terminal was told was approved, and how much; of an advice, that it was booked.
    var approved: [Int: Int64] = [:]
    /// Scripts that came with answers, to be reported by the chip.
    var delivered: [(account: Int, plastic: UInt8, identifier: UInt32)] = []
    /// PINs that operators have ordered for cards, by account, card and script.
    var orderedPINs: [[UInt32]: UInt64] = [:]
    /// The PIN that a cardholder knows, where a script has changed it.
    var changedPINs: [[UInt32]: UInt64] = [:]
    private(set) var pinChanges = 0
    /// Accounts that have moved to a new PAN, and those whose new cards are there.
    var moved: Set<Int> = []
    var prepared: Set<Int> = []
    private(set) var clock: Int64 = Plan.start

    init(_ plan: Plan) {
        self.plan = plan
        nextATC = plan.accounts.map { account in
            Dictionary(uniqueKeysWithValues: account.plastics.map { ($0.sequenceNumber, 1) })
        }
    }

    /// What is sent, or not: the message is lost before it reaches a host.
    struct Sending {
        let deal: Deal
        /// For the count of what has happened.
        let name: String
    }

    /// - Parameter clock: seconds since 1970, later than at the last call.
    mutating func next(_ numbers: inout SimulatedNumbers, clock: Int64) -> Sending {
        self.clock = clock
        let number = deals.count
        let roll = Int.random(in: 0..<100, using: &numbers)
        if roll < 22, let earlier = pick(&numbers), let sending = again(earlier, number, &numbers) {
            return sending
        }
        if roll < 42, let earlier = pick(&numbers), let (deal, name) = following(earlier, number, &numbers) {
            return keep(deal, name)
        }
        if roll < 47, let earlier = pick(&numbers), let (deal, name) = neighbour(earlier, number, &numbers) {
            return keep(deal, name)
        }
        let deal = roll >= 88 ? advice(number, &numbers) : fresh(number, &numbers)
        return keep(deal, name(deal))
    }

    mutating func keep(_ deal: Deal, _ name: String) -> Sending {
        deals.append(deal)
        recent.append(deal.number)
        return Sending(deal: deal, name: name)
    }

    /// Mostly one of the last, now and then any.
    func pick(_ numbers: inout SimulatedNumbers) -> Deal? {
        guard !recent.isEmpty else { return nil }
        let near = recent.suffix(numbers.chance(80) ? 7 : 2_000)
        return near.randomElement(using: &numbers).map { deals[$0] }
    }

    func name(_ deal: Deal) -> String {
        if deal.isForged { return "forgery" }
        if let shop = deal.shop, deal.purpose == .decision, deal.kind == .purchase, deal.entry == .chip {
            return shop.isUnserved
                ? "abroad, not served"
                : shop.isWrong(deal.minorUnits)
                    ? "abroad, DE6 wrong" : shop.isBilled ? "abroad, DE6" : "abroad, table"
        }
        switch deal.purpose {
        case .advice(let approved): return approved ? "advice" : "advice of a decline"
        case .reversal: return "reversal"
        case .decision:
            switch deal.entry {
            case .stripe: return "stripe, \(deal.kind.words)"
            case .typed:
                return (deal.authentication == nil ? "e-commerce, " : "3-D Secure, ") + deal.kind.words
            case .chip, .none:
                return deal.isPartialAllowed ? "\(deal.kind.words), part allowed" : deal.kind.words
            }
        }
    }

    // MARK: - Numbers

    mutating func stan(_ place: Place) -> UInt32 {
        counters[place.counter] += 1
        return counters[place.counter]
    }

    /// Numbers as the sender's habits have them: some leave DE7, DE37 or the local time out.
    mutating func number(_ deal: inout Deal, _ numbers: inout SimulatedNumbers) {
        deal.stan = stan(deal.place)
        let habit = Int.random(in: 0..<10, using: &numbers)
        deal.sentAt = habit == 0 || habit == 1 ? 0 : Calendar.digits(clock)
        deal.localTime = habit == 2 || habit == 3 ? 0 : Calendar.digits(clock)
        references += 1
        deal.reference = habit == 3 || habit == 4 || habit == 1 ? 0 : references
        (deal.lastSTAN, deal.lastSentAt) = (deal.stan, deal.sentAt)
    }

    /// One of now. Some still present the card of before.
    func account(_ numbers: inout SimulatedNumbers) -> Int {
        let account = Int.random(in: 0..<plan.firstCount, using: &numbers)
        return moved.contains(account) && numbers.chance(85) ? plan.firstCount + account : account
    }

    mutating func blank(_ number: Int, _ numbers: inout SimulatedNumbers) -> Deal {
        let account = account(&numbers)
        let plastic = plan.accounts[account].plastics.randomElement(using: &numbers)!
        let place = Place.all.randomElement(using: &numbers)!
        var deal = Deal(
            number: number, account: account, plastic: plastic, entry: .chip,
            minorUnits: Int64.random(in: 0...(numbers.chance(8) ? 1_000 : 800), using: &numbers),
            place: place, stan: 0,
            begunAt: clock)
        if let shop = Shop.draw(&numbers) {
            deal.shop = shop
            deal.minorUnits = deal.minorUnits * shop.denominator / shop.numerator
        }
        self.number(&deal, &numbers)
        return deal
    }

    /// Mostly the next ATC; now and then one that was used, one further on, or one too far.
    mutating func useChip(
        _ deal: inout Deal, _ numbers: inout SimulatedNumbers, mayReuse: Bool = true
    ) {
        deal.entry = .chip
        let (account, plastic) = (deal.account, deal.plastic.sequenceNumber)
        var atc = nextATC[account][plastic]!
        nextATC[account][plastic] = atc + 1
        switch Int.random(in: 0..<40, using: &numbers) {
        case 0:
            let used = UInt16.random(in: 1...atc, using: &numbers)
            let isHere = deals.contains {
                $0.account == account && $0.atc == used && $0.place.terminal == deal.place.terminal
            }
            if mayReuse, !isHere { atc = used }
        case 1: nextATC[account][plastic]! += UInt16.random(in: 1...20, using: &numbers)
        case 2: atc = atc &+ 1_500
        default: break
        }
        deal.atc = atc
        deal.hidesNumber = plastic == 0 ? numbers.chance(50) : numbers.chance(2)
        guard numbers.chance(60) else { return }
        for (index, script) in delivered.enumerated().reversed()
        where script.account == account && script.plastic == plastic {
            let outcome: UInt8 = numbers.chance(80) ? 0x20 : 0x10
            if outcome == 0x20, let pin = orderedPINs[[UInt32(account), UInt32(plastic), script.identifier]] {
                changedPINs[[UInt32(account), UInt32(plastic)]] = pin
                pinChanges += 1
            }
            deal.scriptResults += [outcome | (outcome == 0x10 ? 1 : 0)]
            for shift in [24, 16, 8, 0] as [UInt32] {
                deal.scriptResults.append(UInt8(truncatingIfNeeded: script.identifier >> shift))
            }
            delivered.remove(at: index)
        }
    }

    // MARK: - New transactions

    mutating func fresh(_ number: Int, _ numbers: inout SimulatedNumbers) -> Deal {
        var deal = blank(number, &numbers)
        deal.category = [nil, 5_411, 5_411, 5_542, 5_812, 7_011, 7_512, 5_411, 5_411, 5_411].randomElement(
            using: &numbers)!
        if numbers.chance(2) { deal.category = Plan.blockedCategory }
        if numbers.chance(2) { deal.country = Plan.blockedCountry }
        deal.isHolderVerified = numbers.chance(80)
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0...1: deal.kind = .refund
        case 2...4: deal.kind = .preAuthorisation
        case 5: deal.kind = .balanceEnquiry
        case 6...7: deal.kind = .cash
        case 8:
            deal.kind = .purchaseWithCashBack
            deal.minorUnits = max(2, deal.minorUnits)
            deal.cashBack = Int64.random(in: 1...deal.minorUnits, using: &numbers)
        default: break
        }
        if deal.kind == .balanceEnquiry { deal.minorUnits = 0 }
        deal.isPartialAllowed = numbers.chance(15)
        deal.isForged = numbers.chance(6)
        switch Int.random(in: 0..<10, using: &numbers) {
        case 0...5: useChip(&deal, &numbers)
        case 6...8: deal.entry = .stripe
        default: deal.entry = .typed
        }
        if deal.entry == .chip {
            deal.isContactless = numbers.chance(25)
            if numbers.chance(4) {
                deal.signedType = [0x00, 0x01, 0x20, 0x31].randomElement(using: &numbers)!
            }
        }
        if deal.entry == .stripe { deal.isCloned = numbers.chance(4) }
        deal.hidesExpiry = deal.entry != .typed && numbers.chance(20)
        if deal.entry != .typed, numbers.chance(45) {
            deal.pin = numbers.chance(18) ? 9_999 : pin(deal, &numbers)
            deal.isPINMalformed = numbers.chance(6)
            // Of several cards the date says which one's PIN it is.
            if plan.accounts[deal.account].plastics.count > 1, deal.entry == .stripe {
                deal.hidesExpiry = false
            }
        }
        return authenticated(deal)
    }

    /// The PIN of now; some hold on to the one before.
    private func pin(_ deal: Deal, _ numbers: inout SimulatedNumbers) -> UInt64 {
        let changed = changedPINs[[UInt32(deal.account), UInt32(deal.plastic.sequenceNumber)]]
        return changed.flatMap { numbers.chance(85) ? $0 : nil } ?? deal.plastic.pin
    }

    /// An operator's order is done: what concerns a cardholder's PIN is known to him.
    mutating func ordered(_ order: OperatorOrder, _ before: String, account: Int) {
        switch order {
        case .queueScript(let script, let number):
            guard let newPIN = script.newPIN, let identifier = UInt32(before) else { return }
            orderedPINs[[UInt32(account), UInt32(number), identifier]] = newPIN.block.rawValue
        case .importCard(let definition, _):
            changedPINs[[UInt32(account), UInt32(definition.sequenceNumber)]] = nil
        default: break
        }
    }

    /// Approved or declined by a terminal that asked nobody.
    mutating func advice(_ number: Int, _ numbers: inout SimulatedNumbers) -> Deal {
        var deal = blank(number, &numbers)
        deal.minorUnits = max(1, deal.minorUnits)
        if numbers.chance(10) { deal.kind = .refund }
        if numbers.chance(75) { useChip(&deal, &numbers, mayReuse: false) } else { deal.entry = .none }
        deal.hidesNumber = deal.hidesNumber && deal.plastic.sequenceNumber == 0
        deal.isForged = deal.entry == .chip && numbers.chance(12)
        deal.purpose = .advice(approved: numbers.chance(78))
        return deal
    }
}
