extension CardDefinition {
    /// The digits that the test file gives this card, for a hint to whoever tests with it; cards of cardholders have
    /// no definition, and `PIN` itself shows nothing.
    package var testPINDigits: String { pin.testDigits }
}

extension PIN {
    fileprivate var testDigits: String {
        (0..<digitCount).map { String(field >> UInt64(4 * (13 - $0)) & 0x0F) }.joined()
    }
}
