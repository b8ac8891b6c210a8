import Foundation
import Glibc
import SocketSupport

/// A whole environment of real parts (token, Redis, host), started by the project's own script with the
/// executables of this build, on free loopback ports.
final class DemoEnvironment {
    let directory: URL
    let portA: UInt16
    let portB: UInt16
    let adminPort: UInt16
    /// Of the link that DEMO_SECURE adds.
    let portS: UInt16
    /// Of the links that DEMO_1993 adds: plain, and with TLS and MACs.
    let portC: UInt16
    let portD: UInt16
    private let process = Process()
    private let output = Pipe()

    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The folder that the test bundle lies in also holds the executables.
    static let executables = URL(fileURLWithPath: CommandLine.arguments[0])
        .deletingLastPathComponent().path

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter variables: for the script, beside those that place the environment.
    init(command: [String], variables: [String: String] = [:]) throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        (portA, portB, adminPort, portS) = (try freePort(), try freePort(), try freePort(), try freePort())
        (portC, portD) = (try freePort(), try freePort())
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments =
            [
                DemoEnvironment.root.appendingPathComponent("Config/demo/environment.sh").path
            ] + command
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "DEMO_DIR": directory.path, "DEMO_PORT_A": "\(portA)", "DEMO_PORT_B": "\(portB)",
                "DEMO_PORT_S": "\(portS)", "DEMO_PORT_C": "\(portC)", "DEMO_PORT_D": "\(portD)",
                "DEMO_ADMIN_PORT": "\(adminPort)",
                "DEMO_BIN": DemoEnvironment.binaries(),
            ].merging(variables) { $1 }
        ) { $1 }
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
    }

    /// Worker threads of the test runner block every signal, and children inherit that: an environment that
    /// cannot be stopped would be the result.
    static func start(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    /// `swift test` runs the bundle from another place than `swift build` puts executables; both are known.
    private static func binaries() -> String {
        let root = DemoEnvironment.root.path
        let candidates = [executables, "\(root)/.build/debug", "\(root)/.build/out/Products/Debug"]
        let found = candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/issuer-host") }
        return found ?? "\(root)/.build/debug"
    }

    var configuration: String { directory.appendingPathComponent("issuer-host.yaml").path }

    static func executable(_ name: String) -> String { binaries() + "/" + name }

    /// Where all executables of this build lie.
    static var binaryFolder: String { binaries() }

    /// Waits for the line that says that requests are accepted.
    func waitUntilReady(seconds: Int = 60) throws {
        let end = Date().addingTimeInterval(TimeInterval(seconds))
        var text = ""
        while Date() < end {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += String(decoding: data, as: UTF8.self)
            if text.contains("ready:") { return }
        }
        throw Failure(description: "the environment did not become ready: \(text)")
    }

    /// Ends the environment's Redis server as a power cut would.
    func killStore() throws {
        let text = try String(contentsOf: directory.appendingPathComponent("redis.pid"), encoding: .utf8)
        guard let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Failure(description: "no Redis process")
        }
        kill(pid, SIGKILL)
        for _ in 0..<1_000 where kill(pid, 0) == 0 { usleep(2_000) }
    }

    /// A server in its place, on the same files.
    func startStore() throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-server", DemoEnvironment.root.appendingPathComponent("Config/redis.conf").path, "--port",
            "0",
            "--unixsocket", directory.appendingPathComponent("redis.sock").path, "--dir", directory.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try DemoEnvironment.start(process)
        return process
    }

    /// Waits for the end of the command.
    func finish() -> (status: Int32, output: String) {
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// Asks for a graceful end and waits for it.
    @discardableResult
    func stop() -> Int32 {
        if process.isRunning { process.terminate() }
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
        return process.terminationStatus
    }

    /// Runs one of the project's executables.
    /// - Parameter folder: in which it runs; nil: that of the tests.
    static func run(
        _ name: String, _ arguments: [String], variables: [String: String] = [:], folder: URL? = nil
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable(name))
        if let folder { process.currentDirectoryURL = folder }
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        return try result(of: process)
    }

    /// Runs a program to its end.
    /// - Returns: its exit code, and all that it wrote, its errors among it.
    static func result(of process: Process) throws -> (status: Int32, output: String) {
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
