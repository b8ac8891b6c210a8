import ByteCoding

/// Writes contents in the form of a dialect to a buffer that is large enough for all of them.
struct ElementWriter {
    let output: UnsafeMutablePointer<UInt8>
    var position = 0

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        output[position] = byte
        position += 1
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        (output + position).update(from: bytes, count: count)
        position += count
    }

    mutating func write(
        _ content: UnsafePointer<UInt8>, _ count: Int, _ spec: ElementSpec
    ) throws(MessageEncodingError.Reason) {
        let whole = spec.around == .dataSet ? count + ElementSpec.dataSetHeadBytes : count
        if spec.lengthForm == .fixed {
            guard count == Int(spec.max) else {
                throw .wrongLength(length: count, expected: Int(spec.max))
            }
        } else {
            guard whole <= Int(spec.max) else {
                throw .lengthOverMaximum(length: whole, maximum: Int(spec.max))
            }
        }
        let misfit = spec.type.firstMisfit(content, count)
        guard misfit == count else { throw .badCharacter(index: misfit) }
        if spec.lengthForm != .fixed { writeLength(spec.indicated(whole), spec) }
        if spec.around == .dataSet {
            let head = [0x01, UInt8(count >> 8), UInt8(count & 0xFF)]
            head.withUnsafeBufferPointer { bytes in
                if let base = bytes.baseAddress { writeBytes(base, bytes.count, spec.form) }
            }
        }
        switch spec.form {
        case .ascii, .binary:
            put(content, count)
        case .packed:
            pack(content, count, pad: spec.pad)
        case .signPacked:
            put(content[0])
            pack(content + 1, count - 1, pad: spec.pad)
        case .ebcdic:
            EBCDIC.fromLatin1.withUnsafeBufferPointer { table in
                for index in 0..<count {
                    output[position + index] = table[Int(content[index])]
                }
            }
            position += count
        case .hex, .ebcdicHex: writeBytes(content, count, spec.form)
        case .undefined:
            throw .unknownElement
        }
        if spec.around == .spaces {
            for _ in count..<Int(spec.max) { put(spec.form == .ebcdic ? 0x40 : 0x20) }
        }
    }

    /// As they are, or as hex digits.
    private mutating func writeBytes(
        _ content: UnsafePointer<UInt8>, _ count: Int, _ form: ElementSpec.Form
    ) {
        guard form != .binary else { return put(content, count) }
        let ebcdic = form == .ebcdicHex
        for index in 0..<count {
            put(HexForm.digit(content[index] >> 4, ebcdic: ebcdic))
            put(HexForm.digit(content[index] & 0x0F, ebcdic: ebcdic))
        }
    }

    private mutating func writeLength(_ length: Int, _ spec: ElementSpec) {
        var rest = length
        let bytes = Int(spec.lengthBytes)
        var index = position + bytes
        while index > position {
            index -= 1
            switch spec.lengthForm {
            case .ascii, .ebcdic:
                output[index] =
                    (spec.lengthForm == .ascii ? 0x30 : 0xF0) | UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            case .bcd:
                let pair = rest % 100
                output[index] = UInt8(truncatingIfNeeded: (pair / 10) << 4 | pair % 10)
                rest /= 100
            case .binary, .fixed:
                output[index] = UInt8(truncatingIfNeeded: rest)
                rest >>= 8
            }
        }
        position += bytes
    }

    /// Digits (and the separator of a track 2, `=` or `D`, as nibble D, its filling `F`) two to a byte.
    private mutating func pack(
        _ digits: UnsafePointer<UInt8>, _ count: Int, pad: ElementDefinition.PadNibble
    ) {
        var next = 0
        let odd = !count.isMultiple(of: 2)
        if odd, pad == .left0 {
            put(Self.nibble(digits[0]))
            next = 1
        }
        while next + 1 < count {
            put(Self.nibble(digits[next]) << 4 | Self.nibble(digits[next + 1]))
            next += 2
        }
        if odd, pad != .left0 {
            put(Self.nibble(digits[next]) << 4 | (pad == .rightF ? 0x0F : 0))
        }
    }

    /// The low nibble of a digit and of `=` is what goes out; only `D` and `F` (44, 46) differ.
    @inline(__always)
    private static func nibble(_ character: UInt8) -> UInt8 {
        character & 0x40 != 0 ? (character &- 0x37) & 0x0F : character & 0x0F
    }
}

extension ElementSpec {
    /// The number that the length indicator says for so much content.
    @inline(__always)
    func indicated(_ count: Int) -> Int {
        switch form {
        case .packed where countsBytes: (count + 1) / 2
        case .hex, .ebcdicHex: countsBytes ? count : 2 * count
        default: count
        }
    }
}
