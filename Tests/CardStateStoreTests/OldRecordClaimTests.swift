import Authorisation
import EMV
import Redis
import RedisSupport
import Testing

@testable import CardStateStore

/// A store of the layout before is taken over while hosts serve: by the way, by a command, by several at once, and again
/// after each step that a kill may have ended it at.
@Suite(.timeLimit(.minutes(5))) struct OldRecordClaimTests {
    private func bench(_ redis: TestRedis) async throws -> StateBench {
        try await StateBench(redis, at: .server(.fixed(redis.address)), first: redis.address, migrates: true)
    }

    private func claim(
        _ bench: StateBench, _ card: Int, _ numbers: [UInt8] = [0], _ merging: MergedBalance? = nil
    ) async throws -> Result<OldRecordClaims.Outcome, MigrationObstacle> {
        try await bench.onLoop {
            try await $0.claims.claim(
                numbers.map { ($0, OldStore.name(card, $0)) }, for: StateBench.token(card), merging: merging)
        }
    }

    @Test func aCardIsTakenOverWithItsFirstMessage() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        try await old.importCard(21)
        try await old.purchase(21, atc: 5, stan: 11, minorUnits: 1_000)
        let bench = try await bench(redis)
        #expect(try await bench.decline(21, atc: 6) == nil)
        #expect(try await bench.record(21)?.availableMinorUnits == 98_900)
        #expect(try await bench.decline(21, atc: 5, minorUnits: 101) == .atcReplayed)
        #expect(try await old.records() == 0)
        #expect(try await bench.decline(22, atc: 1) == .unknownCard)
        #expect(try await bench.decline(22, atc: 1) == .unknownCard)

        // The journal, what explains it and the register of keys know both names.
        let (name, account) = (OldStore.name(21, 0).digits, StateBench.token(21).digits)
        var former: [String: String] = [:]
        _ = try await bench.journal.export(since: 0) { _, items in
            for case .former(let item, let card) in items {
                switch item {
                case .decision(let record, let account): former["decision \(record.atc)"] = account + card
                case .change(_, let parts, let account): former[parts[0]] = account + card
                default: break
                }
            }
        }
        #expect(former == ["decision first": account + name, "migrated": account + name])
        let found = try await bench.journal.find(retrievalReferenceNumber: "000000000001").records
        #expect(found.first?.card == account && found.first?.formerCard == name)
        let groups = try await bench.onLoop {
            try await CardKeyRegister($0.store, settings: CardStateSettings()).groups()
        }
        #expect(groups.map(\.cards) == [1])
        await bench.store.close()
    }

    @Test func theReleaseBeforeIsKeptOut() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        try await old.importCard(21)
        let bench = try await bench(redis)
        let version = try await old.connection.sendFromAnywhere(
            RedisCommand("FCALL_RO", "cardstate_version", "0"))
        #expect(version == .integer(1_000))
        await #expect(throws: RedisError.self) {
            try await old.purchase(21, atc: 1, stan: 1, minorUnits: 1)
        }
        await bench.store.close()
    }

    @Test func balancesThatDifferWaitForSomebodysWord() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        try await old.importCard(21, 1, available: 500)
        try await old.importCard(21, 2, available: 700)
        let bench = try await bench(redis)
        do {
            _ = try await bench.decline(21, atc: 1)
            Issue.record("decided by half of an account")
        } catch CouldNotDecide.state(let error) {
            #expect(error.reason.contains("balances differ: sequence number 1 has 500"), "\(error)")
        }
        #expect(try await old.records() == 2)
        guard case .failure(.balancesDiffer) = try await claim(bench, 21, [1, 2]) else {
            Issue.record("merged"); return
        }
        guard case .success(.claimed(2)) = try await claim(bench, 21, [1, 2], .sum) else {
            Issue.record("not merged"); return
        }
        let record = try #require(try await bench.record(21))
        #expect(record.availableMinorUnits == 1_200 && record.plastics.map(\.sequenceNumber) == [1, 2])
        #expect(try await old.records() == 0)
        await bench.store.close()
    }

    @Test("Ended by a kill after each step, and begun again", arguments: 0...3)
    func steps(done: Int) async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        try await old.importCard(21, 0)
        try await old.importCard(21, 2)
        let bench = try await bench(redis)
        let token = StateBench.token(21)
        let keys = [0, 2].map { OldStoreNames(OldStore.name(21, $0), bucketCount: 64) }
        func send(_ parts: [String]) async throws {
            _ = try await old.connection.sendFromAnywhere(RedisCommand(parts))
        }
        if done > 0 {
            try await send([
                "FCALL", "cardstate_seal", "3", keys[0].card, keys[0].window, keys[0].register, keys[0].name,
                token.digits,
            ])
        }
        if done > 1 {
            // The record is there; then one of the two was removed.
            _ = try await claim(bench, 21, [0, 2])
            let tag = StoreNames.bucketTag(token.bucket(of: 64))
            try await send(["SET", "\(tag):made-of:\(token.digits)", keys.map(\.name).joined(separator: " ")])
            for number in [0, 2] as [UInt8] where done == 2 || number == 2 {
                try await FunctionsOfThen(old).importCard(21, number, sealedFor: token)
            }
            #expect(try await bench.decline(21, atc: 9) == nil)
        }
        guard case .success = try await claim(bench, 21, [0, 2]) else { Issue.record("refused"); return }
        let record = try #require(try await bench.record(21))
        #expect(record.availableMinorUnits == (done > 1 ? 99_900 : 100_000))
        #expect(record.plasticCount == 2)
        #expect(try await old.records() == 0)
        #expect(try await old.connection.sendFromAnywhere(RedisCommand("KEYS", "*:made-of:*")) == .array([]))
        await bench.store.close()
    }

    @Test func anAccountThatWasMadeOtherwiseIsNotOverwritten() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        try await old.importCard(21, available: 500)
        let bench = try await bench(redis)
        try await bench.importCard(21, available: 300)
        guard case .failure(.hasRecordAlready) = try await claim(bench, 21) else {
            Issue.record("an old record was thrown away"); return
        }
        #expect(try await bench.record(21)?.availableMinorUnits == 300)
        #expect(try await old.records() == 1)
        await bench.store.close()
    }

    @Test func twoHostsAndACommandAtOnceMakeEachAccountOnce() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let old = try await OldStore(redis.address)
        for card in 1...120 {
            for number in [1, 2] as [UInt8] { try await old.importCard(card, number) }
            try await old.purchase(card, 1, atc: 3, stan: UInt64(card), minorUnits: 5)
            try await old.purchase(card, 2, atc: 3, stan: UInt64(card) + 500, minorUnits: 5)
        }
        let benches = [try await bench(redis), try await bench(redis), try await bench(redis)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, bench) in benches.enumerated() {
                for card in 1...120 {
                    group.addTask {
                        guard index == 2 else {
                            // A purchase of the card without a number: its cryptogram is that of number 00.
                            let number = UInt32(1_000 * index + card)
                            _ = try await bench.decide(card, atc: UInt16(10 + index), stan: number)
                            return
                        }
                        let result = try await claim(bench, card, [1, 2])
                        if case .failure(let obstacle) = result { Issue.record("\(obstacle)") }
                    }
                }
            }
            try await group.waitForAll()
        }
        var made: [String: Int] = [:]
        _ = try await benches[0].journal.export(since: 0) { _, items in
            for case .change(_, let parts, let card) in items where parts[0] == "migrate" {
                made[card, default: 0] += 1
            }
        }
        #expect(made.count == 120 && made.values.allSatisfy { $0 == 1 })
        for card in 1...120 {
            #expect(try await benches[0].record(card)?.availableMinorUnits == 99_995)
        }
        #expect(try await old.records() == 0)
        for bench in benches { await bench.store.close() }
    }
}

/// Old records after the functions that made them are gone.
private struct FunctionsOfThen {
    let old: OldStore
    init(_ old: OldStore) { self.old = old }

    func importCard(_ card: Int, _ number: UInt8, sealedFor token: CardToken) async throws {
        let keys = OldStoreNames(OldStore.name(card, number), bucketCount: 64)
        _ = try await old.connection.sendFromAnywhere(
            RedisCommand(
                "HSET", keys.card, "st", "active", "ex", "3012", "pm", "3", "pu", "0", "av", "100000", "cu",
                "752", "pf", "visa-cvn18", "to", token.digits))
    }
}
