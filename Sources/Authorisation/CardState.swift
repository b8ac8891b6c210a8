public import EMV

/// What the issuer has decided about the card itself. The raw value is what the state store keeps.
public enum CardStatus: String, CaseIterable, Sendable {
    case active
    case lost
    case stolen
    case restricted
}

/// The card's record as the state store holds it. No PAN.
public struct CardRecord: Sendable {
    /// Active or why not.
    public let status: CardStatus
    /// The last month in which the card may be used.
    public let expiry: ExpiryDate
    /// The reference PIN block: format 0 under the PIN verification key. Nil: the card has no online PIN.
    public let pinReference: EncipheredPINBlock?
    /// Visa's PIN verification value, for a card whose PIN is verified so; then there is no reference block.
    public let pinVerificationValue: PINVerificationValue?
    /// Wrong PINs in a row that block the PIN.
    public let pinTriesMax: Int
    /// Wrong PINs since the last right one.
    public let pinTriesUsed: Int
    /// The highest ATC whose cryptogram verified, nil before the first.
    public let highestATC: ApplicationTransactionCounter?
    /// What may still be spent, in minor units of `currency`.
    public let availableMinorUnits: Int64
    /// The currency of the account.
    public let currency: CurrencyCode
    /// Limits of its own, nil: those of its range.
    public let limits: SpendingLimits?
    /// The name of the card's cryptogram profile, for people; the cryptogram itself says which one it is.
    public let profile: String

    /// Takes the parts; see each property.
    public init(
        status: CardStatus, expiry: ExpiryDate, pinReference: EncipheredPINBlock?, pinTriesMax: Int,
        pinTriesUsed: Int, highestATC: ApplicationTransactionCounter?, availableMinorUnits: Int64,
        currency: CurrencyCode, profile: String, limits: SpendingLimits? = nil,
        pinVerificationValue: PINVerificationValue? = nil
    ) {
        self.status = status
        self.expiry = expiry
        self.pinReference = pinReference
        self.pinVerificationValue = pinVerificationValue
        self.pinTriesMax = pinTriesMax
        self.pinTriesUsed = pinTriesUsed
        self.highestATC = highestATC
        self.availableMinorUnits = availableMinorUnits
        self.currency = currency
        self.profile = profile
        self.limits = limits
    }
}

extension CardRecord {
    /// The same card with another PIN and all its tries.
    func withPIN(_ reference: EncipheredPINBlock?, _ value: PINVerificationValue?) -> CardRecord {
        CardRecord(
            status: status, expiry: expiry, pinReference: reference, pinTriesMax: pinTriesMax,
            pinTriesUsed: 0, highestATC: highestATC, availableMinorUnits: availableMinorUnits,
            currency: currency, profile: profile, limits: limits, pinVerificationValue: value)
    }
}

/// The answer that was given to an earlier transmission of the same request.
public struct RecordedAnswer: Hashable, Sendable {
    /// The fingerprint of the request that was answered.
    public let fingerprint: UInt64
    /// Nil for an approval.
    public let declined: DeclineReason?
    /// DE38 of an approval, six ASCII characters; empty for a decline.
    public let approvalCode: [UInt8]
    /// What was approved where it was less than asked for, in minor units.
    public let partialMinorUnits: Int64?
    /// What a balance enquiry was told, in minor units.
    public let balanceMinorUnits: Int64?

    /// Takes the parts.
    public init(
        fingerprint: UInt64, declined: DeclineReason?, approvalCode: [UInt8], partialMinorUnits: Int64? = nil,
        balanceMinorUnits: Int64? = nil
    ) {
        self.partialMinorUnits = partialMinorUnits
        self.balanceMinorUnits = balanceMinorUnits
        self.fingerprint = fingerprint
        self.declined = declined
        self.approvalCode = approvalCode
    }
}

/// What one read brings.
public final class CardReading: Sendable {
    /// The card, nil where it is unknown.
    public let card: CardRecord?
    /// The answer of an earlier transmission of this request, nil where there was none.
    public let answered: RecordedAnswer?
    /// Issuer scripts ordered for the card, oldest first, done ones too; empty for nearly every card.
    public let scripts: [QueuedScript]

    /// Takes the parts.
    public init(card: CardRecord?, answered: RecordedAnswer?, scripts: [QueuedScript] = []) {
        self.card = card
        self.answered = answered
        self.scripts = scripts
    }
}

/// What the host found out about the PIN; the counter moves only in the commit.
public enum PINEvidence: UInt8, Sendable {
    case notChecked = 0
    case right = 1
    case wrong = 2
}

/// How a commit treats what it is given.
public enum CommitMode: Sendable {
    /// The store decides, all or nothing.
    case decide
    /// The store decides, and may approve what is left instead.
    case decidePartially
    /// Decided elsewhere: booked even if the card has not so much.
    case book
    /// Declined elsewhere: nothing is taken, the ATC is claimed all the same.
    case note
    /// Approved only where it completes an approval that the store knows.
    case complete
}

/// Everything that one authorisation wants moved, in one step or not at all.
public final class AuthorisationCommit: Sendable {
    /// The card.
    public let token: CardToken
    /// Under which key the answer is kept for repeats; nil: it is not kept.
    public let retransmission: RetransmissionKey?
    /// The host's decision so far; nil: approve if the store agrees.
    public let declined: DeclineReason?
    /// The ATC of a cryptogram that verified; nil where none did. Claimed for declines too: the card has
    /// used it.
    public let verifiedATC: ApplicationTransactionCounter?
    /// Counted only after the ATC was claimed.
    public let pin: PINEvidence
    /// What is done with the amount.
    public let kind: TransactionKind
    /// Who decides.
    public let mode: CommitMode
    /// The transaction that this one settles or completes: what it took is given back first.
    public let original: OriginalTransaction?
    /// Taken from the available amount if everything else approves.
    public let amount: Amount
    /// The part of it that is cash.
    public let cashMinorUnits: Int64
    /// Counted with the amount, and declined if one is passed; nil: nothing is counted.
    public let limits: CountedLimits?
    /// DE38 of the approval, six ASCII characters.
    public let approvalCode: [UInt8]
    /// The journal entry, without the outcome, which the store adds.
    public let entry: JournalEntry
    /// After this the command is not sent any more.
    public let deadline: Deadline
    /// What moves in the card's issuer scripts; nil for nearly every card.
    public let scripts: ScriptCommit?

