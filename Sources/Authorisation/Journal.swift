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

    /// Appends the entry as one line of printable ASCII, its parts divided by `;`, the trace last:
    /// `rrn;stan;seconds;link;range;minor units;currency/charge;profile;dki/version;atc;µs/queue/token/read;trace`. Absent
    /// numbers are `-`, a version without a name and a charge in
    /// the transaction's own currency are left out with their stroke.
    package func appendEncoded(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: retrievalReferenceNumber)
        bytes.appendPart(UInt64(systemsTraceAuditNumber))
        bytes.appendPart(UInt64(clamping: unixSeconds))
        bytes.appendPart(link)
        bytes.appendPart(range)
        bytes.appendPart(UInt64(clamping: amount.minorUnits))
        bytes.appendPart(UInt64(amount.currency.rawValue))
        if let charge {
            bytes.append(UInt8(ascii: "/"))
            bytes.append(contentsOf: charge.stored.utf8)
        }
        bytes.appendPart(profile)
        bytes.appendPart(derivationKeyIndex.map(UInt64.init))
        if !keyVersion.isEmpty {
            bytes.append(UInt8(ascii: "/"))
            bytes.append(contentsOf: keyVersion.utf8)
        }
        bytes.appendPart(atc.map(UInt64.init))
        bytes.appendPart(UInt64(microsecondsUntilEvidence))
        for stage in Self.journalledStages {
            bytes.append(UInt8(ascii: "/"))
            if let time = times[stage] {
                bytes.appendDecimal(time / 1_000)
            } else {
                bytes.append(UInt8(ascii: "-"))
            }
        }
        bytes.append(UInt8(ascii: ";"))
        trace.appendEncoded(into: &bytes)
    }

    private static let journalledStages: [Stage] = [.tokenQueue, .token, .stateRead]

    /// Reads a line that `appendEncoded` wrote; nil where it is none.
    package init?(decoding bytes: some Collection<UInt8>) {
        let parts = bytes.split(separator: UInt8(ascii: ";"), maxSplits: 11, omittingEmptySubsequences: false)
        guard parts.count == 12 else { return nil }
        let text = parts.map { String(decoding: $0, as: UTF8.self) }
        guard let stan = UInt32(text[1]), let seconds = Int64(text[2]), let minorUnits = Int64(text[5]),
            let number = UInt16(text[6].prefix { $0 != "/" }), let currency = CurrencyCode(rawValue: number),
            let amount = Amount(minorUnits: minorUnits, currency: currency),
            let microseconds = UInt32(text[10].prefix { $0 != "/" })
        else { return nil }
        var times = StageTimes()
        for (stage, part) in zip(Self.journalledStages, text[10].split(separator: "/").dropFirst()) {
            if let time = UInt64(part) { times.set(stage, from: 0, to: time &* 1_000) }
        }
        let version = text[8].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(
            retrievalReferenceNumber: Array(parts[0]), systemsTraceAuditNumber: stan, unixSeconds: seconds,
            link: text[3], range: text[4], amount: amount, profile: text[7],
            derivationKeyIndex: UInt8(version[0]), keyVersion: version.count == 2 ? String(version[1]) : "",
            atc: UInt16(text[9]), microsecondsUntilEvidence: microseconds, times: times,
            trace: DecisionTrace(decoding: parts[11]))
        charge = text[6].firstIndex(of: "/").flatMap { Charge(stored: text[6][$0...].dropFirst()) }
    }
}

extension [UInt8] {
    fileprivate mutating func appendPart(_ number: UInt64?) {
        append(UInt8(ascii: ";"))
        if let number { appendDecimal(number) } else { append(UInt8(ascii: "-")) }
    }

    fileprivate mutating func appendPart(_ text: String) {
        append(UInt8(ascii: ";"))
        append(contentsOf: text.utf8)
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
