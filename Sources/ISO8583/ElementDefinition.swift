/// What a dialect says about one data element, as its file does.
package struct ElementDefinition: Equatable, Sendable {
    /// Name for people.
    package var name: String
    /// Which characters the content consists of.
    package var type: ContentType
    /// Whether a length indicator goes before the content.
    package var length: LengthKind
    /// The length of a fixed element, the greatest length of any other: digits, characters or (`b`) bytes.
    package var max: Int
    /// How the content is written.
    package var encoding: ContentEncoding
    /// How the length indicator is written; without meaning for a fixed element.
    package var lengthEncoding: LengthEncoding
    /// What the length indicator counts, where two readings are possible.
    package var lengthUnit: LengthUnit
    /// What fills up an odd number of packed digits.
    package var pad: PadNibble
    /// What the separator nibble D of a packed track 2 reads as: `=` or `D`.
    package var separator: UInt8
    /// What stands here beside the usual meaning of the element's number; nil: nothing.
    package var holds: Holding?
    /// What is checked of the content when it is read and written.
    package var content: ContentCheck = .type
    /// Whether the objects of chip data stand in a data set of their own.
    package var chipData: ChipDataForm = .tlv

    /// Whether content of any length is followed by spaces up to `max`, which its length indicator does not count.
    package var isFilled = false

    /// How much of a content is checked. What is not checked is kept and sent back byte by byte.
    package enum ContentCheck: String, Sendable, CaseIterable {
        /// Nothing: whatever the bytes are, they are the content.
        case any
        /// No control characters (00 to 1F, 7F to 9F).
        case printable
        /// The characters of its type.
        case type
    }

    /// How the objects of DE55 are put into the element.
    package enum ChipDataForm: String, Sendable, CaseIterable {
        /// One behind the other.
        case tlv
        /// Behind `01` and their length in two bytes: data set 01, as some networks have it.
        case dataSet01
    }

    /// The elements whose type is checked where a dialect does not say otherwise: what a host decides by, or knows a
    /// transaction by. A fault in any other must not cost a cardholder the purchase.
    package static let checkedElements: Set<Int> = [
        2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 23, 25, 32, 35, 39, 49, 70,
    ]

    /// The same for ISO 8583:1993, where other numbers stand for some of it.
    package static let checkedElements1993 = checkedElements.subtracting([13, 25, 70]).union([24, 26])

    /// Contents that dialects carry in places of their own.
    package enum Holding: String, Sendable, CaseIterable {
        /// The PIN block of ISO 9564 format 4, sixteen bytes or 32 hexadecimal characters.
        case format4PINBlock
        /// DE39 of digits only: a code with letters is told as the nearest one without.
        case numericResponseCode
    }

    /// Attributes of ISO 8583-1 4.2.
    package enum ContentType: String, Sendable, CaseIterable {
        /// Decimal digits.
        case digits = "n"
        /// Letters and spaces.
        case letters = "a"
        /// Letters, digits and spaces.
        case alphanumeric = "an"
        /// Printable characters (ISO 8859-1).
        case text = "ans"
        /// Track 2: digits and a separator `=` or `D`.
        case track2 = "z"
        /// A sign or other single character, then digits.
        case signedDigits = "x+n"
        /// Bytes.
        case binary = "b"
    }

    /// How content is written on the link.
    package enum ContentEncoding: String, Sendable, CaseIterable {
        /// One ASCII character each.
        case ascii
        /// One character of EBCDIC code page 500 each.
        case ebcdic
        /// Two digits a byte (`n`, `z`; of `x+n` all but the first character).
        case bcd
        /// Bytes as they are (`b`).
        case binary
        /// Two ASCII hex digits a byte (`b`).
        case hex
        /// Two EBCDIC hex digits a byte (`b`).
        case ebcdicHex
    }

    /// Fixed, or so many L's of length digits.
    package enum LengthKind: String, Sendable, CaseIterable {
        case fixed
        case lvar
        case llvar
        case lllvar
        case llllvar
        case lllllvar
        case llllllvar

        /// The number of L's; 0 for a fixed element.
        package var digits: Int { self == .fixed ? 0 : rawValue.utf8.count - 3 }
    }

    /// How a length indicator is written.
    package enum LengthEncoding: String, Sendable, CaseIterable {
        /// A digit each L.
        case ascii
        /// A digit of EBCDIC each L.
        case ebcdic
        /// Two L's a byte.
        case bcd
        /// A number: one byte for up to two L's, two bytes (the higher first) for more.
        case binary
    }

    /// What a length indicator counts.
    package enum LengthUnit: String, Sendable, CaseIterable {
        /// Decimal digits of packed content, hex digits of bytes written in hex.
        case digits
        /// Bytes: of packed content those on the link, of bytes written in hex those that they stand for.
        case bytes
    }

    /// What fills up an odd number of packed digits.
    package enum PadNibble: String, Sendable, CaseIterable {
        /// A zero before the digits.
        case left0
        /// A zero after them.
        case right0
        /// An F after them.
        case rightF
    }
}