    /// Takes the parts; see each property.
    public init(
        token: CardToken, retransmission: RetransmissionKey?, declined: DeclineReason?,
        verifiedATC: ApplicationTransactionCounter?, pin: PINEvidence,
        kind: TransactionKind = .purchase, mode: CommitMode = .decide, original: OriginalTransaction? = nil,
        amount: Amount, cashMinorUnits: Int64 = 0, limits: CountedLimits? = nil, approvalCode: [UInt8],
        entry: JournalEntry, scripts: ScriptCommit? = nil, deadline: Deadline
    ) {
        self.token = token
        self.retransmission = retransmission
        self.declined = declined
        self.verifiedATC = verifiedATC
        self.pin = pin
        self.kind = kind
        self.mode = mode
        self.original = original
        self.cashMinorUnits = cashMinorUnits
        self.amount = amount
        self.limits = limits
        self.approvalCode = approvalCode
        self.entry = entry
        self.scripts = scripts
        self.deadline = deadline
    }
}

/// A reversal as the store gets it.
public struct ReversalCommit: Sendable {
    /// The card.
    public let token: CardToken
    /// The reversal's own key, for its repeats.
    public let retransmission: RetransmissionKey
    /// What is to be undone.
    public let original: OriginalTransaction
    /// What stays taken, in minor units and currency; zero: nothing.
    public let remaining: Amount
    /// The journal entry, without the outcome.
    public let entry: JournalEntry
    /// After this the command is not sent any more.
    public let deadline: Deadline

    /// Takes the parts; see each property.
    public init(
        token: CardToken, retransmission: RetransmissionKey, original: OriginalTransaction, remaining: Amount,
        entry: JournalEntry, deadline: Deadline
    ) {
        self.token = token
        self.retransmission = retransmission
        self.original = original
        self.remaining = remaining
        self.entry = entry
        self.deadline = deadline
    }
}

/// What the ATC window said. The raw value stands in the store's answer and in the journal.
public enum ATCFinding: UInt8, CaseIterable, Sendable {
    case notAsked = 0
    /// The card's first verified cryptogram.
    case first = 1
    /// Ahead of the highest seen, within the jump limit.
    case ahead = 2
    /// Behind the highest seen, but never seen before.
    case late = 3
    case replayed = 4
    /// Further ahead than the limit, or so far behind that the window no longer knows.
    case outOfRange = 5

    /// In words, for the trace.
    public var words: String {
        switch self {
        case .notAsked: "no verified cryptogram"
        case .first: "valid, first seen"
        case .ahead: "valid, next"
        case .late: "valid, late but unseen"
        case .replayed: "valid but replayed"
        case .outOfRange: "valid but ATC out of range"
        }
    }
}

/// The store's answer to a commit: final.
public struct CommitResult: Sendable {
    /// Nil: approved, and the amount is taken.
    public let declined: DeclineReason?
    /// DE38; of the first transmission where this one is a repeat.
    public let approvalCode: [UInt8]
    /// True: another transmission of the same request had been answered meanwhile; nothing was moved.
    public let repeated: Bool
    /// What the ATC window said.
    public let atc: ATCFinding
    /// PIN tries left after this authorisation.
    public let pinTriesLeft: Int
    /// What may still be spent, in minor units.
    public let availableMinorUnits: Int64
    /// What else was done; nil for most.
    public let effect: CommitEffect?
    /// The issuer script that the commit was to claim goes out with this answer and with no other.
    public var scriptIsClaimed = false

    /// Takes the parts; see each property.
    public init(
        declined: DeclineReason?, approvalCode: [UInt8], repeated: Bool, atc: ATCFinding, pinTriesLeft: Int,
        availableMinorUnits: Int64, effect: CommitEffect? = nil
    ) {
        self.effect = effect
        self.declined = declined
        self.approvalCode = approvalCode
        self.repeated = repeated
        self.atc = atc
        self.pinTriesLeft = pinTriesLeft
        self.availableMinorUnits = availableMinorUnits
    }
}

/// The store gave no answer. After a commit was sent, this means that the outcome is unknown.
public struct StateUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
    /// Names the command and the store's own code, never data.
    public let reason: String

    /// - Parameter reason: one line for logs.
    public init(_ reason: String) { self.reason = reason }

    /// One line for logs.
    public var description: String { "card state unavailable: \(reason)" }
}

/// The port to the card state: two round trips an authorisation.
public protocol CardState: Sendable {
    /// The card and, if this request was answered before, that answer.
    func read(
        _ token: CardToken, retransmission: RetransmissionKey, deadline: Deadline
    ) async throws(StateUnavailable) -> CardReading

    /// ATC, PIN tries, available amount, recorded answer and journal entry, all or nothing. What it answers
    /// is the decision.
    func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult

    /// Gives back what the original took, or remembers that it shall take nothing when it comes. Whether once or
    /// many times: what is taken after it is what the reversal says.
    func reverse(_ reversal: ReversalCommit) async throws(StateUnavailable) -> CommitResult
}
