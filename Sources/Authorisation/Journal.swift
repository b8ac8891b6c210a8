/// What the journal keeps of one authorisation beside the outcome: no PAN, no PIN, no key.
package struct JournalEntry: Sendable {
    /// DE37, printable ASCII, at most twelve bytes.
    package var retrievalReferenceNumber: [UInt8]
    /// DE11.
    package var systemsTraceAuditNumber: UInt32
    /// Seconds since 1970 when the request was decided.
    package var unixSeconds: Int64
    /// The name of the link.
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
    /// The checks.
    package var trace: DecisionTrace

    /// Takes the parts; see each property.
    package init(
        retrievalReferenceNumber: [UInt8], systemsTraceAuditNumber: UInt32, unixSeconds: Int64, link: String,
        range: String, amount: Amount, profile: String, derivationKeyIndex: UInt8?,
        keyVersion: String = "", atc: UInt16?, microsecondsUntilEvidence: UInt32,
        times: StageTimes = StageTimes(), trace: DecisionTrace, charge: Charge? = nil
    ) {
        self.retrievalReferenceNumber = retrievalReferenceNumber
        self.systemsTraceAuditNumber = systemsTraceAuditNumber
        self.unixSeconds = unixSeconds
        self.link = link
        self.range = range
        self.amount = amount
        self.profile = profile
        self.derivationKeyIndex = derivationKeyIndex
        self.keyVersion = keyVersion
        self.atc = atc
        self.microsecondsUntilEvidence = microsecondsUntilEvidence
        self.times = times
        self.trace = trace
        self.charge = charge
    }
}

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

    /// Takes the parts; see each property.
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

    /// Takes the parts.
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
