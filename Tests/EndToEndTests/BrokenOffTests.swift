import Foundation
import LibCrypto
import Testing

/// Every command that asks people something, broken off at each thing that it asks: nothing has changed then.
@Suite("Broken off at each prompt", .serialized)
struct BrokenOffTests {
    private typealias Prompt = (shown: String, typed: String)

    private static func enrolment(_ custodian: Int) -> [Prompt] {
        [
            ("Your name:", "Custodian \(custodian)"), ("Your file", ""),
            ("Your passphrase", "passphrase of number \(custodian)"),
            ("The same again:", "passphrase of number \(custodian)"),
        ]
    }

    /// Goes as far as each prompt and types Ctrl-C there.
    private func breakOff(
        _ arguments: (_ attempt: Int) -> [String], at prompts: [Prompt], on store: HostileStore,
        unchanged: () throws -> Void
    ) throws {
        for (number, prompt) in prompts.enumerated() {
            let terminal = try Pseudoterminal(
                "issuer-keys", arguments(number) + ["--config", store.environment.configuration])
            for (shown, typed) in prompts[..<number] { try terminal.answer(shown, typed) }
            try terminal.expect(prompt.shown)
            try terminal.interrupt()
            #expect(terminal.finish() != 0, "\(arguments(number)) at \(prompt.shown)")
            #expect(!terminal.screen.contains("passphrase of number"))
            try unchanged()
        }
    }

    @Test("A ceremony: generate, load, enter")
    func ceremonies() throws {
        let store = try HostileStore("nss")
        defer { store.environment.stop() }
        let label = "imk-ac-990001"
        func noKey() throws { #expect(try !store.keys("list").output.contains(label)) }
        let folder = { (number: Int) in store.place("broken-\(number)") }
        let witness: Prompt = ("Name of the witness:", "Wanda")
        let generation =
            [witness] + Self.enrolment(1) + Self.enrolment(2)
            + [("type GENERATE", "GENERATE"), ("to confirm it:", "")]
        try breakOff(
            {
                [
                    "ceremony", "generate", label, "--threshold", "2", "--custodians", "2", "--folder",
                    folder($0),
                ]
            }, at: generation, on: store, unchanged: noKey)

        // The last one went as far as the custodians' files: the key can be loaded from them.
        let files = folder(generation.count - 1)
        let loading =
            [witness]
            + (1...2).flatMap { custodian -> [Prompt] in
                [
                    ("File of the next custodian", "\(files)/custodian-\(custodian).json"),
                    ("Passphrase of custodian \(custodian)", "passphrase of number \(custodian)"),
                ]
            } + [("to confirm it:", "")]
        if FileManager.default.fileExists(atPath: "\(files)/custodian-2.json") {
            try breakOff(
                { _ in ["ceremony", "load", "--folder", files] }, at: loading, on: store, unchanged: noKey)
        } else {
            Issue.record("no custodian's file after \(generation.count - 1) answers")
        }

        let components = [[UInt8](1...16), [UInt8](33...48)]
        let entry = try components.enumerated().flatMap { number, component -> [Prompt] in
            let zeros = [UInt8](repeating: 0, count: 8)
            let checkValue = try TDES.encryptECB(key: component, zeros).prefix(3)
            return [
                ("Your name:", "Custodian \(number + 1)"), ("Component \(number + 1):", hex(component)),
                ("Its check value:", hex(checkValue)),
            ]
        }
        try breakOff(
            { _ in
                ["ceremony", "enter", label, "--components", "2", "--folder", store.place("entered")]
            }, at: [witness] + entry + [("to confirm it:", "")], on: store, unchanged: noKey)
        let audit = try store.audit()
        #expect(audit.status == 0 && audit.open.isEmpty, "\(audit.output)")
    }

    @Test("People: enrolment, vouching, a checkpoint")
    func people() throws {
        let store = try HostileStore("nss")
        let office = try Office(store.environment)
        let enrolled = office.place("carol.operator")
        let passphrase: [Prompt] = [
            ("Your passphrase", "passphrase of number 3"), ("The same again:", "passphrase of number 3"),
        ]
        for (number, prompt) in passphrase.enumerated() {
            let terminal = try Pseudoterminal(
                "issuer-keys", ["operator", "enrol", "Carol", "--out", enrolled])
            for (shown, typed) in passphrase[..<number] { try terminal.answer(shown, typed) }
            try terminal.expect(prompt.shown)
            try terminal.interrupt()
            #expect(terminal.finish() == 1, "\(terminal.screen)")
            #expect(!FileManager.default.fileExists(atPath: enrolled))
        }
        let before = try store.log
        let checkpoint = office.place("broken.checkpoint")
        let people = office.approvals.map { Prompt(shown: $0.prompt, typed: $0.answer) }
        for (command, prompts) in [
            (["audit-log", "vouch"], people),
            (["audit-log", "checkpoint", "--out", checkpoint], Array(people.prefix(2))),
        ] {
            for (number, prompt) in prompts.enumerated() {
                let terminal = try office.sit(command)
                for (shown, typed) in prompts[..<number] { try terminal.answer(shown, typed) }
                try terminal.expect(prompt.shown)
                try terminal.interrupt()
                #expect(terminal.finish() == 1, "\(command) at \(prompt.shown): \(terminal.screen)")
                #expect(try store.log == before, "nothing was signed or noted")
                #expect(!FileManager.default.fileExists(atPath: checkpoint))
            }
        }
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(String(0x100 | UInt16($0), radix: 16).suffix(2)).uppercased() }.joined()
    }
}
