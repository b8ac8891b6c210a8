import Authorisation
import EMV
import Foundation
import Redis
import RedisSupport
import Synchronization
import Testing

@testable import CardStateStore

/// A store that goes backwards, is another one, is full, or keeps another time: said, refused, and taken once an
/// operator has accepted it. Real servers.
@Suite(.timeLimit(.minutes(5))) struct StoreLifeTests {
    private let card = 1

    /// A server, a host's place, and a host that serves.
    private final class Life: Sendable {
        let redis: TestRedis
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("place-\(UInt32.random(in: .min ... .max))").path
        private let told = Mutex<[StoreEvent]>([])

        init(_ options: [String] = []) throws {
            redis = try TestRedis(options: ["--appendfsync", "no"] + options)
        }

        deinit { for end in ["", "-other"] { try? FileManager.default.removeItem(atPath: path + end) } }

        var events: [StoreEvent] { told.withLock { $0 } }

        func report(_ event: StoreEvent) { told.withLock { $0.append(event) } }

        func watch(replicasMin: Int = 0) throws -> StoreWatch {
            var settings = CardStateSettings()
            settings.replicasMin = replicasMin
            return try StoreWatch(
                path: path, location: .server(.fixed(redis.address)), settings: settings
            ) { [weak self] in self?.report($0) }
        }

        /// A host, ready or refused.
        func host(_ watch: StoreWatch) async throws -> StateBench {
            try await StateBench(
                redis, at: .server(.fixed(redis.address)), first: redis.address, watch: watch, waits: false)
        }

        /// What operators use.
        func life() async throws -> (StoreLife, StateStore) {
            let store = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop)
            try await store.waitUntilReady(timeout: .seconds(30))
            return (StoreLife(store, settings: CardStateSettings()), store)
        }

        /// The place of another host on the same store.
        func place() throws -> StoreWatch {
            try StoreWatch(
                path: path + "-other", location: .server(.fixed(redis.address)), settings: CardStateSettings()
            ) { _ in }
        }

        /// The server comes back without its last bytes, and without the half command that they leave.
        func lose(_ bytes: Int) throws {
            redis.kill()
            try redis.cutAppendOnlyFile(by: bytes)
            try redis.repairAppendOnlyFile()
            try redis.start()
        }

        func initialise() async throws {
            let (life, store) = try await life()
            _ = try await life.initialise(path: path)
            await store.close()
        }

        func accept() async throws {
            let (life, store) = try await life()
            _ = try await life.accept(path: path, note: "ann;17;restored")
            await store.close()
        }
    }

    /// Why the store is of no use now, once there is a reason that has these words.
    private func refusal(_ bench: StateBench, _ words: String) async throws -> Bool {
        for _ in 0..<1_000 {
            if let why = await bench.store.unavailability(), why.contains(words) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func aStoreIsInitialisedOnceAndAdoptedByHostsThatKnowNone() async throws {
        let life = try Life()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        #expect(try await refusal(bench, "never initialised"))
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(card, atc: 1) }
        try await life.initialise()
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        #expect(life.events.count == 2 && life.events.last == .taken, "\(life.events)")
        let first = try StorePlace(path: life.path).generation
        try await life.initialise()
        #expect(try StorePlace(path: life.path).generation == first && first != nil)
        await bench.store.close()
    }

    @Test func anEmptyStoreIsRefusedUntilItIsAccepted() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        await watch.round([bench.store])
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("FLUSHALL"))
        await watch.round([bench.store])
        #expect(try await refusal(bench, "emptied or replaced"))
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(card, atc: 2) }
        #expect(life.events.filter { if case .refused = $0 { true } else { false } }.count == 1)
        // Neither an import nor another start of the host makes it right.
        await #expect(throws: StateUnavailable.self) { try await life.initialise() }
        let again = try await life.host(try life.watch())
        #expect(try await refusal(again, "emptied or replaced"))
        await again.store.close()
        try await life.accept()
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        #expect(try await bench.decline(card, atc: 2) == .unknownCard)
        await bench.store.close()
    }

    @Test func aFileThatWasCutShortIsRefusedWhereAnEntryThatWasSeenIsGone() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        try await bench.importCard(card)
        for atc in 1...3 as ClosedRange<UInt16> { #expect(try await bench.decline(card, atc: atc) == nil) }
        watch.keep([bench.store])
        // A restart alone is nothing.
        life.redis.kill()
        try life.redis.start()
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        #expect(try await bench.decline(card, atc: 4) == nil)
        watch.keep([bench.store])
        life.redis.kill()
        try life.redis.cutAppendOnlyFile(by: 2_500)
        // The reference configuration refuses half a command; an operator cuts it off.
        #expect(throws: TestRedis.Failure.self) { try life.redis.start() }
        try life.redis.repairAppendOnlyFile()
        try life.redis.start()
        #expect(try await refusal(bench, "lack the last entry"))
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(card, atc: 4) }
        let (operators, store) = try await life.life()
        let lines = try await operators.status(path: life.path)
        #expect(
            lines.contains { $0.hasPrefix("bucket 1 lacks entry") }
                && lines.contains { $0.hasPrefix("refused") })
        await store.close()
        try await life.accept()
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        #expect(try await bench.decline(card, atc: 9) == nil)
        await bench.store.close()
    }

    @Test(
        "Cut short right after the last answer, by so many bytes: refused before anything is decided anew",
        arguments: [1, 300, 700, 1_100, 2_000])
    func cutAtOnce(bytes: Int) async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        try await bench.importCard(card)
        for atc in 1...6 as ClosedRange<UInt16> { #expect(try await bench.decline(card, atc: atc) == nil) }
        // Nothing of it was looked at or kept yet: it was acknowledged to this process.
        try life.lose(bytes)
        #expect(try await refusal(bench, "lack the last entry"))
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(card, atc: 6) }
        await bench.store.close()
    }

    @Test func whatAnotherHostWroteIsMissedToo() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let (bench, other) = (try await life.host(watch), try await life.host(try life.place()))
        for host in [bench, other] { try await host.store.waitUntilReady(timeout: .seconds(10)) }
        try await bench.importCard(card)
        #expect(try await other.decline(card, atc: 1) == nil)
        await watch.round([bench.store])
        await other.store.close()
        try life.lose(200)
        #expect(try await refusal(bench, "lack the last entry"))
        await bench.store.close()
    }

    @Test func aJournalThatWasLostAndBegunAnewIsNotTakenForATrimmedOne() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let (bench, other) = (try await life.host(watch), try await life.host(try life.place()))
        for host in [bench, other] { try await host.store.waitUntilReady(timeout: .seconds(10)) }
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        watch.keep([bench.store])
        // A host that had not seen it goes on, in the same bucket; not within the millisecond that the entry is named after.
        try await Task.sleep(for: .milliseconds(5))
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("DEL", "{b01}:journal"))
        try await other.importCard(card + 64)
        await watch.round([bench.store])
        #expect(watch.refusal?.contains("bucket 1 entry") == true)
        for host in [bench, other] { await host.store.close() }
    }

    @Test func anEntryThatWasTrimmedIsNotMissed() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        watch.keep([bench.store])
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("XTRIM", "{b01}:journal", "MAXLEN", "0"))
        await watch.round([bench.store])
        #expect(watch.refusal == nil)
        // Whereas a journal that is gone is missed.
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("DEL", "{b01}:journal"))
        await watch.round([bench.store])
        #expect(watch.refusal?.contains("bucket 1 entry") == true)
        await bench.store.close()
    }

    @Test func anotherStoreIsRefusedAndPartsOfTwoStoresAre() async throws {
        let life = try Life()
        try await life.initialise()
        let watch = try life.watch()
        let bench = try await life.host(watch)
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        _ = try await bench.connection.sendFromAnywhere(
            RedisCommand("SET", "{b07}:generation", "0000000000000000"))
        await watch.round([bench.store])
        #expect(watch.refusal?.contains("bucket 7 is of another generation") == true)
        for bucket in 0..<64 {
            let tag = bucket < 10 ? "{b0\(bucket)}" : "{b\(bucket)}"
            _ = try await bench.connection.sendFromAnywhere(
                RedisCommand("SET", "\(tag):generation", "0000000000000000"))
        }
        await watch.round([bench.store])
        #expect(try await refusal(bench, "another store"))
        try await life.accept()
        try await bench.store.waitUntilReady(timeout: .seconds(10))
        await bench.store.close()
    }

    @Test func aPlaceThatIsNoneIsNamed() throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("place-\(UInt32.random(in: .min ... .max))").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for text in [
            "", "issuer-host store place 1\ngeneration 12", "issuer-host store place 1\nx y z\nend\n",
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: StorePlaceError.self) { try StorePlace(path: path) }
        }
    }

    @Test func whatASlowerHostTakesIsNotWhatItSaysOfAFailover() async throws {
        let life = try Life()
        try await life.initialise()
        let place = try StorePlace(path: life.path)
        #expect(place.generation == nil, "the command keeps nothing; the host that comes does")
        _ = try life.watch()
        #expect(FileManager.default.fileExists(atPath: life.path))
    }

    // MARK: - A full store

    @Test func blocksReversalsAndNotesGetThroughWhereTheMemoryIsUsedUp() async throws {
        let life = try Life()
        let bench = try await StateBench(life.redis)
        try await bench.importCard(card)
        #expect(try await bench.decline(card, atc: 1) == nil)
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
        do {
            _ = try await bench.decline(card, atc: 2)
            Issue.record("a full store took a purchase")
        } catch CouldNotDecide.state(let error) {
            #expect(error.reason.contains("OOM"), "\(error.reason)")
            #expect(error.reason.contains("the store is full"), "\(error.reason)")
        }
        #expect(try await bench.order(card, .status(.lost, sequenceNumber: nil)) == "active")
        #expect(try await bench.record(card)?.status == .lost)
        let notes = NoteWriter(bench.store, settings: CardStateSettings(), retryAfter: .milliseconds(20))
        notes.add(JournalNote(notKept: 3, unixSeconds: StateBench.now))
        #expect(await notes.finish(within: .seconds(5)) == 0)
        // What leads to room again: an export is marked, the journal trimmed.
        let ends = try await bench.journal.export(since: nil) { _, _ in }
        #expect(!ends.isEmpty)
        try await bench.journal.markExported(ends, since: [:])
        #expect(try await bench.journal.trim(before: .max / 2) >= 2)
        #expect(try await bench.store.memory().first?.hasRoom == false)
        await bench.store.close()
    }

    @Test func aNewerReleaseSaysThatItCannotStartOnAFullStore() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let connection = RedisConnection(to: redis.address, on: StateBench.loop)
        try await connection.waitUntilReady(timeout: .seconds(30))
        _ = try await connection.sendFromAnywhere(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
        let store = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop)
        var why = ""
        for _ in 0..<500 where !why.contains("the store is full") {
            why = await store.unavailability() ?? ""
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(why.contains("raise maxmemory"), "\(why)")
        await store.close()
        await connection.close()
    }

    // MARK: - Clocks

    @Test(
        arguments: [
            (0, [], StoreClock.Verdict.inTime),
            (-4_900, [0], .inTime),
            (
                6_000, [0, 100],
                .warned(
                    "this host's clock is 6 s ahead of the state store's, with which 2 of 2 other hosts agree"
                )
            ),
            (
                -61_000, [0, -61_000, 50],
                .refused(
                    "this host's clock is 61 s behind the state store's, with which 2 of 3 other hosts agree")
            ),
            (
                90_000, [90_500, 89_000],
                .refused(
                    "the state store's clock is 90 s behind this host's, with which 2 of 2 other hosts agree")
            ),
        ] as [(Int64, [Int64], StoreClock.Verdict)])
    func whichClockIsWrongIsSaid(offset: Int64, others: [Int64], verdict: StoreClock.Verdict) {
        #expect(StoreClock.judge(offset, others: others) == verdict)
    }

    @Test func aHostThatIsThirtyDaysAheadIsRefusedAndComesBack() async throws {
        let bench = try await StateBench(try TestRedis())
        let ahead = Atomic<Int64>(30 * 86_400_000)
        let told = Mutex<[StoreEvent]>([])
        let now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1_000) }
        let begun = ContinuousClock.now
        let monotonic: @Sendable () -> Int64 = { Int64((ContinuousClock.now - begun) / .milliseconds(1)) }
        let right = StoreClock(name: "a", unixMilliseconds: now, monotonicMilliseconds: monotonic) { _ in }
        let wrong = StoreClock(
            name: "b", unixMilliseconds: { now() + ahead.load(ordering: .relaxed) },
            monotonicMilliseconds: monotonic
        ) { event in told.withLock { $0.append(event) } }
        await right.round(bench.store)
        await wrong.round(bench.store)
        await wrong.round(bench.store)
        #expect(right.held.fault == nil && right.verdict == .inTime)
        let why = try #require(wrong.held.fault)
        #expect(why.contains("ahead of the state store's, with which 1 of 1 other hosts agree"), "\(why)")
        #expect(told.withLock { $0.count } == 1)
        ahead.store(0, ordering: .relaxed)
        await wrong.round(bench.store)
        #expect(wrong.held.fault == nil)
        // Set between two looks: nothing is decided by it, and no look is waited for.
        ahead.store(30 * 86_400_000, ordering: .relaxed)
        #expect(wrong.held.fault?.contains("clock was set by 259") == true)
        #expect(
            abs(wrong.held.unixSeconds - now() / 1_000) <= 5,
            "what is under way is decided by the time before")
        await wrong.round(bench.store)
        #expect(abs(wrong.held.unixSeconds - now() / 1_000) <= 5)
        ahead.store(0, ordering: .relaxed)
        await wrong.round(bench.store)
        ahead.store(30_000, ordering: .relaxed)
        #expect(wrong.held.fault == nil)
        await bench.store.close()
    }
}
