internal import ByteCoding

/// Goes through the bytes of a message and writes the contents of its elements, one behind the other, to a
/// storage that is large enough for twice the bytes of the message.
struct ElementReader {
    let input: UnsafePointer<UInt8>
    let end: Int
    var position: Int
    let output: UnsafeMutablePointer<UInt8>
    var written = 0
    /// The element being read, for faults.
    var element: DataElement = .secondaryBitmap

    /// Reads one element at `position`; its content stands at `written` of the output before the call.
    mutating func read(_ spec: ElementSpec) throws(Fault) -> Message.Extent {
        let start = position
        var count = Int(spec.max)
        if let form = spec.lengthForm {
            count = try readLength(spec, form)
            if spec.countsHexDigits {
                guard count.isMultiple(of: 2) else { throw fault(.oddHexLength(count), at: start) }
                count /= 2
            }
            if spec.form == .packed, spec.countsBytes {
                count = try digitCount(inBytes: count, pad: spec.pad)
            }
        }
        guard count <= Int(spec.max) else {
            throw fault(.lengthOverMaximum(length: count, maximum: Int(spec.max)), at: start)
        }
        switch spec.form {
        case .ascii: try readASCII(count, spec.type)
        case .binary: try readBinary(count)
        case .packed: try readPacked(count, pad: spec.pad, separator: spec.separator)
        default: try readOther(spec, count, at: start)
        }
        var extent = Message.Extent(offset: written, count: count)
        switch spec.around {
        case .nothing: break
        case .dataSet: extent = try openedDataSet(count, at: start)
        case .spaces:
            try need(Int(spec.max) - count)
            position += Int(spec.max) - count
        }
        written += count
        return extent
    }

    @inline(__always)
    func need(_ count: Int) throws(Fault) {
        if end - position < count {
            throw fault(.truncated(bytesMissing: count - (end - position)), at: end)
        }
    }

    @inline(__always)
    mutating func readLength(_ spec: ElementSpec, _ form: NumberForm) throws(Fault) -> Int {
        let bytes = Int(spec.lengthBytes)
        try need(bytes)
        var length = 0
        for index in position..<position + bytes {
            let value = form.value(input[index])
            guard value < form.radix else { throw fault(.badLengthDigits, at: position) }
            length = length &* form.radix &+ value
        }
        position += bytes
        return length
    }

    @inline(__always)
    mutating func readASCII(_ count: Int, _ type: CharacterClass) throws(Fault) {
        try need(count)
        let misfit = type.firstMisfit(input + position, count)
        guard misfit == count else { throw misfitFault(type, at: position + misfit) }
        (output + written).update(from: input + position, count: count)
        position += count
    }

    @inline(__always)
    private mutating func readBinary(_ count: Int) throws(Fault) {
        try need(count)
        (output + written).update(from: input + position, count: count)
        position += count
    }
}

extension ElementSpec {
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
}
