internal import Authorisation
internal import Redis

/// The end of a card's record of an answer: kind (1 byte) with flags, day (2), minor units (5), of them cash (5),
/// nothing (3).
struct StoredTaking {
    /// Beside the kind: limits have counted it.
    private static let countedFlag: UInt64 = 64
    /// The kind of a reversal's own record.
    private static let reversalKind: UInt8 = 8

    let high: UInt64
    let low: UInt64

    init(_ commit: AuthorisationCommit, cash: Int64) {
        let kind = UInt64(commit.kind.rawValue) | (commit.limits == nil ? 0 : Self.countedFlag)
        let day = UInt64(
            UInt16(truncatingIfNeeded: commit.limits?.day ?? commit.entry.unixSeconds / 86_400))
        high = kind << 56 | day << 40 | UInt64(commit.amount.minorUnits)
        low = UInt64(cash) << 24
    }

    /// Kind and day; the store adds the rest.
    static func reversalHead(day: Int64) -> [UInt8] {
        let day = UInt16(truncatingIfNeeded: day)
        return [reversalKind, UInt8(day >> 8), UInt8(truncatingIfNeeded: day)]
    }
}

extension RedisCommand {
    /// Appends the end of a record.
    mutating func append(_ taking: StoredTaking) { append(bigEndian: taking.high, taking.low) }

    /// Appends the sixteen bytes under which the transaction is kept, zeros where it is not named.
    mutating func append(_ original: OriginalTransaction) {
        append(
            bigEndian: original.moment, UInt64(original.acquirer) << 32 | UInt64(original.reference))
    }
}

extension AuthorisationCommit {
    /// The cash that limits count; nil for what is no cash.
    var countedCash: Int64? {
        switch limits?.kind ?? kind {
        case .cash: amount.minorUnits
        case .purchaseWithCashBack: min(cashMinorUnits, amount.minorUnits)
        default: nil
        }
    }
}

extension CommitMode {
    /// As `cardstate_commit` takes it.
    var stored: String {
        switch self {
        case .decide: ""
        case .decidePartially: "p"
        case .book: "b"
        case .note: "n"
        case .complete: "c"
        }
    }
}

extension CommitEffect {
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
