package import EMV

/// The answer to one request. A class: it passes through the frames of several tasks' functions, and each would have room for
/// all of it.
package final class Decision: @unchecked Sendable {
    // Sendable because whoever makes it changes it before anybody else has it.

    /// Approved or why not.
    package let outcome: Outcome
    /// The value of tag 91, nil where no cryptogram verified.
    package internal(set) var issuerAuthenticationData: IssuerAuthenticationData?
    /// The value of tag 8A, nil where no cryptogram verified. Method 1 has signed it; for method 2 the CSU is
    /// what counts, and the code is for the terminal.
    package internal(set) var authorisationResponseCode: AuthorisationResponseCode?
    /// Template 71 or 72 for the card; empty for nearly every answer.
    package internal(set) var issuerScript: [UInt8] = []
    /// What an approval in another currency comes to for the account; nil for all others.
    package internal(set) var charge: Charge?
    /// What was approved where it is less than was asked for, in minor units of the transaction's currency.
    package internal(set) var partialMinorUnits: Int64?
    /// What is available, in minor units of `balanceCurrency`, where the answer says so.
    package internal(set) var balanceMinorUnits: Int64?
    /// The account's.
    package internal(set) var balanceCurrency: CurrencyCode?
    /// What the range answers for what became of 3-D Secure; nil: nothing of its own.
    package internal(set) var configuredAnswer: ConfiguredAnswer?
    /// True where an earlier transmission was answered the same.
    package let repeated: Bool
    package let trace: DecisionTrace
    package internal(set) var times: StageTimes

    init(_ outcome: Outcome, repeated: Bool = false, trace: DecisionTrace, times: StageTimes) {
        (self.outcome, self.repeated, self.trace, self.times) = (outcome, repeated, trace, times)
    }
}

/// What an approval rests on.
package enum ApprovalBasis: Sendable {
    /// The card's own cryptogram.
    case cryptogram(VerifiedCryptogram)
    /// A card verification value, where the range lets traffic without a chip pass.
    case cardValue(VerifiedCardValue)
    /// A rule for payments without a card and without CVV2, where the range names their kind.
    case exemption(RemoteExemption)
    /// An authentication of the cardholder by the issuer's access control server.
    case authentication(VerifiedAuthentication)
    /// An earlier approval of this card that the store knows and that this completes.
    case completion
}

/// An approval. It can be made in one place only, from a cryptogram that verified or an explicit rule.
package struct Approval: Sendable {
    /// DE38, six ASCII characters.
    package let code: [UInt8]
    package let basis: ApprovalBasis

    fileprivate init(code: [UInt8], basis: ApprovalBasis) {
        (self.code, self.basis) = (code, basis)
    }
}

/// What the issuer answers.
package enum Outcome: Sendable {
    case approved(Approval)
    case declined(DeclineReason)
    /// An advice or a reversal was booked. Nobody asked for an approval, and none is given.
    case accepted

    /// The only way to an approval: the store has agreed, and a verified cryptogram is at hand. Without one
    /// the store's approval (a repeat of another message, say) stands for nothing.
    static func final(
        _ stored: DeclineReason?, approvalCode: [UInt8], basis: ApprovalBasis?
    ) -> Outcome {
        if let stored { return .declined(stored) }
        guard let basis else { return .declined(.cryptogramWrong) }
        return .approved(Approval(code: approvalCode, basis: basis))
    }

    /// Nil for an approval.
    package var declineReason: DeclineReason? {
        if case .declined(let reason) = self { reason } else { nil }
    }
}

/// One line of the decision trace: rule, verdict, reason. The reason holds no card data.
package struct TraceLine: Hashable, Sendable {
    package let rule: Rule
    package let verdict: RuleVerdict
    /// Why, in words for a person; printable ASCII without `|` and line breaks.
    package let reason: String
}

/// Every check of one authorisation, in order.
package struct DecisionTrace: Sendable {
    package private(set) var lines: [TraceLine] = []

    /// An empty trace with room for every rule.
    package init() { lines.reserveCapacity(Rule.allCases.count) }

    package mutating func add(_ rule: Rule, _ verdict: RuleVerdict, reason: String) {
        lines.append(TraceLine(rule: rule, verdict: verdict, reason: reason))
    }
}

extension DecisionTrace {
    /// Adds what the store decided; the same for the answer and for a reader of the journal.
    package mutating func add(_ result: CommitResult) {
        if let effect = result.effect { add(.original, .approved, reason: effect.words) }
        let badATC = result.atc == .replayed || result.atc == .outOfRange
        let atc: RuleVerdict = result.atc == .notAsked ? .skipped : badATC ? .declined : .approved
        add(.applicationTransactionCounter, atc, reason: result.atc.words)
        if let declined = result.declined { return add(declined, result) }
        add(.pinTries, .approved, reason: "\(result.pinTriesLeft) left")
        add(.availableAmount, .approved, reason: "\(result.availableMinorUnits) left")
    }
}

/// What the ATC window said. The raw value stands in the journal.
package enum ATCFinding: UInt8, CaseIterable, Sendable {
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
    package var words: String {
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

/// What a message came to, as the journal has it.
package struct CommitResult: Sendable {
    /// Nil: approved, and the amount is taken.
    package let declined: DeclineReason?
    /// DE38; of the first transmission where this one is a repeat.
    package let approvalCode: [UInt8]
    /// True: another transmission of the same request had been answered before; nothing was moved.
    package let repeated: Bool
    package let atc: ATCFinding
    /// PIN tries left after this authorisation.
    package let pinTriesLeft: Int
    /// What may still be spent, in minor units.
    package let availableMinorUnits: Int64
    /// What else was done; nil for most.
    package var effect: CommitEffect?
}

/// What the journal keeps of one authorisation beside the outcome: no PAN, no PIN, no key.
package struct JournalEntry: Sendable {
    /// DE37, printable ASCII, at most twelve bytes.
    package var retrievalReferenceNumber: [UInt8]
    /// DE11.
    package var systemsTraceAuditNumber: UInt32
    /// Seconds since 1970 when the request was decided.
    package var unixSeconds: Int64
    package var link: String
    /// The name of the issuer range; `-` where there is none.
    package var range: String
    /// What was asked for.
    package var amount: Amount
    /// What that comes to for an account in another currency; nil for all others.
    package var charge: Charge?
    /// The cryptogram profile's name; `-` where none was chosen.
    package var profile: String
    /// What the IAD named (derivation key index), nil without an IAD.
    package var derivationKeyIndex: UInt8?
    /// The name of the key version that it led to; empty where the range has one key, or none was chosen.
    package var keyVersion: String
    /// The ATC as received, verified or not.
    package var atc: UInt16?
    /// Microseconds from arrival until the token had answered and the card was read.
    package var microsecondsUntilEvidence: UInt32
    /// Of those, the token's and the state read's; the commit cannot journal its own.
    package var times: StageTimes
    package var trace: DecisionTrace
}

/// How long each stage of one authorisation took. Stages that run side by side overlap: they do not add up.
package struct StageTimes: Sendable {
    private var nanoseconds = InlineArray<6, UInt64>(repeating: UInt64.max)

    package init() {}

    /// Keeps the time between two moments of the same clock.
    package mutating func set(_ stage: Stage, from start: UInt64, to end: UInt64) {
        nanoseconds[stage.rawValue] = end > start ? end - start : 0
    }

    /// Nil for a stage that this authorisation did not pass.
    package subscript(_ stage: Stage) -> UInt64? {
        let value = nanoseconds[stage.rawValue]
        return value == .max ? nil : value
    }
}
