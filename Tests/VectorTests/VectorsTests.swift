import Authorisation
import ByteCoding
import EMV
import Foundation
import HSM
import Testing
import VectorSupport

/// Every file of `Tests/Vectors`, or of the folder that `VECTORS_DIR` names, through the product's own code with
/// keyed operations inside the NSS token. Says for each file how many cases were compared. What the product
/// does not do yet fails by name in a folder that is given; in the repository's own folder it has to stand in
/// `notYet`, so that nothing drops out unseen.
@Suite("Vectors", .serialized)
struct VectorsTests {
    /// Operations of the repository's own vectors that later work has to serve.
    static let notYet: [String: String] = [
        "emv-session-keys.json emv2000-tree": "EMV2000 session key tree",
        "emv-session-keys.json visa-sm": "secure messaging session keys",
        "pin-blocks.json":
            "PIN block formats 1, 2, 3 and 4, and building blocks: the host translates format 0",
        "published-emv.json script-mac": "issuer scripts",
        "published-emv.json script-pin-change": "issuer scripts",
        "published-emv.json cvn-all": "issuer scripts",
        "published-emv.json emv2000-sk": "EMV2000 session key tree",
        "published-emv.json pboc": "PBOC session keys",
        "published-pin-card.json": "PIN verification values and card verification values",
        "card-verification.json": "card verification values",
        "pin-verification.json": "PIN verification values",
        "issuer-scripts.json": "issuer scripts",
        "emv-aes-unconfirmed.json": "AES cards",
        "tr31.json": "key blocks",
        "published-tr31.json": "key blocks",
    ]

    /// Compared by the suites of the codec, which read the same folder.
    static let codecFiles = ["iso8583-messages.json", "iso8583-public-dumps.json", "iso8583-specs.json"]

    private static let given = ProcessInfo.processInfo.environment["VECTORS_DIR"] != nil

    static func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: VectorCase.directory)
            .filter { $0.hasSuffix(".json") }.sorted()
    }

    @Test("Every file", arguments: try VectorsTests.files())
    func file(_ name: String) throws {
        if Self.codecFiles.contains(name) { return }
        var compared = 0
        var missing: [String: Int] = [:]
        for vector in try VectorCase.all(name) {
            do {
                let passed = try VectorRunner.passes(vector, in: name)
                #expect(passed, "\(name) \(vector.id): another result")
                compared += 1
            } catch let error as Unsupported {
                let known = Self.notYet.keys.contains { error.description.hasPrefix($0) || $0 == name }
                if Self.given || !known { Issue.record("\(name) \(vector.id): not supported: \(error)") }
                missing[error.description, default: 0] += 1
            }
        }
        let rest = missing.sorted { $0.key < $1.key }.map { ", \($0.value) not supported: \($0.key)" }
            .joined()
        print("vectors: \(name): \(compared) compared\(rest)")
    }

    @Test("A changed vector fails")
    func sensitivity() throws {
        for name in ["arqc.json", "arpc.json", "emv-master-keys.json", "mac.json", "kcv.json"] {
            guard try Self.files().contains(name), let vector = try VectorCase.all(name).first else {
                continue
            }
            var fields = vector.fields
            for field in ["arqc", "arpc", "tag91", "icc_mk", "icc_mk_kcv", "mac", "kcv3", "kcv_full_block"] {
                guard let text = fields[field] as? String else { continue }
                fields[field] = (text.hasPrefix("0") ? "1" : "0") + text.dropFirst()
            }
            let passed = (try? VectorRunner.passes(VectorCase(fields: fields), in: name)) ?? false
            #expect(!passed, "\(name): a wrong result was taken for right")
        }
    }
}
