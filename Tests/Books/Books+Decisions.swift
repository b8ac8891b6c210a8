/// What the journal says was decided.
extension Books {
    mutating func add(_ decision: JournalDecision, _ write: JournalWrite) throws(BrokenPromise) {
        messages[decision.message].decidedBy = writes
        let message = messages[decision.message].message
        guard home(message.account) == write.account else {
            throw BrokenPromise("a message was booked to another account")
        }
        if decision.isATCClaimed, let atc = message.atc {
            claimed[ATC(account: message.account, plastic: message.plastic, atc: atc), default: []]
                .insert(message.transaction)
        }
        try countPIN(decision, message)
        if transactions[message.transaction].writtenAt == .max, !decision.isRepeated {
            transactions[message.transaction].writtenAt = writes
            transactions[message.transaction].decidedAt = write.now
        }
        if !decision.isRepeated {
            switch message.purpose {
            case .request:
                if decision.isDeclined {
                    if decision.isReversedBefore { keep(message.transaction) }
                } else {
                    try approve(decision, message, write)
                }
            case .advice: if !decision.isDeclined { try take(decision, message, write) }
            case .note: if !decision.isDeclined { keep(message.transaction) }
            case .reversal:
                if decision.isOriginalDeclined, let original = message.original { keep(original) }
                if !decision.isDeclined { try giveBack(decision, message) }
            }
            guard decision.available == accounts[write.account].balance else {
                throw BrokenPromise(
                    "account \(write.account): the journal says \(decision.available) is left, its entries come to "
                        + "\(accounts[write.account].balance)")
            }
        }
    }

    private mutating func keep(_ number: Int) {
        let account = transactions[number].account
        accounts[account].kept += 1
        transactions[number].place = accounts[account].kept
        // What an import has forgotten and what then comes again is new.
        transactions[number].isForgotten = false
    }

    // MARK: - Taking

    private mutating func take(
        _ decision: JournalDecision, _ message: SentMessage, _ write: JournalWrite
    ) throws(BrokenPromise) {
        let (number, account) = (message.transaction, home(message.account))
        guard message.direction != .neither else { return }
        let amount = decision.taken ?? message.minorUnits
        guard amount >= 0, amount <= message.minorUnits else {
            throw BrokenPromise("transaction \(number): \(amount) taken of \(message.minorUnits)")
        }
        guard (decision.billed == nil) == (message.shopMinorUnits == nil),
            decision.billed.map({ $0 == (decision.isPart ? amount : message.minorUnits) }) ?? true
        else { throw BrokenPromise("transaction \(number): the journal says another billing amount") }
        try settle(decision, message, amount)
        transactions[number].shopApproved = message.shopMinorUnits
        if decision.isPart,
            let part = try checkPart(message, taken: amount, funds: accounts[account].balance)
        {
            transactions[number].shopApproved = part
        }
        let wasKept = isKept(number)
        transactions[number].times += 1
        // Old cryptograms are good again once an operator has said so.
        guard transactions[number].times == 1 || !wasKept && message.atc != nil && accounts[account].wasReset
        else { throw BrokenPromise("transaction \(number) was booked twice") }
        if transactions[number].times > 1 { transactions[number].reversals = [] }
        transactions[number].booked = decision.isPart ? amount : message.minorUnits
        transactions[number].net = amount
        transactions[number].stan = message.stan
        transactions[number].gives = message.direction == .gives
        keep(number)
        transactions[number].decidedAt = write.now
        accounts[account].balance += message.direction == .gives ? amount : -amount
        if message.direction == .takes { count(message, amount, write.now) }
        if message.isPreAuthorisation, message.purpose == .request {
            transactions[number].holdEnds = write.now + message.holdSeconds
            accounts[account].holds.insert(number)
        }
        for hold in accounts[account].holds where transactions[hold].net > 0 {
            guard (transactions[hold].holdEnds ?? .max) > write.now else {
                throw BrokenPromise("transaction \(hold): its time is over and it still holds money")
            }
        }
    }

    /// What the original held is given back where this takes its place.
    private mutating func settle(
        _ decision: JournalDecision, _ message: SentMessage, _ amount: Int64
    ) throws(BrokenPromise) {
        var freed = decision.givenBack ?? 0
        guard let original = message.original else {
            guard freed == 0 else {
                throw BrokenPromise(
                    "transaction \(message.transaction) replaced one that it does not speak of")
            }
            return
        }
        if freed > transactions[original].net, !message.isClear {
            guard moveOther(than: original, freed, message) else {
                throw BrokenPromise(
                    "transaction \(message.transaction) freed what nothing under its names held")
            }
            accounts[home(message.account)].balance += freed
            freed = 0
        }
        guard freed <= transactions[original].net else {
            throw BrokenPromise(
                "transaction \(message.transaction): \(freed) freed of \(transactions[original].net) that its original "
                    + "held")
        }
        guard freed == 0 || !transactions[original].gives else {
            throw BrokenPromise("transaction \(original) had given money, and that was given again")
        }
        transactions[original].net -= freed
        accounts[home(message.account)].balance += freed
        if freed > 0 { uncount(original, freed, isWhole: true) }
        // What names it unclearly may have been booked for itself.
        if freed > 0 || message.isClear {
            transactions[original].completed += measured(original, amount, message)
        }
        transactions[original].completions.append(message.transaction)
        guard
            transactions[original].net == 0 || transactions[original].gives || !message.isClear
                || !isKept(original)
        else {
            throw BrokenPromise(
                "transaction \(original) was completed and still holds \(transactions[original].net)")
        }
    }

