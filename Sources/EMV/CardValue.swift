/// What a card verification value is made over beside the PAN. CVV and CVC of the magnetic stripe take the stripe's
/// own service code, the chip's image of the stripe (iCVV) 999, the printed CVV2 000.
package struct CardValueInput: Hashable, Sendable {
    /// Four digits in BCD, in the order that the issuer uses: YYMM for stripe and chip, for CVV2 often MMYY.
    package let expiry: UInt16
    /// Three digits in BCD.
    package let serviceCode: UInt16

    /// Takes BCD digits; nil for anything else.
    package init?(expiry: UInt16, serviceCode: UInt16) {
        guard serviceCode <= 0x999, CardValueInput.isBCD(expiry), CardValueInput.isBCD(serviceCode) else {
            return nil
        }
        self.expiry = expiry
        self.serviceCode = serviceCode
    }

    /// The service code that stands for a chip's image of the magnetic stripe.
    package static let chipServiceCode: UInt16 = 0x999
    /// The service code that stands for the value printed on the card.
    package static let printedServiceCode: UInt16 = 0x000

    /// PAN ‖ expiry ‖ service code, zeros on the right to 32 digits: two blocks, big endian.
    package func blocks(for pan: PAN) -> (UInt64, UInt64) {
        let digits = pan.packed << 28 | UInt128(expiry) << 12 | UInt128(serviceCode)
        let filled = digits << UInt128(4 * (32 - pan.digitCount - 7))
        return (UInt64(truncatingIfNeeded: filled >> 64), UInt64(truncatingIfNeeded: filled))
    }

    private static func isBCD(_ value: UInt16) -> Bool {
        stride(from: 0, to: 16, by: 4).allSatisfy { value >> UInt16($0) & 0x0F <= 9 }
    }
}
