/// The public part of the derivations of AES card keys: what is enciphered under the key above. Sixteen bytes give a
/// key of 128 bits; of 32, the leftmost give one of 192 or 256.
package enum AESKeyDerivation {
    /// Option C (EMV Book 2 A1.4.3): Y, which is PAN ‖ sequence number with zeros on the left, and for longer keys its
    /// complement after it.
    /// - Parameter keyByteCount: 16, 24 or 32.
    package static func masterKeyData(for card: CardIdentity, keyByteCount: Int) -> [UInt8] {
        let y = card.pan.packedWithSequenceNumber(card.panSequenceNumber)
        return keyByteCount == 16 ? bytes(y) : bytes(y) + bytes(~y)
    }

    /// Common session key (EMV Book 2 A1.3.1): ATC and zeros; for longer keys twice, the third byte F0 and 0F.
    /// - Parameter keyByteCount: 16, 24 or 32.
    package static func sessionKeyData(atc: ApplicationTransactionCounter, keyByteCount: Int) -> [UInt8] {
        let r = UInt128(atc.rawValue) << 112
        guard keyByteCount > 16 else { return bytes(r) }
        return bytes(r | 0xF0 << 104) + bytes(r | 0x0F << 104)
    }

    private static func bytes(_ value: UInt128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: value >> UInt128(8 * (15 - $0))) }
    }
}
