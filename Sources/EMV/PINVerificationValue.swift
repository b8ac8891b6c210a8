/// A Visa PIN verification value with the index of the key that it was made under.
package struct PINVerificationValue: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// PVKI, 0…9. The issuer keeps 0 for cards whose PIN is not verified so.
    package let keyIndex: UInt8
    /// Four digits in BCD.
    package let digits: UInt16

    /// - Returns: nil for an index over 9 or digits that are not decimal.
    package init?(keyIndex: UInt8, digits: UInt16) {
        guard keyIndex <= 9, stride(from: 0, to: 16, by: 4).allSatisfy({ digits >> UInt16($0) & 0x0F <= 9 })
        else { return nil }
        self.keyIndex = keyIndex
        self.digits = digits
    }

    /// Nothing of the digits.
    package var description: String { "PVV under key \(keyIndex)" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// - Parameters:
    ///   - keyIndex: 0…9.
    ///   - enciphered: the transformed security parameter under the verification key.
    package init?(keyIndex: UInt8, enciphered: UInt64) {
        self.init(keyIndex: keyIndex, digits: Decimalisation.digits(enciphered, count: 4))
    }

    /// The public part of the transformed security parameter: the eleven rightmost PAN digits without the check
    /// digit, and the key's index. Six bytes, in the low bits; the four leftmost PIN digits follow.
    package static func publicPart(for pan: PAN, keyIndex: UInt8) -> UInt64 {
        (UInt64(truncatingIfNeeded: pan.packed >> 4) & 0x0FFF_FFFF_FFFF) << 4 | UInt64(keyIndex & 0x0F)
    }
}
