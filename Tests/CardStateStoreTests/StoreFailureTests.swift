import Authorisation
import EMV
import Redis
import RedisSupport
import Testing

@testable import CardStateStore

/// Each way in which a server can be there and be of no use: named, failed closed, and recovered from without help.
@Suite(.timeLimit(.minutes(5))) struct StoreFailureTests {
    private let card = 21

    /// Commits until a failure says so, within a bound.
    private func failure(_ bench: StateBench, naming words: String) async throws -> Bool {
        for _ in 0..<2_000 {
            do { _ = try await bench.decline(card, atc: 1) } catch CouldNotDecide.state(let error) {
                if error.reason.contains(words) { return true }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    private func recovers(_ bench: StateBench, atc: UInt16) async throws -> Bool {
        for _ in 0..<4_000 {
            do { return try await bench.decline(card, atc: atc) == nil } catch is CouldNotDecide {}
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test func aServerThatLoadsIsNamedAndWaitedFor() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let bench = try await StateBench(redis)
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 5) == nil)
        for number in 0..<1_500 {
            _ = try await bench.connection.sendFromAnywhere(RedisCommand("SET", "filler-\(number)", "x"))
        }
        // A rewritten file is loaded key by key, and slowly here.
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("BGREWRITEAOF"))
        var persistence = ""
        for _ in 0..<2_000 where !persistence.contains("aof_rewrite_in_progress:0") {
            persistence =
                try await bench.connection.sendFromAnywhere(RedisCommand("INFO", "persistence")).text ?? ""
            try await Task.sleep(for: .milliseconds(5))
        }
        redis.kill()
        try redis.start(
            adding: ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"],
            untilLoaded: false)
        #expect(try await failure(bench, naming: "LOADING"))
        #expect(try await recovers(bench, atc: 6))
        #expect(try await bench.decline(card, atc: 5, minorUnits: 101) == .atcReplayed)
        await bench.store.close()
    }

    @Test func functionsThatSomebodyRemovedAreLoadedAgain() async throws {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 5) == nil)
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("FUNCTION", "FLUSH", "SYNC"))
        do {
            _ = try await bench.decline(card, atc: 6)
            Issue.record("a commit without its function was told")
        } catch CouldNotDecide.state(let error) {
            #expect(error.reason.contains("Function not found"), "\(error)")
        }
        #expect(try await recovers(bench, atc: 6))
        #expect(try await bench.decline(card, atc: 5, minorUnits: 101) == .atcReplayed)
        await bench.store.close()
    }

    @Test func settingsAreLookedAtAgainOnReconnect() async throws {
        let redis = try TestRedis()
        let store = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop, durable: true)
        try await store.waitUntilReady(timeout: .seconds(30))
        redis.kill()
        try redis.start(adding: ["--appendonly", "no"])
        var reason: String?
        for _ in 0..<4_000 where reason?.contains("appendonly") != true {
            reason = await store.unavailability()
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(reason?.contains("Redis appendonly: no") == true, "\(reason ?? "ready")")
        redis.kill()
        try redis.start()
        try await store.waitUntilReady(timeout: .seconds(30))
        await store.close()
    }

    @Test func anAnswerThatNoReplicaHasIsNotToldToARepeatEither() async throws {
        let servers = try TestServers()
        let master = try servers.start()
        let replica = try servers.start(options: ["--replicaof", "127.0.0.1 \(master)"])
        let bench = try await StateBench(
            servers, at: .server(.fixed(.tcp(host: "127.0.0.1", port: master))),
            first: .tcp(host: "127.0.0.1", port: master), replicasMin: 1)
        // An import waits for its replica like any other write.
        try await servers.waitUntilFollows(replica, master)
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1, stan: 1) == nil)
        #expect(try await bench.decide(card, atc: 1, stan: 1).repeated)
        servers.kill(replica)
        // Booked on a master that may be about to be replaced: neither the first nor a repeat hears of it.
        for _ in 0..<3 {
            await #expect(throws: CouldNotDecide.self) { try await bench.decline(card, atc: 2, stan: 2) }
        }
        await bench.store.close()
    }

    @Test(arguments: [
        ("7.0.15", "master", "yes", "always", "noeviction", []),
        ("6.2.14", "master", "yes", "always", "noeviction", ["Redis version"]),
        ("7.2.4", "slave", "yes", "always", "noeviction", ["Redis role"]),
        ("7.2.4", "master", "no", "always", "noeviction", ["Redis appendonly"]),
        ("7.2.4", "master", "yes", "everysec", "noeviction", ["Redis appendfsync"]),
        ("7.2.4", "master", "yes", "always", "allkeys-lru", ["Redis maxmemory-policy"]),
        (
            "?", "?", "?", "?", "?",
            [
                "Redis version", "Redis role", "Redis appendonly", "Redis appendfsync",
                "Redis maxmemory-policy",
            ]
        ),
    ])
    func eachSettingIsNamed(
        version: String, role: String, appendOnly: String, fsync: String, policy: String, failing: [String]
    ) {
        let lines = StoreCheck.lines(
            version: version, role: role, appendOnly: appendOnly, fsync: fsync, policy: policy)
        #expect(lines.filter { !$0.passed }.map(\.subject) == failing)
    }
}
