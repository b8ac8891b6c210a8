/// What the issuer has decided about a card or an account.
package enum CardStatus: String, CaseIterable, Sendable {
    case active
    case lost
    case stolen
    case restricted
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
    /// What the ATC window said.
    package let atc: ATCFinding
    /// PIN tries left after this authorisation.
    package let pinTriesLeft: Int
    /// What may still be spent, in minor units.
    package let availableMinorUnits: Int64
    /// What else was done; nil for most.
    package let effect: CommitEffect?

    /// Takes the parts; see each property.
    package init(
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

/// The store gave no answer. After a write was sent, this means that the outcome is unknown.
package struct StateUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
    /// Names the command and the store's own code, never data.
    package let reason: String

    /// Whether the record, read again, says what became of the command. False where it was not carried out, or where it was
    /// and replicas have not got it in time.
    package let recordTells: Bool

    /// - Parameters:
    ///   - reason: one line for logs.
    ///   - recordTells: see the property.
    package init(_ reason: String, recordTells: Bool = true) {
        (self.reason, self.recordTells) = (reason, recordTells)
    }

    /// One line for logs.
    package var description: String { "card state unavailable: \(reason)" }
}

/// A line for the journal, written in the same step as the record.
package enum JournalLine: Sendable {
    case decision(JournalEntry, CommitResult)
    /// Operation, value, what stood there before, then who, when and why, divided by `;`.
    case change(String)
}

/// What became of a write.
package enum CardReplacement: Sendable {
    /// What it says is told once this was confirmed; nil: at once.
    case done(unconfirmed: CardReading?)
    /// Another host was quicker: the record as it is now.
    case conflict(CardReading)
}

/// The port to the records: a store that compares and replaces, and knows no business.
package protocol CardRecords: Sendable {
    /// The record of an account; with what is filed away if that is asked for. One round trip.
    /// - Throws: `StateUnavailable`, or `RecordDamage` within `CouldNotDecide` where the bytes are no record.
    func read(
        _ token: CardToken, withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReading

    /// Writes a change if the record still has the tag that the change was computed from; all or nothing, journal
    /// included. One round trip, and no wait for replicas: that is `confirm`.
    func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReplacement

    /// Waits until what was read or written is as safe as the configuration asks, in the place that it was read from or
    /// written to: an answer that only a master without replicas knows may yet be gone.
    func confirm(_ reading: CardReading, deadline: Deadline) async throws(CouldNotDecide)
}
