import Foundation
import Testing

/// Two people with files of their own, whom an environment's configuration names for dual control.
final class Office {
    let environment: DemoEnvironment
    private(set) var configuration: String

    init(_ environment: DemoEnvironment) throws {
        self.environment = environment
        configuration = environment.configuration
        let entries = try ["Ann", "Bob"].map { try enrol($0) }
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        let list = entries.map { "\"\($0)\"" }.joined(separator: ", ")
        configuration = place("dual.yaml")
        try text.replacingOccurrences(
            of: "\nkeys:\n", with: "\nkeys:\n  dualControl: true\n  operators: [\(list)]\n"
        ).write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
    func file(_ name: String) -> String { place("\(name).operator") }

    private func enrol(_ name: String) throws -> String {
        let terminal = try Pseudoterminal(
            "issuer-keys", ["operator", "enrol", name, "--out", file(name)])
        try terminal.answer("Your passphrase", "passphrase of \(name)")
        try terminal.answer("The same again:", "passphrase of \(name)")
        try terminal.expect("keys.operators: \"")
        #expect(terminal.finish() == 0)
        #expect(!terminal.screen.contains("passphrase of"))
        let line = terminal.screen.components(separatedBy: "keys.operators: \"").last ?? ""
        return String(line.prefix { $0 != "\"" })
    }

    func sit(_ arguments: [String]) throws -> Pseudoterminal {
        try Pseudoterminal("issuer-keys", arguments + ["--config", configuration])
    }

    func run(_ arguments: String...) throws -> (status: Int32, output: String) { try run(arguments) }

    func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try DemoEnvironment.run("issuer-keys", arguments + ["--config", configuration])
    }

    /// Prompts of two people, each with what is typed there.
    var approvals: [(prompt: String, answer: String)] {
        ["Ann", "Bob"].enumerated().flatMap { number, name in
            [
                ("File of person \(number + 1)", file(name)),
                ("Passphrase of \(name):", "passphrase of \(name)"),
            ]
        }
    }

    /// Both sign the lines that are there already.
    func vouch() throws {
        let vouched = try sit(["audit-log", "vouch"])
        for (prompt, answer) in approvals { try vouched.answer(prompt, answer) }
        try vouched.expect("vouched for by Ann, Bob")
        #expect(vouched.finish() == 0)
    }

    deinit { environment.stop() }
}
