import Authorisation
import ByteCoding
import Foundation
@testable import HSM
@testable import PKCS11
import TokenSupport

/// The demo issuer's test keys, loaded into a test token once.
enum DemoKeys {
    static let nss: Result<TokenLocation, any Error> = Result { try load(into: TestTokens.nss.get()) }
    static let softHSM: Result<TokenLocation, any Error> = Result { try load(into: TestTokens.softHSM.get()) }

    private struct KeyFile: Decodable {
        struct Key: Decodable {
            let value: String
            let kcv: String
        }
        let keys: [String: Key]
    }

    static func clear(_ name: String) throws -> [UInt8] {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Config/demo/demo-issuer.json")
        let keys = try JSONDecoder().decode(KeyFile.self, from: Data(contentsOf: path)).keys
        return try Hex.decode(keys[name]?.value ?? "")
    }

    private static func load(into location: TokenLocation) throws -> TokenLocation {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Config/demo/demo-issuer.json")
        for (name, key) in try JSONDecoder().decode(KeyFile.self, from: Data(contentsOf: path)).keys {
            guard let purpose = KeyPurpose.named(name) else { continue }
            _ = try KeyLoading.loadTestKey(
                label: name, purpose: purpose, value: SecretBytes(copying: Hex.decode(key.value)),
                expectedCheckValue: key.kcv, at: location)
        }
        _ = try KeyLoading.generatePANHashKey(label: "pan-hash", at: location)
        return location
    }

    static func configuration(pins: Bool = true, workers: Int = 1, masterKeysKeptMax: Int = 4_096)
        -> HSMConfiguration
    {
        HSMConfiguration(
            panHashKey: KeyName("pan-hash"), pinVerificationKey: pins ? KeyName("pvk") : nil,
            zonePINKeys: pins ? [KeyName("zpk-acquirer-a"), KeyName("zpk-acquirer-b")] : [],
            issuerMasterKeys: [
                KeyName("imk-ac-476173"), KeyName("imk-ac-541333"), KeyName("imk-ac-639999"),
            ], workers: workers, masterKeysKeptMax: masterKeysKeptMax)
    }
}
