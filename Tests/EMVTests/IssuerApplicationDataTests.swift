import ByteCoding
import EMV
import Testing

@Suite("Issuer application data")
struct IssuerApplicationDataTests {
    private func parse(_ hex: String) throws -> IssuerApplicationData {
        try IssuerApplicationData(parsing: Hex.decode(hex)[...])
    }

    @Test("each format is found by content, with its version and key index")
    func formats() throws {
        let cases: [(String, IssuerApplicationDataFormat, UInt8, UInt8, String)] = [
            ("06010A03A0A000", .visa, 0x0A, 0x01, "A0A000"),
            ("06021203A0B8000FDC0226DB205E9C52E491FCAAD2EF3F", .visa, 0x12, 0x02, "A0B800"),
            ("1F220103A02000" + String(repeating: "00", count: 25), .visaFormat2, 0x22, 0x01, "03A0200000"),
            ("0110A00003220000000000000000000000FF", .mChip, 0x10, 0x01, "A00003220000"),
            ("0514A000032200000000000000000000000000FF", .mChip, 0x14, 0x05, "A00003220000"),
            (
                "0FA501A00000000000000000000000000F000000000000000000000000000000", .commonCore, 0xA5, 0x01,
                "A000000000"
            ),
            ("1501850440B1615F0000B0A1EA081F00000000000000", .interac, 0x85, 0x01, "40B1615F"),
        ]
        for (hex, format, version, keyIndex, results) in cases {
            let iad = try parse(hex)
            #expect(iad.format == format, "\(hex)")
            #expect(iad.cryptogramVersionNumber == version, "\(hex)")
            #expect(iad.derivationKeyIndex == keyIndex, "\(hex)")
            #expect(Hex.encode(iad.cardVerificationResults) == results, "\(hex)")
        }
    }

    @Test("what fits no format fails closed with its reason")
    func refused() throws {
        let cases: [(String, IssuerApplicationDataError)] = [
            ("", .unknownFormat(count: 0)),
            ("06", .malformed(.visa, fault: .count(1))),
            ("06010A03A0A0", .malformed(.visa, fault: .count(6))),
            ("06010A04A0A000", .malformed(.visa, fault: .verificationResultsLength)),
            ("06010A03A0A00001", .malformed(.visa, fault: .discretionaryDataLength)),
            ("06010A03A0A0000000", .malformed(.visa, fault: .discretionaryDataLength)),
            ("1F2201", .malformed(.visaFormat2, fault: .count(3))),
            ("0110A000032200", .malformed(.mChip, fault: .count(7))),
            ("0FA501", .malformed(.commonCore, fault: .count(3))),
            (
                "0FA501A00000000000000000000000000E000000000000000000000000000000",
                .malformed(.commonCore, fault: .secondLength)
            ),
            (
                "0FB501A00000000000000000000000000F000000000000000000000000000000",
                .malformed(.commonCore, fault: .commonCoreIdentifier)
            ),
            ("150185", .malformed(.interac, fault: .count(3))),
            ("AABBCC", .unknownFormat(count: 3)),
            (String(repeating: "06", count: 33), .tooLong(33)),
        ]
        for (hex, expected) in cases {
            #expect(throws: expected, "\(hex)") { try parse(hex) }
            #expect(!expected.description.isEmpty)
        }
    }

    @Test("two readings: the issuer's list decides, and where it does not nobody guesses")
    func ambiguity() throws {
        // Visa with DKI 10 and ten bytes of discretionary data, or M/Chip 10h with DKI 06.
        let iad = try parse("06100A03A0A0000A00000000000000000000")
        #expect(try CryptogramProfile.select(for: iad, among: [.visaCVN10, .visaCVN18]).name == "visa-cvn10")
        #expect(try CryptogramProfile.select(for: iad, among: [.mcCVN10h, .mcCVN14h]).name == "mc-cvn10h")
        #expect(throws: CryptogramProfileError.ambiguous("visa-cvn10", "mc-cvn10h")) {
            try CryptogramProfile.select(for: iad, among: [.visaCVN10, .mcCVN10h])
        }
        #expect(throws: CryptogramProfileError.notAllowed(format: .visa, versionNumber: 0x0A)) {
            try CryptogramProfile.select(for: iad, among: [.visaCVN18, .ccd])
        }
        #expect(throws: CryptogramProfileError.notAllowed(format: .visa, versionNumber: 0x0A)) {
            try CryptogramProfile.select(for: iad, among: [])
        }
        let repeated = try CryptogramProfile.select(for: iad, among: [.visaCVN10, .visaCVN10])
        #expect(repeated.name == "visa-cvn10")
    }
}
