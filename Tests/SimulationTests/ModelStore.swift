import Authorisation
import EMV

/// What the state store does to a card, in a few lines: the store of the simulation.
struct ModelStore {
    struct Card {
        var available: Int64
        var pinTriesUsed = 0
        var highest: UInt16?
        var seen: Set<UInt16> = []
        /// Newest first, eight at most.
        var answers: [(key: RetransmissionKey, answer: RecordedAnswer)] = []
        /// What each approved transaction has taken, by its moment.
        var taken: [UInt64: Int64] = [:]
        /// Reversals that wait for their original, and those of what was there.
        var early: Set<UInt64> = []
        var reversed: Set<UInt64> = []
    }

    struct Entry {
        let card: CardToken
        let key: RetransmissionKey?
        let declined: DeclineReason?
        let code: [UInt8]
        let atc: UInt16?
        let pin: PINEvidence
        let minorUnits: Int64
    }

    static let triesMax = 3
    static let currency = CurrencyCode(rawValue: 752)!
    static let jumpMax = 1_000
    var cards: [CardToken: Card] = [:]
    private(set) var journal: [Entry] = []
    /// What reversals gave back, a card and an amount each.
    private(set) var givenBack: [(card: CardToken, minorUnits: Int64)] = []

    func read(_ token: CardToken, _ key: RetransmissionKey) -> CardReading {
        guard let card = cards[token] else { return CardReading(card: nil, answered: nil) }
        return CardReading(
            card: CardRecord(
                status: .active, expiry: ExpiryDate(ascii: Array("9912".utf8))!,
                pinReference: EncipheredPINBlock(rawValue: Terminal.rightPIN), pinTriesMax: Self.triesMax,
                pinTriesUsed: card.pinTriesUsed,
                highestATC: card.highest.map(ApplicationTransactionCounter.init(rawValue:)),
                availableMinorUnits: card.available, currency: Self.currency, profile: "visa-cvn18"),
            answered: answer(card, key))
    }

    mutating func commit(_ commit: AuthorisationCommit) -> CommitResult {
        guard var card = cards[commit.token] else {
            return result(commit, .unknownCard, .notAsked, Card(available: 0))
        }
        if let key = commit.retransmission, let earlier = answer(card, key) {
            if earlier.fingerprint != key.fingerprint {
                return result(commit, .retransmissionDiffers, .notAsked, card)
            }
            return CommitResult(
                declined: earlier.declined, approvalCode: earlier.approvalCode, repeated: true,
                atc: .notAsked,
                pinTriesLeft: Self.triesMax - card.pinTriesUsed, availableMinorUnits: card.available)
        }
        var declined = commit.declined
        var finding = ATCFinding.notAsked
        if let atc = commit.verifiedATC?.rawValue {
            finding = claim(atc, &card)
            if declined == nil, finding == .replayed { declined = .atcReplayed }
            if declined == nil, finding == .outOfRange { declined = .atcOutOfRange }
        }
        if declined == nil, commit.pin != .notChecked { declined = count(commit.pin, &card) }
        if declined == nil, let moment = commit.retransmission?.moment,
            card.early.remove(moment) != nil
        {
            declined = .reversedBefore
        }
        if declined == nil {
            if commit.amount.minorUnits > card.available {
                declined = .insufficientFunds
            } else {
                card.available -= commit.amount.minorUnits
                if let key = commit.retransmission { card.taken[key.moment] = commit.amount.minorUnits }
            }
        }
        let code = declined == nil ? commit.approvalCode : []
        if let key = commit.retransmission {
            card.answers.insert(
                (key, RecordedAnswer(fingerprint: key.fingerprint, declined: declined, approvalCode: code)),
                at: 0)
            card.answers = Array(card.answers.prefix(8))
        }
        cards[commit.token] = card
        return result(commit, declined, finding, card)
    }

    mutating func reverse(_ reversal: ReversalCommit) -> CommitResult {
        let moment = reversal.original.moment
        guard var card = cards[reversal.token] else { return reversed(.unknownCard, nil, Card(available: 0)) }
        let effect: CommitEffect
        if let amount = card.taken[moment] {
            card.available += amount
            card.taken[moment] = 0
            card.reversed.insert(moment)
            givenBack.append((reversal.token, amount))
            effect = .givenBack(minorUnits: amount, byNumbers: true)
        } else if card.answers.contains(where: { $0.key.moment == moment }) {
            effect = .originalDeclined
        } else {
            card.early.insert(moment)
            effect = .originalUnknown
        }
        cards[reversal.token] = card
        return reversed(nil, effect, card)
    }

    private func reversed(_ declined: DeclineReason?, _ effect: CommitEffect?, _ card: Card) -> CommitResult {
        CommitResult(
            declined: declined, approvalCode: [], repeated: false, atc: .notAsked,
            pinTriesLeft: Self.triesMax - card.pinTriesUsed, availableMinorUnits: card.available,
            effect: effect)
    }

    private mutating func result(
        _ commit: AuthorisationCommit, _ declined: DeclineReason?, _ finding: ATCFinding, _ card: Card
    ) -> CommitResult {
        let code = declined == nil ? commit.approvalCode : []
        journal.append(
            Entry(
                card: commit.token, key: commit.retransmission, declined: declined, code: code,
                atc: commit.verifiedATC?.rawValue, pin: commit.pin, minorUnits: commit.amount.minorUnits))
        return CommitResult(
            declined: declined, approvalCode: code, repeated: false, atc: finding,
            pinTriesLeft: Self.triesMax - card.pinTriesUsed, availableMinorUnits: card.available)
    }

    /// Without the fingerprint: that is for the host to compare.
    private func answer(_ card: Card, _ key: RetransmissionKey) -> RecordedAnswer? {
        let answer = card.answers.first {
            ($0.key.moment, $0.key.acquirer, $0.key.reference) == (key.moment, key.acquirer, key.reference)
        }?.answer
        guard let answer, answer.declined == nil, card.reversed.contains(key.moment) else { return answer }
        return RecordedAnswer(fingerprint: answer.fingerprint, declined: .reversedBefore, approvalCode: [])
    }

    private func claim(_ atc: UInt16, _ card: inout Card) -> ATCFinding {
        guard let highest = card.highest else {
            card.highest = atc
            card.seen = [atc]
            return .first
        }
        if atc > highest {
            if Int(atc) - Int(highest) > Self.jumpMax { return .outOfRange }
            card.highest = atc
            card.seen.insert(atc)
            return .ahead
        }
        if Int(highest) - Int(atc) >= 2_048 { return .outOfRange }
        return card.seen.insert(atc).inserted ? .late : .replayed
    }

    private func count(_ pin: PINEvidence, _ card: inout Card) -> DeclineReason? {
        if card.pinTriesUsed >= Self.triesMax { return .pinTriesExceeded }
        if pin == .right {
            card.pinTriesUsed = 0
            return nil
        }
        card.pinTriesUsed += 1
        return card.pinTriesUsed >= Self.triesMax ? .pinTriesExceeded : .pinWrong
    }
}
