import Authorisation
import Foundation
import Testing

/// The shipped scenarios as CI runs them, and what the host's own journal says that they reached.
@Suite(.serialized)
struct ScenarioRunTests {
    /// Every folder of scenarios, with what its environment needs.
    private static let folders: [(paths: [String], variables: [String: String])] = [
        (["Config/scenarios"], [:]),
        (["Config/scenarios/limits"], ["DEMO_LIMITS": "1"]),
        (
            ["Config/scenarios/rules", "Config/scenarios/secure"],
            ["DEMO_RULES": "1", "DEMO_SECURE": "1"]
        ),
        (["Config/scenarios/iso1993"], ["DEMO_1993": "1"]),
    ]

    /// - Returns: what the journal has, in the host's words for its reasons.
    func run(_ folders: [String], variables: [String: String]) throws -> Set<String> {
        let results = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-scenarios-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: results, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: results) }
        func path(_ name: String) -> String { results.appendingPathComponent(name).path }
        let environment = try DemoEnvironment(
            command: [
                "with", "bash", "-c",
                """
                simulator=$0 host=$1 results=$2
                shift 2
                "$simulator" run "$@" --config "$DEMO_CONFIG" --terminals 4 \\
                  --junit "$results/result.xml" --report "$results/result.html" &&
                "$host" journal export --config "$DEMO_CONFIG" --out "$results/journal.jsonl"
                """,
                DemoEnvironment.executable("terminal-simulator"), DemoEnvironment.executable("issuer-host"),
                results.path,
            ] + folders.map { DemoEnvironment.root.appendingPathComponent($0).path }, variables: variables)
        let (status, output) = environment.finish()
        environment.stop()
        #expect(status == 0, "\(failures(in: output))")
        let xml = try String(contentsOfFile: path("result.xml"), encoding: .utf8)
        #expect(xml.contains("failures=\"0\"") && xml.contains("<testcase "))
        #expect(try String(contentsOfFile: path("result.html"), encoding: .utf8).contains("<summary>"))
        let journal = try String(contentsOfFile: path("journal.jsonl"), encoding: .utf8)
        return Set(journal.matches(of: /"outcome":"([^"]*)"/).map { String($0.output.1) })
    }

    @Test("All shipped scenarios pass on four terminals at once, and reach every reason to decline")
    func everyReasonIsReached() throws {
        var reached: Set<String> = []
        for (paths, variables) in ScenarioRunTests.folders {
            reached.formUnion(try run(paths, variables: variables))
        }
        for reason in DeclineReason.allCases {
            #expect(reached.contains(reason.words), "no scenario reaches \(reason)")
        }
    }

    @Test("Cards that the bureau personalised from the token's file pay, and take scripts")
    func personalisedCards() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let config = ["--config", environment.configuration]
        let bureau = environment.directory.appendingPathComponent("bureau.json").path
        let issuer = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path
        let made = try DemoEnvironment.run(
            "issuer-keys", ["personalise", issuer, "--under", "kbpk-bureau", "--out", bureau] + config)
        #expect(made.status == 0 && made.output.contains("11 cards, 33 keys"), "\(made.output)")
        let scenarios = DemoEnvironment.root.appendingPathComponent("Config/scenarios")
        let run = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "run", scenarios.appendingPathComponent("10-purchases.yaml").path,
                scenarios.appendingPathComponent("85-scripts.yaml").path, "--bureau", bureau,
            ] + config)
        #expect(run.status == 0, "\(run.output.suffix(2_000))")
        let other = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "purchase", "--card", "visa-cvn10", "--amount", "1.00", "--bureau", bureau, "--bureau-key",
                "zpk-aes",
            ]
                + config)
        #expect(other.status == 1 && other.output.contains("does not verify"), "\(other.output)")
    }

    @Test("The command line names a PIN format, certificates and a MAC key, and the host holds it to them")
    func commandLine() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_SECURE": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func purchase(_ pin: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(
                "terminal-simulator",
                ["purchase", "--card", "visa-cvn18", "--amount", "1.00", "--pin", pin]
                    + ["--config", environment.configuration] + arguments)
        }
        for format in ["1", "3", "4"] {
            let wrong = try purchase("1111", ["--pin-format", format])
            #expect(wrong.status == 1 && wrong.output.contains("55 wrong PIN"), "\(wrong.output)")
            #expect(wrong.output.contains("The issuer's checks:"))
            #expect(try purchase("4321", ["--pin-format", format]).status == 0)
        }
        func file(_ name: String) -> String {
            environment.directory.appendingPathComponent("tls/\(name)").path
        }
        func secured(_ name: String, _ more: [String]) throws -> (status: Int32, output: String) {
            try purchase(
                "4321",
                [
                    "--target", "127.0.0.1:\(environment.portS)", "--zpk", "zpk-aes", "--pin-format", "4",
                    "--tls",
                    "--tls-ca", file("ca.pem"), "--tls-certificate", file("\(name).pem"), "--tls-key",
                    file("\(name).key"),
                ] + more)
        }
        let good = try secured("terminal", ["--zak", "zak-acquirer-b"])
        #expect(good.status == 0 && good.output.contains("00 approved"), "\(good.output)")
        let unsealed = try secured("terminal", [])
        #expect(unsealed.status == 1 && unsealed.output.contains("98 MAC wrong or missing"))
        let otherMAC = try secured("terminal", ["--zak", "zak-acquirer-b", "--mac-padding", "2"])
        #expect(otherMAC.output.contains("98 MAC wrong or missing"), "\(otherMAC.output)")
        let stranger = try secured("stranger", ["--zak", "zak-acquirer-b"])
        // Whether the alert or the end of the connection is seen first is chance.
        let refusals = ["certificate unknown", "closed the connection"]
        #expect(
            stranger.status == 1 && refusals.contains { stranger.output.contains($0) }, "\(stranger.output)")
    }

    @Test("Every reason to decline is named by a scenario")
    func everyReasonIsNamed() throws {
        var named: Set<String> = []
        for path in ScenarioRunTests.folders.flatMap(\.paths) {
            let folder = DemoEnvironment.root.appendingPathComponent(path)
            for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
            where file.hasSuffix(".yaml") {
                let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
                for match in text.matches(of: /covers: \[([^\]]*)\]/) {
                    named.formUnion(
                        match.output.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
                }
            }
        }
        let reasons = Set(DeclineReason.allCases.map { "\($0)" })
        #expect(named.isSubset(of: reasons), "no such reasons: \(named.subtracting(reasons))")
        #expect(reasons.isSubset(of: named), "named by no scenario: \(reasons.subtracting(named))")
    }

    /// What went wrong in words, without the messages: each failed step with the two lines below it.
    private func failures(in output: String) -> String {
        let lines = output.split(separator: "\n")
        let failed = lines.indices.filter { lines[$0].contains("✗") }
        let found = failed.flatMap { lines[$0..<min($0 + 3, lines.count)] }
        return (found + lines.suffix(3)).joined(separator: "\n")
    }
}
