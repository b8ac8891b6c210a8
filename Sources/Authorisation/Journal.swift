/// A journal entry with the outcome that the store added to it in the same step.
package struct JournalRecord: Sendable {
    /// The stream's own identifier, rising within a bucket.
    package let identifier: String
    /// The entry as the host wrote it.
    package let entry: JournalEntry
    /// Nil: approved.
    package let declined: DeclineReason?
    /// DE38; empty for a decline.
    package let approvalCode: [UInt8]
    /// What the ATC window said.
    package let atc: ATCFinding
    /// PIN tries left after it.
    package let pinTriesLeft: Int
    /// What could still be spent after it, in minor units.
    package let availableMinorUnits: Int64
    /// What else the store did.
    package let effect: CommitEffect?
    /// The account's name, hexadecimal digits; empty where nobody asked for it.
    package var card = ""
    /// The name that the entry has, where that is one of the layout before.
    package var formerCard: String?

    package init(
        identifier: String, entry: JournalEntry, declined: DeclineReason?, approvalCode: [UInt8],
        atc: ATCFinding, pinTriesLeft: Int, availableMinorUnits: Int64, effect: CommitEffect? = nil
    ) {
        self.effect = effect
        self.identifier = identifier
        self.entry = entry
        self.declined = declined
        self.approvalCode = approvalCode
        self.atc = atc
        self.pinTriesLeft = pinTriesLeft
        self.availableMinorUnits = availableMinorUnits
    }
}

/// What the journal has under one retrieval reference number.
package struct JournalFindings: Sendable {
    /// Decisions, oldest first.
    package var records: [JournalRecord]
    /// What else happened to requests with this number, oldest first.
    package var notes: [JournalNote]

    package init(records: [JournalRecord] = [], notes: [JournalNote] = []) {
        (self.records, self.notes) = (records, notes)
    }
}

/// The port to what was decided. Decisions are written by the commit only; read by people.
package protocol Journal: Sendable {
    /// Everything with this retrieval reference number.
    func find(retrievalReferenceNumber: String) async throws(StateUnavailable) -> JournalFindings
}

extension Journal {
    /// Every decision with this retrieval reference number, oldest first.
    package func records(retrievalReferenceNumber: String) async throws(StateUnavailable) -> [JournalRecord] {
        try await find(retrievalReferenceNumber: retrievalReferenceNumber).records
    }
}

/// What is read back from a journal.
extension JournalEntry {
    package init(
        retrievalReferenceNumber: [UInt8], systemsTraceAuditNumber: UInt32, unixSeconds: Int64, link: String,
        range: String, amount: Amount, profile: String, derivationKeyIndex: UInt8?,
        keyVersion: String = "", atc: UInt16?, microsecondsUntilEvidence: UInt32,
        times: StageTimes = StageTimes(), trace: DecisionTrace, charge: Charge? = nil
    ) {
        self.init(
            retrievalReferenceNumber: retrievalReferenceNumber,
            systemsTraceAuditNumber: systemsTraceAuditNumber, unixSeconds: unixSeconds, link: link,
            range: range, amount: amount, charge: charge, profile: profile,
            derivationKeyIndex: derivationKeyIndex, keyVersion: keyVersion, atc: atc,
            microsecondsUntilEvidence: microsecondsUntilEvidence, times: times, trace: trace)
    }
}

extension CommitResult {
    /// The outcome of an entry: a repeat makes none.
    package init(
        declined: DeclineReason?, approvalCode: [UInt8], atc: ATCFinding, pinTriesLeft: Int,
        availableMinorUnits: Int64, effect: CommitEffect?
    ) {
        self.init(
            declined: declined, approvalCode: approvalCode, repeated: false, atc: atc,
            pinTriesLeft: pinTriesLeft, availableMinorUnits: availableMinorUnits, effect: effect)
    }
}
