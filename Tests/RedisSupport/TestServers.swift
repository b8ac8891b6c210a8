import Foundation
import Glibc

/// Redis servers on TCP ports of the loopback interface, with the reference configuration, in a folder of
/// their own.
/// They stop with the value that started them.
package final class TestServers: @unchecked Sendable {
    // Sendable because a test starts and kills them from one task at a time.
    private let folder: String
    private var processes: [Int: Process] = [:]

    /// Servers that do not come up.
    package struct Failure: Error, CustomStringConvertible {
        /// Why.
        package let description: String
    }

    /// No server yet.
    package init() throws {
        folder =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-servers-\(UInt32.random(in: .min ... .max))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit {
        for port in processes.keys { kill(port) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Starts a server, with what is on disk from before if the port had one.
    /// - Returns: its port.
    @discardableResult
    package func start(port: Int? = nil, options: [String] = []) throws -> Int {
        let port = try port ?? freePort()
        let own = "\(folder)/\(port)"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
            .path
        // A copy: a failover makes the server rewrite the file that it was started with.
        let configuration = own + "/redis.conf"
        if !FileManager.default.fileExists(atPath: configuration) {
            try FileManager.default.copyItem(atPath: "\(root)/Config/redis.conf", toPath: configuration)
        }
        try launch(
            port,
            ["redis-server", configuration, "--port", "\(port)", "--dir", own, "--appendfsync", "no"]
                + options)
        return port
    }

    /// Waits until a replica has acknowledged a write: it is slow while it loads what its primary sent and writes it to its own
    /// file, and the primary calls it online before that.
    package func waitUntilFollows(_ replica: Int, _ master: Int) async throws {
        let probe = "SET probe:{replica} 1\nDEL probe:{replica}\nWAIT 1 500\n"
        for _ in 0..<100 {
            let up = try cli(["-p", "\(replica)", "info", "replication"]).contains("master_link_status:up")
            let last = up ? try cli(["-p", "\(master)"], input: probe).split(separator: "\n").last : nil
            if last.flatMap({ Int($0) }) == 1 { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure(description: "the replica does not follow")
    }

    /// Starts a sentinel that watches a master with a quorum of one.
    package func startSentinel(master: String, port: Int) throws -> Int {
        let own = try freePort()
        let file = "\(folder)/sentinel-\(own).conf"
        try """
        port \(own)
        bind 127.0.0.1
        dir \(folder)
        sentinel monitor \(master) 127.0.0.1 \(port) 1
        sentinel down-after-milliseconds \(master) 300
        sentinel failover-timeout \(master) 3000
        """.write(toFile: file, atomically: true, encoding: .utf8)
        try launch(own, ["redis-server", file, "--sentinel"])
        return own
    }

    /// Of a node of `startCluster`.
    package static let clusterOptions = ["--cluster-enabled", "yes", "--cluster-node-timeout", "15000"]

    /// Three masters that share the slots.
    package func startCluster() throws -> [Int] {
        let ports = try (0..<3).map { _ in try start(options: TestServers.clusterOptions) }
        let nodes = ports.map { "127.0.0.1:\($0)" }
        let output = try cli(["--cluster", "create"] + nodes + ["--cluster-yes"])
        guard output.contains("All 16384 slots covered") else {
            throw Failure(description: "the cluster was not made: \(output.suffix(300))")
        }
        // Each node finds out by itself that all slots are served.
        let end = Date().addingTimeInterval(30)
        for port in ports {
            while try !cli(["-p", "\(port)", "cluster", "info"]).contains("cluster_state:ok") {
                guard Date() < end else {
                    throw Failure(description: "node \(port) does not take the cluster for whole")
                }
                usleep(20_000)
            }
        }
        return ports
    }

    /// The end that nothing can prepare for.
    package func kill(_ port: Int) {
        guard let process = processes.removeValue(forKey: port), process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Takes bytes off the end of what a server that is down has on disk, or all of it; half a command is cut off as well.
    package func shorten(_ port: Int, by bytes: Int?) throws {
        let folder = "\(folder)/\(port)/appendonlydir"
        guard let bytes else { return try FileManager.default.removeItem(atPath: folder) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        guard let name = names.filter({ $0.hasSuffix(".incr.aof") }).sorted().last else {
            throw Failure(description: "no append-only file")
        }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(folder)/\(name)"))
        let end = try handle.seekToEnd()
        try handle.truncate(atOffset: end > UInt64(bytes) ? end - UInt64(bytes) : 0)
        try handle.close()
        let repair = Process()
        let answer = Pipe()
        repair.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        repair.arguments = ["redis-check-aof", "--fix", "\(folder)/appendonly.aof.manifest"]
        repair.standardInput = answer
        repair.standardOutput = FileHandle.nullDevice
        repair.standardError = FileHandle.nullDevice
        try repair.run()
        answer.fileHandleForWriting.write(Data("y\n".utf8))
        try answer.fileHandleForWriting.close()
        repair.waitUntilExit()
    }

    /// It stands still, with its connections open.
    package func suspend(_ port: Int) throws {
        guard let process = processes[port] else { throw Failure(description: "no server on \(port)") }
        Glibc.kill(process.processIdentifier, SIGSTOP)
    }

    /// It goes on.
    package func resume(_ port: Int) {
        if let process = processes[port] { Glibc.kill(process.processIdentifier, SIGCONT) }
    }

    /// What `redis-cli` prints.
    @discardableResult
    package func cli(_ arguments: [String], input: String = "") throws -> String {
        let client = Process()
        let output = Pipe()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        client.arguments = ["redis-cli"] + arguments
        client.standardOutput = output
        client.standardError = output
        let given = Pipe()
        client.standardInput = given
        try client.run()
        given.fileHandleForWriting.write(Data(input.utf8))
        try given.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        client.waitUntilExit()
        return text
    }

    private func launch(_ port: Int, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        processes[port] = process
        let end = Date().addingTimeInterval(20)
        while Date() < end {
            if try cli(["-p", "\(port)", "ping"]).hasPrefix("PONG") { return }
            guard process.isRunning else { break }
            usleep(10_000)
        }
        throw Failure(description: "redis-server did not start on \(port): install redis-server")
    }

    /// A port that is free now, and whose cluster bus port (10,000 above) is, too.
    private func freePort() throws -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 20_000...40_000)
            if processes[port] == nil, isFree(port), isFree(port + 10_000) { return port }
        }
        throw Failure(description: "no free port found")
    }

    private func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
