import Foundation
import Testing

/// Runbooks of docs/operating.md as they are written there, that no other test plays.
@Suite struct RunbookTests {
    @Test("A lost card at night: reported by its PAN alone, declined at the next request, taken back")
    func lostCard() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let config = ["--config", environment.configuration]
        func purchase() throws -> String {
            try DemoEnvironment.run(
                "terminal-simulator", ["purchase", "--card", "visa-cvn18", "--amount", "1.00"] + config
            ).output
        }
        func report(_ status: String, _ reason: String) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(
                "issuer-host", ["cards", "status", "4761739001010028", status, "--reason", reason] + config)
        }
        #expect(try purchase().contains("00 approved"))
        let lost = try report("lost", "called at 02:10")
        #expect(
            lost.status == 0 && lost.output.contains("status lost, before: active"), "\(lost.output)")
        #expect(try purchase().contains("41 "))
        let found = try report("active", "found in the other coat")
        #expect(
            found.status == 0 && found.output.contains("status active, before: lost"), "\(found.output)")
        #expect(try purchase().contains("00 approved"))
        let journal = try DemoEnvironment.run(
            "issuer-host", ["journal", "export", "--since", "2020-01-01T00:00:00Z"] + config
        ).output
        #expect(journal.contains("called at 02:10") && journal.contains("found in the other coat"))
    }

    @Test("Token and trail come back from their backup, and only together")
    func tokenAndTrail() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        let prepared = environment.finish()
        defer { environment.stop() }
        #expect(prepared.status == 0, "\(prepared.output)")
        let files = FileManager.default
        let (token, trail) = (environment.place("token"), environment.place("audit.log"))
        let (keptToken, keptTrail) = (environment.place("kept-token"), environment.place("kept-audit.log"))
        func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(
                "issuer-keys", arguments + ["--config", environment.configuration])
        }
        let listed = try keys("list")
        #expect(listed.status == 0 && listed.output.contains("imk-ac-476173"))
        #expect(try keys("audit-log", "verify").status == 0)
        try files.copyItem(atPath: token, toPath: keptToken)
        try files.copyItem(atPath: trail, toPath: keptTrail)
        #expect(try keys("generate", "zpk-later").status == 0)

        // The machine is gone.
        try files.removeItem(atPath: token)
        try files.removeItem(atPath: trail)
        #expect(try keys("list").status == 1)
        try files.copyItem(atPath: keptToken, toPath: token)
        try files.copyItem(atPath: keptTrail, toPath: trail)
        #expect(try keys("list").output == listed.output)
        let verified = try keys("audit-log", "verify")
        #expect(verified.status == 0, "\(verified.output)")

        // A trail that is older than its token is not whole, and the command says so.
        #expect(try keys("generate", "zpk-later").status == 0)
        try files.removeItem(atPath: trail)
        try files.copyItem(atPath: keptTrail, toPath: trail)
        let cut = try keys("audit-log", "verify")
        #expect(cut.status == 1, "\(cut.output)")
    }
}

extension DemoEnvironment {
    fileprivate func place(_ name: String) -> String { directory.appendingPathComponent(name).path }
}
