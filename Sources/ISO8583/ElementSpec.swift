/// An element's definition as the codec uses it: small, trivially copyable, one entry of a flat table.
struct ElementSpec: Sendable {
    var form: Form
    var type: CharacterClass
    var lengthForm: LengthForm
    var lengthBytes: UInt8
    /// The length indicator counts bytes where `form` would have it count digits.
    var countsBytes: Bool
    var pad: ElementDefinition.PadNibble
    /// What nibble D reads as; 0 where it is no separator, `anyNibble` where no nibble is refused.
    var separator: UInt8
    /// What stands around the content.
    var around = Around.nothing
    var max: UInt32

    /// Nibbles A to F become the characters behind the digit 9, so that they can be sent back as they came.
    static let anyNibble: UInt8 = 0x30

    /// The bytes before the objects of a data set.
    static let dataSetHeadBytes = 3

    /// A sentinel on either side of a track 2 and the check digit behind it, or a nibble or character of filling.
    private static let trackBytesAround = 3

    enum Around: UInt8, Sendable {
        case nothing
        /// `01` and two bytes of length before it.
        case dataSet
        /// Spaces behind it up to the greatest length.
        case spaces
    }

    enum Form: UInt8, Sendable {
        case undefined
        case ascii
        case ebcdic
        case packed
        case signPacked
        case binary
        case hex
        case ebcdicHex
    }

    enum LengthForm: UInt8, Sendable {
        case fixed
        case ascii
        case ebcdic
        case bcd
        case binary
    }

    static let undefined = ElementSpec(
        form: .undefined, type: .any, lengthForm: .fixed, lengthBytes: 0, countsBytes: false, pad: .left0,
        separator: 0, max: 0)
}

extension ElementSpec {
    init(_ definition: ElementDefinition) {
        form =
            switch definition.encoding {
            case .ascii: .ascii
            case .ebcdic: .ebcdic
            case .bcd: definition.type == .signedDigits ? .signPacked : .packed
            case .binary: .binary
            case .hex: .hex
            case .ebcdicHex: .ebcdicHex
            }
        type = CharacterClass(definition)
        lengthForm =
            switch definition.lengthEncoding {
            case _ where definition.length == .fixed: .fixed
            case .ascii: .ascii
            case .ebcdic: .ebcdic
            case .bcd: .bcd
            case .binary: .binary
            }
        lengthBytes = UInt8(definition.lengthByteCount)
        countsBytes = definition.lengthUnit == .bytes
        pad = definition.pad
        let (isTrack, isAny) = (definition.type == .track2, definition.content == .any)
        separator = isTrack ? definition.separator : isAny ? ElementSpec.anyNibble : 0
        around = definition.chipData == .dataSet01 ? .dataSet : definition.isFilled ? .spaces : .nothing
        let more =
            isTrack && definition.length != .fixed && !definition.isFilled ? ElementSpec.trackBytesAround : 0
        max = UInt32(min(definition.max + more, definition.lengthIndicatorMax(or: definition.max)))
    }

    /// Whether a length of the indicator is in hex digits, two for each byte of content.
    var countsHexDigits: Bool { (form == .hex || form == .ebcdicHex) && !countsBytes }
}

/// The sets of characters that elements consist of; content is checked as ASCII, whatever it came in.
enum CharacterClass: UInt8, Sendable {
    case digits
    case letters
    case alphanumeric
    case printable
    /// Packed: digits, separator, the nibble F that fills up, and the start sentinel `;` as a stripe has it, nibble B.
    case track2
    /// In characters: the sixteen of track 2 (ISO/IEC 7811-2 table 4), sentinels among them, `D` for the separator in
    /// either case, and the filling `F`, blanks or NUL.
    case track2Characters
    case signedDigits
    /// What comes of packed digits of which none is refused.
    case nibbles
    /// The same behind one character.
    case signedNibbles
    case any

    init(_ definition: ElementDefinition) {
        let isPacked = definition.encoding == .bcd
        switch (definition.content, definition.type) {
        case (.type, _), (_, .binary), (_, .track2): self.init(definition.type, isPacked: isPacked)
        case (.printable, _): self = .printable
        case (.any, .signedDigits) where isPacked: self = .signedNibbles
        case (.any, _): self = isPacked ? .nibbles : .any
        }
    }

