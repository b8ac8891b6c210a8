import ByteCoding
import Testing

@Suite("BCD")
struct BCDTests {
    @Test func digitsArePackedAndPadded() throws {
        #expect(try BCD.encode(Array("1234".utf8)) == [0x12, 0x34])
        #expect(try BCD.encode(Array("123".utf8)) == [0x01, 0x23])
        #expect(try BCD.encode(Array("123".utf8), pad: .rightF) == [0x12, 0x3F])
        #expect(try BCD.encode([]) == [])
        #expect(throws: ByteCodingError.notADecimalDigit(index: 2)) { try BCD.encode(Array("12A".utf8)) }
    }

    @Test func everyNumberOfDigitsGoesThereAndBack() throws {
        for count in 0...20 {
            let digits = (0..<count).map { UInt8(0x30 + ($0 * 7 + 3) % 10) }
            for pad in [BCD.Pad.leftZero, .rightF] {
                let bytes = try BCD.encode(digits, pad: pad)
                #expect(bytes.count == BCD.byteCount(ofDigits: count))
                #expect(try BCD.decode(bytes, digitCount: count, pad: pad) == digits)
            }
        }
    }

    @Test func nibblesAboveNineAreNoDigits() throws {
        for nibble in 10...15 as ClosedRange<UInt8> {
            #expect(throws: ByteCodingError.notADecimalNibble(index: 0)) { try BCD.decode([nibble << 4]) }
            #expect(throws: ByteCodingError.notADecimalNibble(index: 3)) {
                try BCD.decode([0x12, 0x30 | nibble])
            }
            #expect(throws: ByteCodingError.notADecimalNibble(index: 1)) {
                try BCD.decode([0x10 | nibble, 0x3F], digitCount: 3, pad: .rightF)
            }
        }
        #expect(try BCD.decode([0x09, 0x87]) == Array("0987".utf8))
    }

    @Test func thePadHasToBeTheRightOne() {
        #expect(throws: ByteCodingError.wrongPadNibble(index: 3)) {
            try BCD.decode([0x12, 0x30], digitCount: 3, pad: .rightF)
        }
        #expect(throws: ByteCodingError.wrongPadNibble(index: 0)) {
            try BCD.decode([0x11, 0x23], digitCount: 3, pad: .leftZero)
        }
        #expect(throws: ByteCodingError.tooFewBytes(needed: 2, given: 1)) {
            try BCD.decode([0x12], digitCount: 3, pad: .rightF)
        }
    }
}

@Suite("EBCDIC")
struct EBCDICTests {
    @Test func isAPermutationAndItsInverse() {
        #expect(Set(EBCDIC.toLatin1).count == 256)
        for value in 0...255 {
            #expect(Int(EBCDIC.toLatin1[Int(EBCDIC.fromLatin1[value])]) == value)
        }
    }

    @Test func hasTheKnownPlaces() {
        let known: [(UInt8, String)] = [
            (0x40, " "), (0x4B, "."), (0x5A, "]"), (0x4A, "["), (0x61, "/"), (0x6D, "_"), (0x7E, "="),
            (0x81, "a"), (0x99, "r"), (0xA9, "z"), (0xC1, "A"), (0xD1, "J"), (0xE2, "S"), (0xF0, "0"),
            (0xF9, "9"),
        ]
        for (ebcdic, character) in known {
            #expect(EBCDIC.toLatin1[Int(ebcdic)] == character.utf8.first)
        }
    }
}
