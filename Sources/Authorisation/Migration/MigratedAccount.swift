internal import EMV

/// What becomes of the balances of several old records of one PAN, where they differ. Money belongs to the account now.
package enum MergedBalance: Hashable, Sendable {
    /// Each card had money of its own.
    case sum
    /// All stood for the same money.
    case lowest
    /// As somebody has found out.
    case minorUnits(Int64)
}

/// Why old records are left as they are until somebody decides.
package enum MigrationObstacle: Error, Hashable, Sendable, CustomStringConvertible {
    /// Sequence number and minor units of each.
    case balancesDiffer([UInt8: Int64])
    case currenciesDiffer
    case tooManyCards(Int)
    case balanceTooHigh
    /// The account has a record that was not made of these.
    case hasRecordAlready
    case damaged(sequenceNumber: UInt8, RecordDamage)

    /// One line; no data of a card but its sequence numbers and balances.
    package var description: String {
        switch self {
        case .balancesDiffer(let balances):
            "balances differ: "
                + balances.sorted { $0.key < $1.key }
                .map { "sequence number \($0.key) has \($0.value)" }.joined(separator: ", ")
        case .currenciesDiffer: "its cards have accounts in different currencies"
        case .tooManyCards(let count): "\(count) cards, an account has \(CardRecord.plasticsMax) at the most"
        case .balanceTooHigh: "the sum of the balances does not fit"
        case .hasRecordAlready: "the account has a record of its own already"
        case .damaged(let number, let damage): "sequence number \(number) is damaged: \(damage)"
        }
    }
}

extension CardTransition {
    /// The event that makes an account of the old records of its PAN: one record, as an import makes it, with everything
    /// that was counted and kept.
    /// - Parameters:
    ///   - cards: every old record of the PAN.
    ///   - merging: nil: balances that differ are an obstacle.
    package static func migrate(
        _ cards: [OldCard], merging: MergedBalance?, now: Int64, random: UInt64
    ) throws(MigrationObstacle) -> CardChange {
        let cards = cards.sorted { $0.sequenceNumber < $1.sequenceNumber }
        guard let first = cards.first, cards.count <= CardRecord.plasticsMax else {
            throw .tooManyCards(cards.count)
        }
        guard cards.allSatisfy({ $0.currency == first.currency }) else { throw .currenciesDiffer }
        let available = try balance(cards, merging)
        var record = CardRecord(
            status: .active, currency: first.currency, availableMinorUnits: available)
        for (index, card) in cards.enumerated() { record.add(card, index) }
        record.set(.days, SpentDays(adding: cards.map(\.days)).content)
        let filed = record.takeOver(answersOf: cards, now: now)
        record.set(.earlyReversals, early(cards, now))
        record.setTag(RecordTag(random: random, counter: 1))
        do throws(RecordDamage) { try record.check() } catch {
            throw .damaged(sequenceNumber: first.sequenceNumber, error)
        }
        let numbers = cards.map { "\($0.sequenceNumber)" }.joined(separator: " ")
        var change = CardChange(
            read: nil, record: record,
            lines: [
                .change(
                    operation: "migrate", value: "available \(available), sequence numbers \(numbers)",
                    before: cards.map { "\($0.name.digits) \($0.availableMinorUnits)" }
                        .joined(separator: ", "))
            ])
        var bytes: [UInt8] = []
        for transaction in filed { transaction.append(to: &bytes) }
        change.past = .replace(bytes)
        return change
    }

    private static func balance(
        _ cards: [OldCard], _ merging: MergedBalance?
    ) throws(MigrationObstacle) -> Int64 {
        let balances = cards.map(\.availableMinorUnits)
        switch merging {
        case .minorUnits(let minorUnits)?: return minorUnits
        case .lowest?: return balances.min() ?? 0
        case .sum?:
            var sum: Int64 = 0
            for balance in balances {
                let (next, overflow) = sum.addingReportingOverflow(balance)
                guard !overflow else { throw .balanceTooHigh }
                sum = next
            }
            return sum
        case nil:
            guard Set(balances).count == 1 else {
                throw .balancesDiffer(
                    Dictionary(
                        cards.map { ($0.sequenceNumber, $0.availableMinorUnits) },
                        uniquingKeysWith: { first, _ in first }))
            }
            return balances[0]
        }
    }

    private static func early(_ cards: [OldCard], _ now: Int64) -> [UInt8] {
        var early = EarlyReversals([])
        for reversal in cards.flatMap(\.early) { _ = early.remember(reversal.reversal(now: now), now: now) }
        return early.content
    }
}

extension CardRecord {
    fileprivate mutating func add(_ card: OldCard, _ index: Int) {
        add(card.plastic)
        let place = windowPlace(index)
        bytes.replaceSubrange(place..<(place + ATCWindow.byteCount), with: card.window)
        setNames(index, profile: card.profile, issuerMasterKey: card.issuerMasterKey)
        set(.limits, index, content: card.limits)
        set(.scripts, index, content: QueuedScript.stored(card.scripts))
    }

    /// Keeps the newest, and counts the older ones among those that are filed.
    /// - Returns: what is filed, oldest first.
    fileprivate mutating func takeOver(answersOf cards: [OldCard], now: Int64) -> [KeptTransaction] {
        var all: [KeptTransaction] = []
        for card in cards {
            all += card.answers.reversed().compactMap {
                $0.transaction(
                    number: 0, plastic: card.sequenceNumber, currency: card.currency, now: now)
            }
        }
        // The sort is stable: of one card, the order is that of the old layout.
        all.sort { $0.decidedAt < $1.decidedAt }
        var filed: [KeptTransaction] = []
        var holds = Holds([])
        for var transaction in all {
            transaction.number = nextNumber
            if keptCount == Self.keptMax { filed += takeOlder().filter(\.isFiled) }
            keep(transaction)
            if transaction.isOpenHold { holds.holds.append(Hold(migrated: transaction, now: now)) }
        }
        holds.holds = holds.holds.suffix(Holds.countMax)
        set(.holds, holds.content)
        let lost = filed.dropLast(CardTransition.pastMax)
        filed = filed.suffix(CardTransition.pastMax)
        filedCount = UInt32(filed.count)
        holdsMigrated = !all.isEmpty || cards.contains { !$0.early.isEmpty }
        for transaction in lost { forgottenUntil = max(forgottenUntil, transaction.decidedAt) }
        for card in cards where card.isFull {
            // Before the oldest that is left, something was given up.
            let oldest = all.first { $0.plastic == card.sequenceNumber && $0.isTaking }
            forgottenUntil = max(forgottenUntil, oldest?.decidedAt ?? 0)
        }
        return filed
    }
}

extension KeptTransaction {
    fileprivate var isOpenHold: Bool { kind == .preAuthorisation && isTaking && !isOver && taken > 0 }
}

extension Hold {
    /// The old layout had no end for what was pre-authorised, and no category: it lasts as long as the longest of now.
    fileprivate init(migrated transaction: KeptTransaction, now: Int64) {
        let end = max(Int64(transaction.decidedAt) + 31 * 86_400, now + 7 * 86_400)
        self.init(
            number: transaction.number, approved: transaction.taken, completed: 0,
            expiresAt: UInt32(clamping: end), merchantCategory: 0)
    }
}

extension CardToken {
    /// Thirty-two hexadecimal digits.
    package var digits: String {
        [high, low].map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}
