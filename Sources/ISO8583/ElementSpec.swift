/// An element's definition as the codec uses it: small, trivially copyable, one entry of a flat table.
struct ElementSpec: Sendable {
    var form: Form
    var type: CharacterClass
    /// Nil: of fixed length.
    var lengthForm: NumberForm?
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

    static let undefined = ElementSpec(
        form: .undefined, type: .any, lengthForm: nil, lengthBytes: 0, countsBytes: false, pad: .left0,
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
            case _ where definition.length == .fixed: nil
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
}

extension CharacterClass {
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

    @inline(__always)
    static func isLetter(_ character: UInt8) -> Bool {
        (character | 0x20) &- 0x61 < 26
    }

    @inline(__always)
    static func firstUnprintable(_ content: UnsafePointer<UInt8>, _ count: Int) -> Int {
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
