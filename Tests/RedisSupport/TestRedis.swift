import Foundation
import Glibc
public import Redis

/// A redis-server of one's own, with the reference configuration, on a Unix socket in a folder of its own.
/// Stops with the value that started it.
public final class TestRedis: @unchecked Sendable {
    // Sendable because a test starts and kills it from one task at a time.
    /// Where it listens.
    public let address: RedisAddress
    private let folder: String
    private var process = Process()
    private let options: [String]

    /// A server that does not come up.
    public struct Failure: Error, CustomStringConvertible {
        /// Why.
        public let description: String
    }

    /// - Parameter options: settings that override the reference configuration, `["--appendonly", "no"]`.
    public init(options: [String] = []) throws {
        folder =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-redis-\(UInt32.random(in: .min ... .max))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        address = .unix(path: folder + "/redis.sock")
        self.options = options
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Starts it, again after `kill`; what is on disk is loaded.
    /// - Parameters:
    ///   - more: settings of this start only.
    ///   - untilLoaded: false returns as soon as it runs.
    public func start(adding more: [String] = [], untilLoaded: Bool = true) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
            .path
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "redis-server", "\(root)/Config/redis.conf", "--port", "0", "--unixsocket",
                folder + "/redis.sock",
            ]
            + ["--dir", folder] + options + more
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        guard untilLoaded else { return }
        let end = Date().addingTimeInterval(20)
        while Date() < end {
            if answersPing() { return }
            guard process.isRunning else { break }
            usleep(5_000)
        }
        throw Failure(description: "redis-server did not start: install redis-server")
    }

    /// The end that nothing can prepare for.
    public func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private func answersPing() -> Bool {
        let client = Process()
        let output = Pipe()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        client.arguments = ["redis-cli", "-s", folder + "/redis.sock", "ping"]
        client.standardOutput = output
        client.standardError = FileHandle.nullDevice
        guard (try? client.run()) != nil else { return false }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        client.waitUntilExit()
        return text.hasPrefix("PONG")
    }
}
