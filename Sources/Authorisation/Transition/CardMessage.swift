internal import EMV

/// One message about a card: everything that the transition needs but the record itself. No clock, no randomness and no
/// I/O are used but what stands here.
package final class CardMessage: Sendable {
    package let request: AuthorisationRequest
    /// The issuer range's name; nil: no range has this card.
    package let rangeName: String?
    package let proof: Proof
    /// What the checks that need no record said, in their order.
    package let evidence: [TraceLine]
    /// Why one of those declines; nil where none does.
    package let declined: DeclineReason?
    /// What the token made of the PIN block.
    package let pin: PINAnswer
    /// The range's decisions.
    package let policy: CardPolicy
    /// Seconds since 1970.
    package let now: Int64
    /// Six ASCII digits, should it be approved, in the lower 48 bits.
    package let approvalCode: UInt64
    /// For the tag of the new state.
    package let random: UInt64
    /// Of a reversal: times of which the store may lack decisions.
    package let lost: [LostTime]
    /// It has the PAN that the account had before: its chip is none of the record's.
    package let isOfPANBefore: Bool

    package init(
        request: AuthorisationRequest, rangeName: String?, proof: Proof, evidence: [TraceLine],
        declined: DeclineReason?,
        pin: PINAnswer, policy: CardPolicy, now: Int64, approvalCode: UInt64, random: UInt64,
        lost: [LostTime] = [], isOfPANBefore: Bool = false
    ) {
        self.lost = lost
        self.isOfPANBefore = isOfPANBefore
        self.request = request
        self.rangeName = rangeName
        self.proof = proof
        self.evidence = evidence
        self.declined = declined
        self.pin = pin
        self.policy = policy
        self.now = now
        self.approvalCode = approvalCode
        self.random = random
    }

    var verified: VerifiedCryptogram? {
        if case .chip(let verified) = proof { verified } else { nil }
    }

    /// The 3-D Secure value that it rests on, nil where it rests on something else.
    var authentication: VerifiedAuthentication? {
        if case .authentication(let verified) = proof { verified } else { nil }
    }

    /// The sequence number of the message; 0 on a chip message without one (EMV Book 2 A1.4). Of the PAN before it is none
    /// that a plastic of the record has.
    var sequenceNumber: UInt8? {
        let number = request.card.panSequenceNumber?.rawValue ?? (request.chip == nil ? nil : 0)
        return isOfPANBefore ? number.map { $0 | KeptTransaction.ofPANBefore } : number
    }
}

/// What was learnt on the way, because the record asked for it.
package struct CardKnowledge: Sendable {
    /// A PIN comparison that took more than the first job: what it came to against which record.
    var pin: (record: PINOnRecord, verdict: PINVerdict)?
    /// Issuer scripts that the token has protected, or could not, with why.
    var script: (identifier: UInt32, failure: String?)?
}

/// What a message came to.
package struct CardOutcome: Sendable {
    /// Outcome, ATC, PIN tries and balance, as the journal has them.
    package var result: CommitResult
    /// The checks, in their order.
    package var trace: DecisionTrace
    /// The account's.
    package var currency: CurrencyCode?
    /// What is told as balance; nil: nothing.
    package var balanceMinorUnits: Int64?
    /// What it comes to for the account where that is in another currency; nil for all others.
    package var charge: Charge?
    /// What was approved where it is less than was asked for, in the transaction's currency.
    package var partialMinorUnits: Int64?
    /// The script that goes out with the answer, or went out with the first answer to the same transaction.
    package var script: QueuedScript?
    /// What an approval rests on; nil: there is none.
    package var basis: ApprovalBasis?
}

/// What is to be written, under the tag of the record that it was computed from.
package struct CardChange: Sendable {
    /// What happens to the second key.
    package enum Past: Sendable {
        case untouched
        /// Transactions are filed behind the others.
        case append([UInt8])
        /// All are written anew.
        case replace([UInt8])
    }

    /// A line of the journal.
    package enum Line: Sendable {
        /// The decision on the message; the store adds nothing.
        case decision
        /// What else changed: operation, value, what stood there before.
        case change(operation: String, value: String, before: String)
    }

    /// The record read, of which the store is told only what differs; nil where there was none.
    package var read: CardRecord?
    /// Its tag.
    package var before: RecordTag? { read?.tag }
    /// The record's new state; nil: it stays as it is, and only the journal grows.
    package var record: CardRecord?
    package var past = Past.untouched
    /// It blocks or gives back: it has to get through where the store has no room for anything else.
    package var isUrgent = false
    /// Written in this order; empty: nothing has to be written at all.
    package var lines: [Line]
}

/// What one read of a card brings.
package final class CardReading: Sendable {
    /// Nil: the account is unknown.
    package let record: CardRecord?
    /// The transactions that were filed away, oldest first, 96 bytes each; nil: they were not read.
    package let past: [UInt8]?
    /// What the store knows of where it was read; nothing to anybody else.
    package let source: (any AnyObject & Sendable)?

    package init(record: CardRecord?, past: [UInt8]?, source: (any AnyObject & Sendable)? = nil) {
        (self.record, self.past, self.source) = (record, past, source)
    }
}
