internal import Authorisation
internal import EMV

/// What has to hold, kept from the journal and from what terminals were told, without a look at how the store works.
struct Books {
    /// A promise that was broken, in words.
    struct BrokenPromise: Error { let what: String }

    private let opening: Int64
    private let daily: Allowance
    /// Per card: everything taken less everything given.
    private(set) var spent: [Int64]
    /// Per card: what limits count.
    private var counted: [Int64]
    private(set) var pinTriesUsed: [Int]
    /// Per transaction: what it holds of the card's money, or for a refund has given to it.
    private var net: [UInt64: Int64] = [:]
    private var refunds: Set<UInt64> = []
    private var approvals: [UInt64: [UInt8]] = [:]
    private var booked: Set<UInt64> = []
    /// Transactions with a second message that takes.
    private var settled: Set<UInt64> = []
    private var approvedATCs: Set<[UInt64]> = []
    /// Transactions whose reversal a terminal was told, and what was to remain.
    private var reversals: [UInt64: Int64] = [:]
    private var advices: Set<UInt64> = []

    init(cards: Int, opening: Int64, daily: Allowance) {
        (self.opening, self.daily) = (opening, daily)
        spent = [Int64](repeating: 0, count: cards)
        counted = spent
        pinTriesUsed = [Int](repeating: 0, count: cards)
    }

    // MARK: - The journal

    mutating func add(_ entry: ModelStore.Entry) throws(BrokenPromise) {
        let card = Int(entry.card.high)
        try countPIN(entry, card)
        if entry.declined == nil {
            if entry.kind == nil {
                try giveBack(entry, card)
            } else if entry.mode != .note {
                try take(entry, card)
            }
        }
        guard entry.availableMinorUnits == opening - spent[card] else {
            throw BrokenPromise(
                what: "card \(card): \(entry.availableMinorUnits) left after \(spent[card]) of \(opening)")
        }
    }

    private mutating func take(_ entry: ModelStore.Entry, _ card: Int) throws(BrokenPromise) {
        guard let key = entry.key else { throw BrokenPromise(what: "an approval without a key") }
        let reference = UInt64(key.reference)
        let taken = entry.effect?.takenMinorUnits ?? entry.minorUnits
        if entry.kind == .refund {
            refunds.insert(reference)
            spent[card] -= taken
        } else {
            let freed = entry.effect?.givenBackMinorUnits ?? 0
            if entry.original != nil { settled.insert(reference) }
            spent[card] += taken - freed
            counted[card] += taken - freed
            try lower(reference, by: freed)
        }
        net[reference, default: 0] += taken
        if entry.mode == .book {
            guard booked.insert(key.moment).inserted else {
                throw BrokenPromise(what: "message \(key.moment) was booked twice")
            }
            return
        }
        try approve(entry, key, card)
    }

    private mutating func approve(
        _ entry: ModelStore.Entry, _ key: RetransmissionKey, _ card: Int
    ) throws(BrokenPromise) {
        guard approvals.updateValue(entry.code, forKey: key.moment) == nil else {
            throw BrokenPromise(what: "message \(key.moment) was approved twice")
        }
        guard let atc = entry.atc else {
            guard entry.kind == .completion else {
                throw BrokenPromise(what: "message \(key.moment) was approved without a cryptogram")
            }
            return
        }
        guard approvedATCs.insert([entry.card.high, UInt64(atc)]).inserted else {
            throw BrokenPromise(what: "card \(card): ATC \(atc) was approved twice")
        }
        guard entry.pin != .wrong else { throw BrokenPromise(what: "a wrong PIN was booked as approved") }
        guard entry.kind != .refund else { return }
        guard entry.availableMinorUnits >= 0 else {
            throw BrokenPromise(what: "card \(card): approved for more than there was")
        }
        guard counted[card] <= daily.minorUnits ?? .max else {
            throw BrokenPromise(what: "card \(card): the daily limit was passed with \(counted[card])")
        }
    }

    private mutating func giveBack(_ entry: ModelStore.Entry, _ card: Int) throws(BrokenPromise) {
        guard let amount = entry.effect?.givenBackMinorUnits, let original = entry.original else { return }
        let reference = UInt64(original.reference)
        try lower(reference, by: amount)
        if refunds.contains(reference) {
            spent[card] += amount
        } else {
            spent[card] -= amount
            counted[card] -= amount
        }
    }

    private mutating func lower(_ reference: UInt64, by amount: Int64) throws(BrokenPromise) {
        guard amount <= net[reference, default: 0] else {
            throw BrokenPromise(
                what: "transaction \(reference): \(amount) given back of \(net[reference, default: 0])")
        }
        if amount > 0 { net[reference, default: 0] -= amount }
    }

    /// A PIN counts once the host has not declined before it and the ATC has not either.
    private mutating func countPIN(_ entry: ModelStore.Entry, _ card: Int) throws(BrokenPromise) {
        guard entry.pin != .notChecked else { return }
        switch entry.declined {
        case .pinWrong: pinTriesUsed[card] += 1
        case .pinTriesExceeded:
            if entry.pin == .wrong { pinTriesUsed[card] = min(pinTriesUsed[card] + 1, ModelStore.triesMax) }
        case nil, .insufficientFunds, .reversedBefore, .dailyAmountExceeded, .dailyCountExceeded:
            guard entry.pin == .right, pinTriesUsed[card] < ModelStore.triesMax else {
                throw BrokenPromise(what: "card \(card): a PIN passed that was wrong or blocked")
            }
            pinTriesUsed[card] = 0
        default: break
        }
    }

    // MARK: - The terminals

    func checkTold(approval code: [UInt8], _ number: UInt64) throws(BrokenPromise) {
        guard approvals[number] == code else {
            throw BrokenPromise(what: "approval \(number) was told and is not in the journal")
        }
    }

    mutating func told(reversalOf reference: UInt64, remaining: Int64) {
        reversals[reference] = min(remaining, reversals[reference] ?? .max)
    }

    mutating func told(adviceBooked number: UInt64) { advices.insert(number) }

    /// Once nothing is under way any more.
    func checkEnd() throws(BrokenPromise) {
        for (reference, remaining) in reversals where !settled.contains(reference) {
            guard net[reference, default: 0] <= remaining else {
                throw BrokenPromise(
                    what: "transaction \(reference): reversed, and \(net[reference, default: 0]) still taken")
            }
        }
        for number in advices where !booked.contains(number) {
            throw BrokenPromise(what: "advice \(number) was told and is not booked")
        }
    }
}
