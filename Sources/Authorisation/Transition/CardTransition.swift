internal import EMV

/// What a message may move in a card's record: the one definition of the rules, for production, simulation and
/// operators' commands. `(record, event) -> step`: what it needs beside the record stands in the event.
///
/// The parts: `+Message` requests, `+Advice` what was decided elsewhere, `+Reversal`, `+Money`, `+Abroad`, `+Plastic`, `+Past`
/// what is filed away, `+Operator`.
package struct CardTransition {
    /// Transactions that are filed away, at most; the older ones are given up.
    static let pastMax = 256
    /// So many more may gather before they are.
    static let pastSlack: UInt32 = 64

    var record: CardRecord
    let policy: CardPolicy
    let now: Int64
    var trace = DecisionTrace()
    var lines: [CardChange.Line] = []
    var effect: CommitEffect?
    /// What the message comes to where it is in another currency than the account.
    var charge: Charge?
    /// What is filed, if it was read.
    var past: [KeptTransaction]?
    var isPastChanged = false
    /// See `CardChange`.
    var isUrgent = false
    var filed: [KeptTransaction] = []
    /// Conservation: before − taken + given back = after.
    private let availableBefore: Int64
    private var movedOut: Int64 = 0
    var movedIn: Int64 = 0

    init(_ record: CardRecord, past: [UInt8]?, policy: CardPolicy, now: Int64) {
        self.record = record
        self.policy = policy
        self.now = now
        availableBefore = record.availableMinorUnits
        self.past = past.map { bytes in
            stride(from: 0, to: bytes.count, by: KeptTransaction.byteCount).compactMap {
                KeptTransaction(bytes, at: $0)
            }
        }
    }

    // MARK: - The way in

    /// Judges a message by a card's record.
    /// - Returns: what it came to and what is to be written, or what has to be known first.
    package static func apply(
        _ message: CardMessage, _ knowledge: CardKnowledge, to reading: CardReading
    ) -> CardStep {
        guard let record = reading.record, message.rangeName != nil else {
            return unknownCard(message, reading)
        }
        if record.isSealed { return .ask(record.movedTo.map(CardQuestion.account) ?? .move) }
        var transition = CardTransition(
            record, past: reading.past, policy: message.policy, now: message.now)
        do throws(CardQuestion) {
            if record.holdsMigrated { transition.recogniseMigrated(message) }
            if record.range(.holds) != nil { try transition.releaseExpiredHolds() }
            var outcome =
                switch message.request.purpose {
                case .decision: try transition.decide(message, knowledge)
                case .advice(let approved):
                    try transition.book(message, knowledge, approvedElsewhere: approved)
                case .reversal(let remaining): try transition.reverse(message, remaining)
                }
            outcome.currency = transition.record.currency
            outcome.charge = outcome.charge ?? transition.charge
            return transition.step(outcome, before: record, random: message.random)
        } catch {
            return .ask(error)
        }
    }

    // MARK: - The way out

    /// Everything that holds of a step is asserted here, in production too.
    func step(_ outcome: CardOutcome, before: CardRecord, random: UInt64) -> CardStep {
        guard availableBefore - movedOut + movedIn == record.availableMinorUnits else {
            return .broken("the balance is not what was taken and given back")
        }
        do throws(RecordDamage) { try record.check() } catch { return .broken(error.description) }
        var change = CardChange(read: before, record: nil, lines: lines)
        change.isUrgent = isUrgent
        var written = record
        if past != nil || !filed.isEmpty { file(&change, &written) }
        if record.bytes != before.bytes || isPastChanged {
            written.setTag(RecordTag(random: random, counter: before.tag.counter &+ 1))
            change.record = written
        }
        return .decided(outcome, change)
    }

    // MARK: - Money

    /// Takes an amount out of the account.
    /// - Returns: false where it does not fit; nothing has moved then.
    mutating func moveOut(_ minorUnits: Int64) -> Bool {
        let (left, overflow) = record.availableMinorUnits.subtractingReportingOverflow(minorUnits)
        guard !overflow, minorUnits >= 0 else { return false }
        record.availableMinorUnits = left
        movedOut += minorUnits
        return true
    }
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

    /// Keeps a new transaction; what makes room for it is filed if money hangs on it.
    mutating func keep(_ transaction: KeptTransaction) throws(CardQuestion) {
        if record.keptCount == CardRecord.keptMax { try makeRoom() }
        record.keep(transaction)
    }
}
