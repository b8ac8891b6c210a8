internal import Authorisation
internal import ByteCoding
internal import EMV
internal import Redis
internal import Synchronization

/// How the journal writes a decision.
extension JournalEntry {
    /// Appends the entry as one line of printable ASCII, its parts divided by `;`, the trace last:
    /// `rrn;stan;seconds;link;range;minor units;currency/charge;profile;dki/version;atc;µs/queue/token/read;trace`. Absent
    /// numbers are `-`, a version without a name is left out with its stroke.
    func appendEncoded(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: retrievalReferenceNumber)
        bytes.appendPart(UInt64(systemsTraceAuditNumber))
        bytes.appendPart(UInt64(clamping: unixSeconds))
        bytes.appendPart(link)
        bytes.appendPart(range)
        bytes.appendPart(UInt64(clamping: amount.minorUnits))
        bytes.appendPart(UInt64(amount.currency.rawValue))
        if let charge { bytes.appendPart(charge.stored, after: "/") }
        bytes.appendPart(profile)
        bytes.appendPart(derivationKeyIndex.map(UInt64.init))
        if !keyVersion.isEmpty { bytes.appendPart(keyVersion, after: "/") }
        bytes.appendPart(atc.map(UInt64.init))
        bytes.appendPart(UInt64(microsecondsUntilEvidence))
        for stage in Self.journalledStages { bytes.appendPart(times[stage].map { $0 / 1_000 }, after: "/") }
        bytes.append(UInt8(ascii: ";"))
        trace.appendEncoded(into: &bytes)
    }
}

/// Its trace.
extension DecisionTrace {
    /// Appends the trace in the form of the journal: per line the rule's number, the verdict's letter and the
    /// reason, the lines divided by `|`: `4A active|5A 2912|7D differs`.
    func appendEncoded(into bytes: inout [UInt8]) {
        for (index, line) in lines.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "|")) }
            bytes.appendDecimal(UInt64(line.rule.rawValue))
            bytes.append(line.verdict.rawValue)
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: line.reason.utf8)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func appendPart(_ number: UInt64?, after mark: Unicode.Scalar = ";") {
        append(UInt8(ascii: mark))
        if let number { appendDecimal(number) } else { append(UInt8(ascii: "-")) }
    }

    fileprivate mutating func appendPart(_ text: String, after mark: Unicode.Scalar = ";") {
        append(UInt8(ascii: mark))
        append(contentsOf: text.utf8)
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits without making a string of it.
    mutating func appendDecimal(_ number: UInt64) {
        if number >= 10 { appendDecimal(number / 10) }
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }
}

/// The outcome of a decision as the journal has it: declined, code, ATC finding, tries left, available, divided by `;`, and
/// an effect where there is one.
struct StoredResult {
    let commitResult: CommitResult

    /// Appends the same form.
    static func append(_ result: CommitResult, to bytes: inout [UInt8]) {
        bytes.appendDecimal(UInt64(result.declined?.rawValue ?? 0))
        bytes.append(UInt8(ascii: ";"))
        if result.approvalCode.isEmpty {
            bytes.append(UInt8(ascii: "-"))
        } else {
            bytes.append(contentsOf: result.approvalCode)
        }
        bytes.appendPart(UInt64(result.atc.rawValue))
        bytes.appendPart(UInt64(max(0, result.pinTriesLeft)))
        bytes.append(UInt8(ascii: ";"))
        if result.availableMinorUnits < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.appendDecimal(result.availableMinorUnits.magnitude)
        if let effect = result.effect { bytes.appendPart(effect.stored) }
    }
}

/// Which account an entry of the journal is about, and between which states of its record it stands: token, tag before,
/// tag after, sixteen bytes each. A gap in an account's history shows as a tag that no entry leads to. A note has the
/// token alone.
enum JournalPlace {
    static let byteCount = 48
    /// The field of a decision: its place, then its text.
    static let decision = "d"
    /// The field of what an operator changed in an account: its place, then its text.
    static let change = "a"

    /// Appends the 48 bytes; zeros for a record that was not there.
    static func append(_ token: CardToken, _ before: RecordTag?, after: RecordTag?, to bytes: inout [UInt8]) {
        let numbers = (
            token.high.bigEndian, token.low.bigEndian, (before?.random ?? 0).bigEndian,
            (before?.counter ?? 0).bigEndian, (after?.random ?? 0).bigEndian, (after?.counter ?? 0).bigEndian
        )
        withUnsafeBytes(of: numbers) { bytes.append(contentsOf: $0) }
    }
}

/// The place of an entry in a bucket's journal: `milliseconds-number`.
struct JournalPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    let milliseconds: UInt64
    let number: UInt64

    /// Nil where it is no identifier.
    init?(_ bytes: some Collection<UInt8>) {
        guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")),
            let milliseconds = Self.number(bytes[..<dash]),
            let number = Self.number(bytes[dash...].dropFirst())
        else { return nil }
        (self.milliseconds, self.number) = (milliseconds, number)
    }

    private static func number(_ digits: some Collection<UInt8>) -> UInt64? {
        guard (1...19).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
    }
}

/// The last entry of each bucket that one loop's writes were acknowledged with, and where.
final class AcknowledgedPlaces: Sendable {
    struct Place: Hashable, Sendable {
        let position: JournalPosition
        /// Of the server that acknowledged it.
        let server: RedisAddress
    }

    let places = Mutex<[Int: Place]>([:])

    func note(_ bucket: Int, _ position: JournalPosition, server: RedisAddress) {
        places.withLock { places in
            if let known = places[bucket], known.position >= position { return }
            places[bucket] = Place(position: position, server: server)
        }
    }
}
