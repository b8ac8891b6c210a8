/// A reversal whose original has not come.
struct EarlyReversal {
    var original: OriginalTransaction
    /// DE4; 0: none.
    let amount: Int64
    /// The numeric code of DE49 where that is not the account's; 0: the account's, or none.
    let currency: UInt16
    /// What is to remain of the original, in minor units of it.
    var remaining: Int64
    /// Seconds since 1970.
    var receivedAt: UInt32
    /// From the layout before: its reference is in the form of then.
    var isMigrated = false

    var naming: Naming { Naming(original, amount: amount == 0 ? nil : amount, isReversal: true) }

    /// Whether a message is the one that it undoes.
    func isAbout(_ transmission: Transmission, asked: Amount) -> Bool {
        (amount == 0 || amount == asked.minorUnits) && (currency == 0 || currency == asked.currency.rawValue)
            && naming.rank(transmission, lastSTAN: transmission.stan, lastSentAt: transmission.sentAt) > .none
    }
}

/// All of an account, oldest first. None is called done and then forgotten: what finds no room is refused.
struct EarlyReversals {
    /// At most.
    static let countMax = 32
    /// So long one is kept.
    static let secondsMax: Int64 = 35 * 86_400
    private static let byteCount = 60

    var list: [EarlyReversal] = []

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        var place = 0
        while place + Self.byteCount <= bytes.count {
            let original = OriginalTransaction(
                stan: bytes.load(place, as: UInt32.self), sentAt: bytes.load(place + 4, as: UInt32.self),
                isAdvice: bytes[place + 8] & 1 != 0, reference: bytes.load(place + 12, as: UInt64.self),
                acquirer: bytes.load(place + 20, as: UInt32.self),
                namesAcquirer: bytes[place + 8] & 4 == 0,
                terminal: bytes.load(place + 24, as: UInt32.self),
                localTime: bytes.load(place + 28, as: UInt32.self),
                ownSTAN: bytes.load(place + 32, as: UInt32.self),
                ownSentAt: bytes.load(place + 36, as: UInt32.self))
            list.append(
                EarlyReversal(
                    original: original, amount: bytes.load(place + 40, as: Int64.self),
                    currency: bytes.load(place + 10, as: UInt16.self),
                    remaining: bytes.load(place + 48, as: Int64.self),
                    receivedAt: bytes.load(place + 56, as: UInt32.self),
                    isMigrated: bytes[place + 8] & 2 != 0))
            place += Self.byteCount
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        for early in list {
            let original = early.original
            bytes.append(bigEndian: original.stan)
            bytes.append(bigEndian: original.sentAt)
            bytes += [
                (original.isAdvice ? 1 : 0) | (early.isMigrated ? 2 : 0) | (original.namesAcquirer ? 0 : 4),
                0,
            ]
            bytes.append(bigEndian: early.currency)
            bytes.append(bigEndian: original.reference)
            bytes.append(bigEndian: original.acquirer)
            bytes.append(bigEndian: original.terminal)
            bytes.append(bigEndian: original.localTime)
            bytes.append(bigEndian: original.ownSTAN)
            bytes.append(bigEndian: original.ownSentAt)
            bytes.append(bigEndian: early.amount)
            bytes.append(bigEndian: early.remaining)
            bytes.append(bigEndian: early.receivedAt)
        }
        return bytes
    }

    /// Remembers one; of several about one original the one that leaves least counts.
    /// - Returns: false where there is no room.
    mutating func remember(_ early: EarlyReversal, now: Int64) -> Bool {
        list.removeAll { now - Int64($0.receivedAt) > Self.secondsMax }
        if let index = list.firstIndex(where: { isSame($0, early) }) {
            list[index].remaining = min(list[index].remaining, early.remaining)
            return true
        }
        guard list.count < Self.countMax else { return false }
        list.append(early)
        return true
    }

    private func isSame(_ left: EarlyReversal, _ right: EarlyReversal) -> Bool {
        var (one, other) = (left.original, right.original)
        if one.stan != 0, other.stan != 0 {
            // The numbers of the reversals themselves say nothing then.
            (one.ownSTAN, one.ownSentAt, other.ownSTAN, other.ownSentAt) = (0, 0, 0, 0)
        }
        return one == other && left.amount == right.amount
    }
}
