import Foundation
import LibCrypto
import Testing

/// `issuer-keys audit` and `audit-log` as an auditor runs them, beside a host that serves.
@Suite("Audit commands", .serialized)
struct KeyAuditCommandTests {
    @Test(
        "A store as it should be passes on both tokens; what is not accepted fails",
        arguments: ["nss", "softhsm2"])
    func audit(token: String) throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TOKEN": token])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        let variables = ["SOFTHSM2_CONF": place("softhsm2.conf")]
        func keys(_ arguments: [String]) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-keys", arguments, variables: variables)
        }
        let good = ["--config", environment.configuration]

        let controls = try keys(["audit", "--controls", place("c.json")] + good)
        #expect(controls.status == 0, "\(controls.output)")
        let mapping = try String(contentsOfFile: place("c.json"), encoding: .utf8)
        #expect(mapping.contains("PCI PIN v3.1") && mapping.contains("not met"))
        #expect(mapping.contains("findings, the first: probe-") == (token == "nss"))
        _ = try keys(["audit", "--controls", place("c.html")] + good)
        #expect(try String(contentsOfFile: place("c.html"), encoding: .utf8).contains("FIPS 140-3"))
        let passed = try keys(["audit", "--json", place("a.json"), "--html", place("a.html")] + good)
        #expect(passed.status == 0 && passed.output.contains("PASSED"), "\(passed.output)")
        let report = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: place("a.json"))))
                as? [String: Any])
        #expect((report["keys"] as? [Any])?.count ?? 0 > 12)
        let page = try String(contentsOfFile: place("a.html"), encoding: .utf8)
        #expect(page.contains("imk-ac-476173") && page.contains("Negative probes"))

        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.contains("acceptedFindings:") })
        for (accepted, named) in [("[]", "FAILED"), ("[test-keey]", "test-keey")] {
            try text.replacingOccurrences(of: line, with: "  acceptedFindings: \(accepted)")
                .write(toFile: place("strict.yaml"), atomically: true, encoding: .utf8)
            let failed = try keys(["audit", "--config", place("strict.yaml")])
            #expect(failed.status != 0 && failed.output.contains(named), "\(failed.output)")
        }

        let whole = try keys(["audit-log", "verify"] + good)
        #expect(whole.status == 0 && whole.output.contains("whole"), "\(whole.output)")
        let shown = try keys(["audit-log", "show"] + good)
        #expect(shown.output.contains("host-started") && shown.output.contains("audited"))
        let log = try String(contentsOfFile: place("audit.log"), encoding: .utf8)
        let lines = log.split(separator: "\n")
        try (lines.dropLast().joined(separator: "\n") + "\n")
            .write(toFile: place("audit.log"), atomically: false, encoding: .utf8)
        let cut = try keys(["audit-log", "verify"] + good)
        #expect(
            cut.status == 1 && cut.output.contains("number \(lines.count) cut off"), "\(cut.output)")
    }

    @Test("With many keys other processes look at some: all are in the report, with what is found of each")
    func manyKeys() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        let keys = try (100..<200).map { number in
            let value = (0..<16).map { UInt8(truncatingIfNeeded: number &* 37 &+ $0 &* 11 &+ 1) }
            let zeros = try TDES.encryptECB(key: value + value.prefix(8), [UInt8](repeating: 0, count: 8))
            return ("imk-ac-7\(number)", ["value": hex(value), "kcv": hex(zeros.prefix(3))])
        }
        let file = try JSONSerialization.data(
            withJSONObject: ["keys": Dictionary(uniqueKeysWithValues: keys)])
        try file.write(to: URL(fileURLWithPath: place("many.json")))
        let good = ["--config", environment.configuration]
        let loaded = try DemoEnvironment.run("issuer-keys", ["load-test-keys", place("many.json")] + good)
        #expect(loaded.status == 0, "\(loaded.output)")
        let passed = try DemoEnvironment.run("issuer-keys", ["audit", "--json", place("a.json")] + good)
        #expect(passed.status == 0, "\(passed.output.suffix(400))")
        func report() throws -> Report {
            try JSONDecoder().decode(
                Report.self, from: Data(contentsOf: URL(fileURLWithPath: place("a.json"))))
        }
        #expect(try report().keys.count { $0.label.hasPrefix("imk-ac-7") && $0.probes.count > 8 } == 100)
        // What the trail told of is told of no more: each of them is unexplained, whichever process looked at it.
        let log = try String(contentsOfFile: place("audit.log"), encoding: .utf8).split(separator: "\n")
        let kept = log.filter { !$0.contains("imk-ac-712") }
        #expect(log.count == kept.count + 10)
        try (kept.joined(separator: "\n") + "\n").write(
            toFile: place("audit.log"), atomically: false, encoding: .utf8)
        let failed = try DemoEnvironment.run("issuer-keys", ["audit", "--json", place("a.json")] + good)
        let found = try report().findings.filter { $0.kind == "key-unnoted" }.compactMap(\.key)
        #expect(failed.status == 1 && found.sorted() == (120..<130).map { "imk-ac-7\($0)" }, "\(found)")
    }

    private struct Report: Decodable {
        struct Key: Decodable {
            struct Probe: Decodable { let tried: String }
            let label: String
            let probes: [Probe]
        }
        struct Finding: Decodable {
            let kind: String
            let key: String?
        }
        let keys: [Key]
        let findings: [Finding]
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(String(0x100 | UInt16($0), radix: 16).suffix(2)).uppercased() }.joined()
    }

    @Test("A production profile keeps a trail and takes no test key")
    func production() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        #expect(environment.finish().status == 0)
        defer { environment.stop() }
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
            .replacingOccurrences(of: "profile: demo", with: "profile: production")
        let path = environment.directory.appendingPathComponent("production.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let demo = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path
        let loaded = try DemoEnvironment.run("issuer-keys", ["load-test-keys", demo, "--config", path])
        #expect(loaded.status != 0 && loaded.output.contains("demo profile only"), "\(loaded.output)")
        let served = try DemoEnvironment.run("issuer-host", ["serve", "--config", path])
        #expect(served.status == 1, "\(served.output)")
        #expect(!served.output.contains("keys stay in the token"), "the configuration accepts probe-export")
        let strict = text.replacingOccurrences(of: "probe-export, ", with: "")
        try strict.write(toFile: path, atomically: true, encoding: .utf8)
        let refused = try DemoEnvironment.run("issuer-host", ["check", "--config", path])
        #expect(
            refused.status != 0 && refused.output.contains("has to name probe-export"), "\(refused.output)")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        for key in ["imk-ac-476173", "imk-smi-476173", "imk-smc-476173", "zpk-acquirer-a", "pvk"] {
            #expect(served.output.contains("key \(key): KCV"), "\(key): \(served.output)")
        }
        let shown = try DemoEnvironment.run("issuer-keys", ["audit-log", "show", "--config", path])
        #expect(shown.output.contains("host-refused"))
        try text.replacingOccurrences(of: "  log: audit.log\n", with: "")
            .write(toFile: path, atomically: true, encoding: .utf8)
        let without = try DemoEnvironment.run("issuer-host", ["check", "--config", path])
        #expect(without.status != 0 && without.output.contains("audit.log"), "\(without.output)")
    }
}
