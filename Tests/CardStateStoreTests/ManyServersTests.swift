import Authorisation
import CardStateStore
import EMV
import Redis
import RedisSupport
import Synchronization
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
        for card in 0..<64 { try await bench.importCard(card) }
        for card in 0..<64 {
            #expect(try await bench.decline(card, atc: 5, pin: 78, stan: 1) == .pinWrong)
            #expect(try await bench.decline(card, atc: 5, minorUnits: 101) == .atcReplayed)
            #expect(try await bench.decline(card, atc: 4) == nil)
            let again = try await bench.decide(card, atc: 5, pin: 78, stan: 1)
            #expect(again.repeated && again.outcome.declineReason == .pinWrong)
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
        let card = 1
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        let slot = HashSlot.of("{b01}")
        let (ids, owner) = try nodes(servers, ports, owning: slot)
        let target = (owner + 1) % 3
        let (from, to) = ("\(ports[owner])", "\(ports[target])")
        try servers.cli(["-p", to, "cluster", "setslot", "\(slot)", "importing", ids[owner]])
        try servers.cli(["-p", from, "cluster", "setslot", "\(slot)", "migrating", ids[target]])
        let keys = try servers.cli(["-p", from, "cluster", "getkeysinslot", "\(slot)", "100"])
            .split(separator: "\n").map(String.init)
        #expect(keys.count >= 2)
        for key in keys { try servers.cli(["-p", from, "migrate", "127.0.0.1", to, key, "0", "1000"]) }
        // The keys are gone, the slot is still the old node's: it says ASK.
        #expect(try await bench.decline(card, atc: 2) == nil)
        for port in [to, from, "\(ports[(owner + 2) % 3])"] {
            try servers.cli(["-p", port, "cluster", "setslot", "\(slot)", "node", ids[target]])
        }
        // Now it says MOVED.
        #expect(try await bench.decline(card, atc: 2, minorUnits: 101) == .atcReplayed)
        #expect(try await bench.decline(card, atc: 3) == nil)
        await bench.store.close()
    }

    /// The nodes' names, and which of them has a slot.
    private func nodes(
        _ servers: TestServers, _ ports: [Int], owning slot: Int
    ) throws -> (ids: [String], owner: Int) {
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
        return (ids, owner)
    }

    @Test func nothingIsRefusedWhileASlotMovesUnderLoad() async throws {
        let (bench, servers, ports) = try await cluster()
        // Of one bucket, so that the slot has keys of many cards; none has filed transactions at first.
        let cards = (0..<6).map { 1 + 64 * $0 }
        for card in cards { try await bench.importCard(card, available: 100_000_000) }
        let slot = HashSlot.of("{b01}")
        let (ids, owner) = try nodes(servers, ports, owning: slot)
        let target = (owner + 1) % 3
        let moving = Task.detached {
            let (from, to) = ("\(ports[owner])", "\(ports[target])")
            try servers.cli(["-p", to, "cluster", "setslot", "\(slot)", "importing", ids[owner]])
            try servers.cli(["-p", from, "cluster", "setslot", "\(slot)", "migrating", ids[target]])
            while true {
                let keys = try servers.cli(["-p", from, "cluster", "getkeysinslot", "\(slot)", "1"])
                    .split(separator: "\n").map(String.init)
                guard let key = keys.first, !key.isEmpty else { break }
                try servers.cli(["-p", from, "migrate", "127.0.0.1", to, key, "0", "1000"])
            }
            for port in [to, from, "\(ports[(owner + 2) % 3])"] {
                try servers.cli(["-p", port, "cluster", "setslot", "\(slot)", "node", ids[target]])
            }
        }
        var refused: [String] = []
        var count: UInt16 = 0
        let end = ContinuousClock.now + .seconds(4)
        while ContinuousClock.now < end {
            count += 1
            for card in cards {
                do {
                    let reason = try await bench.decline(card, atc: count)
                    if reason != nil { refused.append("\(reason!)") }
                } catch { refused.append("\(error)") }
            }
        }
        try await moving.value
        #expect(
            count > 10 && refused.isEmpty,
            "\(refused.count) of \(Int(count) * cards.count): \(refused.prefix(3))")
        #expect(try nodes(servers, ports, owning: slot).owner == target)
        for card in cards {
            #expect(try await bench.record(card)?.availableMinorUnits == 100_000_000 - 100 * Int64(count))
        }
        await bench.store.close()
    }

    /// A slot goes to a node that the host has never heard of and that takes its time until it can be used: whoever comes
    /// meanwhile waits for it, and nobody is refused.
    @Test(arguments: [0, 300]) func nothingIsRefusedWhileANewNodeIsConnected(milliseconds: Int) async throws {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        let new = try servers.start(options: TestServers.clusterOptions)
        try servers.cli(["-p", "\(new)", "cluster", "meet", "127.0.0.1", "\(ports[0])"])
        let loop = StateBench.loop
        let cluster = RedisCluster(seeds: [address(ports[0])], on: loop) { _ in
            try await Task.sleep(for: .milliseconds(milliseconds))
        }
        try await cluster.waitUntilReady(timeout: .seconds(30))
        let slot = HashSlot.of("{b01}")
        let id = try servers.cli(["-p", "\(new)", "cluster", "myid"]).split(separator: "\n")[0]
        for _ in 0..<600 {
            let known = try ports.allSatisfy { port in
                try servers.cli(["-p", "\(port)", "cluster", "nodes"]).contains(id)
            }
            if known, try servers.cli(["-p", "\(new)", "cluster", "info"]).contains("cluster_state:ok") {
                break
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        // However long that takes, requests come all the while.
        let isOver = Mutex(false)
        let hasServed = Task.detached {
            defer { isOver.withLock { $0 = true } }
            try await Task.sleep(for: .milliseconds(50))
            for port in [new] + ports {
                try servers.cli(["-p", "\(port)", "cluster", "setslot", "\(slot)", "node", String(id)])
            }
            for _ in 0..<600 {
                let commands = try servers.cli(["-p", "\(new)", "info", "commandstats"])
                if commands.contains("cmdstat_get") { return true }
                try await Task.sleep(for: .milliseconds(50))
            }
            return false
        }
        let refused = try await withThrowingTaskGroup(of: String?.self) { group in
            var turn = 0
            while turn < 400 || !isOver.withLock({ $0 }) {
                group.addTask { [turn] in
                    do {
                        _ = try await cluster.replyFromAnywhere(
                            to: RedisCommand("GET", "{b01}:x"), slot: slot)
                        return nil
                    } catch { return "\(turn): \(error)" }
                }
                turn += 1
                try await Task.sleep(for: .milliseconds(2))
            }
            return try await group.reduce(into: []) { if let one = $1 { $0.append(one) } }
        }
        #expect(try await hasServed.value, "the new node has served")
        #expect(refused.isEmpty, "\(refused.count): \(refused.prefix(3))")
        #expect(cluster.owners.contains { $0.commandsSent > 100 })
        await cluster.close()
    }

    @Test func sentinelsLeadToTheNewMaster() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let sentinel = try servers.startSentinel(master: "issuer", port: master)
        let bench = try await StateBench(
            servers, at: .server(.sentinels(master: "issuer", [address(sentinel)])), first: address(replica))
        let card = 1
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        // Nothing may be promoted that does not have it all, and the sentinel has to know the replica.
        try servers.cli(["-p", "\(master)", "wait", "1", "5000"])
        for _ in 0..<600
        where try !servers.cli(["-p", "\(sentinel)", "sentinel", "replicas", "issuer"]).contains("\(replica)")
        {
            try await Task.sleep(for: .milliseconds(100))
        }
        servers.kill(master)
        var answer: Decision?
        var refusals = 0
        for _ in 0..<600 where answer == nil {
            do { answer = try await bench.decide(card, atc: 2) } catch is CouldNotDecide {
                refusals += 1
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        #expect(
            answer.map { $0.outcome.declineReason == nil } == true && refusals > 0,
            "fails closed meanwhile, and comes back by itself")
        #expect(try await bench.decline(card, atc: 1, minorUnits: 101) == .atcReplayed)
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
        let card = 1
        try await bench.importCard(card)
        try servers.cli(["-p", "\(master)", "replicaof", "127.0.0.1", "\(other)"])
        var reasons: Set<String> = []
        for _ in 0..<100 {
            do { _ = try await bench.decline(card, atc: 1) } catch CouldNotDecide.state(let error) {
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
        let card = 1
        // An import waits for its replica like any other write.
        try await servers.waitUntilFollows(replica, master)
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        servers.kill(replica)
        do {
            _ = try await bench.decline(card, atc: 2)
            Issue.record("a commit without its replica was told")
        } catch CouldNotDecide.state(let error) {
            #expect(error.reason.contains("0 of 1 replicas"))
        }
        await bench.store.close()
    }
}
