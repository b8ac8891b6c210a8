package import EMV

/// A PIN of 4…12 digits, held inline. It describes itself without its value.
package struct PIN: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// BCD, left-aligned in the upper 48 bits' place of a block: the first digit is the third nibble.
    let field: UInt64
    /// 4…12.
    package let digitCount: Int

    /// - Returns: nil unless the text is 4…12 decimal digits (ISO 9564-1 8.1).
    package init?(_ digits: String) {
        let ascii = Array(digits.utf8)
        guard (4...12).contains(ascii.count), ascii.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        let value = ascii.reduce(UInt64(0)) { $0 << 4 | UInt64($1 - 0x30) }
        self.init(field: value << UInt64(4 * (14 - ascii.count)), digitCount: ascii.count)
    }

    private init(field: UInt64, digitCount: Int) {
        self.field = field
        self.digitCount = digitCount
    }

    /// The fourteen nibbles after the control nibble and the length: the PIN, then fill.
    /// - Parameter fill: fourteen nibbles, of which those that the PIN covers are ignored.
    func field(filledWith fill: UInt64) -> UInt64 {
        field | fill & (1 << UInt64(4 * (14 - digitCount)) - 1)
    }

    /// Reads length and PIN of a clear PIN field.
    /// - Returns: nil where the length is not 4…12, a digit is none or a fill nibble is not allowed.
    init?(clearField block: UInt64, fill: ClosedRange<UInt64>) {
        let count = Int(block >> 56 & 0x0F)
        guard (4...12).contains(count) else { return nil }
        for index in 0..<14 {
            let nibble = block >> UInt64(4 * (13 - index)) & 0x0F
            guard index < count ? nibble <= 9 : fill.contains(nibble) else { return nil }
        }
        let kept = ~((UInt64(1) << UInt64(4 * (14 - count))) - 1) & 0x00FF_FFFF_FFFF_FFFF
        self.init(field: block & kept, digitCount: count)
    }

    /// Says what it is, not what it holds.
    package var description: String { "PIN of \(digitCount) digits" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A PIN block of sixteen bytes, enciphered with AES (format 4). Has no description of its content.
package struct EncipheredPINBlock16: Hashable, Sendable {
    /// Big endian.
    package let rawValue: UInt128

    package init(rawValue: UInt128) { self.rawValue = rawValue }

    /// The sixteen bytes.
    package var bytes: [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: rawValue >> UInt128(8 * (15 - $0))) }
    }
}

/// A clear PIN block that is none. Says which rule it breaks, never what it holds.
package enum PINBlockError: Error, Hashable, Sendable {
    /// The first nibble is not the format's number.
    case wrongControlField
    /// Length, digits or fill are impossible: a corrupt block, the wrong key or the wrong PAN.
    case unreadable
}

/// Clear PIN blocks (ISO 9564-1 9.3 and 9.4). Only simulators of terminals may have these.
package enum ClearPINBlock {
    /// Format 0: `0` length PIN F…, xor the account field.
    package static func format0(_ pin: PIN, pan: PAN) -> UInt64 {
        head(0, pin, fill: .max) ^ PINBlock.panField(for: pan)
    }

    /// Format 1: `1` length PIN fill; not bound to an account.
    /// - Parameter fill: fourteen nibbles, any; those under the PIN are ignored.
    package static func format1(_ pin: PIN, fill: UInt64) -> UInt64 { head(1, pin, fill: fill) }

    /// Format 3: as 0, filled with A…F.
    /// - Parameter fill: fourteen nibbles, made A…F here; those under the PIN are ignored.
    package static func format3(_ pin: PIN, pan: PAN, fill: UInt64) -> UInt64 {
        head(3, pin, fill: lettersOnly(fill)) ^ PINBlock.panField(for: pan)
    }

    /// The PIN field of format 4: `4` length PIN A…, then eight bytes of fill. Not yet enciphered.
    package static func format4PINField(_ pin: PIN, fill: UInt64) -> UInt128 {
        UInt128(head(4, pin, fill: 0xAAAA_AAAA_AAAA_AAAA)) << 64 | UInt128(fill)
    }

    private static func head(_ control: UInt64, _ pin: PIN, fill: UInt64) -> UInt64 {
        control << 60 | UInt64(pin.digitCount) << 56 | pin.field(filledWith: fill)
    }

    /// Nibbles under ten get bit 3 and bit 1 set, which makes every nibble one of A, B, E and F or leaves it.
    private static func lettersOnly(_ fill: UInt64) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 4) {
            let nibble = fill >> UInt64(shift) & 0x0F
            result |= (nibble >= 10 ? nibble : nibble | 0x0A) << UInt64(shift)
        }
        return result
    }

    /// The PIN of a clear block of eight bytes.
    package static func pin(
        of block: UInt64, format: PINBlockFormat, pan: PAN?
    ) throws(PINBlockError) -> PIN {
        guard block >> 60 == UInt64(format.rawValue), format != .iso4 else { throw .wrongControlField }
        var field = block
        if format.isBoundToPAN {
            guard let pan else { throw .unreadable }
            field ^= PINBlock.panField(for: pan)
        }
        let fill: ClosedRange<UInt64> =
            switch format {
            case .iso0: 0xF...0xF
            case .iso3: 0xA...0xF
            case .iso1, .iso4: 0...0xF
            }
        guard let pin = PIN(clearField: field, fill: fill) else { throw .unreadable }
        return pin
    }

    /// The PIN of a deciphered PIN field of format 4.
    package static func pin(ofFormat4PINField field: UInt128) throws(PINBlockError) -> PIN {
        let head = UInt64(truncatingIfNeeded: field >> 64)
        guard head >> 60 == 4 else { throw .wrongControlField }
        guard let pin = PIN(clearField: head, fill: 0xA...0xA) else { throw .unreadable }
        return pin
    }
}