    private init(_ type: ElementDefinition.ContentType, isPacked: Bool) {
        self =
            switch type {
            case .digits: .digits
            case .letters: .letters
            case .alphanumeric: .alphanumeric
            case .text: .printable
            case .track2: isPacked ? .track2 : .track2Characters
            case .signedDigits: .signedDigits
            case .binary: .any
            }
    }

    /// Index of the first character that is not of the class, `count` if there is none.
    @inline(__always)
    func firstMisfit(_ content: UnsafePointer<UInt8>, _ count: Int) -> Int {
        switch self {
        case .any: count
        case .digits: Self.firstNonDigit(content, count, from: 0)
        case .printable: Self.firstUnprintable(content, count)
        default: slowMisfit(content, count)
        }
    }

    private func slowMisfit(_ content: UnsafePointer<UInt8>, _ count: Int) -> Int {
        switch self {
        case .letters: Self.first(content, count) { Self.isLetter($0) || $0 == 0x20 }
        case .alphanumeric:
            Self.first(content, count) { $0 &- 0x30 <= 9 || Self.isLetter($0) || $0 == 0x20 }
        case .track2:
            Self.first(content, count) {
                $0 &- 0x30 <= 9 || $0 == 0x3D || $0 == 0x44 || $0 == 0x46 || $0 == 0x3B
            }
        case .track2Characters:
            Self.first(content, count) {
                $0 &- 0x30 <= 0x0F || $0 | 0x20 == 0x64 || $0 | 0x20 == 0x66 || $0 & 0xDF == 0
            }
        case .nibbles: Self.first(content, count) { $0 &- 0x30 <= 0x0F || $0 == 0x44 }
        case .signedNibbles:
            count > 0 ? Self.nibbles.slowMisfit(content + 1, count - 1) + 1 : 0
        case .signedDigits:
            count > 0 && Self.alphanumeric.slowMisfit(content, 1) == 0
                ? 0 : Self.firstNonDigit(content, count, from: 1)
        case .digits, .printable, .any: firstMisfit(content, count)
        }
    }

    @inline(__always)
    private static func isLetter(_ character: UInt8) -> Bool {
        (character | 0x20) &- 0x61 < 26
    }

    @inline(__always)
    private static func first(
        _ content: UnsafePointer<UInt8>, _ count: Int, fits: (UInt8) -> Bool
    ) -> Int {
        for index in 0..<count where !fits(content[index]) {
            return index
        }
        return count
    }

    @inline(__always)
    private static func firstNonDigit(_ content: UnsafePointer<UInt8>, _ count: Int, from start: Int) -> Int {
        var index = start
        // Eight at a time: the high nibble is 3, and adding 6 to the low nibble does not carry into it.
        while count - index >= 8 {
            let word = UnsafeRawPointer(content + index).loadUnaligned(as: UInt64.self)
            let high = word & 0xF0F0_F0F0_F0F0_F0F0
            let carried = (word &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0
            guard (high ^ 0x3030_3030_3030_3030) | (carried ^ high) == 0 else { break }
            index += 8
        }
        while index < count {
            guard content[index] &- 0x30 <= 9 else { return index }
            index += 1
        }
        return count
    }

    @inline(__always)
    private static func firstUnprintable(_ content: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var index = 0
        // 00-1F and 80-9F have neither bit 6 nor bit 5; 7F is the other control character. Eight at a time.
        while count - index >= 8 {
            let word = UnsafeRawPointer(content + index).loadUnaligned(as: UInt64.self)
            let graphic = (word | word &<< 1) & 0x4040_4040_4040_4040
            let deleted = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let zeroBytes = (deleted &- 0x0101_0101_0101_0101) & ~deleted & 0x8080_8080_8080_8080
            guard (graphic ^ 0x4040_4040_4040_4040) | zeroBytes == 0 else { break }
            index += 8
        }
        while index < count {
            let character = content[index]
            guard character & 0x60 != 0, character != 0x7F else { return index }
            index += 1
        }
        return count
    }
}
