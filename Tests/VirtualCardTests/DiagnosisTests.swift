import ByteCoding
import EMV
import Foundation
import LibCrypto
import Testing
import VirtualCard

/// Planted mistakes have to be named. The cryptograms are made here from primitives, not by the code that
/// looks for the mistake.
@Suite struct DiagnosisTests {
    private let issuer: DemoIssuer

    init() throws {
        let root = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        issuer = try DemoIssuer(contentsOf: root.appending(path: "Config/demo/demo-issuer.json").path())
    }

    /// What whoever signs does, step by step.
    struct Signing {
        var key: String
        var option = MasterKeyOption.a
        var identity: CardIdentity
        var session: SessionKeyMethod
        var input: [UInt8]
        var padding: MACPadding
        var atc: UInt16 = 7
        var unpredictableNumber: UInt32 = 0xDEAD_BEEF
    }

    static let terminalData: [(String, String)] = [
        ("9F02", "000000004250"), ("9F03", "000000000100"), ("9F1A", "0056"), ("95", "8000048000"),
        ("5F2A", "0752"), ("9A", "261123"), ("9C", "01"), ("9F37", "DEADBEEF"), ("82", "3900"),
        ("9F36", "0007"),
    ]

    static func joined(leavingOut tag: String? = nil, replacing: [String: String] = [:]) throws -> [UInt8] {
        try terminalData.filter { $0.0 != tag }.flatMap { try Hex.decode(replacing[$0.0] ?? $0.1) }
    }

    private func cryptogram(_ signing: Signing) throws -> UInt64 {
        var chip = try ChipCryptography()
        let issuerMasterKey = try #require(DoubleLengthKey(bytes: issuer.key(signing.key)))
        let master = try chip.iccMasterKey(
            issuerMasterKey: issuerMasterKey, option: signing.option, card: signing.identity)
        let session = try chip.sessionKey(
            signing.session, iccMasterKey: master, atc: .init(rawValue: signing.atc),
            unpredictableNumber: .init(rawValue: signing.unpredictableNumber))
        return try MAC.algorithm3(key: session, signing.input, padding: signing.padding)
    }

