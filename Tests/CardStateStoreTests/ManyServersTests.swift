import Authorisation
import CardStateStore
import EMV
import Redis
import RedisSupport
import Testing

/// The same state on a cluster of three nodes, and with sentinels and replicas, all of them real.
@Suite(.timeLimit(.minutes(5))) struct ManyServersTests {
    private func address(_ port: Int) -> RedisAddress { .tcp(host: "127.0.0.1", port: port) }

    private func cluster() async throws -> (StateBench, TestServers, [Int]) {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        // One seed is enough: the others are found.
        let bench = try await StateBench(servers, at: .cluster([address(ports[1])]), first: address(ports[0]))
        return (bench, servers, ports)
    }

    @Test func everyBucketOfAClusterServes() async throws {
        let (bench, servers, ports) = try await cluster()
        // One card in each of the 64 buckets, so that every node has some.
        let tokens = (0..<64).map { CardToken(high: UInt64($0), low: UInt64($0)) }
        #expect(Set(tokens.map { $0.bucket(of: 64) }).count > 40)
        for token in tokens { try await bench.importCard(token) }
        for token in tokens {
            let first = try await bench.commit(token, atc: 5, pin: .wrong, transmission: "t")
            #expect(first.declined == .pinWrong && first.atc == .first)
            #expect(try await bench.commit(token, atc: 5).declined == .atcReplayed)
            #expect(try await bench.commit(token, atc: 4).atc == .late)
            #expect(try await bench.read(token, "t").answered?.declined == .pinWrong)
        }
        for port in ports {
            let count = try servers.cli(["-p", "\(port)", "dbsize"])
            #expect(count.split(separator: " ").last.flatMap { Int($0.filter(\.isNumber)) } ?? 0 > 0)
        }
        #expect(try await bench.journal.records(retrievalReferenceNumber: "000000000001").count == 64 * 3)
        await bench.store.close()
    }

    @Test func aSlotThatMovesIsFollowed() async throws {
        let (bench, servers, ports) = try await cluster()
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        #expect(try await bench.commit(token, atc: 1).atc == .first)
        let slot = HashSlot.of("{b\(token.bucket(of: 64) < 10 ? "0" : "")\(token.bucket(of: 64))}")
        var ids: [String] = []
        var owner = 0
        for (index, port) in ports.enumerated() {
            let lines = try servers.cli(["-p", "\(port)", "cluster", "nodes"]).split(separator: "\n")
            let own = try #require(lines.first { $0.contains("myself") })
            ids.append(String(own.split(separator: " ")[0]))
            for range in own.split(separator: " ").dropFirst(8) {
                let ends = range.split(separator: "-").compactMap { Int($0) }
                if let first = ends.first, let last = ends.last, first...last ~= slot { owner = index }
            }
        }
        let target = (owner + 1) % 3
        let (from, to) = ("\(ports[owner])", "\(ports[target])")
        try servers.cli(["-p", to, "cluster", "setslot", "\(slot)", "importing", ids[owner]])
        try servers.cli(["-p", from, "cluster", "setslot", "\(slot)", "migrating", ids[target]])
        let keys = try servers.cli(["-p", from, "cluster", "getkeysinslot", "\(slot)", "100"])
            .split(separator: "\n").map(String.init)
        #expect(keys.count >= 3)
        for key in keys { try servers.cli(["-p", from, "migrate", "127.0.0.1", to, key, "0", "1000"]) }
        // The keys are gone, the slot is still the old node's: it says ASK.
        #expect(try await bench.commit(token, atc: 2).atc == .ahead)
        for port in [to, from, "\(ports[(owner + 2) % 3])"] {
            try servers.cli(["-p", port, "cluster", "setslot", "\(slot)", "node", ids[target]])
        }
        // Now it says MOVED.
        #expect(try await bench.commit(token, atc: 2).declined == .atcReplayed)
        #expect(try await bench.commit(token, atc: 3).atc == .ahead)
        await bench.store.close()
    }

    @Test func sentinelsLeadToTheNewMaster() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let sentinel = try servers.startSentinel(master: "issuer", port: master)
        let bench = try await StateBench(
            servers, at: .server(.sentinels(master: "issuer", [address(sentinel)])), first: address(replica))
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        #expect(try await bench.commit(token, atc: 1).atc == .first)
        // Nothing may be promoted that does not have it all, and the sentinel has to know the replica.
        try servers.cli(["-p", "\(master)", "wait", "1", "5000"])
        for _ in 0..<600
        where try !servers.cli(["-p", "\(sentinel)", "sentinel", "replicas", "issuer"]).contains("\(replica)")
        {
            try await Task.sleep(for: .milliseconds(100))
        }
        servers.kill(master)
        var answer: CommitResult?
        var refusals = 0
        for _ in 0..<600 where answer == nil {
            do { answer = try await bench.commit(token, atc: 2) } catch is StateUnavailable {
                refusals += 1
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        #expect(answer?.atc == .ahead && refusals > 0, "fails closed meanwhile, and comes back by itself")
        #expect(try await bench.commit(token, atc: 1).declined == .atcReplayed)
        await bench.store.close()
    }

    @Test func aMasterThatBecomesAReplicaIsLeft() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let other = try servers.start()
        // Both have the functions: what the new master lacks would be gone from its replica as well.
        let elsewhere = try await StateBench(
            servers, at: .server(.fixed(address(other))), first: address(other))
        await elsewhere.store.close()
        let bench = try await StateBench(
            servers, at: .server(.fixed(address(master))), first: address(other))
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        try servers.cli(["-p", "\(master)", "replicaof", "127.0.0.1", "\(other)"])
        var reasons: Set<String> = []
        for _ in 0..<100 {
            do { _ = try await bench.commit(token, atc: 1) } catch let error as StateUnavailable {
                reasons.insert(error.reason)
            }
            if reasons.contains(where: { $0.contains("Redis role: slave") }) { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(reasons.contains { $0.contains("READONLY") }, "\(reasons)")
        #expect(reasons.contains { $0.contains("Redis role: slave") }, "\(reasons)")
        try servers.cli(["-p", "\(master)", "replicaof", "no", "one"])
        try await bench.store.waitUntilReady(timeout: .seconds(30))
        await bench.store.close()
    }

    @Test func aCommitThatNoReplicaHasIsNotTold() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let bench = try await StateBench(
            servers, at: .server(.fixed(address(master))), first: address(master), replicasMin: 1)
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        for _ in 0..<100
        where try !servers.cli(["-p", "\(master)", "info", "replication"]).contains("state=online") {
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try await bench.commit(token, atc: 1).atc == .first)
        servers.kill(replica)
        do {
            _ = try await bench.commit(token, atc: 2)
            Issue.record("a commit without its replica was told")
        } catch let error as StateUnavailable {
            #expect(error.reason.contains("0 of 1 replicas"))
        }
        await bench.store.close()
    }
}
