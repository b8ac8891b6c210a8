/// Hexadecimal text.
package enum Hex {
    /// - Parameter text: an even number of hex digits of either case, without separators.
    /// - Throws: `ByteCodingError` with the offset of the character at fault.
    package static func decode(_ text: some StringProtocol) throws(ByteCodingError) -> [UInt8] {
        try decode(ascii: Array(text.utf8))
    }

    /// The same for ASCII bytes.
    package static func decode(ascii: [UInt8]) throws(ByteCodingError) -> [UInt8] {
        guard ascii.count.isMultiple(of: 2) else { throw .oddNumberOfHexDigits(count: ascii.count) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ascii.count / 2)
        for offset in stride(from: 0, to: ascii.count, by: 2) {
            guard let high = nibble(ascii[offset]) else { throw .notAHexDigit(index: offset) }
            guard let low = nibble(ascii[offset + 1]) else { throw .notAHexDigit(index: offset + 1) }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// Upper case, two digits a byte.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.underestimatedCount)
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0x0F))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The value of one ASCII hex digit, nil where it is none.
    package static func nibble(_ ascii: UInt8) -> UInt8? {
        switch ascii {
        case 0x30...0x39: ascii &- 0x30
        case 0x41...0x46: ascii &- 0x37
        case 0x61...0x66: ascii &- 0x57
        default: nil
        }
    }

    /// The upper-case ASCII digit of 0…15.
    package static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x37 }
}
