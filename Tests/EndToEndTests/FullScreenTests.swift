import Foundation
import Glibc
import Testing

/// The full-screen terminal as its user has it: in a terminal emulator, against a real host.
@Suite(.serialized)
struct FullScreenTests {
    private let simulator = DemoEnvironment.executable("terminal-simulator")

    @Test("Pay, look, repeat, reverse, tamper and leave, in a terminal emulator")
    func aSession() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let terminal = try TerminalEmulator(
            columns: 80, rows: 24, command: "\(simulator) --config \(environment.configuration)")

        _ = try terminal.wait(for: "PAYMENT TERMINAL", "no transaction yet")
        try terminal.type("4", "2", "5", "0", "Enter", "1", "2", "3", "4")
        let masked = try terminal.wait(for: "PIN for 42.50", "••••_")
        #expect(!masked.contains("1234"))

        try terminal.type("Enter")
        let approved = try terminal.wait(for: "APPROVED  00 approved", "ARPC ok")
        // Side by side: DE4 of both on one line.
        let amounts = approved.split(separator: "\n").first { $0.contains("DE4 ") } ?? ""
        #expect(amounts.ranges(of: "000000004250").count == 2, "\(amounts)")
        let pans = approved.matches(of: /(4761|5413|6399)\d{9,15}/)
        #expect(pans.isEmpty, "something that looks like a PAN is shown")

        try terminal.type("Tab")
        _ = try terminal.wait(for: "SELECT PSE  [00A40400]")
        try terminal.resize(columns: 120, rows: 45)
        _ = try terminal.wait(for: "GET PROCESSING OPTIONS")
        try terminal.type("End")
        _ = try terminal.wait(for: "final: TC")
        try terminal.resize(columns: 80, rows: 24)

        try terminal.type("r")
        _ = try terminal.wait(for: "the same request again", "00 approved")
        try terminal.type("v")
        _ = try terminal.wait(for: "reversal of the last request", "0400")

        // A new purchase with one bit of the ARQC flipped.
        try terminal.type("n", "9", "9", "9", "Enter", "Down", "Right")
        _ = try terminal.wait(for: "one bit of the ARQC flipped")
        try terminal.type("Up", "Enter")
        _ = try terminal.wait(for: "DECLINED  88 cryptogram failure", "Why: The cryptogram differs")
        try terminal.type("Tab", "Tab", "Tab")
        _ = try terminal.wait(for: "cryptograms computed", "The issuer's checks:")
        try terminal.type("n")
        _ = try terminal.wait(for: "History", "✗ 9.99 SEK with visa-cvn10", "✓ 42.50 SEK with visa-cvn10")

        // A small window: what leads out stands there, and every key is explained.
        try terminal.resize(columns: 60, rows: 20)
        _ = try terminal.wait(for: "? help  q quit", "✗ 9.99 SEK with visa-cvn10")
        try terminal.type("m", "Tab")
        _ = try terminal.wait(for: "Request, ", "30313030", "Why: The cryptogram differs")
        try terminal.type("?")
        _ = try terminal.wait(for: "shifts long lines", "reverses the last request")

        // A web shop with 3-D Secure: the value that was sent, and what the issuer makes of it.
        try terminal.resize(columns: 80, rows: 24)
        try terminal.type("Escape", "n", "5", "5", "5", "Enter", "Down", "Down", "Down", "Left")
        _ = try terminal.wait(for: "web shop, 3-D Secure")
        try terminal.type("Up", "Up", "Up", "Enter")
        _ = try terminal.wait(for: "APPROVED  00 approved", "Issuer: took the authentication value, DE44 2")
        try terminal.type("Tab")
        _ = try terminal.wait(for: "3-D Secure: value ", ", ECI 05")

        try terminal.type("q")
        _ = try terminal.wait(for: "ready>")
        try expectRestored(terminal)
    }

    @Test("Signals and crashes give the terminal back", arguments: [SIGTERM, SIGHUP, SIGSEGV])
    func endings(signal: Int32) throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        let prepared = environment.finish()
        defer { environment.stop() }
        #expect(prepared.status == 0, "\(prepared.output)")
        let terminal = try TerminalEmulator(
            columns: 80, rows: 24, command: "\(simulator) till --config \(environment.configuration)")
        _ = try terminal.wait(for: "PAYMENT TERMINAL")
        #expect(try terminal.isFullScreen())
        kill(try #require(try terminal.foregroundProcess()), signal)
        _ = try terminal.wait(for: "ready>")
        try expectRestored(terminal)
    }

    @Test("Without a terminal it says what to use instead")
    func noTerminal() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        let prepared = environment.finish()
        defer { environment.stop() }
        #expect(prepared.status == 0, "\(prepared.output)")
        let result = try DemoEnvironment.run(
            "terminal-simulator", ["--config", environment.configuration])
        #expect(result.status == 1)
        #expect(
            result.output.contains("no terminal") && result.output.contains("terminal-simulator purchase"))
    }

    private func expectRestored(_ terminal: TerminalEmulator) throws {
        #expect(try !terminal.isFullScreen())
        // The three that a shell needs, none of them switched off.
        try terminal.type(
            "stty -a | tr ' ;' '\\n\\n' | grep -c -x -e icanon -e echo -e isig | sed 's/^/settings:/'",
            "Enter")
        _ = try terminal.wait(for: "settings:3")
    }
}
