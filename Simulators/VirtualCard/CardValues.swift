package import EMV
package import LibCrypto

/// Card verification values as a bureau encodes and prints them: CVV of the stripe, iCVV of the chip, CVV2. With
/// libcrypto, and nothing of the host's. It describes itself without its key.
package struct CardValues: Sendable, CustomReflectable {
    private let key: [UInt8]

    /// - Parameter cardVerificationKey: a test key of sixteen bytes.
    package init(cardVerificationKey: DoubleLengthKey) {
        key = [cardVerificationKey.left, cardVerificationKey.right].flatMap(CardValues.bytes)
    }

    /// Three digits: the first block under the left half, the second added, the sum under the whole key, decimalised
    /// from the left (Visa Payment Technology Standards, CVV).
    package func value(_ input: CardValueInput, of pan: PAN) throws(LibCryptoError) -> String {
        try value(of: input.blocks(for: pan))
    }

    /// Visa's dCVV: the same with the ATC in place of the PAN's first four digits.
    /// - Parameter atc: its last four digits in BCD.
    func value(_ input: CardValueInput, of pan: PAN, atc: UInt16) throws(LibCryptoError) -> String {
        try value(of: input.blocks(for: pan, atc: atc))
    }

    private func value(of blocks: (UInt64, UInt64)) throws(LibCryptoError) -> String {
        let (first, second) = blocks
        // Triple DES with equal halves is single DES.
        let left = Array(key.prefix(8) + key.prefix(8))
        let chained = CardValues.word(try TDES.encryptECB(key: left, CardValues.bytes(first))) ^ second
        let block = CardValues.word(try TDES.encryptECB(key: key, CardValues.bytes(chained)))
        let digits = String(Decimalisation.digits(block, count: 3), radix: 16)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    private static func word(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
