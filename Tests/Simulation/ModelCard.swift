internal import Authorisation
internal import EMV

/// A card of the model: the record that the functions keep, and what they do to it.
struct ModelCard {
    /// An answer that was given, and what it took.
    struct Record {
        let key: RetransmissionKey
        let declined: DeclineReason?
        let code: [UInt8]
        /// Nil for a reversal's own record.
        let kind: TransactionKind?
        /// Limits have counted it.
        let isCounted: Bool
        var taken: Int64 = 0
        var isPartial = false
        var isReversed = false
        var isSettled = false

        var isActive: Bool { declined == nil && !isReversed && !isSettled }
    }

    /// A reversal that waits for its original.
    struct Early {
        let original: OriginalTransaction
        var remaining: Int64
    }

    /// Where a transaction was found that another message speaks of.
    struct Found {
        let place: Int
        let byNumbers: Bool
        /// Numbers were named, and this has others and is done with.
        let isDoubtful: Bool
    }

    static let answersLeft = 8
    static let answersMax = 16
    static let takingsMax = 64
    static let earlyMax = 8

    var available: Int64
    var pinTriesUsed = 0
    var highest: UInt16?
    var seen: Set<UInt16> = []
    /// Newest first.
    var kept: [Record] = []
    /// What took something and is no longer among the kept; newest first.
    var takings: [Record] = []
    var early: [Early] = []
    /// What limits have counted; the model knows one day.
    var counted = Allowance(minorUnits: 0, count: 0)

    init(available: Int64) { self.available = available }

    /// Fingerprints are for the caller to compare.
    func answered(_ key: RetransmissionKey, takingsToo: Bool = false) -> Record? {
        (takingsToo ? kept + takings : kept).first {
            ($0.key.moment, $0.key.acquirer, $0.key.reference) == (key.moment, key.acquirer, key.reference)
        }
    }

    mutating func keep(_ record: Record) {
        kept.insert(record, at: 0)
        guard kept.count >= Self.answersMax else { return }
        let moved = kept[Self.answersLeft...].filter {
            $0.declined == nil && $0.kind != nil && $0.kind != .balanceEnquiry
        }
        takings = Array((moved + takings).prefix(Self.takingsMax))
        kept.removeSubrange(Self.answersLeft...)
    }

    subscript(place: Int) -> Record {
        get { place < kept.count ? kept[place] : takings[place - kept.count] }
        set {
            if place < kept.count { kept[place] = newValue } else { takings[place - kept.count] = newValue }
        }
    }

    /// By numbers first, what is still active before what is not, the newest of its kind.
    func locate(_ original: OriginalTransaction) -> Found? {
        var best: (rank: Int, place: Int)?
        for (place, record) in (kept + takings).enumerated() {
            guard record.kind != nil, record.kind != .balanceEnquiry else { continue }
            let acquirer = record.key.acquirer == original.acquirer
            var rank = 0
            if acquirer, original.moment != 0, record.key.moment == original.moment {
                rank = record.isSettled ? 2 : 4
            } else if acquirer, original.reference != 0, record.key.reference == original.reference {
                rank = record.isActive ? 3 : 1
            }
            if rank > best?.rank ?? 0 { best = (rank, place) }
        }
        return best.map {
            Found(
                place: $0.place, byNumbers: $0.rank == 4, isDoubtful: $0.rank == 1 && original.moment != 0)
        }
    }

    mutating func claim(_ atc: UInt16, jumpMax: Int) -> ATCFinding {
        guard let highest else {
            self.highest = atc
            seen = [atc]
            return .first
        }
        if atc > highest {
            if Int(atc) - Int(highest) > jumpMax { return .outOfRange }
            self.highest = atc
            seen.insert(atc)
            return .ahead
        }
        if Int(highest) - Int(atc) >= 2_048 { return .outOfRange }
        return seen.insert(atc).inserted ? .late : .replayed
    }

    mutating func count(_ pin: PINEvidence, triesMax: Int) -> DeclineReason? {
        if pinTriesUsed >= triesMax { return .pinTriesExceeded }
        if pin == .right {
            pinTriesUsed = 0
            return nil
        }
        pinTriesUsed += 1
        return pinTriesUsed >= triesMax ? .pinTriesExceeded : .pinWrong
    }

    /// A reversal whose original has not come. Of several the one that leaves least counts.
    mutating func remember(_ original: OriginalTransaction, _ remaining: Int64) {
        if let place = early.firstIndex(where: { $0.original == original }) {
            early[place].remaining = min(early[place].remaining, remaining)
        } else {
            early.insert(Early(original: original, remaining: remaining), at: 0)
            early = Array(early.prefix(Self.earlyMax))
        }
    }

    /// What a reversal that came first leaves of this transmission, and forgets that reversal.
    mutating func reversedEarly(_ key: RetransmissionKey) -> Int64? {
        let place = early.firstIndex { early in
            guard early.original.acquirer == key.acquirer else { return false }
            return early.original.moment == 0
                ? early.original.reference == key.reference : early.original.moment == key.moment
        }
        return place.map { early.remove(at: $0).remaining }
    }

    mutating func giveBack(_ record: Record, _ minorUnits: Int64, whole: Bool) {
        guard record.isCounted else { return }
        counted.minorUnits = max(0, (counted.minorUnits ?? 0) - minorUnits)
        if whole { counted.count = max(0, (counted.count ?? 0) - 1) }
    }
}
