internal import ByteCoding

/// Packed digits and hex digits on the way out.
extension MessageCodec {
    /// The bytes of the message.
    package func encode(_ message: Message) throws(MessageEncodingError) -> [UInt8] {
        var bytes: [UInt8] = []
        try encode(message, into: &bytes)
        return bytes
    }
}

extension MessageEncodingError.Reason: Error {}

extension ElementWriter {
    /// In hex digits, or shorter than usual.
    mutating func writeOtherBitmap(_ value: UInt64, bits: Int, encoding: Dialect.Bitmap.Encoding) {
        // The bits to be written stand at the top; each step takes the uppermost nibble or byte off.
        var rest = value
        let ebcdic = encoding == .ebcdicHex
        for _ in 0..<(encoding == .binary ? bits / 8 : bits / 4) {
            if encoding == .binary {
                put(UInt8(truncatingIfNeeded: rest &>> 56))
                rest &<<= 8
            } else {
                put(HexForm.digit(UInt8(truncatingIfNeeded: rest &>> 60), ebcdic: ebcdic))
                rest &<<= 4
            }
        }
    }

    mutating func writeEBCDIC(_ content: UnsafePointer<UInt8>, _ count: Int) {
        EBCDIC.fromLatin1.withUnsafeBufferPointer { table in
            for index in 0..<count { output[position + index] = table[Int(content[index])] }
        }
        position += count
    }

    /// As they are, or as hex digits.
    mutating func writeBytes(
        _ content: UnsafePointer<UInt8>, _ count: Int, form: ElementSpec.Form
    ) {
        guard form != .binary else { return put(content, count) }
        let ebcdic = form == .ebcdicHex
        for index in 0..<count {
            put(HexForm.digit(content[index] >> 4, ebcdic: ebcdic))
            put(HexForm.digit(content[index] & 0x0F, ebcdic: ebcdic))
        }
    }

    /// Digits (and the separator of a track 2, `=` or `D`, as nibble D, its filling `F`) two to a byte.
    mutating func pack(
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
