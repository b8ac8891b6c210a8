internal import Authorisation
internal import EMV

/// What the state store does, in a few lines: the store of the simulation. The tests hold it against the functions on
/// real servers.
struct ModelStore {
    /// One entry of the journal.
    struct Entry {
        let card: CardToken
        let key: RetransmissionKey?
        let declined: DeclineReason?
        let code: [UInt8]
        let atc: UInt16?
        let pin: PINEvidence
        let minorUnits: Int64
        /// Nil for a reversal.
        let kind: TransactionKind?
        let mode: CommitMode
        let original: OriginalTransaction?
        let effect: CommitEffect?
        let availableMinorUnits: Int64
    }

    static let triesMax = 3
    static let currency = CurrencyCode(rawValue: 752)!
    static let jumpMax = 1_000
    var cards: [CardToken: ModelCard] = [:]
    private(set) var journal: [Entry] = []

    func read(_ token: CardToken, _ key: RetransmissionKey) -> CardReading {
        guard let card = cards[token] else { return CardReading(card: nil, answered: nil) }
        return CardReading(
            card: CardRecord(
                status: .active, expiry: ExpiryDate(ascii: Array("9912".utf8))!,
                pinReference: EncipheredPINBlock(rawValue: Terminal.rightPIN), pinTriesMax: Self.triesMax,
                pinTriesUsed: card.pinTriesUsed,
                highestATC: card.highest.map(ApplicationTransactionCounter.init(rawValue:)),
                availableMinorUnits: card.available, currency: Self.currency, profile: "visa-cvn18"),
            answered: card.answered(key).map(Self.answer))
    }

    private static func answer(_ record: ModelCard.Record) -> RecordedAnswer {
        let declined = record.declined ?? (record.isReversed ? .reversedBefore : nil)
        return RecordedAnswer(
            fingerprint: record.key.fingerprint, declined: declined,
            approvalCode: declined == nil ? record.code : [],
            partialMinorUnits: record.isPartial ? record.taken : nil)
    }

    // MARK: - Decisions and bookings

    mutating func commit(_ commit: AuthorisationCommit) -> CommitResult {
        let isBooked = commit.mode.isBooked
        guard var card = cards[commit.token] else {
            let declined = isBooked ? .unknownCard : commit.declined ?? .unknownCard
            return result(commit, declined, .notAsked, ModelCard(available: 0))
        }
        var (declined, key, mode) = (commit.declined, commit.retransmission, commit.mode)
        let earlier = key.flatMap { card.answered($0, takingsToo: isBooked || commit.original != nil) }
        if let earlier {
            if earlier.key.fingerprint == key?.fingerprint { return Self.again(earlier, card) }
            (declined, key, mode) = (.retransmissionDiffers, nil, .note)
        }
        var finding = ATCFinding.notAsked
        if let atc = commit.verifiedATC?.rawValue, earlier == nil {
            finding = card.claim(atc, jumpMax: Self.jumpMax)
            if declined == nil, !isBooked, finding == .replayed {
                if let key, let late = card.answered(key, takingsToo: true),
                    late.key.fingerprint == key.fingerprint
                {
                    return Self.again(late, card)
                }
                declined = .atcReplayed
            }
            if declined == nil, !isBooked, finding == .outOfRange { declined = .atcOutOfRange }
        }
        if declined == nil, commit.pin != .notChecked {
            declined = card.count(commit.pin, triesMax: Self.triesMax)
        }
        var (record, effect) = (Self.record(commit, key), CommitEffect?.none)
        if declined == nil, mode != .note { (declined, effect) = Self.take(commit, &card, &record) }
        if key != nil {
            if declined == nil {
                card.keep(record)
            } else {
                card.keep(
                    ModelCard.Record(
                        key: record.key, declined: declined, code: [], kind: record.kind,
                        isCounted: record.isCounted))
            }
        }
        cards[commit.token] = card
        return result(commit, declined, finding, card, effect)
    }

    private static func record(_ commit: AuthorisationCommit, _ key: RetransmissionKey?) -> ModelCard.Record {
        ModelCard.Record(
            key: key ?? RetransmissionKey(moment: 0, acquirer: 0, reference: 0, fingerprint: 0),
            declined: nil, code: commit.approvalCode, kind: commit.kind, isCounted: commit.limits != nil)
    }

