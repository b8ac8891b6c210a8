/// An authentication value that was used for an approval.
struct UsedAuthenticationValue: Hashable {
    /// Of what its proof covers; says nothing of a PAN to anybody without the token's key.
    let identity: UInt64
    /// Seconds since 1970, of the approval.
    let usedAt: UInt32
    /// A hash of DE42 of that payment: a series is one merchant's.
    let merchant: UInt32
    /// Approvals on it, the first with them.
    var payments: UInt16
}

/// All of an account, oldest first: eighteen bytes each.
struct UsedAuthenticationValues {
    /// At most. A value more than these is declined, unless the oldest is too old to be accepted again.
    static let countMax = 256
    static let byteCount = 18

    private(set) var list: [UsedAuthenticationValue] = []

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        var place = 0
        while place + Self.byteCount <= bytes.count {
            list.append(
                UsedAuthenticationValue(
                    identity: bytes.load(place, as: UInt64.self),
                    usedAt: bytes.load(place + 8, as: UInt32.self),
                    merchant: bytes.load(place + 12, as: UInt32.self),
                    payments: bytes.load(place + 16, as: UInt16.self)))
            place += Self.byteCount
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(list.count * Self.byteCount)
        for value in list {
            bytes.append(bigEndian: value.identity)
            bytes.append(bigEndian: value.usedAt)
            bytes.append(bigEndian: value.merchant)
            bytes.append(bigEndian: value.payments)
        }
        return bytes
    }

    /// The use of a value, nil where it was not used, or is kept no more.
    func use(of identity: UInt64) -> UsedAuthenticationValue? { list.first { $0.identity == identity } }

    /// Whether one more can be kept without forgetting one that could be accepted again.
    func hasRoom(now: Int64, keepingSeconds: Int64) -> Bool {
        list.count < Self.countMax || list.first.map { now - Int64($0.usedAt) > keepingSeconds } ?? true
    }

    /// Keeps a use, and forgets those that are too old to be accepted.
    /// - Parameter keepingSeconds: how long a use is kept at least.
    mutating func add(_ identity: UInt64, merchant: UInt32, now: Int64, keepingSeconds: Int64) {
        if let index = list.firstIndex(where: { $0.identity == identity }) {
            list[index].payments = list[index].payments == .max ? .max : list[index].payments + 1
            return
        }
        list.removeAll { now - Int64($0.usedAt) > keepingSeconds && $0.payments == 1 }
        if list.count >= Self.countMax { list.removeFirst(list.count - Self.countMax + 1) }
        list.append(
            UsedAuthenticationValue(
                identity: identity, usedAt: UInt32(clamping: now), merchant: merchant, payments: 1))
    }
}
