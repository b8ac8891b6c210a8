import Authorisation
import CardStateStore
import Redis
import RedisSupport
import Synchronization
import Testing

/// Primaries that are replaced while they still answer, and replicas that stand still. Real servers and
/// sentinels.
@Suite(.timeLimit(.minutes(5))) struct FailoverTests {
    private func address(_ port: Int) -> RedisAddress { .tcp(host: "127.0.0.1", port: port) }

    /// A primary that can be cut off from its sentinel and its replica, and from nobody else.
    private struct Partition {
        let servers: TestServers
        let (master, replica, sentinel): (Int, Int, Int)

        init() throws {
            servers = try TestServers()
            master = try servers.start()
            replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
            sentinel = try servers.startSentinel(master: "issuer", port: master)
        }

        func waitUntilWhole() async throws {
            for _ in 0..<600
            where try !servers.cli(["-p", "\(sentinel)", "sentinel", "replicas", "issuer"]).contains(
                "\(replica)")
            {
                try await Task.sleep(for: .milliseconds(100))
            }
            try servers.cli(["-p", "\(master)", "wait", "1", "5000"])
        }

        /// The primary goes on answering the host: what it refuses is what sentinels and replicas need.
        func cut() throws {
            try servers.cli([
                "-p", "\(master)", "acl", "setuser", "default", "-ping", "-psync", "-sync", "-slaveof",
                "-replicaof",
            ])
            try servers.cli(["-p", "\(master)", "client", "kill", "type", "replica"])
        }

        func namesReplica() throws -> Bool {
            try servers.cli(["-p", "\(sentinel)", "sentinel", "get-master-addr-by-name", "issuer"]).contains(
                "\(replica)")
        }
    }

    @Test(arguments: [0, 1]) func aPrimaryThatTheSentinelsReplacedIsLeft(replicasMin: Int) async throws {
        let partition = try Partition()
        let changes = Mutex<[String]>([])
        var settings = RedisConnectionSettings()
        settings.primaryReplaced = { old, new in changes.withLock { $0.append("\(old) \(new)") } }
        let bench = try await StateBench(
            partition.servers, at: .server(.sentinels(master: "issuer", [address(partition.sentinel)])),
            first: address(partition.replica), replicasMin: replicasMin, replicaTimeout: 100,
            settings: settings)
        let whole = try await StateBench(
            partition.servers, at: .server(.fixed(address(partition.master))),
            first: address(partition.master), replicasMin: replicasMin)
        try await partition.waitUntilWhole()
        try await whole.importCard(1)
        #expect(try await whole.decline(1, atc: 1) == nil)
        await whole.store.close()
        try partition.cut()
        var named: ContinuousClock.Instant?
        for _ in 0..<2_000 where named == nil {
            if try partition.namesReplica() { named = .now }
        }
        let since = try #require(named)
        // The old one still answers; the new one has no replica, so that only without replicasMin it decides.
        var time: Duration?
        for _ in 0..<400 where time == nil {
            _ = try? await bench.decide(1, atc: 2, rrn: "NEWPRIMARY01")
            let found = try partition.servers.cli([
                "-p", "\(partition.replica)", "xrevrange", "{b01}:journal", "+", "-", "count", "1",
            ])
            if found.contains("NEWPRIMARY01") { time = .now - since }
        }
        let moved = try #require(time, "the host stayed on the primary that was replaced")
        #expect(moved < .seconds(1))
        #expect(changes.withLock { $0 } == ["\(address(partition.master)) \(address(partition.replica))"])
        await bench.store.close()
    }

    @Test func aPrimaryWithoutReplicasIsLeftUnlessTheSentinelsNameIt() async throws {
        let partition = try Partition()
        let location = StoreLocation.server(
            .sentinels(master: "issuer", [address(partition.sentinel)]))
        let left = Mutex<[String]>([])
        let events = Mutex<[StoreEvent]>([])
        var settings = RedisConnectionSettings()
        settings.primaryDoubted = { _, why in left.withLock { $0.append(why) } }
        let bench = try await StateBench(
            partition.servers, at: location, first: address(partition.master), settings: settings)
        try await partition.waitUntilWhole()
        try await bench.importCard(1)
        let watch = PrimaryWatch(bound: .milliseconds(500), location: location) { event in
            events.withLock { $0.append(event) }
        }
        func rounds(_ count: Int, until: () async throws -> Bool) async throws -> Bool {
            for _ in 0..<count {
                await watch.round([bench.store])
                if try await until() { return true }
                try await Task.sleep(for: .milliseconds(100))
            }
            return false
        }
        #expect(try await rounds(50) { watch.last.replicas == 1 })
        // Its sentinel names it: it stays, and that is told.
        partition.servers.kill(partition.replica)
        #expect(try await rounds(100) { !events.withLock { $0.isEmpty } })
        #expect(try await bench.decline(1, atc: 1) == nil)
        #expect(left.withLock { $0.isEmpty })
        // Nobody names it any more, and it still answers.
        partition.servers.kill(partition.sentinel)
        #expect(try await rounds(100) { left.withLock { !$0.isEmpty } })
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(1, atc: 2) }
        #expect(left.withLock { $0 }.first?.contains("0 of 1 sentinels name it") == true)
        #expect(left.withLock { $0.count } == 1)
        #expect(events.withLock { $0.count } == 1)
        await bench.store.close()
    }

    @Test func aStuckReplicaHoldsNobodyUpButThoseWhoWaitForIt() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let location = StoreLocation.server(.fixed(address(master)))
        let bench = try await StateBench(
            servers, at: location, first: address(master), replicasMin: 1, replicaTimeout: 100)
        let patient = try await StateBench(servers, at: location, first: address(master), replicasMin: 1)
        try await servers.waitUntilFollows(replica, master)
        for card in 1...8 { try await patient.importCard(card) }
        try servers.suspend(replica)
        let clock = ContinuousClock()
        let begun = clock.now
        let times = await withTaskGroup(of: (Duration, String).self) { group in
            for card in 1...8 {
                group.addTask {
                    do {
                        _ = try await bench.decide(card, atc: 2)
                        return (clock.now - begun, "told")
                    } catch {
                        return (clock.now - begun, "\(error)")
                    }
                }
            }
            var times: [(Duration, String)] = []
            for await time in group { times.append(time) }
            return times
        }
        for (time, words) in times {
            #expect(words.contains("0 of 1 replicas"), "\(words)")
            // One after the other they would take 800.
            #expect(time >= .milliseconds(95) && time < .milliseconds(700), "\(time)")
        }
        // Reading goes on meanwhile: nothing stands in front of it, though the decision waits for a second.
        let from = clock.now
        async let waiting: Decision? = try? patient.decide(1, atc: 3)
        _ = try await patient.record(2)
        #expect(clock.now - from < .milliseconds(800))
        _ = await waiting
        servers.resume(replica)
        var told = false
        for atc in 10...60 as ClosedRange<UInt16> where !told {
            told = (try? await patient.decline(1, atc: atc)) == .some(nil)
        }
        #expect(told, "it comes back by itself")
        await bench.store.close()
        await patient.store.close()
    }

    /// A master and its replica, and a card on them.
    private func pair() async throws -> (TestServers, master: Int, replica: Int, StateBench) {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let bench = try await StateBench(
            servers, at: .server(.fixed(address(master))), first: address(master), replicasMin: 1)
        try await servers.waitUntilFollows(replica, master)
        try await bench.importCard(1)
        return (servers, master, replica, bench)
    }

    @Test func manyOfOneCardWaitForTheirReplicaTogether() async throws {
        let (servers, master, replica, bench) = try await pair()
        try servers.suspend(replica)
        let begun = ContinuousClock.now
        let told = await withTaskGroup(of: String.self) { group in
            for atc in 1...16 as ClosedRange<UInt16> {
                group.addTask {
                    do { return "told \(try await bench.decide(1, atc: atc, stan: UInt32(atc)))" } catch {
                        return "\(error)"
                    }
                }
            }
            return await group.reduce(into: [String]()) { $0.append($1) }
        }
        // Each waits a second for its replica, and none for another one's wait: in turn that would be sixteen.
        #expect(told.allSatisfy { $0.contains("0 of 1 replicas") }, "\(told)")
        #expect(ContinuousClock.now - begun < .seconds(8))
        servers.resume(replica)
        // What was written is there: told as it was decided, once it is safe.
        try await servers.waitUntilFollows(replica, master)
        for atc in 1...16 as ClosedRange<UInt16> {
            #expect(try await bench.decide(1, atc: atc, stan: UInt32(atc)).repeated)
        }
        #expect(try await bench.record(1)?.availableMinorUnits == 98_400)
        await bench.store.close()
    }

    @Test func aReplySaysNothingOnceTheMasterIsAnotherOne() async throws {
        let (servers, master, replica, bench) = try await pair()
        #expect(try await bench.decline(1, atc: 1, stan: 1) == nil)
        let reading = try await bench.onLoop { try await $0.orders.reading(StateBench.token(1)) }
        // Demoted and promoted again without a connection lost: what it had may be gone from it.
        try servers.cli(["-p", "\(replica)", "replicaof", "no", "one"])
        try servers.cli(["-p", "\(master)", "replicaof", "127.0.0.1", "\(replica)"])
        for _ in 0..<200
        where try !servers.cli(["-p", "\(master)", "info", "replication"]).contains("master_link_status:up") {
            try await Task.sleep(for: .milliseconds(20))
        }
        try servers.cli(["-p", "\(master)", "replicaof", "no", "one"])
        try servers.cli(["-p", "\(replica)", "replicaof", "127.0.0.1", "\(master)"])
        for _ in 0..<200
        where try !servers.cli(["-p", "\(replica)", "info", "replication"]).contains("master_link_status:up")
        {
            try await Task.sleep(for: .milliseconds(20))
        }
        await #expect(throws: CouldNotDecide.self) {
            try await bench.onLoop {
                try await $0.records.confirm(reading, deadline: Deadline(nanoseconds: .max))
            }
        }
        // A reading of the connection after it is confirmed.
        var answer: Decision?
        for _ in 0..<200 where answer == nil {
            answer = try? await bench.decide(1, atc: 1, stan: 1)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(answer?.repeated == true)
        await bench.store.close()
    }
}
