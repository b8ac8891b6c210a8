/// Where a transaction of the account stands.
enum TransactionPlace {
    case kept(Int)
    case past(Int)
}

extension CardTransition {
    /// All transactions that are known, newest first; those filed away only if they were read.
    func search(
        _ body: (KeptTransaction) -> Bool
    ) -> (place: TransactionPlace, transaction: KeptTransaction)? {
        for index in stride(from: record.keptCount - 1, through: 0, by: -1) {
            if let transaction = record.kept(index), body(transaction) { return (.kept(index), transaction) }
        }
        if let past {
            for index in stride(from: past.count - 1, through: 0, by: -1) where body(past[index]) {
                return (.past(index), past[index])
            }
        }
        return nil
    }

    /// All that `body` takes, newest first.
    func all(
        _ body: (KeptTransaction) -> Bool
    ) -> [(place: TransactionPlace, transaction: KeptTransaction)] {
        var found: [(place: TransactionPlace, transaction: KeptTransaction)] = []
        for index in stride(from: record.keptCount - 1, through: 0, by: -1) {
            if let transaction = record.kept(index), body(transaction) {
                found.append((.kept(index), transaction))
            }
        }
        if let past {
            for index in stride(from: past.count - 1, through: 0, by: -1) where body(past[index]) {
                found.append((.past(index), past[index]))
            }
        }
        return found
    }

    /// What is filed away has to be at hand.
    func needPast() throws(CardQuestion) {
        if past == nil, record.filedCount > 0 { throw .past }
    }

    /// Writes a changed transaction back.
    mutating func replace(_ place: TransactionPlace, _ transaction: KeptTransaction) {
        switch place {
        case .kept(let index): record.replaceKept(index, transaction)
        case .past(let index):
            past?[index] = transaction
            isPastChanged = true
        }
    }

    /// Keeps a new transaction; what makes room for it is filed if money hangs on it.
    mutating func keep(_ transaction: KeptTransaction) throws(CardQuestion) {
        // Once in a while the older part is given up, and for that it has to be read.
        if record.keptCount == CardRecord.keptMax,
            record.filedCount + UInt32(CardRecord.keptMax) >= UInt32(Self.pastMax) + Self.pastSlack
        {
            try needPast()
        }
        filed += record.keep(transaction).filter(\.isFiled)
    }

    /// Holds whose time is over give their money back, each with a line in the journal.
    mutating func releaseExpiredHolds() throws(CardQuestion) {
        guard record.range(.holds) != nil else { return }
        var holds = Holds(record.content(.holds))
        guard holds.holds.contains(where: { Int64($0.expiresAt) <= now }) else { return }
        for hold in holds.holds where Int64(hold.expiresAt) <= now {
            if search({ $0.number == hold.number }) == nil { try needPast() }
            guard let (place, held) = search({ $0.number == hold.number }) else { continue }
            var transaction = held
            let back = transaction.taken
            guard moveIn(back) else { continue }
            uncount(transaction, back, isWhole: true)
            transaction.taken = 0
            transaction.cash = 0
            transaction.flags.insert(.expired)
            transaction.flags.remove(.counted)
            replace(place, transaction)
            lines.append(
                .change(
                    operation: "hold-expired", value: "\(back)", before: "\(transaction.transmission.stan)"))
        }
        holds.holds.removeAll { Int64($0.expiresAt) <= now }
        record.set(.holds, holds.content)
    }

    /// Takes an amount out of what limits count.
    mutating func uncount(_ transaction: KeptTransaction, _ minorUnits: Int64, isWhole: Bool) {
        guard transaction.flags.contains(.counted), minorUnits > 0 || isWhole else { return }
        var days = SpentDays(record.content(.days))
        days.giveBack(minorUnits, of: transaction, isWhole: isWhole)
        record.set(.days, days.content)
    }
}
