/// PIN block formats of ISO 9564-1 that a host receives; the number is the control field. Format 2 is for the
/// card alone.
package enum PINBlockFormat: UInt8, Sendable, CaseIterable {
    /// TDES, bound to the PAN, filled with F.
    case iso0 = 0
    /// TDES, not bound to the PAN, filled with a unique value.
    case iso1 = 1
    /// TDES, bound to the PAN, filled with random A…F.
    case iso3 = 3
    /// AES, sixteen bytes, bound to the PAN in a second step.
    case iso4 = 4

    /// Bytes of the enciphered block.
    package var byteCount: Int { self == .iso4 ? 16 : 8 }
    /// True if the block cannot be read without the PAN it was made for.
    package var isBoundToPAN: Bool { self != .iso1 }
}

/// PIN lengths that ISO 9564-1 knows (8.1).
package let pinDigits = 4...12

extension EncipheredPINBlock {
    /// Nothing of the block.
    package var description: String { "enciphered PIN block" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The public part of PIN blocks: no PIN is here.
package enum PINBlock {
    /// The account field of formats 0 and 3 (ISO 9564-1 9.3.2.3): four zero digits and the twelve rightmost
    /// PAN digits without the check digit, zeros before them where the PAN is shorter. Eight bytes, big endian.
    package static func panField(for pan: PAN) -> UInt64 {
        UInt64(truncatingIfNeeded: pan.packed >> 4) & 0x0000_FFFF_FFFF_FFFF
    }

    /// The account field of format 4 (ISO 9564-1 9.4.2.3): a digit for the PAN's length over twelve, the PAN,
    /// zeros to 32 digits. A PAN under twelve digits is filled with zeros on the left to twelve. Sixteen bytes,
    /// big endian.
    package static func format4PANField(for pan: PAN) -> UInt128 {
        let digits = max(pan.digitCount, 12)
        return UInt128(digits - 12) << 124 | pan.packed << UInt128(4 * (31 - digits))
    }

    /// What turns a clear format 4 PIN field of so many digits (ISO 9564-1 9.4.2.2), its first eight bytes, into the
    /// one of format 0 (9.3.2.2): the control field 4 becomes 0, each fill digit A an F.
    package static func format4Difference(digitCount: Int) -> UInt64 {
        0x4000_0000_0000_0000 | 0x0055_5555_5555_5555 & (1 << UInt64(4 * (14 - digitCount)) - 1)
    }
}
