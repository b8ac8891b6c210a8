internal import Dispatch
internal import Foundation
internal import Glibc

/// Two Redis servers and three sentinels on addresses of their own, so that a primary can be cut off from the other server
/// and from the sentinels, and from nobody else. In a network namespace: the loopback interface's filter belongs to it.
final class PartitionStore: StoreUnderTest, @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    private struct Server {
        let address: String
        let process: ChildProcess
    }

    private static let port = 6_400
    private static let sentinelAddress = "127.0.0.4"
    private static let sentinelPorts = [26_401, 26_402, 26_403]
    private var servers: [Server] = []
    private var sentinels: [ChildProcess] = []
    /// Milliseconds from the moment at which most sentinels named another primary to the hosts' first connection to it.
    private(set) var moves: [Int] = []

    init(configuration: String, folder: String) async throws {
        let reference = try String(contentsOfFile: configuration, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("bind ") }
            .joined(separator: "\n")
        for (index, address) in ["127.0.0.2", "127.0.0.3"].enumerated() {
            let own = "\(folder)/redis-\(index)"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            var text = """
                \(reference)
                port \(Self.port)
                bind \(address)
                bind-source-addr \(address)
                # 127.0.0.1 alone would be let in.
                protected-mode no
                dir \(own)
                repl-timeout 10

                """
            if let primary = servers.first { text += "replicaof \(primary.address) \(Self.port)\n" }
            try text.write(toFile: "\(own)/redis.conf", atomically: true, encoding: .utf8)
            let process = ChildProcess(["redis-server", "\(own)/redis.conf"], log: "\(own)/log")
            try process.start()
            servers.append(Server(address: address, process: process))
        }
        for (index, port) in Self.sentinelPorts.enumerated() {
            let file = "\(folder)/sentinel-\(index).conf"
            try """
            port \(port)
            bind \(Self.sentinelAddress)
            bind-source-addr \(Self.sentinelAddress)
            protected-mode no
            dir \(folder)
            sentinel monitor \(CampaignStore.masterName) 127.0.0.2 \(Self.port) 2
            sentinel down-after-milliseconds \(CampaignStore.masterName) 1000
            sentinel failover-timeout \(CampaignStore.masterName) 3000

            """.write(toFile: file, atomically: true, encoding: .utf8)
            sentinels.append(
                ChildProcess(
                    ["redis-server", file, "--sentinel"], log: "\(folder)/sentinel-\(index).log"))
        }
        for server in servers { try wait("Redis") { try cli(server, ["ping"]).hasPrefix("PONG") } }
        for sentinel in sentinels { try sentinel.start() }
        try wait("sentinels that know each other", seconds: 60) { try isSettled() }
    }

    var configuration: String {
        let all = Self.sentinelPorts.map { "\"\(Self.sentinelAddress):\($0)\"" }.joined(separator: ", ")
        return "  sentinelMaster: \(CampaignStore.masterName)\n  sentinels: [\(all)]"
    }

    func inject(_ fault: PlannedFault) async throws -> UInt64 {
        guard fault.kind == .partitioned else {
            throw CampaignError("\(fault.kind.rawValue) is nothing for a partition")
        }
        let before = try primary()
        let others = [servers[1 - before].address, Self.sentinelAddress]
        let rules = others.flatMap { other in
            [[servers[before].address, other], [other, servers[before].address]]
        }
        let begun = DispatchTime.now().uptimeNanoseconds
        for rule in rules { try filter("-I", rule) }
        try wait("another primary", seconds: 60) { try primary() != before }
        let named = DispatchTime.now().uptimeNanoseconds
        try wait("the hosts at the new primary", seconds: 60) {
            try cli(servers[1 - before], ["client", "list"]).contains("name=issuer-host")
        }
        moves.append(Int((DispatchTime.now().uptimeNanoseconds - named) / 1_000_000))
        let rest =
            Int64(fault.lastingMilliseconds)
            - Int64((DispatchTime.now().uptimeNanoseconds - begun) / 1_000_000)
        try await Task.sleep(for: .milliseconds(max(0, rest)))
        for rule in rules { try filter("-D", rule) }
        return DispatchTime.now().uptimeNanoseconds
    }

    func isSettled() throws -> Bool {
        for port in Self.sentinelPorts {
            let text = try sentinel(port, ["sentinel", "master", CampaignStore.masterName])
            let lines = text.split(separator: "\n")
            guard let flags = lines.firstIndex(of: "flags"), lines[flags + 1] == "master",
                let count = lines.firstIndex(of: "num-other-sentinels"), lines[count + 1] == "2",
                let replicas = lines.firstIndex(of: "num-slaves"), lines[replicas + 1] == "1"
            else { return false }
        }
        return try cli(servers[primary()], ["info", "replication"]).contains("state=online")
    }

    func card(_ token: String, bucket: Int) throws -> StoredBalance {
        try CampaignStore.balance(
            try cli(servers[primary()], ["--no-raw", "get", CampaignStore.key(token, bucket)]))
    }

    func stop() async {
        for sentinel in sentinels { sentinel.kill() }
        for server in servers { server.process.kill() }
    }

    /// The server that most of the sentinels name.
    private func primary() throws -> Int {
        let named = try Self.sentinelPorts.map {
            try sentinel($0, ["sentinel", "get-master-addr-by-name", CampaignStore.masterName])
        }
        for (index, server) in servers.enumerated()
        where named.filter({ $0.contains(server.address) }).count >= 2 {
            return index
        }
        throw CampaignError("the sentinels do not agree")
    }

    private func filter(_ operation: String, _ rule: [String]) throws {
        let (status, text) = try ChildProcess.output(of: [
            "iptables", operation, "INPUT", "-s", rule[0], "-d", rule[1], "-j", "DROP",
        ])
        guard status == 0 else { throw CampaignError("iptables: \(text.suffix(200))") }
    }

    private func cli(_ server: Server, _ arguments: [String]) throws -> String {
        try ChildProcess.output(
            of: ["redis-cli", "-h", server.address, "-p", "\(Self.port)"] + arguments
        ).text
    }

    private func sentinel(_ port: Int, _ arguments: [String]) throws -> String {
        try ChildProcess.output(of: ["redis-cli", "-h", Self.sentinelAddress, "-p", "\(port)"] + arguments)
            .text
    }
}
