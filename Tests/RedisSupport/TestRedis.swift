import Foundation
import Glibc
package import Redis

/// A redis-server of one's own, with the reference configuration, on a Unix socket in a folder of its own.
/// Stops with the value that started it.
package final class TestRedis: @unchecked Sendable {
    // Sendable because a test starts and kills it from one task at a time.
    /// Where it listens.
    package let address: RedisAddress
    private let folder: String
    private var process = Process()
    private let options: [String]

    /// A server that does not come up.
    package struct Failure: Error, CustomStringConvertible {
        /// Why.
        package let description: String
    }

    /// - Parameter options: settings that override the reference configuration, `["--appendonly", "no"]`.
    package init(options: [String] = []) throws {
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
    package func start(adding more: [String] = [], untilLoaded: Bool = true) throws {
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
    package func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Takes bytes off the end of the newest file, as a restored or broken disk would. While the server is
    /// down.
    package func cutAppendOnlyFile(by bytes: Int) throws {
        let path = try newestAppendOnlyFile()
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let end = try handle.seekToEnd()
        try handle.truncate(atOffset: end - UInt64(bytes))
        try handle.close()
    }

    /// `redis-check-aof --fix`: half a command at the end is cut off.
    package func repairAppendOnlyFile() throws {
        let repair = Process()
        let answer = Pipe()
        repair.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        repair.arguments = ["redis-check-aof", "--fix", folder + "/appendonlydir/appendonly.aof.manifest"]
        repair.standardInput = answer
        repair.standardOutput = FileHandle.nullDevice
        repair.standardError = FileHandle.nullDevice
        try repair.run()
        answer.fileHandleForWriting.write(Data("y\n".utf8))
        try answer.fileHandleForWriting.close()
        repair.waitUntilExit()
        guard repair.terminationStatus == 0 else { throw Failure(description: "redis-check-aof failed") }
    }

    private func newestAppendOnlyFile() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/appendonlydir")
        guard let name = names.filter({ $0.hasSuffix(".incr.aof") }).sorted().last else {
            throw Failure(description: "no append-only file")
        }
        return folder + "/appendonlydir/" + name
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
