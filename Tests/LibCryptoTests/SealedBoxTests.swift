import LibCrypto
import Testing

@Suite("Sealed boxes")
struct SealedBoxTests {
    @Test func aBoxOpensForItsHolderAndPlaceAlone() throws {
        let holder = try SealedBox.keyPair()
        let other = try SealedBox.keyPair()
        let plain = [UInt8](0..<40)
        let box = try SealedBox.seal(plain, to: holder.publicKey, associated: [1, 2])
        #expect(box.count == plain.count + SealedBox.overheadCount)
        #expect(try SealedBox.open(box, privateKey: holder.privateKey, associated: [1, 2]) == plain)
        #expect(throws: LibCryptoError.notAuthentic) {
            try SealedBox.open(box, privateKey: other.privateKey, associated: [1, 2])
        }
        #expect(throws: LibCryptoError.notAuthentic) {
            try SealedBox.open(box, privateKey: holder.privateKey, associated: [1, 3])
        }
        for index in box.indices {
            var changed = box
            changed[index] ^= 1
            #expect(throws: LibCryptoError.self, "byte \(index)") {
                try SealedBox.open(changed, privateKey: holder.privateKey, associated: [1, 2])
            }
        }
        #expect(try SealedBox.seal(plain, to: holder.publicKey, associated: []) != box)
    }

    @Test func whatIsTooShortIsRefused() {
        #expect(throws: LibCryptoError.self) { try SealedBox.open([1], privateKey: [], associated: []) }
        #expect(throws: LibCryptoError.self) { try SealedBox.seal([1], to: [2], associated: []) }
    }
}
