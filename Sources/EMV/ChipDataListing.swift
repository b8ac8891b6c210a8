internal import ByteCoding

/// DE55 opened object by object for people. What holds the PAN, a track or the cardholder's name is masked
/// or left out; there is no form that shows more.
package enum ChipDataListing {
    /// One object.
    package struct Line: Hashable, Sendable {
        /// 0 for objects of DE55 itself, more inside of templates.
        package let depth: Int
        /// The tag.
        package let tag: Tag
        /// The books' name.
        package let name: String
        /// What may be shown of the value.
        package let value: String
    }

    /// How much of a value is shown.
    private enum Showing {
        case hex
        case digitsMasked
        case countOnly
    }

    /// Tags of EMV Book 3 annex A that carry the account or its holder.
    private static let sensitive: [UInt32: Showing] = [
        0x5A: .digitsMasked, 0x56: .countOnly, 0x57: .countOnly, 0x5F20: .countOnly, 0x9F0B: .countOnly,
        0x9F1F: .countOnly, 0x9F20: .countOnly, 0x9F6B: .countOnly, 0x99: .countOnly,
        // A card's certificates: anybody who has the public keys above them reads the PAN in them.
        0x9F46: .countOnly, 0x9F2D: .countOnly,
    ]

    /// A directory entry lies four deep (EMV Book 1 12.2.3); a fault must not nest without end.
    private static let depthMax = 5

    /// The objects in the order in which they came.
    /// - Throws: `TLVError` where the data is no BER-TLV.
    package static func lines(_ data: ArraySlice<UInt8>, depth: Int = 0) throws(TLVError) -> [Line] {
        var lines: [Line] = []
        for (tag, value) in try TLVReader.objects(in: data) {
            let inside =
                isConstructed(tag) && depth < depthMax ? try? Self.lines(value, depth: depth + 1) : nil
            lines.append(
                Line(
                    depth: depth, tag: tag, name: tag.name ?? "(not in the table)",
                    value: inside == nil ? shown(tag, value) : ""))
            lines += inside ?? []
        }
        return lines
    }

    /// Bit 6 of the first byte (ISO/IEC 8825-1 8.1.2.5).
    private static func isConstructed(_ tag: Tag) -> Bool {
        tag.rawValue >> UInt32(8 * (tag.byteCount - 1)) & 0x20 != 0
    }

    private static func shown(_ tag: Tag, _ value: ArraySlice<UInt8>) -> String {
        switch sensitive[tag.rawValue] ?? .hex {
        case .countOnly: return "(\(value.count) bytes, not shown)"
        case .digitsMasked:
            let digits = Hex.encode(value).prefix { $0 != "F" }
            guard digits.count >= 13 else { return String(repeating: "*", count: digits.count) }
            return digits.prefix(6) + String(repeating: "*", count: digits.count - 10) + digits.suffix(4)
        case .hex:
            let hex = Hex.encode(value)
            return meaning(tag, value).map { "\(hex)  \($0)" } ?? hex
        }
    }

    /// In words, where words say more than the bytes.
    private static func meaning(_ tag: Tag, _ value: ArraySlice<UInt8>) -> String? {
        switch tag {
        case .applicationTransactionCounter where value.count == 2:
            "= \(value.reduce(0) { $0 << 8 | Int($1) })"
        case .cryptogramInformationData:
            value.first.flatMap { CryptogramKind(cryptogramInformationData: $0) }.map { "= \($0)" }
        case .authorisationResponseCode where value.count == 2:
            "= \(AuthorisationResponseCode(rawValue: value.reduce(0) { $0 << 8 | UInt16($1) }))"
        case .interfaceDeviceSerialNumber where value.allSatisfy({ (0x20...0x7E).contains($0) }):
            "= \(String(decoding: value, as: UTF8.self))"
        default: nil
        }
    }
}
