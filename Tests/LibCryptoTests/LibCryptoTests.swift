import ByteCoding
import LibCrypto
import Testing
import VectorSupport

@Suite("libcrypto")
struct LibCryptoTests {
    private let key16 = [UInt8](0x10...0x1F)

    @Test("published hash, MAC and key derivation results (FIPS 180, RFC 4231, RFC 7914)")
    func published() throws {
        let abc = Array("abc".utf8)
        #expect(Hex.encode(try Digest.sha1(abc)) == "A9993E364706816ABA3E25717850C26C9CD0D89D")
        #expect(
            Hex.encode(try Digest.sha256(abc))
                == "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")
        #expect(
            Hex.encode(try Digest.sha256([]))
                == "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")
        let hmac = try MAC.hmacSHA256(key: [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8))
        #expect(Hex.encode(hmac) == "B0344C61D8DB38535CA8AFCEAF0BF12B881DC200C9833DA726E9376C2E32CFF7")
        let cheap = Scrypt.Cost(n: 1024, r: 8, p: 16)
        let derived = try Scrypt.deriveKey(
            passphrase: Array("password".utf8), salt: Array("NaCl".utf8), cost: cheap, count: 64)
        #expect(
            Hex.encode(derived)
                == "FDBABE1C9D3472007856E7190D01E9FE7C6AD7CBC8237830E77376634B373162"
                + "2EAF30D92E22A3886FF109279D9830DAC727AFB94A83EE6D8360CBDFA2CC0640")
        let empty = try Scrypt.deriveKey(
            passphrase: [], salt: [], cost: Scrypt.Cost(n: 16, r: 1, p: 1), count: 64)
        #expect(
            Hex.encode(empty)
                == "77D6576238657B203B19CA42C18A0497F16B4844E3074AE8DFDFFA3FEDE21442"
                + "FCD0069DED0948F8326A753A0FC81F17E8D3E0FB2E0D3628CF35E20C38D18906")
    }

    @Test("AES and CMAC: FIPS 197 and RFC 4493")
    func aes() throws {
        let plain = try Hex.decode("00112233445566778899AABBCCDDEEFF")
        let key = [UInt8](0x00...0x0F)
        let expected = "69C4E0D86A7B0430D8CDB78070B4C55A"
        #expect(Hex.encode(try AES.encryptECB(key: key, plain)) == expected)
        #expect(try AES.decryptECB(key: key, Hex.decode(expected)) == plain)
        let macKey = try Hex.decode("2B7E151628AED2A6ABF7158809CF4F3C")
        #expect(Hex.encode(try MAC.cmac(.aes, key: macKey, data: [])) == "BB1D6929E95937287FA37D129B756746")
    }

    @Test("deciphering undoes enciphering, for every key length and both modes")
    func roundTrips() throws {
        var generator = SeededGenerator(seed: 0x5EED_0002)
        func random(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        for keyCount in [8, 16, 24] {
            let (key, vector, data) = (random(keyCount), random(8), random(48))
            #expect(try TDES.decryptECB(key: key, TDES.encryptECB(key: key, data)) == data)
            let chained = try TDES.encryptCBC(key: key, initialVector: vector, data: data)
            #expect(try TDES.decryptCBC(key: key, initialVector: vector, data: chained) == data)
            #expect(chained != (try TDES.encryptCBC(key: key, data: data)))
        }
        for keyCount in [16, 24, 32] {
            let (key, vector, data) = (random(keyCount), random(16), random(48))
            #expect(try AES.decryptECB(key: key, AES.encryptECB(key: key, data)) == data)
            let chained = try AES.encryptCBC(key: key, initialVector: vector, data: data)
            #expect(try AES.decryptCBC(key: key, initialVector: vector, data: chained) == data)
        }
    }

    @Test("impossible lengths are refused with the name of what is wrong")
    func lengths() throws {
        #expect(throws: LibCryptoError.wrongCount(what: "tdes key", found: 15)) {
            try TDES.encryptECB(key: [UInt8](repeating: 0, count: 15), [])
        }
        #expect(throws: LibCryptoError.wrongCount(what: "aes key", found: 8)) {
            try AES.encryptECB(key: [UInt8](repeating: 0, count: 8), [])
        }
        #expect(throws: LibCryptoError.wrongCount(what: "tdes data", found: 7)) {
            try TDES.encryptECB(key: key16, [UInt8](repeating: 0, count: 7))
        }
        #expect(throws: LibCryptoError.wrongCount(what: "initial vector", found: 16)) {
            try TDES.encryptCBC(key: key16, initialVector: key16, data: [])
        }
        #expect(throws: LibCryptoError.wrongCount(what: "HMAC key", found: 0)) {
            try MAC.hmacSHA256(key: [], [1])
        }
        #expect(throws: LibCryptoError.wrongCount(what: "tdes key", found: 8)) {
            try MAC.cmac(.tdes, key: [UInt8](repeating: 1, count: 8), data: [])
        }
        #expect(try TDES.encryptECB(key: key16, []).isEmpty)
        var mac = try RetailMAC()
        for count in [0, 7, 1032] {
            let data = [UInt8](repeating: 0, count: count)
            #expect(throws: LibCryptoError.wrongCount(what: "MAC input", found: count)) {
                _ = try data.withUnsafeBytes { try mac.compute($0) }
            }
        }
    }

    @Test("a failure names the function of OpenSSL and leaves no error behind")
    func errors() throws {
        let impossible = Scrypt.Cost(n: 3, r: 8, p: 1)
        for _ in 0..<2 {
            do {
                _ = try Scrypt.deriveKey(passphrase: [1], salt: [2], cost: impossible, count: 32)
                Issue.record("a cost that is no power of two was accepted")
            } catch LibCryptoError.failed(let function, _) {
                #expect(function == "EVP_PBE_scrypt")
            }
        }
    }

    @Test("a kept retail MAC gives what a new one gives, whatever it computed before")
    func keptContexts() throws {
        var generator = SeededGenerator(seed: 0x5EED_0003)
        var kept = try RetailMAC()
        for round in 0..<200 {
            let key = DoubleLengthKey(left: generator.next(), right: generator.next())
            try kept.setKey(key)
            for _ in 0..<3 {
                let count = 8 * Int.random(in: 1...16, using: &generator)
                let data = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let found = try data.withUnsafeBytes { try kept.compute($0) }
                #expect(found == (try MAC.algorithm3(key: key, data, padding: .method1)), "round \(round)")
            }
        }
    }

    @Test("GCM: what is sealed opens, and nothing that was touched does")
    func authenticatedEncryption() throws {
        let key = [UInt8](0x00...0x1F)
        let nonce = [UInt8](0x00...0x0B)
        let plain = Array("custodian component".utf8)
        let associated = Array("component 1 of 3".utf8)
        let sealed = try AuthenticatedEncryption.seal(
            key: key, nonce: nonce, plain: plain, associated: associated)
        #expect(sealed.count == plain.count + AuthenticatedEncryption.tagCount)
        let opened = try AuthenticatedEncryption.open(
            key: key, nonce: nonce, sealed: sealed, associated: associated)
        #expect(opened == plain)
        for index in sealed.indices {
            var touched = sealed
            touched[index] ^= 0x01
            #expect(throws: LibCryptoError.notAuthentic) {
                try AuthenticatedEncryption.open(
                    key: key, nonce: nonce, sealed: touched, associated: associated)
            }
        }
        #expect(throws: LibCryptoError.notAuthentic) {
            try AuthenticatedEncryption.open(key: key, nonce: nonce, sealed: sealed, associated: [])
        }
        #expect(throws: LibCryptoError.wrongCount(what: "sealed data", found: 15)) {
            try AuthenticatedEncryption.open(key: key, nonce: nonce, sealed: [UInt8](repeating: 0, count: 15))
        }
        let nothing = try AuthenticatedEncryption.seal(key: key, nonce: nonce, plain: [])
        #expect(try AuthenticatedEncryption.open(key: key, nonce: nonce, sealed: nothing).isEmpty)
        // The GCM specification's test case 14: key and nonce of zeros, one block of zeros.
        let zeros = [UInt8](repeating: 0, count: 32)
        let published = try AuthenticatedEncryption.seal(
            key: zeros, nonce: Array(zeros.prefix(12)), plain: Array(zeros.prefix(16)))
        #expect(
            Hex.encode(published) == "CEA7403D4D606B6E074EC5D3BAF39D18" + "D0D1C8A799996BF0265B98B5D48AB919")
    }

    @Test("odd parity, and a key that does not describe itself")
    func doubleLengthKeys() throws {
        for byte in UInt8.min...UInt8.max {
            let half = UInt64(byte) &* 0x0101_0101_0101_0101
            let key = DoubleLengthKey(left: half, right: ~half).withOddParity
            for part in [key.left, key.right] {
                for shift in stride(from: 0, to: 64, by: 8) {
                    let found = UInt8(truncatingIfNeeded: part >> UInt64(shift))
                    #expect(found.nonzeroBitCount.isMultiple(of: 2) == false)
                    #expect(
                        found & 0xFE == UInt8(truncatingIfNeeded: (part == key.left ? half : ~half)) & 0xFE)
                }
            }
        }
        let key = DoubleLengthKey(left: 0x0123_4567_89AB_CDEF, right: 0xFEDC_BA98_7654_3210)
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped] {
            let silent = !text.uppercased().contains("123456789") && !text.contains("81985529216486895")
            #expect(silent)
        }
        #expect(DoubleLengthKey(bytes: [UInt8](repeating: 0, count: 15)) == nil)
    }

    @Test("random bytes: asked number, not the same twice")
    func random() throws {
        #expect(try Random.bytes(0).isEmpty)
        #expect(try Random.bytes(32).count == 32)
        #expect(try Random.bytes(16) != Random.bytes(16))
        #expect(throws: LibCryptoError.wrongCount(what: "random", found: 65_537)) { try Random.bytes(65_537) }
    }
}