extension ElementDefinition {
    /// The bytes of the length indicator; 0 for a fixed element.
    var lengthByteCount: Int {
        switch lengthEncoding {
        case _ where length == .fixed: 0
        case .ascii, .ebcdic: length.digits
        case .bcd: (length.digits + 1) / 2
        case .binary: length.digits <= 2 ? 1 : 2
        }
    }

    /// The greatest number that the length indicator can hold.
    var lengthIndicatorMax: Int {
        if lengthEncoding == .binary { return lengthByteCount == 1 ? 255 : 65535 }
        let digits = lengthEncoding == .bcd ? 2 * lengthByteCount : lengthByteCount
        return (0..<digits).reduce(1) { power, _ in power * 10 } - 1
    }

    /// The same, of a fixed element what it is given.
    func lengthIndicatorMax(or fixed: Int) -> Int {
        guard length != .fixed else { return fixed }
        let countsTwice = (encoding == .hex || encoding == .ebcdicHex) && lengthUnit == .digits
        return Swift.max(fixed, countsTwice ? lengthIndicatorMax / 2 : lengthIndicatorMax)
    }

    /// What cannot be as this definition says; nil if everything can.
    var contradiction: String? {
        guard max > 0 else { return "max has to be at least 1" }
        let packed = encoding == .bcd
        switch type {
        case .digits, .track2, .signedDigits:
            guard packed || encoding == .ascii || encoding == .ebcdic else {
                return "\(type.rawValue) cannot be written as \(encoding.rawValue)"
            }
        case .letters, .alphanumeric, .text:
            guard encoding == .ascii || encoding == .ebcdic else {
                return "\(type.rawValue) cannot be written as \(encoding.rawValue)"
            }
        case .binary:
            guard [.binary, .hex, .ebcdicHex].contains(encoding) else {
                return "b cannot be written as \(encoding.rawValue)"
            }
        }
        guard chipData == .tlv || type == .binary && length != .fixed else {
            return "a data set needs bytes of variable length"
        }
        guard content != .printable || !packed && type != .binary else {
            return "content printable is for characters"
        }
        guard !isFilled || length != .fixed && (encoding == .ascii || encoding == .ebcdic) else {
            return "filled content needs characters and a length indicator"
        }
        guard length != .fixed else { return nil }
        if type == .signedDigits, packed { return "packed x+n has to be fixed" }
        if packed, lengthUnit == .bytes, pad != .rightF {
            return "a length in bytes tells an odd number of digits only with pad rightF"
        }
        let hexDigits = encoding == .hex || encoding == .ebcdicHex
        let counted = hexDigits && lengthUnit == .digits ? 2 * max : max
        guard counted <= lengthIndicatorMax else {
            return "max \(max) does not fit into the length indicator"
        }
        return nil
    }
}