    private mutating func approve(
        _ decision: JournalDecision, _ message: SentMessage, _ write: JournalWrite
    ) throws(BrokenPromise) {
        let number = message.transaction
        if message.isCompletion {
            guard let original = message.original, transactions[original].times > 0 else {
                throw BrokenPromise("transaction \(number) was approved and completes nothing")
            }
            let sum =
                transactions[original].completed
                + measured(original, decision.taken ?? message.minorUnits, message)
            guard sum * 100 <= transactions[original].booked * (100 + message.excessPercent) else {
                throw BrokenPromise(
                    "transaction \(original): \(sum) completed of \(transactions[original].booked)")
            }
        } else {
            guard message.isProven else {
                throw BrokenPromise("transaction \(number) was approved without proof")
            }
        }
        let isNamed = !message.isCompletion || message.isClear && !hasMoved(message)
        guard !message.isForbidden || !isNamed else {
            throw BrokenPromise("transaction \(number): approved over a bound")
        }
        guard accounts[home(message.account)].isActive else {
            throw BrokenPromise("transaction \(number): approved on an account that is not active")
        }
        guard message.pin == .none || decision.isPINRight == true else {
            throw BrokenPromise("transaction \(number): approved without its PIN being right")
        }
        if let atc = message.atc {
            let key = ATC(account: message.account, plastic: message.plastic, atc: atc)
            guard approved[key] == nil || approved[key] == number else {
                throw BrokenPromise("account \(message.account): ATC \(atc) was approved twice")
            }
            approved[key] = number
        }
        if let authentication = message.authentication {
            let before = authenticated[message.account, default: [:]].updateValue(
                number, forKey: authentication)
            guard before == nil || before == number else {
                throw BrokenPromise(
                    "account \(message.account): one authentication was approved for two payments")
            }
        }
        try take(decision, message, write)
        transactions[number].codes.insert(decision.code)
        guard message.direction == .takes else { return }
        guard accounts[home(message.account)].balance >= 0 || message.minorUnits == 0 else {
            throw BrokenPromise("account \(message.account): approved for more than there was")
        }
        // Whose limits hold is said by the approval that is completed.
        if isNamed { try checkBounds(message) }
    }

    // MARK: - Giving back

    private mutating func giveBack(_ decision: JournalDecision, _ message: SentMessage) throws(BrokenPromise)
    {
        guard let amount = decision.givenBack else { return }
        guard let original = message.original else {
            throw BrokenPromise("a reversal of nothing gave \(amount) back")
        }
        if message.purpose == .reversal(remaining: 0) { uncount(original, 0, isWhole: true) }
        let before = transactions[original].net
        var rest = amount
        // What was completed lives on in its completions.
        for number in [original] + transactions[original].completions {
            let part = min(rest, transactions[number].net)
            guard part > 0 else { continue }
            rest -= part
            transactions[number].net -= part
            uncount(number, part, isWhole: transactions[number].net == 0)
        }
        guard rest == 0 || !message.isClear && moveOther(than: original, rest, message) else {
            throw BrokenPromise("transaction \(original): \(rest) more given back than it held")
        }
        accounts[home(message.account)].balance += transactions[original].gives ? -amount : amount
        try checkLeft(original, before: before, message)
    }

    /// What was named unclearly may have been another transaction under the same names.
    private mutating func moveOther(than original: Int, _ amount: Int64, _ message: SentMessage) -> Bool {
        func mayBe(_ number: Int) -> Bool {
            number != original && transactions[number].account == home(message.account)
                && transactions[number].net >= amount
                && transactions[number].gives == transactions[original].gives
        }
        let named = transactions.indices.first {
            mayBe($0) && transactions[$0].numbers == transactions[original].numbers
        }
        // What a completion under way shares with what it completes.
        let completed = transactions[original].original.flatMap { mayBe($0) ? $0 : nil }
        let (reference, place) = (transactions[original].reference, transactions[original].numbers >> 32)
        let sharing = transactions.indices.first {
            mayBe($0) && reference != 0 && transactions[$0].reference == reference
                && transactions[$0].numbers >> 32 == place
        }
        guard
            let other = named ?? completed ?? sharing
                ?? transactions.indices.first(where: { mayBe($0) && transactions[$0].net == amount })
        else { return false }
        transactions[other].net -= amount
        transactions[original].isServedElsewhere = true
        uncount(other, amount, isWhole: transactions[other].net == 0)
        return true
    }

    // MARK: - Limits

