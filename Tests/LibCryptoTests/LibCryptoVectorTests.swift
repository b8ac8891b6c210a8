import ByteCoding
import LibCrypto
import Testing
import VectorSupport

@Suite("libcrypto vectors")
struct LibCryptoVectorTests {
    @Test("kcv.json")
    func keyCheckValues() throws {
        let cases = try VectorCase.all("kcv.json")
        for vector in cases {
            let key = try vector.bytes("key")
            let found: [UInt8] =
                switch try vector.text("method") {
                case "ecb-zeros": try KeyCheckValue.tdes(key)
                case "cmac-zeros": try KeyCheckValue.aes(key)
                default: try KeyCheckValue.aesLegacy(key)
                }
            #expect(Hex.encode(found.prefix(3)) == (try vector.text("kcv3")), "\(vector)")
            if let whole = vector.optionalText("kcv_full_block") {
                #expect(Hex.encode(found) == whole, "\(vector)")
            }
            if let double = DoubleLengthKey(bytes: key), try vector.text("algorithm") == "TDES" {
                #expect(Hex.encode(try KeyCheckValue.tdes(double)) == (try vector.text("kcv3")), "\(vector)")
            }
        }
        #expect(cases.count == 36)
    }

    @Test("published key check values")
    func publishedKeyCheckValues() throws {
        var compared = 0
        for vector in try VectorCase.all("published-pin-card.json") where try vector.text("op") == "kcv" {
            let given = try vector.inner("in")
            let expected = try vector.inner("out").bytes("kcv")
            let key = try given.bytes("key")
            let found =
                try given.text("algorithm") == "AES" ? KeyCheckValue.aes(key) : KeyCheckValue.tdes(key)
            #expect(Array(found.prefix(expected.count)) == expected, "\(vector)")
            compared += 1
        }
        #expect(compared == 9)
    }

    @Test("mac.json")
    func macs() throws {
        let cases = try VectorCase.all("mac.json")
        for vector in cases {
            let key = try vector.bytes("key")
            let data = try vector.bytes("data")
            let found: [UInt8]
            switch try vector.text("algorithm") {
            case "AES CMAC": found = try MAC.cmac(.aes, key: key, data: data)
            case "TDES CMAC": found = try MAC.cmac(.tdes, key: key, data: data)
            case let name:
                let padding = try #require(MACPadding(rawValue: try vector.number("padding")))
                if name.contains("alg 1") {
                    found = try MAC.algorithm1(key: key, data, padding: padding)
                } else {
                    let double = try #require(DoubleLengthKey(bytes: key))
                    found = bytes(try MAC.algorithm3(key: double, data, padding: padding))
                }
            }
            let same = found == (try vector.bytes("mac"))
            #expect(same, "\(vector)")
        }
        #expect(cases.count == 48)
    }

    private func bytes(_ word: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
}
