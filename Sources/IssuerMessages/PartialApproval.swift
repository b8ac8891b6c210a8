internal import ISO8583

/// Where a request says that its terminal can go on with less than it asked for.
package enum PartialApprovalIndicator: String, CaseIterable, Sendable {
    /// Nowhere: all or nothing.
    case never
    /// DE48: sub-elements of two-digit number, two-digit length and content, after an optional category letter;
    /// number 61, first position `1`.
    case de48SubElement61 = "de48-61"
    /// DE60, tenth field (position 12): `1`.
    case de60Position12 = "de60-12"

    /// What the message says; anything that cannot be read says no.
    func allows(_ message: Message) -> Bool {
        switch self {
        case .never: return false
        case .de60Position12:
            return message.reading(.privateData60) { $0.count >= 12 && $0[11] == UInt8(ascii: "1") }
                ?? false
        case .de48SubElement61:
            guard message.has(.additionalData), let bytes = message.bytes(.additionalData) else {
                return false
            }
            return Self.subElement(61, of: bytes)?.first == UInt8(ascii: "1")
        }
    }

    private static func subElement(_ number: UInt64, of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var rest = bytes
        if let first = rest.first, !(0x30...0x39).contains(first) { rest = rest.dropFirst() }
        var found: ArraySlice<UInt8>?
        while !rest.isEmpty {
            guard rest.count >= 4, let name = decimal(rest.prefix(2)),
                let length = decimal(rest.dropFirst(2).prefix(2)), rest.count >= 4 + Int(length)
            else { return nil }
            let content = rest.dropFirst(4).prefix(Int(length))
            if name == number { found = content }
            rest = rest.dropFirst(4 + Int(length))
        }
        // Only where all of it has this form: DE48 is private, and may be something else altogether.
        return found
    }
}
