import Authorisation
import Foundation
import Testing

/// The shipped scenarios as CI runs them, and what the host's own journal says that they reached.
@Suite(.serialized)
struct ScenarioRunTests {
    /// Reasons that no terminal of the demo can bring about, and why.
    private static let outOfReach: [String: String] = [
        "cardStolen": "no card of the demo is reported stolen; an operator's command does that",
        "cardRestricted": "no card of the demo is restricted; an operator's command does that",
        "pinNotOnRecord": "every card of the demo has a PIN",
        "keyVersionUnknown": "the ranges of the demo have one key version each",
        "reversedBefore": "a reversal before its original is a matter of the state tests",
        "entryModeDiffers": "traffic without a chip has scenarios of its own with the rules for it",
        "fallbackNotAllowed": "traffic without a chip has scenarios of its own with the rules for it",
        "cardNotPresentNotAllowed": "traffic without a chip has scenarios of its own with the rules for it",
        "cardValueMissing": "traffic without a chip has scenarios of its own with the rules for it",
        "cardValueWrong": "traffic without a chip has scenarios of its own with the rules for it",
        "printedValueWrong": "traffic without a chip has scenarios of its own with the rules for it",
        "clonedChip": "traffic without a chip has scenarios of its own with the rules for it",
        "offlineResultsBad": "the ranges of the demo decline on no bits of TVR and CVR",
    ]

    /// - Returns: what the journal has, in the host's words for its reasons.
    private func run(_ folder: String, variables: [String: String] = [:]) throws -> Set<String> {
        let results = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-scenarios-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: results, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: results) }
        func path(_ name: String) -> String { results.appendingPathComponent(name).path }
        let environment = try DemoEnvironment(
            command: [
                "with", "bash", "-c",
                """
                "$0" run "$1" --config "$ISSUER_CONFIG" --terminals 4 --junit "$2" --report "$3" &&
                "$4" journal export --config "$ISSUER_CONFIG" --out "$5"
                """,
                DemoEnvironment.executable("terminal-simulator"),
                DemoEnvironment.root.appendingPathComponent(folder).path, path("result.xml"),
                path("result.html"),
                DemoEnvironment.executable("issuer-host"), path("journal.jsonl"),
            ], variables: variables)
        let (status, output) = environment.finish()
        environment.stop()
        #expect(status == 0, "\(output.suffix(2_000))")
        let xml = try String(contentsOfFile: path("result.xml"), encoding: .utf8)
        #expect(xml.contains("failures=\"0\"") && xml.contains("<testcase "))
        #expect(try String(contentsOfFile: path("result.html"), encoding: .utf8).contains("<summary>"))
        let journal = try String(contentsOfFile: path("journal.jsonl"), encoding: .utf8)
        return Set(journal.matches(of: /"outcome":"([^"]*)"/).map { String($0.output.1) })
    }

    @Test("All shipped scenarios pass on four terminals at once, and reach every reason to decline")
    func everyReasonIsReached() throws {
        var reached = try run("Config/scenarios")
        reached.formUnion(try run("Config/scenarios/limits", variables: ["ISSUER_LIMITS": "1"]))
        for reason in DeclineReason.allCases where ScenarioRunTests.outOfReach["\(reason)"] == nil {
            #expect(reached.contains(reason.words), "no scenario reaches \(reason)")
        }
    }

    @Test("Every reason to decline is named by a scenario, or listed with why it cannot be reached")
    func everyReasonIsNamed() throws {
        var named: Set<String> = []
        for folder in ["Config/scenarios", "Config/scenarios/limits"] {
            let path = DemoEnvironment.root.appendingPathComponent(folder)
            for file in try FileManager.default.contentsOfDirectory(atPath: path.path)
            where file.hasSuffix(".yaml") {
                let text = try String(contentsOf: path.appendingPathComponent(file), encoding: .utf8)
                for match in text.matches(of: /covers: \[([^\]]*)\]/) {
                    named.formUnion(
                        match.output.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
                }
            }
        }
        let reasons = Set(DeclineReason.allCases.map { "\($0)" })
        #expect(named.isSubset(of: reasons), "no such reasons: \(named.subtracting(reasons))")
        let missing = reasons.subtracting(named).subtracting(ScenarioRunTests.outOfReach.keys)
        #expect(missing.isEmpty, "named by no scenario: \(missing)")
    }
}
