import ByteCoding
import EMV
import Foundation
@testable import HSM
@testable import KeyManagement
@testable import LibCrypto
import PKCS11
import Testing
import TokenSupport
import VirtualCard

@Suite("Personalisation", .serialized)
struct PersonalisationTests {
    private static func same(_ one: DoubleLengthKey, _ other: DoubleLengthKey) -> Bool {
        let (one, other) = (one.withOddParity, other.withOddParity)
        return one.left == other.left && one.right == other.right
    }

    private static let masterKey = KnownAnswers.issuerMasterKey

    /// The token derives and wraps; libcrypto opens, and derives by itself.
    @Test(
        "A virtual card is personalised from the bureau's file",
        arguments: [(KeyAlgorithm.tdes128, MasterKeyOption.a), (.tdes192, .a), (.aes128, .b), (.aes256, .a)])
    func bureau(algorithm: KeyAlgorithm, option: MasterKeyOption) throws {
        var store = try KeyStore(at: try TestTokens.nss.get())
        let suffix = "bureau-\(algorithm.rawValue)"
        let transport = (0..<algorithm.byteCount).map { UInt8(truncatingIfNeeded: 0x51 &+ $0 &* 29) }
        _ = try store.session.createKey(
            KeyPurpose.keyBlockProtectionKey.tokenTemplate(
                label: "kbpk-\(suffix)", algorithm: algorithm, statesLength: false),
            value: SecretBytes(copying: transport))
        var labels: [KeyPurpose: String] = [:]
        for purpose in [KeyPurpose.issuerMasterKeyAC, .issuerMasterKeySMI, .issuerMasterKeySMC] {
            labels[purpose] = "\(purpose.rules.prefix)-\(suffix)"
            _ = try store.session.createKey(
                purpose.tokenTemplate(label: "\(purpose.rules.prefix)-\(suffix)", statesLength: false),
                value: SecretBytes(copying: Self.masterKey))
        }
        let cards = try ["4761739001010010", "6399990000001234568"].map {
            CardIdentity(pan: try PAN($0), panSequenceNumber: PANSequenceNumber(rawValue: 1))
        }
        let keys = PersonalisationKeys(labels: labels, option: option)
        let file = try store.personalise(cards.map { ($0, keys) }, under: "kbpk-\(suffix)")
        let path = CeremonyTests.newFolder()
        try file.write(to: path)
        defer { try? FileManager.default.removeItem(atPath: path) }

        let bureau = try BureauFile(path: path, transportKey: transport)
        var chip = try ChipCryptography()
        let issuerMasterKey = try #require(DoubleLengthKey(bytes: Self.masterKey))
        #expect(bureau.cards.count == cards.count)
        for (card, made) in zip(cards, bureau.cards) {
            let expected = try chip.iccMasterKey(issuerMasterKey: issuerMasterKey, option: option, card: card)
            let rightKeys = ["AC", "SMI", "SMC"].allSatisfy {
                made.keys[$0].map { Self.same($0, expected) } == true
            }
            #expect(rightKeys && made.keys.count == 3 && made.identity == card)
            let rightChip = Self.same(try #require(made.chip).iccMasterKey, expected)
            #expect(rightChip)
        }
        // Under another key nothing opens.
        var other = transport
        other[3] ^= 0x10
        #expect(throws: BureauFile.Fault.self) { try BureauFile(path: path, transportKey: other) }
    }

    @Test func aTransportKeyHasToBeOne() throws {
        var store = try KeyStore(at: try TestTokens.nss.get())
        let card = CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil)
        let keys = PersonalisationKeys(labels: [:], option: .a)
        #expect(throws: KeyManagementError.self) {
            try store.personalise([(card, keys)], under: "no-such-key")
        }
        #expect(throws: KeyManagementError.self) { try store.personalise([], under: "no-such-key") }
    }
}
