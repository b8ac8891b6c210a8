import ByteCoding
import Testing

@Suite("SecretBytes")
struct SecretBytesTests {
    private struct Refused: Error {}

    @Test func holdsWhatItWasGiven() {
        let secret = SecretBytes(copying: [1, 2, 3])
        #expect(secret.count == 3)
        let same = secret.withUnsafeBytes { Array($0) == [1, 2, 3] }
        #expect(same)
        let empty = SecretBytes(copying: [])
        #expect(empty.count == 0)
    }

    @Test func startsAsZerosAndIsFilledInPlace() {
        let secret = SecretBytes(count: 4) { bytes in bytes[2] = 7 }
        let same = secret.withUnsafeBytes { Array($0) == [0, 0, 7, 0] }
        #expect(same)
    }

    @Test func passesTheErrorOfItsFillingOn() {
        #expect(throws: Refused.self) {
            _ = try SecretBytes(count: 4) { _ throws(Refused) in throw Refused() }
        }
    }
}

@Suite("Constant time comparison")
struct ConstantTimeTests {
    @Test func everySingleBitCounts() {
        let bytes: [UInt8] = [0x00, 0x7F, 0x80, 0xFF, 0x12, 0x34, 0x56, 0x78]
        #expect(constantTimeEqual(bytes, bytes))
        #expect(constantTimeEqual([], []))
        for bit in 0..<64 {
            var other = bytes
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!constantTimeEqual(bytes, other))
            #expect(!constantTimeEqual(0x1234_5678_9ABC_DEF0, 0x1234_5678_9ABC_DEF0 ^ (UInt64(1) << bit)))
        }
        #expect(constantTimeEqual(UInt64.max, UInt64.max) && constantTimeEqual(UInt64(0), 0))
        #expect(!constantTimeEqual(UInt64.max, 0))
    }

    @Test func lengthsHaveToBeTheSame() {
        #expect(!constantTimeEqual([1, 2], [1, 2, 3]))
        #expect(!constantTimeEqual([], [0]))
    }
}
