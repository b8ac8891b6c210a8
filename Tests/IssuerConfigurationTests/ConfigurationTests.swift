import ByteCoding
import Foundation
import IssuerConfiguration
import Testing

@Suite struct ConfigurationTests {
    private static let good = """
        profile: demo
        dialects: dialects
        token:
          module: module.so
          uri: "pkcs11:token=t"
          pinFile: token.pin
        keys: {panHash: pan-hash, pinVerification: pvk}
        redis: {port: 7000}
        issuers:
          visa: {prefix: "476173", issuerMasterKey: imk, profiles: [visa-cvn18]}
        links:
          a: {port: 8583, dialect: ascii87-binbitmap, zonePINKey: zpk}
          b: {port: 8584, dialect: bcd87-rightF, framing: 4ascii}
        """

    private func load(_ text: String) throws -> IssuerConfiguration {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try IssuerConfiguration(path: path, environment: [:])
    }

    private func fault(_ written: String, _ wrong: String) -> String {
        do {
            _ = try load(Self.good.replacingOccurrences(of: written, with: wrong))
            return "accepted"
        } catch {
            return String(describing: error)
        }
    }

    @Test func valuesAndDefaults() throws {
        let configuration = try load(Self.good)
        #expect(configuration.links.map(\.name) == ["a", "b"])
        #expect(configuration.links[0].framing == "2be" && configuration.links[1].framing == "4ascii")
        #expect(configuration.links[1].zonePINKey == nil)
        #expect(configuration.links[0].partialApproval == "de48-61")
        let never = Self.good.replacingOccurrences(
            of: "port: 8583", with: "partialApproval: never, port: 8583")
        #expect(try load(never).links.map(\.partialApproval) == ["never", "de48-61"])
        #expect(configuration.redis.port == 7_000 && configuration.redis.buckets == 64)
        #expect(configuration.policy.atcJumpMax == 1_000 && configuration.policy.pinTriesMax == 3)
        #expect(configuration.issuers[0].prefix == "476173")
        #expect(configuration.token.pinFile?.hasPrefix("/") == true)
        #expect(configuration.adminPort == nil)
    }

    @Test(
        "A PIN file that others may read or write is refused", arguments: [0o644, 0o640, 0o602, 0o600, 0o400])
    func pinFileMode(mode: Int) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pin-\(UUID())").path
        _ = FileManager.default.createFile(
            atPath: path, contents: Data("12345678\n".utf8), attributes: [.posixPermissions: mode])
        let token = try load(
            Self.good.replacingOccurrences(of: "pinFile: token.pin", with: "pinFile: \(path)")
        ).token
        guard mode & 0o077 != 0 else {
            let pin = try token.pin()
            let count = pin == nil ? 0 : pin!.count
            #expect(count == 8)
            return
        }
        #expect {
            _ = try token.pin()
        } throws: {
            "\($0)".contains("token.pinFile") && "\($0)".contains("600") && !"\($0)".contains("12345678")
        }
    }

    @Test("Two people are asked for in production, and cannot be switched off there")
    func dualControl() throws {
        #expect(try !load(Self.good).audit.dualControl)
        let production =
            Self.good.replacingOccurrences(of: "profile: demo", with: "profile: production")
            + "\naudit:\n  log: audit.log\n"
        #expect(try load(production).audit.dualControl)
        let off = production.replacingOccurrences(of: "keys: {", with: "keys: {dualControl: false, ")
        #expect(off != production)
        #expect { try load(off) } throws: { "\($0)".contains("keys.dualControl") }
    }

    @Test func unknownKeysAreNamedWithTheNearestValidOne() {
        let text = fault("zonePINKey: zpk", "zonePinKey: zpk")
        #expect(text.contains("links.a.zonePinKey") && text.contains("did you mean zonePINKey?"))
        #expect(text.contains(":12:"), "the line is part of it: \(text)")
        #expect(fault("redis:", "reddis:").contains("did you mean redis?"))
    }

    @Test func wrongFormsAreNamed() {
        #expect(fault("port: 8583", "port: many").contains("links.a.port has to be a whole number"))
        #expect(fault("port: 8583", "port: -1").contains("links.a.port has to be a whole number"))
        #expect(fault("profiles: [visa-cvn18]", "profiles: {x: 1}").contains("issuers.visa.profiles"))
        #expect(fault("profile: demo", "profile: toy").contains("demo or production"))
        #expect(fault("redis: {port: 7000}", "redis: 7000").contains("redis has to hold further keys"))
        #expect(
            fault("port: 8583,", "port: 8583, inFlightMax: 0,").contains(
                "inFlightMax has to be a whole number from 1"))
    }

    @Test("A range has one key, or key versions, and not both")
    func keyVersions() throws {
        let one = try load(Self.good).issuers[0].keyVersions
        #expect(one.map(\.name) == [""] && one[0].issuerMasterKey == "imk")
        #expect(one[0].secureMessagingIntegrityKey == nil)
        let versions =
            "keyVersions: {v1: {derivationKeyIndices: ['01', 'A1'], issuerMasterKey: old}, "
            + "v2: {cardExpiryFrom: '2901', issuerMasterKey: new, secureMessagingIntegrityKey: smi}}"
        let text = Self.good.replacingOccurrences(of: "issuerMasterKey: imk", with: versions)
        let read = try load(text).issuers[0].keyVersions
        #expect(read.map(\.name) == ["v1", "v2"] && read.map(\.issuerMasterKey) == ["old", "new"])
        #expect(read[0].derivationKeyIndices == ["01", "A1"] && read[1].derivationKeyIndices.isEmpty)
        #expect(read[1].cardExpiryFrom == "2901" && read[1].secureMessagingIntegrityKey == "smi")
        #expect(
            fault("issuerMasterKey: imk", "issuerMasterKey: imk, \(versions)")
                .contains("issuers.visa.issuerMasterKey and issuers.visa.keyVersions exclude each other"))
        #expect(fault("issuerMasterKey: imk, ", "").contains("issuerMasterKey"))
        #expect(
            fault("issuerMasterKey: imk", "keyVersions: {v1: {issuerMasterkey: x}}")
                .contains("issuers.visa.keyVersions.v1.issuerMasterkey; did you mean issuerMasterKey?"))
    }

    @Test func missingKeysAreNamed() {
        #expect(fault("  uri: \"pkcs11:token=t\"\n", "").contains("token.uri"))
        #expect(fault("port: 8583, ", "").contains("links.a.port"))
    }

    @Test func aFileThatIsNotThereIsNamed() {
        #expect(throws: ConfigurationError.self) {
            try IssuerConfiguration(path: "/nowhere/issuer-host.yaml")
        }
    }
}
