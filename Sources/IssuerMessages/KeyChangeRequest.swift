internal import ByteCoding
package import ISO8583

/// How the switch of a link sends new keys: ISO 8583:1987 says that it can (DE70 101, in many networks 161), and
/// leaves to the parties how.
package struct KeyChangeArrangement: Hashable, Sendable {
    /// What the key and its check value look like.
    package enum Form: String, CaseIterable, Sendable {
        /// The enciphered key in 32 or 48 hex digits, then its check value in 4 to 16; in a binary element the bytes
        /// of the same. DE53 says what the key is for: `01…` PIN blocks (also where DE53 is absent), `02…` MACs.
        case plain
        /// A key exchange data block in subelement 11 of the element: number and length, two digits each, key class
        /// `PK` (PIN) or `MK` (MAC), two digits each of index and cycle, 32 or 48 hex digits of key, 4 to 16 of check
        /// value.
        case subelement11
    }

    /// DE70 of a key change, or DE24 in ISO 8583:1993.
    package var codes: Set<String>
    /// Where the key is.
    package var element: DataElement
    /// How.
    package var form: Form

    /// DE70 of key changes where a link says nothing of its own.
    package static let usualCodes: Set<String> = ["101", "161"]

    /// The same for DE24: system security, key change.
    package static let usualCodes1993: Set<String> = ["811"]

    package init(codes: Set<String> = usualCodes, element: DataElement = .additionalData, form: Form = .plain)
    {
        self.codes = codes
        self.element = element
        self.form = form
    }
}

/// A new zone key in a network management request.
package struct KeyChangeRequest: Hashable, Sendable {
    /// What a key is for.
    package enum Kind: Sendable {
        case pinKey, macKey
    }

    /// What the key is for.
    package let kind: Kind
    /// The key, enciphered under the zone master key; 16 or 24 bytes.
    package let wrapped: [UInt8]
    /// 4 to 16 hex digits.
    package let checkValue: String

    /// True for a message that asks for a key change, whatever else is in it.
    package static func isOne(_ message: Message, _ arrangement: KeyChangeArrangement?) -> Bool {
        guard message.mti.messageClass == .networkManagement, message.mti.isRequest,
            let code = message.networkCode
        else { return false }
        let usual =
            message.mti.is1993 ? KeyChangeArrangement.usualCodes1993 : KeyChangeArrangement.usualCodes
        return (arrangement?.codes ?? usual).contains(code)
    }

    /// - Throws: `KeyChangeFault` naming the data element at fault.
    package init(_ message: Message, _ arrangement: KeyChangeArrangement) throws(KeyChangeFault) {
        let element = arrangement.element
        guard let bytes = message.bytes(element) else { throw KeyChangeFault(element, "missing") }
        var digits: Substring
        switch arrangement.form {
        case .plain:
            kind = try KeyChangeRequest.kind(message)
            // No nineteen bytes of an enciphered key and its check value are all printable.
            let isText = bytes.allSatisfy { (0x20...0x7E).contains($0) }
            digits = isText ? String(decoding: bytes, as: UTF8.self)[...] : Hex.encode(bytes)[...]
        case .subelement11:
            digits = String(decoding: bytes, as: UTF8.self)[...]
            kind = try KeyChangeRequest.openSubelement(&digits, element)
        }
        while digits.last == " " { digits.removeLast() }
        let byteCount = digits.utf8.count >= 48 + 4 ? 24 : 16
        let (key, checkValue) = (digits.prefix(byteCount * 2), digits.dropFirst(byteCount * 2))
        guard let wrapped = try? Hex.decode(String(key)), wrapped.count == byteCount else {
            throw KeyChangeFault(element, "32 or 48 hex digits of key are needed")
        }
        guard checkValue.utf8.allSatisfy(KeyChangeRequest.isHexDigit),
            (4...16).contains(checkValue.utf8.count)
        else { throw KeyChangeFault(element, "4 to 16 hex digits of check value are needed") }
        self.wrapped = wrapped
        self.checkValue = checkValue.uppercased()
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func kind(_ message: Message) throws(KeyChangeFault) -> Kind {
        guard let control = message.text(.securityControl) else { return .pinKey }
        switch control.prefix(2) {
        case "01": return .pinKey
        case "02": return .macKey
        default: throw KeyChangeFault(.securityControl, "01 or 02 is needed at its beginning")
        }
    }

    /// Leaves what follows class, index and cycle.
    private static func openSubelement(
        _ digits: inout Substring, _ element: DataElement
    ) throws(KeyChangeFault) -> Kind {
        guard digits.hasPrefix("11"), digits.utf8.count > 10, let count = Int(digits.dropFirst(2).prefix(2)),
            digits.utf8.count >= 4 + count
        else { throw KeyChangeFault(element, "no subelement 11 of the length that it states") }
        digits = digits.dropFirst(4).prefix(count)
        defer { digits = digits.dropFirst(6) }
        switch digits.prefix(2) {
        case "PK": return .pinKey
        case "MK": return .macKey
        default: throw KeyChangeFault(element, "key class PK or MK is needed")
        }
    }
}

/// A key change that cannot be read. Names the data element, never what is in it.
package struct KeyChangeFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The data element at fault.
    package let element: DataElement
    /// What is wrong with it.
    package let reason: String

    init(_ element: DataElement, _ reason: String) {
        self.element = element
        self.reason = reason
    }

    /// One line for people.
    package var description: String { "DE\(element.rawValue): \(reason)" }
}
