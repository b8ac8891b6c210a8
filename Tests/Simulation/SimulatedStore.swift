internal import Authorisation

/// A store as the port asks for it: it compares sixteen bytes, replaces, appends, and knows no business.
struct SimulatedStore {
    /// A write that was carried out.
    struct Written {
        let token: CardToken
        let before: RecordTag?
        let after: RecordTag?
        let lines: [JournalLine]
    }

    private var records: [CardToken: [UInt8]] = [:]
    private var past: [CardToken: [UInt8]] = [:]
    /// All of them, in their order.
    private(set) var journal: [Written] = []

    func read(_ token: CardToken, withPast: Bool) -> Result<CardReading, CouldNotDecide> {
        guard let bytes = records[token] else {
            return .success(CardReading(record: nil, past: withPast ? [] : nil))
        }
        do throws(RecordDamage) {
            return .success(
                CardReading(record: try CardRecord(bytes), past: withPast ? past[token] ?? [] : nil))
        } catch {
            return .failure(.damaged(error))
        }
    }

    mutating func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool
    ) -> Result<CardReplacement, CouldNotDecide> {
        guard records[token].map({ Array($0.prefix(16)) }) == change.before.map(Self.bytes) else {
            return read(token, withPast: withPast).map { .conflict($0) }
        }
        if let record = change.record { records[token] = record.bytes }
        switch change.past {
        case .untouched: break
        case .append(let bytes): past[token, default: []] += bytes
        case .replace(let bytes): past[token] = bytes
        }
        journal.append(Written(token: token, before: change.before, after: change.record?.tag, lines: lines))
        return .success(.done(unconfirmed: nil))
    }

    private static func bytes(_ tag: RecordTag) -> [UInt8] {
        [tag.random, tag.counter].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
    }
}
