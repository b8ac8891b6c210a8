import Foundation
import Testing

/// Keys and the bureau's file by the commands of `issuer-keys`.
@Suite("Keys by command", .serialized)
struct KeyCommandTests {
    @Test func keysAreMadeMovedListedAndRetired() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        defer { environment.stop() }
        let (prepared, output) = environment.finish()
        #expect(prepared == 0, "\(output)")
        func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-keys", arguments + ["--config", environment.configuration])
        }
        #expect(try keys("generate", "kbpk-office", "--algorithm", "aes-256").status == 0)
        let made = try keys("generate", "zpk-acquirer-c", "--exportable")
        #expect(made.status == 0 && made.output.contains("generated"))
        #expect(try keys("generate", "zpk-acquirer-c").output.contains("is in the token already"))
        #expect(try keys("generate", "zpk-acquirer-c", "--new-version").output.contains("zpk-acquirer-c.v2"))
        let block = try keys("export", "zpk-acquirer-c", "--under", "kbpk-office").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(block.hasPrefix("D0112P0TB01N0000"))
        let wrong = try keys("import", "imk-ac-990001", "--under", "kbpk-office", "--block", block)
        #expect(wrong.status != 0 && wrong.output.contains("P0 is not IMK-AC"))
        #expect(try keys("import", "zpk-acquirer-d", "--under", "kbpk-office", "--block", block).status == 0)
        let listed = try keys("list").output
        #expect(listed.contains("object=zpk-acquirer-c.v2;type=secret-key"))
        #expect(
            listed.split(separator: "\n").contains {
                $0.hasPrefix("zpk-acquirer-d") && $0.contains("imported")
            })

        let bureau = environment.directory.appendingPathComponent("bureau.json").path
        let cards = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path
        let personalised = try keys("personalise", cards, "--under", "kbpk-office", "--out", bureau)
        #expect(
            personalised.status == 0 && personalised.output.contains("11 cards"), "\(personalised.output)")
        let mode = try FileManager.default.attributesOfItem(atPath: bureau)[.posixPermissions] as? Int
        #expect(mode == 0o600)

        #expect(try keys("retire", "zpk-acquirer-c", "--without-cards", "--yes").status == 0)
        let left = try keys("list").output.split(separator: "\n")
        #expect(!left.contains { $0.hasPrefix("zpk-acquirer-c ") })
        #expect(left.contains { $0.hasPrefix("zpk-acquirer-c.v2 ") })
    }
}
