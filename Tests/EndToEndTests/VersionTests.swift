import Foundation
import SocketSupport
import Testing

/// Which build is it: every program says it, the host in its first line and as a metric.
@Suite struct VersionTests {
    @Test(
        "--version names commit and build",
        arguments: [
            "issuer-host", "issuer-keys", "terminal-simulator", "load-generator", "fault-proxy",
            "fault-campaign",
            "simulate",
        ])
    func version(program: String) throws {
        let result = try DemoEnvironment.run(program, ["--version"])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.hasPrefix("commit \(try commit())"), "\(result.output)")
        #expect(result.output.hasSuffix(" build\n"), "\(result.output)")
    }

    @Test("The host's first line and its metrics name the same")
    func host() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let configuration = environment.directory.appendingPathComponent("version.yaml").path
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        let admin = try freePort()
        let host = try HostProcess(
            configuration: configuration,
            variables: [
                "ISSUER_ADMIN_PORT": "\(admin)", "ISSUER_LOG_LEVEL": "critical",
                "ISSUER_LINKS_ACQUIRER_A_PORT": "\(try freePort())",
                "ISSUER_LINKS_ACQUIRER_B_PORT": "\(try freePort())",
            ])
        defer { host.stop() }
        let first = try #require(host.text.split(separator: "\n").first)
        #expect(first.contains("issuer-host starts: commit \(try commit())"), "\(first)")
        let socket = try Socket(port: admin)
        socket.send(Array("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
        var metrics: [UInt8] = []
        while let byte = socket.receive(1) { metrics += byte }
        let expected = "issuer_build_info{commit=\"\(try commit())"
        #expect(String(decoding: metrics, as: UTF8.self).contains(expected))
    }

    /// Of this checkout; a build of anything else is not what is tested here.
    private func commit() throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-C", DemoEnvironment.root.path, "rev-parse", "HEAD"]
        process.standardOutput = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return "unknown" }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
