/// What the issuer has decided about a card or an account.
package enum CardStatus: String, CaseIterable, Sendable {
    case active
    case lost
    case stolen
    case restricted
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
    indirect case decision(JournalEntry, CommitResult)
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
