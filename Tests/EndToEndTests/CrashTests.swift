import Foundation
import Glibc
import Testing

/// A PKCS#11 library that crashes takes its process with it. What the process had in memory must not be printed, and its
/// supervisor has it back at once.
@Suite("A crash inside a call of the token", .serialized)
struct CrashTests {
    /// A control file of the faulty token.
    private final class Control {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-token-\(UInt32.random(in: .min ... .max))").path

        init() throws { try Data("o".utf8).write(to: URL(filePath: path)) }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// In place: the token has mapped this very file.
        func say(_ letter: String) throws {
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.write(contentsOf: Data(letter.utf8))
            try file.close()
        }
    }

    /// What only a report has: registers, and bytes of memory in hex.
    private static func isReport(_ text: String) -> Bool {
        text.contains("Registers:") || text.contains("Crash") || text.contains("Thread 0")
    }

    private func variables(_ environment: DemoEnvironment, _ control: Control) throws -> [String: String] {
        // The environment tells its programs which module stands behind the faulty one.
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("  module: ") }
        let module = try #require(line.map { String($0.dropFirst("  module: ".count)) })
        return [
            "FAULTY_TOKEN_MODULE": module, "FAULTY_TOKEN_CONTROL": control.path,
            "ISSUER_TOKEN_MODULE": DemoEnvironment.executable("libFaultyToken.so"),
        ]
    }

    @Test("At a terminal, where Swift would report it, nothing of the memory is printed")
    func silent() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let control = try Control()
        var variables = try variables(environment, control)
        for isAsked in [false, true] {
            // Of a process that is asked for a report by name: what is looked for is there then.
            if isAsked { variables["SWIFT_BACKTRACE"] = "enable=yes,interactive=no,color=no" }
            try control.say("o")
            let (text, ports) = try environment.configurationBeside()
            let path = environment.directory.appendingPathComponent("crash.yaml").path
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let terminal = try Pseudoterminal(
                "issuer-host", ["serve", "--config", path], variables: variables)
            try terminal.expect("ready:")
            try control.say("t")
            _ = try DemoEnvironment.run(
                "terminal-simulator",
                [
                    "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--timeout", "2", "--target",
                    "127.0.0.1:\(ports[0])", "--config", path,
                ])
            let status = terminal.finish()
            #expect(status == SIGILL || status == 128 + SIGILL, "\(status): \(terminal.screen.suffix(300))")
            #expect(
                Self.isReport(terminal.screen) == isAsked, "\(isAsked): \(terminal.screen.count) characters")
        }
    }

    @Test("A supervisor that waits as the unit says has it serve again at once")
    func restarted() throws {
        let unit = try String(
            contentsOf: DemoEnvironment.root.appendingPathComponent("Config/systemd/issuer-host.service"),
            encoding: .utf8)
        #expect(unit.contains("Restart=on-failure") && unit.contains("SWIFT_BACKTRACE=enable=no"))
        let match = try #require(unit.firstMatch(of: /RestartSec=(\d+)ms/))
        let pause = try #require(Double(match.output.1))
        #expect(pause < 1_000)
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let control = try Control()
        let variables = try variables(environment, control)
        let (text, ports) = try environment.configurationBeside()
        let path = environment.directory.appendingPathComponent("crash.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        var host = try HostProcess(configuration: path, variables: variables)
        try control.say("t")
        let target = [
            "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--timeout", "3", "--target",
            "127.0.0.1:\(ports[0])", "--zpk", "zpk-acquirer-a", "--config", path,
        ]
        #expect(try DemoEnvironment.run("terminal-simulator", target).status != 0)
        host.stop()
        try control.say("o")
        let since = Date()
        usleep(UInt32(pause * 1_000))
        host = try HostProcess(configuration: path, variables: variables)
        let seconds = Date().timeIntervalSince(since)
        defer { host.stop() }
        print("serving again after \(String(format: "%.2f", seconds)) s")
        #expect(try DemoEnvironment.run("terminal-simulator", target).output.contains("00 approved"))
        // A debug build on a machine that does much else: what the unit adds is the pause above.
        #expect(seconds < 20)
    }
}
