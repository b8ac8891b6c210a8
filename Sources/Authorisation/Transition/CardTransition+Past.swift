internal import EMV

/// What is filed away, and holds whose time is over.
extension CardTransition {
    /// Nothing is known of the card; the journal says that it was asked for.
    static func unknownCard(_ message: CardMessage, _ reading: CardReading) -> CardStep {
        var trace = DecisionTrace()
        trace.add(.retransmission, .approved, reason: "first")
        if let name = message.rangeName {
            trace.add(.issuerRange, .approved, reason: name)
            trace.add(.cardKnown, .declined, reason: "no record")
        } else {
            trace.add(.issuerRange, .declined, reason: "no range has this prefix")
        }
        for line in message.evidence { trace.add(line.rule, line.verdict, reason: line.reason) }
        let result = CommitResult(
            declined: .unknownCard, approvalCode: [], repeated: false, atc: .notAsked, pinTriesLeft: 0,
            availableMinorUnits: 0)
        return .decided(
            CardOutcome(result: result, trace: trace, currency: nil),
            // There may be a record of a card whose range is configured no more.
            CardChange(read: reading.record, record: nil, lines: [.decision]))
    }

    /// What is filed with a step, and what is given up for it.
    func file(_ change: inout CardChange, _ written: inout CardRecord) {
        let isTooLong = record.filedCount + UInt32(filed.count) >= UInt32(Self.pastMax) + Self.pastSlack
        if isPastChanged || isTooLong, let past {
            let (kept, lost) = divided(past + filed)
            change.past = .replace(bytes(of: kept))
            for transaction in lost {
                written.forgottenUntil = max(written.forgottenUntil, lastHeard(transaction))
            }
            written.filedCount = UInt32(kept.count)
        } else if !filed.isEmpty {
            change.past = .append(bytes(of: filed))
            written.filedCount += UInt32(filed.count)
        }
    }

    /// What stays filed, and what is given up: all but the newest, and never what holds money until a day that is to come.
    func divided(_ all: [KeptTransaction]) -> (kept: [KeptTransaction], lost: [KeptTransaction]) {
        guard all.count > Self.pastMax else { return (all, []) }
        let held = Set(Holds(record.content(.holds)).holds.map(\.number))
        let older = all.dropLast(Self.pastMax)
        return (
            older.filter { held.contains($0.number) } + all.suffix(Self.pastMax),
            older.filter { !held.contains($0.number) }
        )
    }

    /// Whatever names a transaction names no later time: that of its decision, or of a repeat that was sent later.
    func lastHeard(_ transaction: KeptTransaction) -> UInt32 {
        let sent = MonthClock.age(of: transaction.lastSentAt, at: now).map { now - $0 } ?? 0
        // A clock of the sender's that is ahead says nothing of what is to come.
        return max(transaction.decidedAt, UInt32(clamping: min(sent, now)))
    }

    func bytes(of transactions: some Sequence<KeptTransaction>) -> [UInt8] {
        var bytes: [UInt8] = []
        for transaction in transactions { transaction.append(to: &bytes) }
        return bytes
    }
}

/// Where a transaction of the account stands.
enum TransactionPlace {
    case kept(Int)
    case past(Int)
}

extension CardTransition {
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

    /// The older half of what the record keeps leaves it.
    mutating func makeRoom() throws(CardQuestion) {
        // Once in a while the older part is given up, and for that it has to be read.
        if record.filedCount + UInt32(CardRecord.keptMax) >= UInt32(Self.pastMax) + Self.pastSlack {
            try needPast()
        }
        filed += record.takeOlder().filter(\.isFiled)
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

    /// Takes an amount out of what limits count.
    mutating func uncount(_ transaction: KeptTransaction, _ minorUnits: Int64, isWhole: Bool) {
        guard transaction.flags.contains(.counted), minorUnits > 0 || isWhole else { return }
        var days = SpentDays(record.content(.days))
        days.giveBack(minorUnits, of: transaction, isWhole: isWhole)
        record.set(.days, days.content)
    }

    /// Holds whose time is over give their money back, each with a line in the journal.
    mutating func releaseExpiredHolds() throws(CardQuestion) {
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
}
