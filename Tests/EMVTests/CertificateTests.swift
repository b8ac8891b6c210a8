import ByteCoding
import EMV
import Testing
import VectorSupport

/// Plain arithmetic of public numbers, and the forms around it.
@Suite("Certificates")
struct CertificateTests {
    @Test("SHA-1 of messages around the ends of its blocks (FIPS 180-4)")
    func sha1() throws {
        let known: [(String, String)] = [
            ("", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
            ("abc", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983E441C3BD26EBAAE4AA1F95129E5E54670F1"
            ),
            (String(repeating: "a", count: 1_000), "291E9A6C66994949B57BA5E650361E98FC36B1BA"),
        ]
        for (text, digest) in known {
            let found = PublicKeyArithmetic.portable.sha1(Array(text.utf8))
            #expect(found.map { Hex.encode($0) } == digest, "\(text.count) characters")
        }
    }

    @Test("Powers of numbers whose words are all ones or all zeros")
    func powers() throws {
        // 2^512 - 569 is prime: x^2 and x^3 of small and of largest numbers are known by hand.
        let modulus = [UInt8](repeating: 0xFF, count: 62) + [0xFD, 0xC7]
        let cube = try RSAPublicKey(modulus: modulus, exponent: [3])
        func number(_ tail: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: 64 - tail.count) + tail }
        #expect(PublicKeyArithmetic.portable.power(number([]), cube) == number([]))
        #expect(PublicKeyArithmetic.portable.power(number([1]), cube) == number([1]))
        #expect(PublicKeyArithmetic.portable.power(number([0x0A]), cube) == number([0x03, 0xE8]))
        // (m - 2)^3 = -8.
        let minusTwo = modulus.dropLast() + [0xC5]
        #expect(
            PublicKeyArithmetic.portable.power(Array(minusTwo), cube) == Array(modulus.dropLast() + [0xBF]))
        // Not below the modulus, or of another length.
        #expect(PublicKeyArithmetic.portable.power(modulus, cube) == nil)
        #expect(PublicKeyArithmetic.portable.power([UInt8](repeating: 0xFF, count: 64), cube) == nil)
        #expect(PublicKeyArithmetic.portable.power([1], cube) == nil)
        #expect(PublicKeyArithmetic.portable.power([], cube) == nil)
    }

    @Test("Keys that no EMV certificate carries are refused")
    func keys() {
        let modulus = [0x80] + [UInt8](repeating: 0, count: 62) + [0x01]
        for (modulus, exponent) in [
            ([], [3]), (modulus, []), (modulus, [0]), (modulus, [1]), (modulus, [2]),
            (modulus, [1, 0, 0, 1]),
            ([UInt8](repeating: 0, count: 64), [3]), (Array(modulus.dropLast()), [3]),
            (modulus.dropLast() + [0x02], [3]), ([UInt8](repeating: 0xFF, count: 249), [3]),
        ] as [([UInt8], [UInt8])] {
            #expect(throws: CertificateFault.length) {
                try RSAPublicKey(modulus: modulus, exponent: exponent)
            }
        }
    }

    @Test("An AFL, and the data that it marks")
    func locator() throws {
        let entries = try #require(FileLocatorEntry.entries(Hex.decode("0801020110010201580101" + "01")))
        #expect(entries.map(\.file) == [1, 2, 11] && entries.map(\.authenticatedCount) == [1, 1, 1])
        for broken in ["", "08", "09010200", "08020100", "08000100", "08010204", "F8010100", "00010100"] {
            #expect(try FileLocatorEntry.entries(Hex.decode(broken)) == nil, "\(broken)")
        }
        let records: [[UInt8]: [UInt8]] = try [
            [1, 1]: Hex.decode("70039C0100"), [2, 1]: Hex.decode("70039C0101"),
            [11, 1]: Hex.decode("70039C0102"),
        ]
        let data = try StaticData.assemble(entries, tagList: [0x82], interchangeProfile: 0x3900) {
            records[[$0, $1]]
        }
        #expect(Hex.encode(data) == "9C0100" + "9C0101" + "70039C0102" + "3900")
        let without = try StaticData.assemble(entries, tagList: nil, interchangeProfile: 0x3900) {
            records[[$0, $1]]
        }
        #expect(without == Array(data.dropLast(2)))
        #expect(throws: CertificateFault.staticTagList) {
            try StaticData.assemble(entries, tagList: [0x82, 0x95], interchangeProfile: 0) {
                records[[$0, $1]]
            }
        }
        #expect(throws: CertificateFault.record(file: 2, number: 1)) {
            try StaticData.assemble(entries, tagList: nil, interchangeProfile: 0) { file, number in
                file == 2 ? nil : records[[file, number]]
            }
        }
        #expect(throws: CertificateFault.record(file: 1, number: 1)) {
            try StaticData.assemble(entries, tagList: nil, interchangeProfile: 0) { _, _ in [0x77, 0x00] }
        }
    }

    @Test("A month of a certificate")
    func months() throws {
        let month = try #require(CertificateMonth(text: "2031-09"))
        #expect(month.packedDigits == [0x09, 0x31] && month.description == "2031-09")
        #expect(CertificateMonth(digits: [0x12, 0x49])?.description == "2049-12")
        #expect(CertificateMonth(digits: [0x01, 0x50])?.description == "1950-01")
        for broken in [[0x13, 0x30], [0x00, 0x30], [0x1A, 0x30], [0x01]] as [ArraySlice<UInt8>] {
            #expect(CertificateMonth(digits: broken) == nil)
        }
        for broken in ["2031", "2031-9", "2031-13", "1949-12", "2050-01", "2031-09-01", "-031-09"] {
            #expect(CertificateMonth(text: broken) == nil, "\(broken)")
        }
    }

    @Test("A file of CA keys, and what is wrong with one")
    func authorities() throws {
        let modulus = [0x80] + [UInt8](repeating: 0x5A, count: 94) + [0x01]
        let key = CAPublicKey(
            rid: [0xA0, 0, 0, 0, 3], index: 0xF1, key: try RSAPublicKey(modulus: modulus, exponent: [3]),
            expiry: CertificateMonth(text: "2030-12"), revoked: [0x01_0203], isTest: true)
        let entry = CAKeyFile.Entry(key, name: "test", arithmetic: .portable)
        #expect(try CAKeys(CAKeyFile(keys: [entry]), .portable).keys == [key])
        #expect(throws: CAKeyFault.self) { try CAKeys(CAKeyFile(keys: [entry, entry]), .portable) }
        let changes: [(inout CAKeyFile.Entry) -> Void] = [
            { $0.rid = "A0000000" }, { $0.index = "F" }, { $0.modulus += "00" }, { $0.exponent = "02" },
            { $0.checksum = String($0.checksum.dropLast(2)) + "00" }, { $0.expires = "12/30" },
            { $0.revoked = ["1"] }, { $0.modulus = "zz" },
        ]
        for (number, change) in changes.enumerated() {
            var changed = entry
            change(&changed)
            #expect(throws: CAKeyFault.self, "change \(number)") {
                try CAKeys(CAKeyFile(keys: [changed]), .portable)
            }
        }
    }
}
