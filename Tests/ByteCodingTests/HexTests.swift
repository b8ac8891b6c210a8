import ByteCoding
import Testing

@Suite("Hex")
struct HexTests {
    @Test func everyByteGoesThereAndBack() throws {
        let bytes = Array(0...255) as [UInt8]
        let text = Hex.encode(bytes)
        #expect(text.hasPrefix("000102") && text.hasSuffix("FDFEFF"))
        #expect(try Hex.decode(text) == bytes)
        #expect(try Hex.decode(text.lowercased()) == bytes)
        #expect(try Hex.decode("") == [])
    }

    @Test func badTextIsRefusedWithTheIndex() {
        #expect(throws: ByteCodingError.oddNumberOfHexDigits(count: 3)) { try Hex.decode("ABC") }
        for (text, index) in [("G0", 0), ("0g", 1), ("00 1", 2), ("0011x1", 4), ("00é", 2)] {
            #expect(throws: ByteCodingError.notAHexDigit(index: index)) { try Hex.decode(text) }
        }
    }

    @Test func onlyTwentyTwoCharactersAreDigits() {
        let digits = (0...255).filter { Hex.nibble(UInt8($0)) != nil }
        #expect(digits == Array("0123456789ABCDEFabcdef".utf8).map(Int.init).sorted())
        for value in 0...15 as ClosedRange<UInt8> {
            #expect(Hex.nibble(Hex.digit(value)) == value)
        }
    }
}
