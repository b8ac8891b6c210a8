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
        let warned = try run("issuer-host", "check")
        #expect(
            warned.status == 0 && warned.output.contains("get it from the authority"), "\(warned.output)")
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
        #expect(metrics.contains("issuer_revocation_list_expiry_timestamp_seconds{link=\"acquirer-a\","))
    }
}
