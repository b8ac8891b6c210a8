/// Where a record's new bytes differ from the old ones: what a store has to be told that still has the old ones. Most
/// messages change the head and the end of a record, a fifth of its bytes.
package struct RecordPieces: Sendable {
    /// Equal bytes between two changes that cost less within a piece than a piece of its own does.
    static let gapMax = 192
    /// More pieces than these cost more than the whole record.
    static let countMax = 4

    /// Places of the new bytes, rising, none within `gapMax` of the next. Written over the old bytes they make the
    /// new ones.
    package private(set) var ranges: [Range<Int>] = []

    /// - Returns: nil where the new bytes have to be written as a whole: they are fewer than the old ones, which no
    ///   piece can say, or pieces would save less than half.
    package init?(from old: [UInt8], to new: [UInt8]) {
        guard new.count >= old.count, !old.isEmpty else { return nil }
        ranges.reserveCapacity(Self.countMax)
        old.withUnsafeBytes { old in
            new.withUnsafeBytes { new in
                // Eight bytes at a time; a piece may hold a few equal bytes at its ends.
                var place = 0
                while place + 8 <= old.count {
                    let (left, right) = (
                        old.loadUnaligned(fromByteOffset: place, as: UInt64.self),
                        new.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    )
                    if left != right { add(place..<(place + 8)) }
                    place += 8
                }
                while place < old.count {
                    if old[place] != new[place] { add(place..<(place + 1)) }
                    place += 1
                }
            }
        }
        if new.count > old.count { add(old.count..<new.count) }
        let byteCount = ranges.reduce(0) { $0 + $1.count }
        guard !ranges.isEmpty, ranges.count <= Self.countMax, 2 * byteCount <= new.count else { return nil }
    }

    private mutating func add(_ range: Range<Int>) {
        if let last = ranges.last, range.lowerBound - last.upperBound <= Self.gapMax {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(range)
        }
    }
}
