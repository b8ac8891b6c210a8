import EMV
import Testing

/// Amounts by the minor unit of their currency.
@Suite struct ISO4217Tests {
    @Test(arguments: [
        (752, "SEK", 2, "42.50 SEK"), (978, "EUR", 2, "42.50 EUR"), (840, "USD", 2, "42.50 USD"),
        (392, "JPY", 0, "4250 JPY"), (410, "KRW", 0, "4250 KRW"), (704, "VND", 0, "4250 VND"),
        (414, "KWD", 3, "4.250 KWD"), (48, "BHD", 3, "4.250 BHD"), (512, "OMR", 3, "4.250 OMR"),
        (990, "CLF", 4, "0.4250 CLF"), (348, "HUF", 2, "42.50 HUF"),
    ])
    func exponents(code: UInt16, name: String, exponent: Int, text: String) throws {
        let currency = try #require(ISO4217.currency(code))
        #expect(currency.alphabeticCode == name && currency.exponent == exponent)
        #expect(ISO4217.text(minorUnits: 4_250, numericCode: code) == text)
    }

    @Test func smallNegativeAndUnknown() {
        #expect(ISO4217.text(minorUnits: 5, numericCode: 752) == "0.05 SEK")
        #expect(ISO4217.text(minorUnits: 0, numericCode: 414) == "0.000 KWD")
        #expect(ISO4217.text(minorUnits: -105, numericCode: 752) == "-1.05 SEK")
        #expect(ISO4217.text(minorUnits: 7, numericCode: 36) == "0.07 AUD")
        #expect(ISO4217.currency(999) == nil && ISO4217.currency(1) == nil)
        #expect(ISO4217.text(minorUnits: 7, numericCode: 1) == "7 minor units of currency 001")
    }

    @Test func noCodeStandsTwice() {
        let all = (0...999 as ClosedRange<UInt16>).compactMap(ISO4217.currency)
        #expect(all.count > 150)
        #expect(Set(all.map(\.alphabeticCode)).count == all.count)
    }
}
