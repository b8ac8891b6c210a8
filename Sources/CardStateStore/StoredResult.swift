internal import Authorisation
internal import EMV

/// The outcome of a decision as the journal has it: declined, code, ATC finding, tries left, available, divided by `;`, and
/// an effect where there is one.
struct StoredResult {
    let commitResult: CommitResult

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
            repeated: false, atc: finding, pinTriesLeft: Int(tries), availableMinorUnits: available,
            effect: effect)
    }

    /// Appends the same form.
    static func append(_ result: CommitResult, to bytes: inout [UInt8]) {
        bytes.appendDecimal(UInt64(result.declined?.rawValue ?? 0))
        bytes.append(UInt8(ascii: ";"))
        if result.approvalCode.isEmpty {
            bytes.append(UInt8(ascii: "-"))
        } else {
            bytes.append(contentsOf: result.approvalCode)
        }
        bytes.append(UInt8(ascii: ";"))
        bytes.appendDecimal(UInt64(result.atc.rawValue))
        bytes.append(UInt8(ascii: ";"))
        bytes.appendDecimal(UInt64(max(0, result.pinTriesLeft)))
        bytes.append(UInt8(ascii: ";"))
        if result.availableMinorUnits < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.appendDecimal(result.availableMinorUnits.magnitude)
        guard let effect = result.effect else { return }
        bytes.append(UInt8(ascii: ";"))
        bytes.append(contentsOf: effect.stored.utf8)
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
