import EMV
import Testing

@Suite("Card verification values: the public part")
struct CardValueTests {
    @Test func panExpiryAndServiceCodeStandInTwoBlocks() throws {
        let input = try #require(CardValueInput(expiry: 0x8701, serviceCode: 0x101))
        let (first, second) = input.blocks(for: try PAN("4123456789012345"))
        #expect(first == 0x4123_4567_8901_2345 && second == 0x8701_1010_0000_0000)
        // A PAN of nineteen digits pushes the rest to the right.
        let (long, rest) = input.blocks(for: try PAN("1234567890123456789"))
        #expect(long == 0x1234_5678_9012_3456 && rest == 0x7898_7011_0100_0000)
    }

    @Test func onlyDecimalDigitsMakeAnInput() {
        #expect(CardValueInput(expiry: 0x2A12, serviceCode: 0x101) == nil)
        #expect(CardValueInput(expiry: 0x2912, serviceCode: 0x10F) == nil)
        #expect(CardValueInput(expiry: 0x2912, serviceCode: 0x1000) == nil)
    }

    @Test func lettersFollowWhenDigitsAreUsedUp() {
        #expect(Decimalisation.digits(0xA1B2_C3D4_E5F6_0000, count: 4) == 0x1234)
        #expect(Decimalisation.digits(0xABCD_EFAB_CDEF_ABC9, count: 3) == 0x901)
        #expect(Decimalisation.digits(0xFFFF_FFFF_FFFF_FFFF, count: 4) == 0x5555)
    }
}