    /// What is taken or given, and what that replaces.
    private static func take(
        _ commit: AuthorisationCommit, _ card: inout ModelCard, _ record: inout ModelCard.Record
    ) -> (DeclineReason?, CommitEffect?) {
        var (amount, effect) = (commit.amount.minorUnits, CommitEffect?.none)
        if let key = commit.retransmission, let remaining = card.reversedEarly(key), remaining < amount {
            if remaining == 0, commit.mode != .book {
                return (.reversedBefore, .reversedBefore(remainingMinorUnits: 0))
            }
            (amount, effect) = (remaining, .reversedBefore(remainingMinorUnits: remaining))
            record.isReversed = remaining == 0
        }
        let settled = commit.original.flatMap { card.locate($0) }
        let freed = settled.map { card[$0.place].isActive ? card[$0.place].taken : 0 } ?? 0
        if commit.mode == .complete, freed == 0 { return (.chipDataMissing, nil) }
        if commit.kind == .refund {
            card.available += amount
        } else {
            let funds = card.available + freed
            if amount > funds, commit.mode != .book {
                guard commit.mode == .decidePartially, funds > 0 else { return (.insufficientFunds, nil) }
                (amount, effect, record.isPartial) = (funds, .partial(minorUnits: funds), true)
            }
            let before = card.counted
            if let settled, freed > 0 { card.giveBack(card[settled.place], freed, whole: true) }
            if let limits = commit.limits, let reason = count(amount, limits.limits.daily, &card.counted) {
                card.counted = before
                return (reason, nil)
            }
            card.available = funds - amount
        }
        if let settled, freed > 0 {
            (card[settled.place].taken, card[settled.place].isSettled) = (0, true)
            effect =
                effect == nil
                ? .settled(minorUnits: freed) : .settledInPart(takenMinorUnits: amount, minorUnits: freed)
        }
        record.taken = amount
        return (nil, effect)
    }

    private static func count(
        _ amount: Int64, _ bound: Allowance, _ counted: inout Allowance
    ) -> DeclineReason? {
        let after = Allowance(
            minorUnits: (counted.minorUnits ?? 0) + amount, count: (counted.count ?? 0) + 1)
        if after.minorUnits ?? 0 > bound.minorUnits ?? .max { return .dailyAmountExceeded }
        if after.count ?? 0 > bound.count ?? .max { return .dailyCountExceeded }
        counted = after
        return nil
    }

    // MARK: - Reversals

    mutating func reverse(_ reversal: ReversalCommit) -> CommitResult {
        guard var card = cards[reversal.token] else {
            return result(reversal, .unknownCard, nil, ModelCard(available: 0))
        }
        let (key, remaining) = (reversal.retransmission, reversal.remaining.minorUnits)
        if let earlier = card.answered(key) {
            if earlier.key.fingerprint == key.fingerprint { return Self.again(earlier, card) }
            return result(reversal, .retransmissionDiffers, nil, card)
        }
        let effect: CommitEffect
        let found = card.locate(reversal.original)
        if found?.isDoubtful ?? true { card.remember(reversal.original, remaining) }
        if let found, !(found.isDoubtful && card[found.place].declined != nil) {
            let original = card[found.place]
            if original.declined != nil {
                effect = .originalDeclined
            } else {
                let back = max(0, original.taken - remaining)
                card.available += original.kind == .refund ? -back : back
                if back > 0 { card.giveBack(original, back, whole: remaining == 0) }
                card[found.place].taken -= back
                if remaining == 0 { card[found.place].isReversed = true }
                effect = .givenBack(minorUnits: back, byNumbers: found.byNumbers)
            }
        } else {
            effect = .originalUnknown
        }
        card.keep(
            ModelCard.Record(
                key: key, declined: nil, code: Array("------".utf8), kind: nil, isCounted: false))
        cards[reversal.token] = card
        return result(reversal, nil, effect, card)
    }

    // MARK: - Results

    private static func again(_ earlier: ModelCard.Record, _ card: ModelCard) -> CommitResult {
        let answer = answer(earlier)
        return CommitResult(
            declined: answer.declined, approvalCode: answer.approvalCode, repeated: true, atc: .notAsked,
            pinTriesLeft: triesMax - card.pinTriesUsed, availableMinorUnits: card.available,
            effect: answer.partialMinorUnits.map { .partial(minorUnits: $0) })
    }

    private mutating func result(
        _ commit: AuthorisationCommit, _ declined: DeclineReason?, _ finding: ATCFinding, _ card: ModelCard,
        _ effect: CommitEffect? = nil
    ) -> CommitResult {
        let code = declined == nil ? commit.approvalCode : []
        journal.append(
            Entry(
                card: commit.token, key: commit.retransmission, declined: declined, code: code,
                atc: commit.verifiedATC?.rawValue, pin: commit.pin, minorUnits: commit.amount.minorUnits,
                kind: commit.kind, mode: commit.mode, original: commit.original, effect: effect,
                availableMinorUnits: card.available))
        return CommitResult(
            declined: declined, approvalCode: code, repeated: false, atc: finding,
            pinTriesLeft: Self.triesMax - card.pinTriesUsed, availableMinorUnits: card.available,
            effect: effect)
    }

    private mutating func result(
        _ reversal: ReversalCommit, _ declined: DeclineReason?, _ effect: CommitEffect?, _ card: ModelCard
    ) -> CommitResult {
        journal.append(
            Entry(
                card: reversal.token, key: reversal.retransmission, declined: declined, code: [], atc: nil,
                pin: .notChecked, minorUnits: reversal.remaining.minorUnits, kind: nil, mode: .note,
                original: reversal.original, effect: effect, availableMinorUnits: card.available))
        return CommitResult(
            declined: declined, approvalCode: declined == nil ? Array("-".utf8) : [], repeated: false,
            atc: .notAsked,
            pinTriesLeft: Self.triesMax - card.pinTriesUsed, availableMinorUnits: card.available,
            effect: effect)
    }
}

extension CommitMode {
    /// What has happened elsewhere.
    var isBooked: Bool { self == .book || self == .note }
}
