internal import EMV

/// What the journal says of a request beside its decision: that there was none, or that nobody was told.
package struct JournalNote: Hashable, Sendable {
    /// What happened.
    package enum Event: Hashable, Sendable {
        /// Token or store gave no answer in time, and the sender was told so. Where a commit was under way its outcome
        /// was unknown then: a decision with the same number stands in the journal if it was carried out.
        case undecided(reason: String)
        /// Decided after the sender's time was over; it had been told that there was no decision.
        case lateForDeadline
        /// Decided after the sender's connection was gone; it was told nothing.
        case lateForConnection
        /// Decided in time and written, and the connection ended before anything showed that the answer had arrived.
        case untold
        /// Approved in time, and the sender was told that nothing was decided: the answer could not be written in its dialect,
        /// or got no MAC.
        case toldOtherwise
        /// So many requests without a decision, from this note's time on, for which there was no room before the store
        /// was there again. Their numbers stand in the log, as far as that had room for them.
        case notKept(count: Int)
    }

    /// DE37 as in `JournalEntry`.
    package let retrievalReferenceNumber: [UInt8]
    /// DE11.
    package let systemsTraceAuditNumber: UInt32
    /// Seconds since 1970 when it happened, which may be long before the store could take the note.
    package let unixSeconds: Int64
    /// The name of the link.
    package let link: String
    /// What was asked for, in words.
    package let transaction: String
    /// Of how much; nil where the note is about many.
    package let amount: Amount?
    /// The ATC as received.
    package let atc: UInt16?
    /// Whether chip data came.
    package let hasChip: Bool
    /// What happened.
    package let event: Event
    /// The card, where this process knew its token without asking for it.
    package let card: CardToken?

    /// A note about one request.
    package init(_ request: AuthorisationRequest, _ event: Event, card: CardToken?, unixSeconds: Int64) {
        self.init(
            retrievalReferenceNumber: request.retrievalReferenceNumber,
            systemsTraceAuditNumber: request.transmission.stan, unixSeconds: unixSeconds,
            link: request.link, transaction: request.purpose.words(request.circumstances.kind),
            amount: request.amount, atc: request.chip?.atc?.rawValue, hasChip: request.chip != nil,
            event: event, card: card)
    }

    /// A note about those that found no room.
    package init(notKept count: Int, unixSeconds: Int64) {
        self.init(
            retrievalReferenceNumber: [], systemsTraceAuditNumber: 0, unixSeconds: unixSeconds, link: "-",
            transaction: "-", amount: nil, atc: nil, hasChip: false, event: .notKept(count: count), card: nil)
    }

    package init(
        retrievalReferenceNumber: [UInt8], systemsTraceAuditNumber: UInt32, unixSeconds: Int64, link: String,
        transaction: String, amount: Amount?, atc: UInt16?, hasChip: Bool, event: Event, card: CardToken?
    ) {
        self.retrievalReferenceNumber = retrievalReferenceNumber
        self.systemsTraceAuditNumber = systemsTraceAuditNumber
        self.unixSeconds = unixSeconds
        self.link = link
        self.transaction = transaction
        self.amount = amount
        self.atc = atc
        self.hasChip = hasChip
        self.event = event
        self.card = card
    }

    /// `technical` where a chip's cryptogram found no judge. Nil for what was decided: its entry has the result.
    package var chipResult: ChipResult? {
        guard case .undecided = event else { return nil }
        return hasChip ? .technical : ChipResult.none
    }
}

extension JournalNote.Event {
    /// One word, as an export has it.
    package var kind: String {
        switch self {
        case .undecided: "undecided"
        case .lateForDeadline, .lateForConnection: "late"
        case .untold, .toldOtherwise: "untold"
        case .notKept: "not kept"
        }
    }

    /// In words, for people.
    package var words: String {
        switch self {
        case .undecided(let reason): reason
        case .lateForDeadline:
            "decided after the deadline, the sender had been told that there was no decision"
        case .lateForConnection: "decided after the connection was gone, the sender was told nothing"
        case .untold: "approved in time, and the connection ended before the answer had arrived"
        case .toldOtherwise:
            "approved, and told as undecided: the answer could not be written in the dialect, or got no MAC"
        case .notKept(let count):
            "\(count) requests without a decision found no room while the store was away"
        }
    }
}

extension RequestPurpose {
    /// In words, for people: `purchase`, `purchase, approved elsewhere`, `reversal`.
    package func words(_ kind: TransactionKind) -> String {
        switch self {
        case .decision: kind.words
        case .advice(let approved): "\(kind.words), \(approved ? "approved" : "declined") elsewhere"
        case .reversal(0): "reversal"
        case .reversal(let remaining): "partial reversal, \(remaining) remain"
        }
    }
}
