internal import Dispatch
internal import FaultProxy
internal import Foundation
internal import Glibc
internal import NIOCore

/// A Redis primary, its replica and a sentinel, or one server alone, each of the two servers behind a fault proxy through which host,
/// sentinel and the other server reach it: a server behind a held proxy is cut off from everybody.
final class CampaignStore: StoreUnderTest, @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    private struct Server {
        let port: Int
        let proxy: FaultProxy
        let process: ChildProcess
    }

    static let masterName = "issuer"
    private var servers: [Server] = []
    /// Nil for a server alone.
    private let sentinel: ChildProcess?
    private let sentinelPort: Int
    /// Of each failover: what came when, in milliseconds after the kill.
    private(set) var failovers: [[String: Int]] = []

    /// Starts all of them.
    /// - Parameters:
    ///   - configuration: the reference `redis.conf`.
    ///   - folder: for their files.
    ///   - isAlone: without replica and sentinel.
    init(
        configuration: String, folder: String, seed: UInt64, isAlone: Bool, on eventLoop: any EventLoop
    ) async throws {
        let reference = try String(contentsOfFile: configuration, encoding: .utf8)
        for index in 0..<(isAlone ? 1 : 2) {
            let own = "\(folder)/redis-\(index)"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            let port = try freePort()
            let proxy = try await FaultProxy(
                to: .tcp(host: "127.0.0.1", port: port), seed: seed &+ UInt64(index), on: eventLoop)
            var text = """
                \(reference)
                port \(port)
                dir \(own)
                replica-announce-ip 127.0.0.1
                replica-announce-port \(proxy.port)
                repl-timeout 10

                """
            if let primary = servers.first { text += "replicaof 127.0.0.1 \(primary.proxy.port)\n" }
            try text.write(toFile: "\(own)/redis.conf", atomically: true, encoding: .utf8)
            let process = ChildProcess(["redis-server", "\(own)/redis.conf"], log: "\(own)/log")
            try process.start()
            servers.append(Server(port: port, proxy: proxy, process: process))
        }
        sentinelPort = try freePort()
        guard !isAlone else {
            sentinel = nil
            try wait("Redis") { try cli(servers[0].port, ["ping"]).hasPrefix("PONG") }
            return
        }
        let file = "\(folder)/sentinel.conf"
        try """
        port \(sentinelPort)
        bind 127.0.0.1
        dir \(folder)
        sentinel monitor \(Self.masterName) 127.0.0.1 \(servers[0].proxy.port) 1
        sentinel down-after-milliseconds \(Self.masterName) 1000
        sentinel failover-timeout \(Self.masterName) 3000

        """.write(toFile: file, atomically: true, encoding: .utf8)
        let sentinel = ChildProcess(["redis-server", file, "--sentinel"], log: "\(folder)/sentinel.log")
        self.sentinel = sentinel
        for server in servers { try wait("Redis") { try cli(server.port, ["ping"]).hasPrefix("PONG") } }
        try sentinel.start()
        try wait("the sentinel") { try cli(sentinelPort, ["ping"]).hasPrefix("PONG") }
        try wait("the replica") {
            try cli(servers[0].port, ["info", "replication"]).contains("state=online")
                && cli(sentinelPort, ["sentinel", "replicas", Self.masterName]).contains(
                    "\(servers[1].proxy.port)")
        }
    }

    var configuration: String {
        guard sentinel != nil else { return "  host: 127.0.0.1\n  port: \(servers[0].proxy.port)" }
        return "  sentinelMaster: \(Self.masterName)\n  sentinels: [\"127.0.0.1:\(sentinelPort)\"]"
    }

    func inject(_ fault: PlannedFault) async throws -> UInt64 {
        let lasting = Duration.milliseconds(fault.lastingMilliseconds)
        let primary = try primary()
        let begun = DispatchTime.now().uptimeNanoseconds
        switch fault.kind {
        case .storeKilled:
            servers[primary].process.kill()
            try servers[primary].process.start()
            return begun
        case .storeFailedOver:
            servers[primary].process.kill()
            try wait("a failover", seconds: 60) { try self.primary() != primary }
            let named = DispatchTime.now().uptimeNanoseconds
            try startAsReplica(primary)
            try wait("a replica", seconds: 60) {
                try cli(servers[1 - primary].port, ["info", "replication"]).contains("state=online")
            }
            failovers.append([
                "named": Int((named - begun) / 1_000_000),
                "followed": Int((DispatchTime.now().uptimeNanoseconds - begun) / 1_000_000),
            ])
            return begun
        case .storeLinkCut:
            try await servers[primary].proxy.cut()
            return begun
        case .storeStopped: try await suspend(primary, for: lasting)
        case .replicaStopped: try await suspend(1 - primary, for: lasting)
        case .storeLinkBad: try await servers[primary].proxy.disturb(for: lasting)
        case .storeLinkHeld: try await servers[primary].proxy.hold(for: lasting)
        default: throw CampaignError("\(fault.kind.rawValue) is nothing for this store")
        }
        return DispatchTime.now().uptimeNanoseconds
    }

    private func suspend(_ index: Int, for lasting: Duration) async throws {
        servers[index].process.signal(SIGSTOP)
        try await Task.sleep(for: lasting)
        servers[index].process.signal(SIGCONT)
    }

    /// The server that the sentinel calls the master now.
    private func primary() throws -> Int {
        guard sentinel != nil else { return 0 }
        let text = try cli(sentinelPort, ["sentinel", "get-master-addr-by-name", Self.masterName])
        guard let port = text.split(separator: "\n").last.flatMap({ Int($0) }),
            let index = servers.firstIndex(where: { $0.proxy.port == port })
        else { throw CampaignError("the sentinel names no master: \(text)") }
        return index
    }

    /// Starts a server that was the primary as the replica of the one that is now, as its supervisor has to: alone it
    /// would take the sentinel ten seconds to turn it. By its configuration a server connects up to a second after it has
    /// started, told by a command at once; the other name of the same address makes it a new primary to follow.
    private func startAsReplica(_ index: Int) throws {
        let (own, other) = (servers[index].port, servers[1 - index].proxy.port)
        try servers[index].process.start(adding: ["--replicaof", "localhost \(other)"])
        try wait("Redis") { try cli(own, ["replicaof", "127.0.0.1", "\(other)"]).hasPrefix("OK") }
    }

    /// The sentinel has no doubt of its master, and the replica follows it.
    func isSettled() throws -> Bool {
        guard sentinel != nil else { return try cli(servers[0].port, ["ping"]).hasPrefix("PONG") }
        let flags = try cli(sentinelPort, ["sentinel", "master", Self.masterName]).split(separator: "\n")
        guard let place = flags.firstIndex(of: "flags"), flags[place + 1] == "master" else { return false }
        return try cli(servers[primary()].port, ["info", "replication"]).contains("state=online")
    }

    /// What a card's record says: available amount, PIN tries used, highest ATC.
    func card(_ token: String, bucket: Int) throws -> StoredBalance {
        try Self.balance(try cli(servers[primary()].port, ["--no-raw", "get", Self.key(token, bucket)]))
    }

    static func key(_ token: String, _ bucket: Int) -> String {
        "{b\(bucket < 10 ? "0" : "")\(bucket)}:card:\(token)"
    }

    /// - Parameter text: the record as redis-cli prints it.
    static func balance(_ text: String) throws -> StoredBalance {
        let record = unescaped(text)
        // Format 1: what is available from byte 24, the only plastic from byte 48 (tries used +7, ATC +18, flags +20).
        guard record.count > 100, record[16] == 1, record[18] == 1 else {
            throw CampaignError("a card's record cannot be read")
        }
        let available = record[24..<32].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let highest = UInt16(record[66]) << 8 | UInt16(record[67])
        return StoredBalance(
            availableMinorUnits: available, pinTriesUsed: Int(record[55]),
            highestATC: record[68] & 1 == 1 ? highest : nil)
    }

    /// What redis-cli prints in quotation marks.
    private static func unescaped(_ text: String) -> [UInt8] {
        var (bytes, rest) = ([UInt8](), Array(text.utf8)[...])
        guard rest.popFirst() == UInt8(ascii: "\"") else { return [] }
        let named: [UInt8: UInt8] = [
            UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "a"): 7,
            UInt8(ascii: "b"): 8,
        ]
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            if escaped == UInt8(ascii: "x") {
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(named[escaped] ?? escaped)
            }
        }
        return bytes
    }

    func stop() async {
        sentinel?.kill()
        for server in servers {
            server.process.kill()
            try? await server.proxy.stop()
        }
    }

    private func cli(_ port: Int, _ arguments: [String]) throws -> String {
        try ChildProcess.output(of: ["redis-cli", "-p", "\(port)"] + arguments).text
    }
}

/// Waits for something that comes by itself.
func wait(_ what: String, seconds: Double = 30, until isTrue: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try isTrue() { return }
        usleep(20_000)
    }
    throw CampaignError("\(what) did not come in \(Int(seconds)) s")
}

/// A TCP port of the loopback interface that is free now.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    guard bound else { throw CampaignError("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}

func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
