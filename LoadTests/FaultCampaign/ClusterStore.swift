internal import Dispatch
internal import Foundation
internal import Glibc

/// Three masters with a replica each, on ports of their own.
final class ClusterStore: StoreUnderTest, @unchecked Sendable {
    // Sendable because the campaign alone touches it, one step after the other.
    private let ports: [Int]
    private let processes: [ChildProcess]
    private var turn = 0

    init(configuration: String, folder: String) async throws {
        let reference = try String(contentsOfFile: configuration, encoding: .utf8)
        var (ports, processes) = ([Int](), [ChildProcess]())
        for index in 0..<6 {
            let own = "\(folder)/node-\(index)"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            // The bus of a node has a port ten thousand above.
            var port = try freePort()
            while port > 50_000 { port = try freePort() }
            try """
            \(reference)
            port \(port)
            dir \(own)
            cluster-enabled yes
            cluster-node-timeout 1500
            repl-timeout 10

            """.write(toFile: "\(own)/redis.conf", atomically: true, encoding: .utf8)
            let process = ChildProcess(["redis-server", "\(own)/redis.conf"], log: "\(own)/log")
            try process.start()
            ports.append(port)
            processes.append(process)
        }
        (self.ports, self.processes) = (ports, processes)
        for port in ports { try wait("Redis") { try cli(port, ["ping"]).hasPrefix("PONG") } }
        let made = try ChildProcess.output(
            of: ["redis-cli", "--cluster", "create"] + ports.map { "127.0.0.1:\($0)" } + [
                "--cluster-replicas", "1", "--cluster-yes",
            ]
        ).text
        guard made.contains("All 16384 slots covered") else {
            throw CampaignError("the cluster was not made: \(made.suffix(300))")
        }
        try wait("the cluster", seconds: 60) { try isSettled() }
    }

    var configuration: String {
        "  cluster: [" + ports.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ") + "]"
    }

    func inject(_ fault: PlannedFault) async throws -> UInt64 {
        turn += 1
        let masters = try nodes().filter(\.isMaster)
        let master = masters[turn % masters.count]
        guard let index = ports.firstIndex(of: master.port) else { throw CampaignError("a strange node") }
        let begun = DispatchTime.now().uptimeNanoseconds
        switch fault.kind {
        case .storeFailedOver:
            processes[index].kill()
            try wait("a failover", seconds: 60) {
                try nodes().contains { $0.isMaster && $0.port != master.port && $0.slots == master.slots }
            }
            try processes[index].start()
            return begun
        case .replicaStopped:
            guard let replica = try nodes().first(where: { $0.master == master.name }),
                let place = ports.firstIndex(of: replica.port)
            else { throw CampaignError("a master without a replica") }
            processes[place].signal(SIGSTOP)
            try await Task.sleep(for: .milliseconds(fault.lastingMilliseconds))
            processes[place].signal(SIGCONT)
        case .slotMoved: try moveSlot(masters)
        default: throw CampaignError("\(fault.kind.rawValue) is nothing for a cluster")
        }
        return DispatchTime.now().uptimeNanoseconds
    }

    func isSettled() throws -> Bool {
        for port in ports {
            guard try cli(port, ["cluster", "info"]).contains("cluster_state:ok") else { return false }
        }
        let nodes = try nodes()
        guard nodes.filter(\.isMaster).count == 3, nodes.count == 6, nodes.allSatisfy(\.isWell) else {
            return false
        }
        return try nodes.filter { !$0.isMaster }.allSatisfy {
            try cli($0.port, ["info", "replication"]).contains("master_link_status:up")
        }
    }

    func card(_ token: String, bucket: Int) throws -> StoredBalance {
        let key = CampaignStore.key(token, bucket)
        let text = try ChildProcess.output(of: [
            "redis-cli", "-c", "-p", "\(ports[0])", "--no-raw", "get", key,
        ]).text
        return try CampaignStore.balance(text)
    }

    func stop() async { for process in processes { process.kill() } }

    // MARK: - Nodes and slots

    fileprivate struct Node {
        let name: String
        let port: Int
        let isMaster: Bool
        let isWell: Bool
        let master: String
        let slots: [Substring]
    }

    /// As the first node that answers sees them.
    private func nodes() throws -> [Node] {
        for port in ports {
            let text = try cli(port, ["cluster", "nodes"])
            let nodes = text.split(separator: "\n").compactMap { line -> Node? in
                let parts = line.split(separator: " ")
                guard parts.count >= 8, let colon = parts[1].firstIndex(of: ":"),
                    let port = Int(parts[1][parts[1].index(after: colon)...].prefix { $0 != "@" })
                else { return nil }
                let flags = parts[2].split(separator: ",")
                return Node(
                    name: String(parts[0]), port: port,
                    isMaster: flags.contains("master") && !flags.contains("fail") && parts.count > 8,
                    isWell: !flags.contains { $0.hasPrefix("fail") } && parts[7] == "connected",
                    master: String(parts[3]), slots: Array(parts[8...]))
            }
            if !nodes.isEmpty { return nodes }
        }
        throw CampaignError("no node of the cluster answers")
    }

    /// A bucket goes to another master, four keys at a time.
    private func moveSlot(_ masters: [Node]) throws {
        let bucket = turn * 7 % 64
        let tag = "{b\(bucket < 10 ? "0" : "")\(bucket)}"
        let slot = try cli(masters[0].port, ["cluster", "keyslot", tag]).trimmed
        guard let owner = masters.first(where: { $0.owns(Int(slot) ?? 0) }),
            let target = masters.first(where: { $0.name != owner.name })
        else { throw CampaignError("nobody has slot \(slot)") }
        try cli(target.port, ["cluster", "setslot", slot, "importing", owner.name])
        try cli(owner.port, ["cluster", "setslot", slot, "migrating", target.name])
        while true {
            let keys = try cli(owner.port, ["cluster", "getkeysinslot", slot, "4"])
                .split(separator: "\n").map(String.init)
            if keys.isEmpty { break }
            try cli(
                owner.port, ["migrate", "127.0.0.1", "\(target.port)", "", "0", "5000", "keys"] + keys)
        }
        for node in [target] + masters.filter({ $0.name != target.name }) {
            try cli(node.port, ["cluster", "setslot", slot, "node", target.name])
        }
        try wait("the moved slot", seconds: 20) { try isSettled() }
    }

    @discardableResult
    private func cli(_ port: Int, _ arguments: [String]) throws -> String {
        try ChildProcess.output(of: ["redis-cli", "-p", "\(port)"] + arguments).text
    }
}

extension ClusterStore.Node {
    fileprivate func owns(_ slot: Int) -> Bool {
        slots.contains { range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last else { return false }
            return (first...last).contains(slot)
        }
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
