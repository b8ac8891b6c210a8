/// Which of a plastic's last 2,048 ATCs were seen: a ring of 256 bytes, one bit each.
enum ATCWindow {
    /// How far back single ATCs are known.
    static let count = 2_048
    /// Bytes in the record.
    static let byteCount = 256

    /// What the window says of an ATC.
    /// - Parameters:
    ///   - place: where the ring begins in the record.
    ///   - highest: nil before the first.
    static func finding(
        _ atc: UInt16, highest: UInt16?, jumpMax: Int, acceptsLate: Bool, _ bytes: [UInt8], at place: Int
    ) -> ATCFinding {
        guard let highest else { return .first }
        if atc > highest { return Int(atc - highest) > jumpMax ? .outOfRange : .ahead }
        if Int(highest - atc) >= count { return .outOfRange }
        if isSeen(atc, bytes, at: place) { return .replayed }
        return acceptsLate ? .late : .outOfRange
    }

    /// Marks an ATC, and clears the places between it and the highest, which belong to an earlier turn of the ring.
    static func claim(_ atc: UInt16, highest: UInt16?, _ bytes: inout [UInt8], at place: Int) {
        if let highest, atc > highest { clear(from: Int(highest) + 1, to: Int(atc), &bytes, at: place) }
        let bit = Int(atc) % count
        bytes[place + bit / 8] |= 0x80 >> UInt8(bit % 8)
    }

    static func isSeen(_ atc: UInt16, _ bytes: [UInt8], at place: Int) -> Bool {
        let bit = Int(atc) % count
        return bytes[place + bit / 8] & (0x80 >> UInt8(bit % 8)) != 0
    }

    /// The half-open range of ATCs; whole bytes at a time.
    private static func clear(from start: Int, to end: Int, _ bytes: inout [UInt8], at place: Int) {
        var atc = start
        while atc < end {
            let bit = atc % count
            if bit % 8 == 0, end - atc >= 8 {
                bytes[place + bit / 8] = 0
                atc += 8
            } else {
                bytes[place + bit / 8] &= ~(0x80 >> UInt8(bit % 8))
                atc += 1
            }
        }
    }
}