    private mutating func count(_ message: SentMessage, _ amount: Int64, _ now: Int64) {
        let (number, account) = (message.transaction, home(message.account))
        let day = max(now / 86_400, accounts[account].newestDay)
        accounts[account].newestDay = day
        transactions[number].counted = amount
        transactions[number].cash = min(message.cash, amount)
        transactions[number].day = day
        accounts[account].days[day, default: []].insert(number)
    }

    mutating func uncount(_ number: Int, _ amount: Int64, isWhole: Bool) {
        guard let counted = transactions[number].counted else { return }
        let left = max(0, counted - amount)
        transactions[number].counted = isWhole ? nil : left
        transactions[number].cash = min(transactions[number].cash, left)
        guard isWhole else { return }
        accounts[transactions[number].account].days[transactions[number].day]?.remove(number)
    }

    private func hasMoved(_ message: SentMessage) -> Bool {
        message.original.map { transactions[$0].hasMoved } ?? false
    }

    /// Those of every card that the message may be of.
    private func checkBounds(_ message: SentMessage) throws(BrokenPromise) {
        let account = accounts[home(message.account)]
        for plastic in message.plastics {
            let bounds = account.terms.own[plastic] ?? account.terms.bounds
            guard let words = passed(bounds, account, isCash: message.cash > 0) else { continue }
            throw BrokenPromise(
                "account \(message.account): the limit of card \(plastic) was passed, \(words)")
        }
    }

    private func passed(_ bounds: Bounds, _ account: Account, isCash: Bool) -> String? {
        let today = spent(account, from: account.newestDay)
        let rolling = spent(account, from: account.newestDay - bounds.rollingDays + 1)
        func isOver<Number: Comparable>(_ value: Number, _ bound: Number?) -> Bool {
            bound.map { value > $0 } ?? false
        }
        let broken: [(Bool, String)] = [
            (isOver(today.amount, bounds.dailyMinorUnits), "amount of a day"),
            (isOver(today.count, bounds.dailyCount), "transactions of a day"),
            (isCash && isOver(today.cash, bounds.dailyCash), "cash of a day"),
            (isCash && isOver(today.cashCount, bounds.dailyCashCount), "cash transactions of a day"),
            (isOver(rolling.amount, bounds.rollingMinorUnits), "amount of many days"),
            (isOver(rolling.count, bounds.rollingCount), "transactions of many days"),
        ]
        return broken.first { $0.0 }?.1
    }

    private func spent(
        _ account: Account, from first: Int64
    ) -> (amount: Int64, count: Int, cash: Int64, cashCount: Int) {
        var sum: (amount: Int64, count: Int, cash: Int64, cashCount: Int) = (0, 0, 0, 0)
        for (day, numbers) in account.days where day >= first {
            for number in numbers {
                sum.amount += transactions[number].counted ?? 0
                sum.count += 1
                sum.cash += transactions[number].cash
                sum.cashCount += transactions[number].cash > 0 ? 1 : 0
            }
        }
        return sum
    }

    // MARK: - PIN

    private mutating func countPIN(_ decision: JournalDecision, _ message: SentMessage) throws(BrokenPromise)
    {
        let (account, plastic) = (message.account, message.plastic)
        for identifier in decision.scriptsDone { carryOut(account, plastic, identifier) }
        guard decision.isPINRight != nil || decision.isPINMalformed else { return }
        guard let pin = accounts[account].pins[plastic] else {
            throw BrokenPromise("transaction \(message.transaction): a PIN was compared that nobody knows")
        }
        let isAgreed =
            switch message.pin {
            case .none: false
            case .typed(let typed): decision.isPINRight == (typed == pin % 10_000)
            case .malformed: decision.isPINMalformed
            }
        guard isAgreed else {
            throw BrokenPromise(
                "transaction \(message.transaction): the journal calls its PIN what it is not")
        }
        let used = accounts[account].triesUsed[plastic, default: 0]
        guard used < Self.triesMax else {
            throw BrokenPromise("transaction \(message.transaction): a PIN was heard after the last try")
        }
        let counts = !decision.isPINMalformed || accounts[account].terms.countsMalformed
        let now = decision.isPINRight == true ? 0 : used + (counts ? 1 : 0)
        setTries(account, plastic, now)
        guard decision.pinTriesLeft == Self.triesMax - now else {
            throw BrokenPromise(
                "transaction \(message.transaction): \(decision.pinTriesLeft) tries are told to be left")
        }
    }

    /// What a card has carried out is so from then on.
    private mutating func carryOut(_ account: Int, _ plastic: Int, _ identifier: UInt32) {
        switch scriptEffects[Script(account: account, plastic: plastic, identifier: identifier)] ?? .none {
        case .none: return
        case .unblocksPIN: break
        case .changesPIN(let pin): accounts[account].pins[plastic] = pin
        }
        setTries(account, plastic, 0)
    }

    /// Little enough has come after it, and lately enough, that a sender may count on it.
    func isKept(_ number: Int) -> Bool {
        let transaction = transactions[number]
        return !transaction.isForgotten
            && accounts[transaction.account].kept - transaction.place < Self.keptTransactions
    }
}
