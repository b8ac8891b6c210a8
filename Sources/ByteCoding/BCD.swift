/// Decimal digits packed two to a byte, the first digit in the high nibble (ISO 8583 "n" in packed form).
/// Digits outside are ASCII. A nibble above 9 is never taken for a digit.
package enum BCD {
    /// Where the pad nibble of an odd number of digits stands.
    package enum Pad: Sendable, Equatable {
        /// A zero before the first digit: `123` is `01 23`.
        case leftZero
        /// An F after the last digit: `123` is `12 3F`.
        case rightF
    }

    /// The bytes that hold `count` digits.
    package static func byteCount(ofDigits count: Int) -> Int { (count + 1) / 2 }

    /// ASCII digits, two for each byte; every nibble has to be a digit.
    package static func decode(_ bytes: some Sequence<UInt8>) throws(ByteCodingError) -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * bytes.underestimatedCount)
        for byte in bytes {
            guard byte >> 4 <= 9 else { throw .notADecimalNibble(index: digits.count) }
            digits.append(0x30 | byte >> 4)
            guard byte & 0x0F <= 9 else { throw .notADecimalNibble(index: digits.count) }
            digits.append(0x30 | byte & 0x0F)
        }
        return digits
    }

    /// Exactly `count` ASCII digits out of `byteCount(ofDigits: count)` bytes; the pad nibble of an odd count
    /// has to be the one that `pad` says. Bytes behind them are not looked at.
    package static func decode(
        _ bytes: some Collection<UInt8>, digitCount count: Int, pad: Pad
    ) throws(ByteCodingError) -> [UInt8] {
        let needed = byteCount(ofDigits: count)
        guard bytes.count >= needed else { throw .tooFewBytes(needed: needed, given: bytes.count) }
        var nibbles: [UInt8] = []
        nibbles.reserveCapacity(2 * needed)
        for byte in bytes.prefix(needed) {
            nibbles.append(byte >> 4)
            nibbles.append(byte & 0x0F)
        }
        var first = 0
        if !count.isMultiple(of: 2) {
            switch pad {
            case .leftZero:
                guard nibbles[0] == 0 else { throw .wrongPadNibble(index: 0) }
                first = 1
            case .rightF:
                guard nibbles[count] == 0x0F else { throw .wrongPadNibble(index: count) }
            }
        }
        for index in first..<first + count {
            guard nibbles[index] <= 9 else { throw .notADecimalNibble(index: index) }
            nibbles[index] |= 0x30
        }
        return Array(nibbles[first..<first + count])
    }

    /// ASCII digits packed; an odd number of them is filled up as `pad` says.
    package static func encode(
        _ digits: some Collection<UInt8>, pad: Pad = .leftZero
    ) throws(ByteCodingError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount(ofDigits: digits.count))
        let odd = !digits.count.isMultiple(of: 2)
        var high: UInt8? = odd && pad == .leftZero ? 0 : nil
        for (index, character) in digits.enumerated() {
            guard character &- 0x30 <= 9 else { throw .notADecimalDigit(index: index) }
            let nibble = character &- 0x30
            if let first = high {
                bytes.append(first << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        if let last = high { bytes.append(last << 4 | 0x0F) }
        return bytes
    }
}