    private func diagnose(
        _ card: CardDefinition, _ cryptogram: UInt64, changed: [String: String] = [:]
    ) throws -> CryptogramDiagnosis {
        var writer = TLVWriter()
        for (tag, value) in DiagnosisTests.terminalData {
            writer.append(try #require(Tag(hex: tag)), try Hex.decode(changed[tag] ?? value))
        }
        writer.append(.applicationCryptogram, number: cryptogram, count: 8)
        writer.append(.cryptogramInformationData, number: 0x80, count: 1)
        writer.append(.issuerApplicationData, card.product.issuerApplicationData)
        var evidence = CryptogramEvidence(
            chip: try ICCData(parsing: writer.bytes), identity: card.identity)
        evidence.amount = 4250
        evidence.currency = 752
        evidence.otherCards = issuer.cards.map(\.identity)
        let prefix = (0..<6).map { String(card.identity.pan.digit(at: $0)) }.joined()
        return try CryptogramDiagnosis(
            of: evidence, keys: issuer.namedKeys, expected: "imk-ac-\(prefix)", option: .a)
    }

    private func rightSigning(_ card: CardDefinition, data: [UInt8]? = nil) throws -> Signing {
        let profile = card.product.profile
        let iad = card.product.issuerApplicationData
        var input = try data ?? DiagnosisTests.joined()
        switch profile.name {
        case "visa-cvn10": input += iad[3..<7]
        case "mc-cvn10h", "mc-cvn14h": input += iad[2..<8]
        case "mc-cvn11h", "mc-cvn15h": input += iad[2..<8] + iad[10..<18]
        default: input += iad
        }
        let prefix = (0..<6).map { String(card.identity.pan.digit(at: $0)) }.joined()
        return Signing(
            key: "imk-ac-\(prefix)", identity: card.identity, session: profile.sessionKey, input: input,
            padding: profile.name == "visa-cvn10" ? .method1 : .method2)
    }

    private func names(_ verdict: CryptogramDiagnosis.Verdict) -> Set<Set<String>> {
        guard case .explained(let explanations) = verdict else { return [] }
        return Set(explanations.map { Set($0.mistakes.map(\.name)) })
    }

    @Test(arguments: [
        "visa-cvn10", "visa-cvn18", "visa-cvn22", "mchip-10h", "mchip-11h", "mchip-14h", "mchip-15h",
        "ccd-19-digits",
    ])
    func aRightCryptogramIsCalledRight(name: String) throws {
        let card = try issuer.card(name)
        let diagnosis = try diagnose(card, cryptogram(rightSigning(card)))
        guard case .right(let profile) = diagnosis.verdict else {
            Issue.record("\(name): \(diagnosis.verdict)")
            return
        }
        #expect(profile.name == card.product.profile.name)
    }

    struct Planted: Sendable, CustomTestStringConvertible {
        let card: String
        let names: Set<String>
        let plant: @Sendable (inout Signing, CardDefinition) throws -> Void

        var testDescription: String { "\(card): \(names.sorted().joined(separator: " + "))" }
    }

    static let planted: [Planted] = [
        Planted(card: "visa-cvn10", names: ["padding-2"]) { signing, _ in signing.padding = .method2 },
        Planted(card: "visa-cvn18", names: ["padding-1"]) { signing, _ in signing.padding = .method1 },
        Planted(card: "visa-cvn10", names: ["iad-whole"]) { signing, card in
            signing.input = try joined() + card.product.issuerApplicationData
        },
        Planted(card: "mchip-11h", names: ["cvr-mchip"]) { signing, card in
            signing.input = try joined() + card.product.issuerApplicationData[2..<8]
        },
        Planted(card: "mchip-15h", names: ["psn-00"]) { signing, card in
            signing.identity = CardIdentity(pan: card.identity.pan, panSequenceNumber: nil)
        },
        Planted(card: "ccd-19-digits", names: ["option-b"]) { signing, _ in signing.option = .b },
        Planted(card: "mchip-10h", names: ["session-common"]) { signing, _ in signing.session = .common },
        Planted(card: "mchip-14h", names: ["session-none"]) { signing, _ in signing.session = .none },
        Planted(card: "visa-cvn22", names: ["amounts-swapped"]) { signing, card in
            let data = try joined(replacing: ["9F02": "000000000100", "9F03": "000000004250"])
            signing.input = data + card.product.issuerApplicationData
        },
        Planted(card: "ccd-19-digits", names: ["tag-9F03-missing"]) { signing, card in
            signing.input = try joined(leavingOut: "9F03") + card.product.issuerApplicationData
        },
        Planted(card: "visa-cvn18", names: ["tag-95-empty"]) { signing, card in
            let data = try joined(replacing: ["95": "0000000000"])
            signing.input = data + card.product.issuerApplicationData
        },
        Planted(card: "mchip-11h", names: ["key-imk-ac-476173"]) { signing, _ in
            signing.key = "imk-ac-476173"
        },
        Planted(card: "visa-cvn18", names: ["pan-of-another-card"]) { signing, _ in
            signing.identity = CardIdentity(
                pan: try PAN("4761739001010036"), panSequenceNumber: PANSequenceNumber(rawValue: 1))
        },
        Planted(card: "visa-cvn10", names: ["padding-2", "iad-whole"]) { signing, card in
            signing.padding = .method2
            signing.input = try joined() + card.product.issuerApplicationData
        },
        Planted(card: "mchip-15h", names: ["psn-00", "session-mastercard"]) { signing, card in
            signing.session = .mastercard
            signing.identity = CardIdentity(pan: card.identity.pan, panSequenceNumber: nil)
        },
        Planted(card: "ccd-19-digits", names: ["option-b", "tag-9F03-empty"]) { signing, card in
            signing.option = .b
            signing.input =
                try joined(replacing: ["9F03": "000000000000"]) + card.product.issuerApplicationData
        },
    ]

    @Test(arguments: planted) func aPlantedMistakeIsNamed(_ planted: Planted) throws {
        let card = try issuer.card(planted.card)
        var signing = try rightSigning(card)
        try planted.plant(&signing, card)
        let diagnosis = try diagnose(card, cryptogram(signing))
        let found = names(diagnosis.verdict)
        #expect(found.contains(planted.names), "named instead: \(found)")
        // One or two ways to the same bytes can be right; a long list would explain nothing.
        #expect(found.count <= 3)
    }

    @Test func aChangedObjectIsNamedWithItsBit() throws {
        let card = try issuer.card("visa-cvn18")
        let diagnosis = try diagnose(card, cryptogram(rightSigning(card)), changed: ["95": "8000048001"])
        #expect(names(diagnosis.verdict) == [["bit-of-95"]])
    }

    @Test func aFlippedCryptogramBitIsFound() throws {
        let card = try issuer.card("mchip-14h")
        let diagnosis = try diagnose(card, cryptogram(rightSigning(card)) ^ 1 << 19)
        guard case .changedOnTheWay(_, let bit) = diagnosis.verdict else {
            Issue.record("\(diagnosis.verdict)")
            return
        }
        #expect(bit == 19)
    }

    @Test func whatNobodyCouldExplainIsNotExplained() throws {
        let diagnosis = try diagnose(issuer.card("visa-cvn10"), 0x0123_4567_89AB_CDEF)
        guard case .unexplained = diagnosis.verdict else {
            Issue.record("\(diagnosis.verdict)")
            return
        }
        #expect(diagnosis.tried > 2_000)
    }

    @Test func aMissingKeyIsNamed() throws {
        let chip = try ICCData(parsing: Hex.decode("9F260801020304050607089F36020001"))
        let evidence = CryptogramEvidence(chip: chip, identity: try issuer.card("visa-cvn10").identity)
        #expect(throws: CryptogramEvidenceError.noIssuerMasterKey(name: "imk-ac-999999")) {
            try CryptogramDiagnosis(of: evidence, keys: [], expected: "imk-ac-999999", option: .a)
        }
    }
}
