import Authorisation
import ByteCoding
import EMV
import Foundation
import HSM
import Testing
import TokenSupport
import VectorSupport

/// Every file of `Tests/Vectors`, or of the folder that `VECTORS_DIR` names, through the product's own code with
/// keyed operations inside the NSS token. Says for each file how many cases were compared. What the product
/// does not do yet fails by name in a folder that is given; in the repository's own folder it has to stand in
/// `notYet`, so that nothing drops out unseen.
@Suite("Vectors", .serialized)
struct VectorsTests {
    /// Operations of the repository's own vectors that later work has to serve.
    static let notYet: [String: String] = [:]

    private static let given = ProcessInfo.processInfo.environment["VECTORS_DIR"] != nil

    static func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: VectorCase.directory)
            .filter { $0.hasSuffix(".json") }.sorted()
    }

    @Test("Every file", arguments: try VectorsTests.files())
    func file(_ name: String) throws {
        let data = try Data(contentsOf: URL(filePath: "\(VectorCase.directory)/\(name)"))
        if let form = CodecForm(data) {
            // The codec's suites compare these; here they are only counted, so that none can drop out.
            #expect(form.cases > 0, "\(name) holds nothing")
            print("vectors: \(name): \(form.cases) \(form.words), compared by the codec's suites")
            return
        }
        try compare(name, on: TestTokens.nss.get(), "NSS")
        // What SoftHSM2 is for: cryptograms and their answers; and channels, but for keys that are wrapped.
        if ["arqc.json", "arpc.json", "scp02.json", "scp03.json"].contains(name) {
            try compare(name, on: TestTokens.softHSM.get(), "SoftHSM2")
        }
    }

    private func compare(_ name: String, on token: TokenLocation, _ tokenName: String) throws {
        var compared = 0
        var refused: [String: Int] = [:]
        var missing: [String: Int] = [:]
        for vector in try VectorCase.all(name) {
            do {
                try VectorRunner.compare(vector, in: name, on: token)
                compared += 1
            } catch let error as Mismatch {
                compared += 1
                Issue.record("\(name) \(vector.id) on \(tokenName): \(error)")
            } catch let error as Refused {
                refused[error.description, default: 0] += 1
            } catch let error as Unsupported {
                let known = Self.notYet.keys.contains { error.description.hasPrefix($0) }
                if Self.given || !known { Issue.record("\(name) \(vector.id): not supported: \(error)") }
                missing[error.description, default: 0] += 1
            }
        }
        #expect(compared + refused.count + missing.count > 0, "\(name) holds no cases")
        let rest =
            refused.sorted { $0.key < $1.key }.map { ", \($0.value) refused by design: \($0.key)" }.joined()
            + missing.sorted { $0.key < $1.key }.map { ", \($0.value) not supported: \($0.key)" }.joined()
        print("vectors: \(name) on \(tokenName): \(compared) compared\(rest)")
    }

    @Test("A changed vector fails")
    func sensitivity() throws {
        var compared = 0
        for name in [
            "arqc.json", "arpc.json", "emv-master-keys.json", "mac.json", "kcv.json", "issuer-scripts.json",
        ] {
            guard try Self.files().contains(name), let vector = try VectorCase.all(name).first else {
                continue
            }
            var fields = vector.fields
            for field in ["arqc", "arpc", "tag91", "icc_mk", "icc_mk_kcv", "mac", "kcv3", "kcv_full_block"] {
                guard let text = fields[field] as? String else { continue }
                fields[field] = (text.hasPrefix("0") ? "1" : "0") + text.dropFirst()
            }
            let token = try TestTokens.nss.get()
            // The case itself has to pass, so that the other's failure means the change.
            try VectorRunner.compare(vector, in: name, on: token)
            #expect(throws: Mismatch.self, "\(name): a wrong result was taken for right") {
                try VectorRunner.compare(VectorCase(fields: fields), in: name, on: token)
            }
            compared += 1
        }
        #expect(compared > 0)
    }
}

/// A file that belongs to the codec, known by its form and not by its name: cases with a message in `encoded`, or
/// specifications.
private struct CodecForm {
    let cases: Int
    let words: String

    init?(_ data: Data) {
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else { return nil }
        if let specifications = object["specs"] as? [String: Any] {
            (cases, words) = (specifications.count, "specifications")
            return
        }
        guard let all = object["cases"] as? [[String: Any]], !all.isEmpty,
            all.allSatisfy({ $0["encoded"] is String && $0["fields"] is [String: Any] })
        else { return nil }
        (cases, words) = (all.count, "messages")
    }
}
