internal import Authorisation
internal import ByteCoding
internal import EMV

/// A line of the journal, read.
extension JournalEntry {
    static let journalledStages: [Stage] = [.tokenQueue, .token, .stateRead]

    /// Reads a line that `appendEncoded` wrote; nil where it is none.
    init?(decoding bytes: some Collection<UInt8>) {
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

extension DecisionTrace {
    /// The lines of an encoded trace; what cannot be read is left out, so that a journal of a newer version
    /// still prints.
    init(decoding bytes: some Collection<UInt8>) {
        self.init()
        for line in bytes.split(separator: UInt8(ascii: "|")) {
            let digits = line.prefix { $0 >= 0x30 && $0 <= 0x39 }
            let rest = line.dropFirst(digits.count)
            guard let number = UInt8(String(decoding: digits, as: UTF8.self)),
                let rule = Rule(rawValue: number),
                let letter = rest.first, let verdict = RuleVerdict(rawValue: letter)
            else { continue }
            add(rule, verdict, reason: String(decoding: rest.dropFirst(2), as: UTF8.self))
        }
    }
}

extension StoredResult {
    /// Reads what `append` wrote; nil where it is none.
    init?(journal outcome: [UInt8]) {
        var parts = Parts(outcome[...])
        guard let number = parts.next().decimal.flatMap({ UInt8(exactly: $0) }),
            let outcome = StoredResult.declined(number)
        else { return nil }
        let code = parts.next()
        guard
            let finding = parts.next().decimal.flatMap({ UInt8(exactly: $0) }).flatMap(
                ATCFinding.init(rawValue:)),
            let tries = parts.next().decimal, let available = parts.next().decimal
        else { return nil }
        var effect: CommitEffect?
        if parts.rest != nil {
            effect = CommitEffect(stored: parts.next())
            guard effect != nil, parts.rest == nil else { return nil }
        }
        commitResult = CommitResult(
            declined: outcome.reason,
            approvalCode: outcome.reason == nil && !code.elementsEqual("-".utf8) ? Array(code) : [],
            atc: finding, pinTriesLeft: Int(tries), availableMinorUnits: available,
            effect: effect)
    }

    /// 0 for an approval, otherwise a reason; nil for a number that is none.
    static func declined(_ number: UInt8) -> (reason: DeclineReason?, Void)? {
        if number == 0 { return (nil, ()) }
        guard let reason = DeclineReason(rawValue: number) else { return nil }
        return (reason, ())
    }
}

/// Text divided by `;`, taken part by part without an array of them.
private struct Parts {
    /// What follows the last divider taken; nil after the last part.
    private(set) var rest: ArraySlice<UInt8>?

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next part; empty where there is none, which no number and no name is.
    mutating func next() -> ArraySlice<UInt8> {
        guard let bytes = rest else { return [] }
        guard let end = bytes.firstIndex(of: UInt8(ascii: ";")) else {
            rest = nil
            return bytes
        }
        rest = bytes[(end + 1)...]
        return bytes[..<end]
    }
}

extension ArraySlice<UInt8> {
    /// Decimal digits with an optional minus; nil where it is something else or too long.
    var decimal: Int64? {
        guard let first, count <= 19 else { return nil }
        let negative = first == UInt8(ascii: "-")
        var value: Int64 = 0
        for digit in negative ? dropFirst() : self {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = product + Int64(digit - 0x30)
        }
        return negative ? -value : value
    }
}

extension CommitEffect {
    /// A letter, then amounts.
    var stored: String {
        switch self {
        case .partial(let amount): "p\(amount)"
        case .reversedBefore(let remaining): "e\(remaining)"
        case .settled(let freed): "s\(freed)"
        case .settledInPart(let taken, let freed): "t\(taken)/\(freed)"
        case .givenBack(let amount, let byNumbers): "r\(amount)\(byNumbers ? "d" : "r")"
        case .originalUnknown: "o"
        case .originalDeclined: "x"
        }
    }

    /// - Parameter stored: a letter, then an amount.
    init?(stored: ArraySlice<UInt8>) {
        guard let letter = stored.first else { return nil }
        let rest = stored.dropFirst()
        switch letter {
        case UInt8(ascii: "o"): self = .originalUnknown
        case UInt8(ascii: "x"): self = .originalDeclined
        case UInt8(ascii: "r"):
            guard let amount = rest.dropLast().decimal, let by = rest.last else { return nil }
            self = .givenBack(minorUnits: amount, byNumbers: by == UInt8(ascii: "d"))
        case UInt8(ascii: "t"):
            let parts = rest.split(separator: UInt8(ascii: "/"))
            guard parts.count == 2, let taken = parts[0].decimal, let freed = parts[1].decimal else {
                return nil
            }
            self = .settledInPart(takenMinorUnits: taken, minorUnits: freed)
        default:
            guard let amount = rest.decimal else { return nil }
            switch letter {
            case UInt8(ascii: "p"): self = .partial(minorUnits: amount)
            case UInt8(ascii: "e"): self = .reversedBefore(remainingMinorUnits: amount)
            case UInt8(ascii: "s"): self = .settled(minorUnits: amount)
            default: return nil
            }
        }
    }
}

extension JournalPlace {
    /// Adds a field as readers know it: place (`c`) and text of a decision (`e`) or a change (`o`) apart, as notes, entries
    /// of no account and those of the layout before have them.
    static func add(_ name: String, _ value: [UInt8], to fields: inout [String: [UInt8]]) {
        guard name == decision || name == change else {
            fields[name] = value
            return
        }
        fields["c"] = Array(value.prefix(byteCount))
        fields[name == decision ? "e" : "o"] = Array(value.dropFirst(byteCount))
    }

    /// The token in hexadecimal digits. The layout before wrote it as such.
    static func card(_ bytes: [UInt8]) -> String {
        isOld(bytes)
            ? String(decoding: bytes, as: UTF8.self) : Hex.encode(Array(bytes.prefix(16))).lowercased()
    }

    /// Of the layout before: the name of a card, not of an account.
    static func isOld(_ bytes: [UInt8]) -> Bool { bytes.count == 32 }
}
