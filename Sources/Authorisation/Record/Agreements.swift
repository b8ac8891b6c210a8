/// The first payment of a series, or by a credential that a merchant keeps: its reference, by which later ones name it.
struct Agreement {
    /// A hash; never 0.
    let reference: UInt64
    /// Seconds since 1970: the first or the latest payment.
    var usedAt: UInt32
}

/// All of an account, the longest unused first.
struct Agreements {
    /// So many; the longest unused one makes room.
    static let countMax = 64
    private static let byteCount = 12

    private(set) var list: [Agreement] = []

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        for place in stride(from: 0, through: bytes.count - Self.byteCount, by: Self.byteCount) {
            list.append(
                Agreement(
                    reference: bytes.load(place, as: UInt64.self),
                    usedAt: bytes.load(place + 8, as: UInt32.self)))
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        for agreement in list {
            bytes.append(bigEndian: agreement.reference)
            bytes.append(bigEndian: agreement.usedAt)
        }
        return bytes
    }

    func has(_ reference: UInt64) -> Bool { list.contains { $0.reference == reference } }

    mutating func use(_ reference: UInt64, now: Int64) {
        list.removeAll { $0.reference == reference }
        if list.count == Self.countMax { list.removeFirst() }
        list.append(Agreement(reference: reference, usedAt: UInt32(clamping: now)))
    }
}
