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
            let element = message.bytes(.additionalData).flatMap { Indicators.Place.subElement(61, of: $0) }
            return element?.first == UInt8(ascii: "1")
        }
    }
}
