import Foundation
import ISO8583
import SocketSupport
import TerminalSimulator
import Testing
import VirtualCard

/// Two stores of NSS with the same keys, as two HSMs of one partition: they share the load, and one may go.
@Suite("Two tokens behind one name", .serialized)
struct TwoTokensTests {
    private static let slots = ["0x10", "0x11"]

    /// A host on `token` and `token-b` of an environment, the second behind the faulty module.
    private struct Host {
        let configuration: String
        let ports: [UInt16]
        let variables: [String: String]
        let control: String

        init(_ environment: DemoEnvironment, faulty: Int = 1) throws {
            let folder = environment.directory.path
            let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
            let module = try #require(
                text.split(separator: "\n").first { $0.hasPrefix("  module: ") }?.dropFirst(10))
            if !FileManager.default.fileExists(atPath: "\(folder)/token-b") {
                try FileManager.default.copyItem(atPath: "\(folder)/token", toPath: "\(folder)/token-b")
            }
            control = "\(folder)/second.control"
            try "o".write(toFile: control, atomically: false, encoding: .utf8)
            let tokens = zip(Self.stores, slots).map { store, slot in
                "\(slot)=[configdir='sql:\(folder)/\(store.folder)' tokenDescription='\(store.label)']"
            }
            variables = [
                "FAULTY_TOKEN_MODULE": String(module), "FAULTY_TOKEN_CONTROL": control,
                "FAULTY_TOKEN_SLOT": slots[faulty],
                "ISSUER_TOKEN_MODULE": DemoEnvironment.executable("libFaultyToken.so"),
                "ISSUER_TOKEN_INIT_ARGUMENTS": "tokens=<\(tokens.joined(separator: " "))>",
            ]
            var beside: String
            (beside, ports) = try environment.configurationBeside()
            let uri = try #require(
                beside.split(separator: "\n", omittingEmptySubsequences: false).first {
                    $0.hasPrefix("  uri: ")
                })
            beside = beside.replacingOccurrences(
                of: String(uri),
                with: "  uris: [\"pkcs11:token=first\", \"pkcs11:token=second\"]\n  workers: 4")
            configuration = "\(folder)/two-tokens.yaml"
            try beside.write(toFile: configuration, atomically: true, encoding: .utf8)
        }

        private static let stores: [(folder: String, label: String)] = [
            ("token", "first"), ("token-b", "second"),
        ]

        func say(_ letter: String) throws {
            let file = try FileHandle(forWritingTo: URL(filePath: control))
            try file.write(contentsOf: Data(letter.utf8))
            try file.close()
        }

        func check() throws -> (status: Int32, output: String) {
            try DemoEnvironment.run(
                "issuer-host", ["check", "--config", configuration], variables: variables)
        }
    }

    @Test(
        "Both have sessions; one goes and no request is refused; it comes back and has them again",
        arguments: [false, true])
    func oneGoes(isLoop: Bool) async throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let host = try Host(environment, faulty: isLoop ? 0 : 1)
        let process = try HostProcess(
            configuration: host.configuration,
            variables: host.variables.merging(["ISSUER_TOKEN_PLACEMENT": isLoop ? "loop" : "workers"]) { $1 })
        defer { process.stop() }
        let bench = try Bench(try SimulatorConfiguration(contentsOf: environment.configuration))
        let link = try bench.link(try bench.configuration.link("acquirer-a"))
        var cards = try ["visa-cvn18", "visa-cvn10", "mchip-11h", "mchip-10h"].map { try bench.card($0) }
        var terminal = Terminal()
        let socket = try Socket(port: host.ports[0])
        let issuer = try DemoIssuer(
            contentsOf: DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path)
        let zonePINKey = try issuer.key("zpk-acquirer-a")
        // All cards at once, so that every worker has something to do.
        func purchases(_ rounds: Int) throws -> [String?] {
            try (0..<rounds).flatMap { _ in
                for index in cards.indices {
                    let message = try terminal.request(
                        Purchase(amount: 1, pin: .right), card: &cards[index], zonePINKey: zonePINKey,
                        dialect: link.form.codec.dialect
                    ).message
                    socket.sendFrame(try link.form.codec.encode(message))
                }
                return try cards.map { _ in
                    let answer = try #require(socket.receiveFrame())
                    return try link.form.codec.decode(answer).text(.responseCode)
                }
            }
        }
        func seats() throws -> [Int] { try metric("issuer_hsm_token_seats", host.ports[2]) }
        func up() throws -> [Int] { try metric("issuer_hsm_token_up", host.ports[2]) }
        #expect(try purchases(10).allSatisfy { $0 == "00" })
        // A worker that still opens its session when a token goes opens it elsewhere.
        for _ in 0..<200 where try seats().reduce(0, +) < (isLoop ? 5 : 4) {
            try await Task.sleep(for: .milliseconds(50))
        }
        let shared = try seats()
        #expect(shared.allSatisfy { $0 >= 2 } && shared.count == 2, "\(shared)")
        try host.say("r")
        let without = try purchases(40)
        if without.contains(where: { $0 != "00" }) {
            process.stop()
            Issue.record("\(process.text.suffix(2_000))")
        }
        #expect(without.allSatisfy { $0 == "00" }, "\(without.filter { $0 != "00" })")
        #expect(try up() == (isLoop ? [0, 1] : [1, 0]))
        if !isLoop { #expect(try seats()[1] == 0) }
        try host.say("o")
        // Those that are away go home with a job of theirs; where the loop works, workers have none.
        for _ in 0..<50 where try up() != [1, 1] || !isLoop && seats() != shared {
            #expect(try purchases(2).allSatisfy { $0 == "00" })
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try up() == [1, 1] && (isLoop || seats() == shared))
    }

    @Test("A host starts while one is gone, and not with two that have different keys")
    func start() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let host = try Host(environment)
        let both = try host.check()
        #expect(both.status == 0 && both.output.contains("keys of all tokens"), "\(both.output)")
        try host.say("r")
        let one = try host.check()
        #expect(one.status == 0 && one.output.contains("does not answer, the others serve"), "\(one.output)")
        try HostProcess(configuration: host.configuration, variables: host.variables).stop()
        try host.say("o")
        // A key of the first that the second has not.
        let generated = try DemoEnvironment.run(
            "issuer-keys", ["generate", "cvk-476174", "--config", environment.configuration])
        #expect(generated.status == 0, "\(generated.output)")
        let text = try String(contentsOfFile: host.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "cvk-476173", with: "cvk-476174").write(
            toFile: host.configuration, atomically: true, encoding: .utf8)
        let different = try host.check()
        #expect(different.status == 1 && different.output.contains("cvk-476174"), "\(different.output)")
    }

    /// The values of a labelled metric, in order.
    private func metric(_ name: String, _ port: UInt16) throws -> [Int] {
        let output = try adminText(port, "/metrics")
        return output.split(separator: "\n").filter { $0.hasPrefix(name + "{") }.compactMap {
            $0.split(separator: " ").last.flatMap { Int($0) }
        }
    }
}
