import ByteCoding
import Foundation
import LibCrypto

/// A token store, its trail and somebody who has the token's PIN and other people's tools.
final class HostileStore {
    let environment: DemoEnvironment
    let token: String
    private let pin: String
    private let kept: String

    /// - Parameter token: `nss` or `softhsm2`.
    init(_ token: String) throws {
        self.token = token
        environment = try DemoEnvironment(command: ["prepare"], variables: ["DEMO_TOKEN": token])
        let (status, output) = environment.finish()
        guard status == 0 else { throw DemoEnvironment.Failure(description: output) }
        let folder = environment.directory
        // An issuer's RSA key and an access control server's, for those who work against their halves.
        for command in [
            [
                "certificate", "request", "hostile", "--identifier", "476173", "--expires", "2049-12",
                "--bits", "1408", "--out", folder.appendingPathComponent("hostile.request").path,
            ], ["acs-sign", "generate", "hostile", "--algorithm", "ES256"],
        ] {
            let made = try DemoEnvironment.run(
                "issuer-keys", command + ["--config", environment.configuration],
                variables: ["SOFTHSM2_CONF": folder.appendingPathComponent("softhsm2.conf").path])
            guard made.status == 0 else { throw DemoEnvironment.Failure(description: made.output) }
        }
        pin = try String(contentsOf: folder.appendingPathComponent("token.pin"), encoding: .utf8)
        kept = folder.appendingPathComponent("kept").path
        try keep()
    }

    /// A checkpoint that left the machine, for the next audit.
    var against: String?
    private var stranger: HostileStore?

    /// Somebody else's store of the same kind.
    func other() throws -> HostileStore {
        if let stranger { return stranger }
        let made = try HostileStore(token)
        stranger = made
        return made
    }

    func stop() {
        environment.stop()
        stranger?.stop()
    }

    /// A file that says what the log is now.
    func checkpoint(_ name: String) throws -> String {
        let path = place(name)
        try? FileManager.default.removeItem(atPath: path)
        let (status, output) = try keys("audit-log", "checkpoint", "--out", path)
        guard status == 0 else { throw DemoEnvironment.Failure(description: output) }
        return path
    }

    /// A line behind the last one, chained, sealed by the token and counted: whoever has the PIN can do that.
    func forge(_ event: String, _ key: String) throws {
        let lines = try log
        let last = try Digest.sha256(Array((lines.last ?? "").utf8))
        let start =
            "{\"sequence\":\(lines.count + 1),\"time\":\"2099-01-01T00:00:00Z\",\"process\":\"issuer-keys\","
            + "\"pid\":1,\"user\":\"somebody\",\"event\":\"\(event)\",\"key\":\"\(key)\","
            + "\"previous\":\"\(Hex.encode(last))\""
        let line = try start + ",\"seal\":\"\(probe("seal", "audit", Hex.encode(Array(start.utf8))))\"}"
        try write(log: lines + [line])
        let number = (0..<8).map { UInt8(truncatingIfNeeded: (lines.count + 1) >> (56 - 8 * $0)) }
        try probe("head", "audit-head", Hex.encode(number + Digest.sha256(Array(line.utf8))))
    }

    func place(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }

    var variables: [String: String] { ["SOFTHSM2_CONF": place("softhsm2.conf")] }

    /// What is restored by `restore`.
    func keep() throws {
        try? FileManager.default.removeItem(atPath: kept)
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        for name in ["token", "audit.log", "token.pin"] {
            try FileManager.default.copyItem(atPath: place(name), toPath: "\(kept)/\(name)")
        }
    }

    func restore(_ names: [String] = ["token", "audit.log", "token.pin"]) throws {
        against = nil
        for name in names {
            try? FileManager.default.removeItem(atPath: place(name))
            try FileManager.default.copyItem(atPath: "\(kept)/\(name)", toPath: place(name))
        }
    }

    /// `issuer-keys` with the configuration.
    @discardableResult
    func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
        try DemoEnvironment.run(
            "issuer-keys", arguments + ["--config", environment.configuration], variables: variables)
    }

    // MARK: - Tools

    private var library: String {
        let text = (try? String(contentsOfFile: environment.configuration, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("  module: ") }
        return line.map { String($0.dropFirst("  module: ".count)) } ?? ""
    }

    /// The C probe.
    @discardableResult
    func probe(_ arguments: String...) throws -> String {
        let start =
            token == "nss"
            ? "configdir='sql:\(place("token"))' certPrefix='' keyPrefix='' secmod='' flags=" : "-"
        let (status, output) = try DemoEnvironment.run(
            "hostile-probe", [library, pin, start] + arguments, variables: variables)
        guard status == 0 else { throw DemoEnvironment.Failure(description: "hostile-probe: \(output)") }
        return output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// NSS's own tool.
    func symkeyutil(_ arguments: String...) throws {
        try tool(["symkeyutil"] + arguments + ["-d", "sql:\(place("token"))", "-f", place("token.pin")])
    }

    /// OpenSC's, on SoftHSM2.
    func pkcs11Tool(_ arguments: String...) throws {
        try tool(
            ["pkcs11-tool", "--module", library, "--login", "--pin", pin, "--token-label", "issuer-demo"]
                + arguments)
    }

    /// Any program of the system.
    func tool(_ arguments: [String]) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw DemoEnvironment.Failure(
                description: "\(arguments[0]): \(String(decoding: data, as: UTF8.self))")
        }
    }

    var log: [String] {
        get throws {
            try String(contentsOfFile: place("audit.log"), encoding: .utf8).split(separator: "\n").map(
                String.init)
        }
    }

    func write(log lines: [String]) throws {
        try lines.map { $0 + "\n" }.joined().write(
            toFile: place("audit.log"), atomically: false, encoding: .utf8)
    }

    // MARK: - The audit

    struct Finding: Decodable {
        let kind: String
        let key: String?
        let causedBy: String
        let accepted: Bool
    }

    /// Exit code and what is not accepted.
    func audit() throws -> (status: Int32, open: [Finding], output: String) {
        struct Report: Decodable { let findings: [Finding] }
        let path = place("report.json")
        try? FileManager.default.removeItem(atPath: path)
        let checkpoint = against.map { ["--against", $0] } ?? []
        let (status, output) = try DemoEnvironment.run(
            "issuer-keys",
            ["audit", "--json", path, "--config", environment.configuration] + checkpoint,
            variables: variables)
        let data = FileManager.default.contents(atPath: path) ?? Data("{\"findings\":[]}".utf8)
        return (
            status, try JSONDecoder().decode(Report.self, from: data).findings.filter { !$0.accepted }, output
        )
    }
}
