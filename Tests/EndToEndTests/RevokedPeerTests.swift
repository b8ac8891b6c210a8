import Foundation
import Testing

/// `tls.revokedFile` by the program itself: at the start, at SIGHUP, and in `check`.
@Suite struct RevokedPeerTests {
    /// The authority of a demo environment.
    private struct Authority {
        let folder: String

        private func openssl(_ arguments: String) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
            let (status, output) = try DemoEnvironment.result(of: process)
            guard status == 0 else { throw DemoEnvironment.Failure(description: output) }
        }

        /// Writes `revoked.pem`.
        func list(revoked: [String], seconds: Int = 864_000) throws {
            let settings =
                "[ca]\ndefault_ca = this\n[this]\ndatabase = \(folder)/index\ndefault_md = sha256\n"
            try settings.write(toFile: "\(folder)/ca.cnf", atomically: true, encoding: .utf8)
            try "".write(toFile: "\(folder)/index", atomically: true, encoding: .utf8)
            let common = "ca -config \(folder)/ca.cnf -cert \(folder)/ca.pem -keyfile \(folder)/ca.key "
            for name in revoked { try openssl(common + "-revoke \(folder)/\(name).pem") }
            try openssl(common + "-gencrl -crlsec \(seconds) -out \(folder)/revoked.pem")
        }
    }

    @Test(
        "A list that comes by SIGHUP keeps its peers out; a bad one changes nothing; check tells of its end")
    func bySignal() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TLS": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let authority = Authority(folder: environment.directory.appendingPathComponent("tls").path)
        try authority.list(revoked: [])
        let (beside, ports) = try environment.configurationBeside()
        func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        try beside.write(toFile: place("beside.yaml"), atomically: true, encoding: .utf8)
        try "links: {acquirer-a: {tls: {revokedFile: tls/revoked.pem}}}\n".write(
            toFile: place("overlay.yaml"), atomically: true, encoding: .utf8)
        let merged = try DemoEnvironment.run(
            "issuer-host", ["config", "merge", place("beside.yaml"), place("overlay.yaml")])
        #expect(merged.status == 0, "\(merged.output)")
        let path = place("revoked.yaml")
        try merged.output.write(toFile: path, atomically: true, encoding: .utf8)
        func run(_ program: String, _ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(program, arguments + ["--config", path])
        }
        func echo() throws -> (status: Int32, output: String) {
            try run("terminal-simulator", "echo", "--link", "acquirer-a")
        }
        let good = try run("issuer-host", "check")
        #expect(
            good.status == 0 && good.output.contains("list of revoked certificates is due"), "\(good.output)")

        let host = try HostProcess(configuration: path)
        defer { host.stop() }
        let first = try echo()
        #expect(first.status == 0, "\(first.output)")
        try authority.list(revoked: ["terminal"])
        host.reload()
        try host.waitUntil(says: "configuration reloaded")
        #expect(try echo().status == 1)
        try "no list\n".write(
            toFile: authority.folder + "/revoked.pem", atomically: true, encoding: .utf8)
        let refused = try run("issuer-host", "check")
        #expect(
            refused.status == 1 && refused.output.contains("links.acquirer-a.tls.revokedFile: "),
            "\(refused.output)")
        host.reload()
        try host.waitUntil(says: "configuration not reloaded")
        #expect(try echo().status == 1)
        try authority.list(revoked: [], seconds: 86_400)
        let early = try run("issuer-host", "check")
        #expect(early.status == 0 && !early.output.contains("get it from the authority"), "\(early.output)")
        host.reload()
        var last = try echo()
        for _ in 0..<200 where last.status != 0 {
            usleep(50_000)
            last = try echo()
        }
        #expect(last.status == 0, "\(last.output)")
        let metrics = try adminText(ports[2], "/metrics")
        let lint = try promtool(["check", "metrics"], input: metrics)
        #expect(lint.status == 0, "\(lint.output)")
        for name in ["issued", "expiry", "usable_until"] {
            let start =
                "issuer_revocation_list_\(name)_timestamp_seconds{link=\"acquirer-a\",authority=\"CN=ca\"} "
            #expect(metrics.contains(start), "\(name)")
        }
    }

    @Test(
        "An overdue list: host, check and reload go on and say so; only new peers of that authority stay out")
    func overdue() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TLS": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let authority = Authority(folder: environment.directory.appendingPathComponent("tls").path)
        try authority.list(revoked: [], seconds: 1)
        let (beside, _) = try environment.configurationBeside()
        func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        try beside.write(toFile: place("beside.yaml"), atomically: true, encoding: .utf8)
        let path = place("overdue.yaml")
        func configure(_ keys: String) throws {
            try "links: {acquirer-a: {tls: {revokedFile: tls/revoked.pem\(keys)}}}\n".write(
                toFile: place("overlay.yaml"), atomically: true, encoding: .utf8)
            let merged = try DemoEnvironment.run(
                "issuer-host", ["config", "merge", place("beside.yaml"), place("overlay.yaml")])
            #expect(merged.status == 0, "\(merged.output)")
            try merged.output.write(toFile: path, atomically: true, encoding: .utf8)
        }
        func run(_ program: String, _ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(program, arguments + ["--config", path])
        }
        func echo(_ link: String) throws -> Int32 {
            try run("terminal-simulator", "echo", "--link", link).status
        }
        try configure("")
        var checked = try run("issuer-host", "check")
        for _ in 0..<100 where !checked.output.contains("was due at") {
            usleep(50_000)
            checked = try run("issuer-host", "check")
        }
        #expect(checked.status == 0, "\(checked.output)")
        for words in [
            "warning", "links.acquirer-a.tls.revokedFile: list 1: the next one was due at ",
            "no new peer of that authority is let in since ",
            "get it from the authority, put it in the file, reload",
        ] {
            #expect(checked.output.contains(words), "\(words): \(checked.output)")
        }

        let host = try HostProcess(configuration: path)
        defer { host.stop() }
        #expect(host.text.contains("no new peer of that authority is let in since "))
        #expect(try echo("acquirer-a") == 1)
        #expect(try echo("acquirer-b") == 0)
        try host.waitUntil(says: "in revokedFile is overdue: get the next one from the authority")
        try configure(", revokedGraceHours: 1")
        let patient = try run("issuer-host", "check")
        #expect(
            patient.status == 0 && patient.output.contains(" on no new peer of that authority is let in"),
            "\(patient.output)")
        host.reload()
        try host.waitUntil(says: "configuration reloaded")
        #expect(try echo("acquirer-a") == 0)
        try configure("")
        host.reload()
        var last = try echo("acquirer-a")
        for _ in 0..<200 where last == 0 {
            usleep(50_000)
            last = try echo("acquirer-a")
        }
        #expect(last == 1)
        try authority.list(revoked: [], seconds: 86_400)
        host.reload()
        for _ in 0..<200 where last != 0 {
            usleep(50_000)
            last = try echo("acquirer-a")
        }
        #expect(last == 0)
    }

    @Test("A list in the simulators' files is refused, by key or by file: simulators look at none")
    func listElsewhere() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TLS": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let folder = environment.directory.appendingPathComponent("tls").path
        try Authority(folder: folder).list(revoked: [])
        let list = try String(contentsOfFile: folder + "/revoked.pem", encoding: .utf8)
        func listed(_ name: String) throws -> String {
            let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
            let path = "\(folder)/listed-\(name)"
            try (text + list).write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
        let (authority, certificate, key) = (
            try listed("ca.pem"), try listed("terminal.pem"), try listed("terminal.key")
        )
        let words =
            "has a list of revoked certificates in it: simulators do not look at revocation, take it out"
        for (variable, name, file) in [
            ("TRUSTED", "trusted", authority), ("CERTIFICATE", "certificate", certificate),
            ("PRIVATE_KEY", "privateKey", key),
        ] {
            for command in [
                ["terminal-simulator", "echo", "--link", "acquirer-a"], ["issuer-host", "check"],
                ["load-generator", "run", "--profile", "LoadTests/profiles/smoke.yaml"],
            ] {
                let result = try DemoEnvironment.run(
                    command[0], Array(command.dropFirst()) + ["--config", environment.configuration],
                    variables: ["ISSUER_DEMO_TLS_\(variable)_FILE": file])
                #expect(result.status == 1, "\(command): \(result.output)")
                #expect(
                    result.output.contains("demo.tls.\(name)File")
                        && result.output.contains("\(file) \(words)"),
                    "\(command): \(result.output)")
            }
        }
        for options in [
            ["--tls-ca", authority],
            [
                "--tls-ca", folder + "/ca.pem", "--tls-certificate", certificate, "--tls-key",
                folder + "/terminal.key",
            ],
            [
                "--tls-ca", folder + "/ca.pem", "--tls-certificate", folder + "/terminal.pem", "--tls-key",
                key,
            ],
        ] {
            let result = try DemoEnvironment.run(
                "terminal-simulator",
                ["echo", "--target", "127.0.0.1:\(environment.portA)", "--tls"] + options
                    + ["--config", environment.configuration])
            #expect(result.status == 1 && result.output.contains(words), "\(options): \(result.output)")
        }
    }
}
