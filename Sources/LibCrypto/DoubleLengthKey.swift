internal import CLibcrypto

/// A double-length TDES key held inline: sixteen bytes, no allocation, so that a million cards can each have
/// theirs. For test cards; the host has no such thing. It describes itself without its value.
package struct DoubleLengthKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Big endian.
    package let left: UInt64
    /// Big endian.
    package let right: UInt64

    package init(left: UInt64, right: UInt64) {
        self.left = left
        self.right = right
    }

    /// - Returns: nil unless there are sixteen bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        let value = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        self.init(left: UInt64(truncatingIfNeeded: value >> 64), right: UInt64(truncatingIfNeeded: value))
    }

    /// The same key with an odd number of ones in every byte (FIPS 46-3): derived DES keys are compared so.
    package var withOddParity: DoubleLengthKey {
        DoubleLengthKey(left: DoubleLengthKey.oddParity(left), right: DoubleLengthKey.oddParity(right))
    }

    private static func oddParity(_ half: UInt64) -> UInt64 {
        // Fold each byte's seven upper bits onto its lowest, then make that bit their complement.
        var folded = half >> 1 & 0x7F7F_7F7F_7F7F_7F7F
        folded ^= folded >> 4 & 0x0F0F_0F0F_0F0F_0F0F
        folded ^= folded >> 2 & 0x3F3F_3F3F_3F3F_3F3F
        folded ^= folded >> 1 & 0x7F7F_7F7F_7F7F_7F7F
        return half & 0xFEFE_FEFE_FEFE_FEFE | ~folded & 0x0101_0101_0101_0101
    }

    /// Lends left ‖ right ‖ left, the triple-length form.
    func withTripleLength<Result>(
        _ body: (UnsafeRawBufferPointer) throws(LibCryptoError) -> Result
    ) throws(LibCryptoError) -> Result {
        try DoubleLengthKey.withWiped([left.bigEndian, right.bigEndian, left.bigEndian], body)
    }

    /// Lends left ‖ left ‖ left, under which triple DES is single DES.
    func withLeftThrice<Result>(
        _ body: (UnsafeRawBufferPointer) throws(LibCryptoError) -> Result
    ) throws(LibCryptoError) -> Result {
        try DoubleLengthKey.withWiped([left.bigEndian, left.bigEndian, left.bigEndian], body)
    }

    private static func withWiped<Result>(
        _ words: consuming InlineArray<3, UInt64>,
        _ body: (UnsafeRawBufferPointer) throws(LibCryptoError) -> Result
    ) throws(LibCryptoError) -> Result {
        var words = words
        var span = words.mutableSpan
        return try span.withUnsafeMutableBytes { (raw) throws(LibCryptoError) in
            defer { OPENSSL_cleanse(raw.baseAddress, raw.count) }
            return try body(UnsafeRawBufferPointer(raw))
        }
    }

    /// Says what it is, not what it holds.
    package var description: String { "double-length TDES key" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
