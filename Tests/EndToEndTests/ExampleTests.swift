import Foundation
import SocketSupport
import Testing

/// The configurations that are shipped start: everything of this machine comes from the environment, nothing of them
/// is changed.
@Suite struct ExampleTests {
    private static let root = DemoEnvironment.root.path
    private static let range = ["imk-ac-debit", "imk-smi-debit", "imk-smc-debit"]

    @Test("The minimal example starts on the demo's token and store")
    func minimal() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let folder = environment.directory.path
        let host = try HostProcess(
            configuration: Self.root + "/Config/issuer-host.minimal.yaml",
            variables: [
                "ISSUER_TOKEN_MODULE": try module(environment),
                "ISSUER_TOKEN_INIT_ARGUMENTS": initArguments(folder + "/token"),
                "ISSUER_TOKEN_PIN_FILE": folder + "/token.pin",
                "ISSUER_REDIS_UNIX_SOCKET": folder + "/redis.sock",
                "ISSUER_REDIS_PLACE_FILE": folder + "/minimal.place",
                "ISSUER_LINKS_ACQUIRER_PORT": "\(try freePort())",
            ])
        defer { host.stop() }
        #expect(host.text.contains("ready: acquirer 127.0.0.1:"))
        #expect(host.text.contains("the environment sets links.acquirer.port"))
        #expect(!host.text.contains("configdir"), "values are masked")
    }

    @Test("The production example starts with a ceremony's keys")
    func production() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_SECURE": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let folder = environment.directory.path + "/production"
        try FileManager.default.createDirectory(atPath: folder + "/token", withIntermediateDirectories: true)
        let pin = folder + "/token.pin"
        try Data("81c7-production".utf8).write(to: URL(fileURLWithPath: pin))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: pin)
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/certutil")
        tool.arguments = ["-N", "-d", "sql:\(folder)/token", "-f", pin]
        try DemoEnvironment.start(tool)
        tool.waitUntilExit()
        #expect(tool.terminationStatus == 0)
        let example = Self.root + "/Config/issuer-host.example.yaml"
        let tls = environment.directory.path + "/tls"
        let operators = try ["Ann", "Bob"].map { try enrol($0, folder) }.joined(separator: ",")
        let variables = [
            "ISSUER_DIALECTS": Self.root + "/Config/iso8583",
            "ISSUER_KEYS_OPERATORS": operators, "ISSUER_AUDIT_ACCEPTED_FINDINGS": "probe-export",
            "ISSUER_TOKEN_MODULE": try module(environment),
            "ISSUER_TOKEN_INIT_ARGUMENTS": initArguments(folder + "/token"), "ISSUER_TOKEN_PIN_FILE": pin,
            "ISSUER_REDIS_UNIX_SOCKET": environment.directory.path + "/redis.sock",
            "ISSUER_REDIS_PLACE_FILE": folder + "/store.place",
            "ISSUER_LINKS_ACQUIRER_A_TLS_CERTIFICATE_FILE": tls + "/host.pem",
            "ISSUER_LINKS_ACQUIRER_A_TLS_PRIVATE_KEY_FILE": tls + "/host.key",
            "ISSUER_LINKS_ACQUIRER_A_TLS_TRUSTED_FILE": tls + "/ca.pem",
            "ISSUER_AUDIT_LOG": folder + "/audit.log",
            "ISSUER_LINKS_ACQUIRER_A_PORT": "\(try freePort())", "ISSUER_ADMIN_PORT": "\(try freePort())",
        ]
        for key in Self.range { try ceremony(key, example, folder, variables) }
        for key in ["pan-hash", "pvk", "cvk-debit", "zpk-acquirer-a", "zak-acquirer-a"] {
            let terminal = try Pseudoterminal(
                "issuer-keys", ["generate", key, "--config", example], variables: variables)
            try approve(terminal, ["Ann"], folder)
            #expect(terminal.finish() == 0, "\(key): \(terminal.screen)")
        }
        let check = try DemoEnvironment.run(
            "issuer-host", ["check", "--config", example], variables: variables)
        #expect(check.status == 0 && !check.output.contains("warning"), "\(check.output)")
        let host = try HostProcess(configuration: example, variables: variables)
        defer { host.stop() }
        #expect(host.text.contains("ready: acquirer-a 127.0.0.1:"))
        #expect(host.text.contains("production"))
    }

    /// One of the people who approve what nobody may do alone.
    /// - Returns: the entry for `keys.operators`.
    private func enrol(_ name: String, _ folder: String) throws -> String {
        let terminal = try Pseudoterminal(
            "issuer-keys", ["operator", "enrol", name, "--out", "\(folder)/\(name).operator"])
        try terminal.answer("Your passphrase", "passphrase of \(name)")
        try terminal.answer("The same again:", "passphrase of \(name)")
        try terminal.expect("keys.operators: \"")
        #expect(terminal.finish() == 0)
        let line = terminal.screen.components(separatedBy: "keys.operators: \"").last ?? ""
        return String(line.prefix { $0 != "\"" })
    }

    private func approve(_ terminal: Pseudoterminal, _ people: [String], _ folder: String) throws {
        for (number, name) in people.enumerated() {
            try terminal.answer("File of person \(number + 1)", "\(folder)/\(name).operator")
            try terminal.answer("Passphrase of \(name):", "passphrase of \(name)")
        }
    }

    /// Two of two, before a witness.
    private func ceremony(_ key: String, _ example: String, _ folder: String, _ variables: [String: String])
        throws
    {
        let terminal = try Pseudoterminal(
            "issuer-keys",
            [
                "ceremony", "generate", key, "--threshold", "2", "--custodians", "2", "--config", example,
                "--folder", folder + "/" + key,
            ], variables: variables)
        try approve(terminal, ["Ann", "Bob"], folder)
        try terminal.answer("Name of the witness:", "Wanda")
        for custodian in 1...2 {
            try terminal.answer("Your name:", "Custodian \(custodian)")
            try terminal.answer("Your file", "")
            try terminal.answer("Your passphrase", "passphrase of number \(custodian)")
            try terminal.answer("The same again:", "passphrase of number \(custodian)")
        }
        try terminal.answer("type GENERATE", "GENERATE")
        try terminal.expect("Key check value: ")
        try terminal.expect("to confirm it:")
        let shown = terminal.screen.components(separatedBy: "Key check value: ").last.map {
            String($0.prefix(6))
        }
        try terminal.type(try #require(shown))
        #expect(terminal.finish() == 0, "\(key)")
    }

    private func module(_ environment: DemoEnvironment) throws -> String {
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("  module: ") }
        return String(try #require(line).dropFirst(10))
    }

    private func initArguments(_ store: String) -> String {
        "configdir='sql:\(store)' certPrefix='' keyPrefix='' secmod='' flags="
    }
}
