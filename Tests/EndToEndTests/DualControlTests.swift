import Foundation
import Testing

/// What one person alone must not do, at a terminal, broken off at each prompt.
@Suite("Dual control at a terminal", .serialized)
struct DualControlTests {
    @Test("Two people approve; each prompt broken off leaves nothing; the trail names both")
    func approvals() throws {
        let store = try HostileStore("nss")
        let office = try Office(store.environment)
        try office.vouch()
        #expect(try office.run("audit").status == 0)

        let request = ["certificate", "request", "office", "--identifier", "476173", "--expires", "2049-12"]
        let commands: [([String], String)] = [
            (request + ["--out", office.place("request.bin")], "issuer-rsa-office"),
            (["generate", "imk-ac-888888"], "imk-ac-888888"), (["generate", "kbpk-office"], "kbpk-office"),
            (["generate", "zmk-office"], "zmk-office"),
            (["generate", "zpk-office", "--exportable"], "zpk-office"),
        ]
        for (arguments, label) in commands {
            for broken in office.approvals.indices {
                let terminal = try office.sit(arguments)
                for (prompt, answer) in office.approvals[..<broken] { try terminal.answer(prompt, answer) }
                try terminal.expect(office.approvals[broken].prompt)
                try terminal.interrupt()
                #expect(terminal.finish() != 0)
                #expect(try !office.run("list").output.contains(label), "\(label) at prompt \(broken)")
            }
            #expect(try office.run(arguments).status != 0, "not without a terminal")
            let terminal = try office.sit(arguments)
            for (prompt, answer) in office.approvals { try terminal.answer(prompt, answer) }
            #expect(terminal.finish() == 0, "\(terminal.screen)")
            #expect(!terminal.screen.contains("passphrase of A"))
        }
        try exportAndRetire(office)
        let trail = try office.run("audit-log", "show").output
        for label in [
            "issuer-rsa-office", "imk-ac-888888", "kbpk-office", "zmk-office", "zpk-office",
            "transfer-zpk-office",
        ] {
            #expect(
                trail.split(separator: "\n").contains {
                    $0.contains("key-generated  \(label)  ") && $0.hasSuffix("signed by Ann, Bob")
                }, "\(label)")
        }
        #expect(trail.contains("key-exported") && trail.contains("key-retired  zpk-office"))
        #expect(try office.run("audit-log", "verify").status == 0)
        let audit = try office.run("audit")
        #expect(audit.status == 0 && audit.output.contains("cannot forge one"), "\(audit.output)")
        try forgery(office)
    }

    private func exportAndRetire(_ office: Office) throws {
        let cryptogram = String(repeating: "5A", count: 16)
        let batch = office.place("batch.json")
        let issuer = DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path
        let commands = [
            ["export", "zpk-office", "--under", "kbpk-office"],
            [
                "import", "zpk-cryptogram", "--under", "zmk-office", "--cryptogram", cryptogram, "--kcv",
                "000000",
            ],
            ["personalise", issuer, "--under", "kbpk-bureau", "--out", batch],
        ]
        for command in commands {
            for broken in office.approvals.indices {
                let terminal = try office.sit(command)
                for (prompt, answer) in office.approvals[..<broken] { try terminal.answer(prompt, answer) }
                try terminal.expect(office.approvals[broken].prompt)
                try terminal.interrupt()
                #expect(terminal.finish() != 0 && !terminal.screen.contains("P0TB"), "\(command)")
                #expect(!FileManager.default.fileExists(atPath: batch))
            }
        }
        #expect(try !office.run("list").output.contains("zpk-cryptogram"))
        // What is no key ends before two people are called.
        let wrong: [([String], String)] = [
            ([], "either --block or --cryptogram"), (["--block", "@/nowhere"], "/nowhere cannot be read"),
            (["--cryptogram", cryptogram], "--cryptogram needs --kcv"),
            (["--cryptogram", "5A", "--kcv", "000000"], "--cryptogram: 32 or 48 hex digits are needed"),
            (["--cryptogram", cryptogram, "--kcv", "12X456"], "--kcv 12X456: six hex digits are needed"),
        ]
        for (options, words) in wrong {
            let terminal = try office.sit(["import", "zpk-cryptogram", "--under", "zmk-office"] + options)
            let status: Int32 = words.hasPrefix("/") ? 1 : 64
            #expect(terminal.finish() == status && terminal.screen.contains(words), "\(terminal.screen)")
            #expect(!terminal.screen.contains("File of person"), "\(words)")
        }
        let exported = try office.sit(["export", "zpk-office", "--under", "kbpk-office"])
        for (prompt, answer) in office.approvals { try exported.answer(prompt, answer) }
        #expect(exported.finish() == 0 && exported.screen.contains("P0TB"), "\(exported.screen)")

        for wrong in ["", "zpk-offic"] {
            let kept = try office.sit(["retire", "zpk-office"])
            try kept.answer("Type its name to end it:", wrong)
            #expect(kept.finish() == 1 && kept.screen.contains("is not retired"), "\(kept.screen)")
        }
        let prompts = [("Type its name to end it:", "zpk-office")] + office.approvals
        for number in prompts.indices {
            let broken = try office.sit(["retire", "zpk-office"])
            for (prompt, answer) in prompts[..<number] { try broken.answer(prompt, answer) }
            try broken.expect(prompts[number].0)
            try broken.interrupt()
            #expect(broken.finish() == 1)
            #expect(try office.run("list").output.contains("\nzpk-office "))
        }
        #expect(try office.run("retire", "zpk-office").output.contains("asks at a terminal"))
        #expect(try office.run("list").output.contains("\nzpk-office "))
        let retired = try office.sit(["retire", "zpk-office"])
        try retired.answer("Type its name to end it:", "zpk-office")
        for (prompt, answer) in office.approvals { try retired.answer(prompt, answer) }
        #expect(retired.finish() == 0, "\(retired.screen)")
        #expect(try !office.run("list").output.contains("\nzpk-office "))
    }

    /// The PIN's holder writes a line by the product's own means, as from a configuration without operators.
    private func forgery(_ office: Office) throws {
        let own = office.environment.configuration
        #expect(
            try DemoEnvironment.run("issuer-keys", ["generate", "imk-ac-777777", "--config", own]).status == 0
        )
        let audit = try office.run("audit")
        #expect(audit.status == 1 && audit.output.contains("event-unsigned"), "\(audit.output)")
        #expect(audit.output.contains("imk-ac-777777: line"))
    }
}
