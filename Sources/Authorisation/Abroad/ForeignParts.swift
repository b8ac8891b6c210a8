/// A transaction in another currency than the account's of which not all that was asked for was approved, or not all is
/// left: both in its own currency. What the account paid stands with the transaction itself.
struct ForeignPart {
    /// The transaction's.
    let number: UInt32
    /// What was approved, in minor units of the transaction's currency.
    var approved: Int64
    /// What of it has not been reversed.
    var left: Int64
}

/// All of an account, in the order of their numbers.
struct ForeignParts {
    /// More than transactions can be kept and filed: what is given up makes room.
    static let countMax = 340
    private static let byteCount = 20

    private(set) var list: [ForeignPart] = []

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        for place in stride(from: 0, through: bytes.count - Self.byteCount, by: Self.byteCount) {
            list.append(
                ForeignPart(
                    number: bytes.load(place, as: UInt32.self),
                    approved: bytes.load(place + 4, as: Int64.self),
                    left: bytes.load(place + 12, as: Int64.self)))
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        for part in list {
            bytes.append(bigEndian: part.number)
            bytes.append(bigEndian: part.approved)
            bytes.append(bigEndian: part.left)
        }
        return bytes
    }

    func part(of number: UInt32) -> ForeignPart? { list.first { $0.number == number } }

    mutating func set(_ part: ForeignPart) {
        if let index = list.firstIndex(where: { $0.number == part.number }) {
            list[index] = part
        } else {
            list.append(part)
        }
    }

    mutating func keep(only isKnown: (UInt32) -> Bool) { list.removeAll { !isKnown($0.number) } }
}
