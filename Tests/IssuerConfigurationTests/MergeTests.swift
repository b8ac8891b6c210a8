import Foundation
import IssuerConfiguration
import Testing

/// Files laid over each other, and the environment over them, as one file.
@Suite struct MergeTests {
    private static let base = """
        profile: demo
        dialects: dialects
        token: {module: module.so, uri: "pkcs11:token=t"}
        keys: {panHash: pan-hash, pinVerification: pvk}
        issuers:
          visa:
            prefix: "476173"
            issuerMasterKey: imk
            profiles: [visa-cvn18]
        links:
          a: {port: 8583, dialect: d, zonePINKey: zpk}
        """

    private func merge(_ overlays: [String], _ environment: [String: String] = [:]) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("merge-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let paths = try ([Self.base] + overlays).enumerated().map { index, text in
            let file = folder.appendingPathComponent("\(index).yaml")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return file.path
        }
        return try ConfigurationMerge.text(paths: paths, environment: environment)
    }

    private func fault(_ overlays: [String], _ environment: [String: String] = [:]) -> String {
        do {
            _ = try merge(overlays, environment)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test("What a later file says holds, and a null takes away")
    func overlays() throws {
        let text = try merge([
            "links: {a: {zonePINKey: ~, port: 9000}, b: {port: 8584, dialect: e}}\nkeys: {pinVerification: ~}",
            "issuers: {visa: {issuerMasterKey: ~, keyVersions: {'2024': {issuerMasterKey: new}}, limits: ~}}",
        ])
        #expect(
            text == """
                profile: demo
                dialects: dialects
                token: {module: module.so, uri: "pkcs11:token=t"}
                keys: {panHash: pan-hash}
                issuers:
                  visa:
                    prefix: "476173"
                    profiles: [visa-cvn18]
                    keyVersions: {"2024": {issuerMasterKey: new}}
                links:
                  a: {port: 9000, dialect: d}
                  b: {port: 8584, dialect: e}

                """)
    }

    @Test("Variables are values of the outcome, and texts survive being written")
    func variables() throws {
        let text = try merge(
            [],
            [
                "ISSUER_ADMIN_PORT": "9583", "ISSUER_TOKEN_INIT_ARGUMENTS": "a='b c' \"d\" \\e: #f",
                "ISSUER_ISSUERS_VISA_DECLINE_ON_TVR": "dda-failed,true", "ISSUER_LINKS_A_SIGN_ON": "true",
            ])
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let read = try IssuerConfiguration(path: path, environment: [:])
        #expect(read.adminPort == 9_583 && read.links[0].signOn)
        #expect(read.token.initArguments == "a='b c' \"d\" \\e: #f")
        #expect(read.issuers[0].declineOnTVR == ["dda-failed", "true"])
    }

    @Test("What is no configuration is refused")
    func refusals() {
        #expect(fault(["links: {a: {prot: 1}}"]).contains("did you mean port?"))
        #expect(fault([], ["ISSUER_LINKS_B_PORT": "1"]).contains("the nearest is ISSUER_LINKS_A_PORT"))
        #expect(fault(["- a"]).contains("has to hold keys"))
    }
}
