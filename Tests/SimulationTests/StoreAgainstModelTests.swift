import Authorisation
import CardStateStore
import EMV
import HostServer
import NIOPosix
import Redis
import RedisSupport
import Synchronization
import Testing
import VectorSupport

/// The model that the simulation trusts, held against the functions on real servers.
@Suite(.timeLimit(.minutes(5))) struct StoreAgainstModelTests {
    private static let opening: Int64 = 20_000

    /// A connection of its own to the store.
    private struct Lane: Sendable {
        let store: StateStore
        let state: RedisCardState

        init(_ location: StoreLocation) async throws {
            store = StateStore(to: location, on: MultiThreadedEventLoopGroup.singleton.any())
            state = RedisCardState(store, settings: CardStateSettings())
            try await store.waitUntilReady(timeout: .seconds(30))
        }

        func run<Value: Sendable>(
            _ body: @escaping @Sendable (RedisCardState) async throws -> Value
        ) async throws -> Value {
            let state = state
            return try await Task(executorPreference: EventLoopExecutor(store.eventLoop)) {
                try await body(state)
            }.value
        }
    }

    private static func importCards(_ tokens: [CardToken], _ lane: Lane) async throws {
        let card = CardRecord(
            status: .active, expiry: ExpiryDate(ascii: Array("9912".utf8))!,
            pinReference: EncipheredPINBlock(rawValue: Terminal.rightPIN), pinTriesMax: ModelStore.triesMax,
            pinTriesUsed: 0, highestATC: nil, availableMinorUnits: opening, currency: ModelStore.currency,
            profile: "visa-cvn18")
        for token in tokens { try await lane.run { try await $0.importCard(card, token: token) } }
    }

    private static func commit(
        _ number: UInt64, _ token: CardToken, _ atc: UInt16?, _ numbers: inout SeededGenerator,
        key: RetransmissionKey?
    ) -> AuthorisationCommit {
        let amount = Amount(
            minorUnits: Int64.random(in: 0...900, using: &numbers), currency: ModelStore.currency)!
        return AuthorisationCommit(
            token: token, retransmission: key,
            declined: Int.random(in: 0..<12, using: &numbers) == 0 ? .cardExpired : nil,
            verifiedATC: atc.map(ApplicationTransactionCounter.init(rawValue:)),
            pin: [.notChecked, .notChecked, .right, .wrong][Int.random(in: 0..<4, using: &numbers)],
            amount: amount, approvalCode: Array("\(100_000 + number)".utf8),
            entry: JournalEntry(
                retrievalReferenceNumber: Array("\(number)".utf8), systemsTraceAuditNumber: 1,
                unixSeconds: 1_795_000_000, link: "a", range: "visa", amount: amount, profile: "visa-cvn18",
                derivationKeyIndex: 1, atc: atc, microsecondsUntilEvidence: 1, trace: DecisionTrace()),
            deadline: Deadline(nanoseconds: .max))
    }

    private static func key(_ number: UInt64) -> RetransmissionKey {
        RetransmissionKey(moment: number, acquirer: 1, reference: 2, fingerprint: number)
    }

    private static func same(_ left: CommitResult, _ right: CommitResult) -> Bool {
        left.declined == right.declined && left.approvalCode == right.approvalCode
            && left.repeated == right.repeated && left.atc == right.atc
            && left.pinTriesLeft == right.pinTriesLeft
            && left.availableMinorUnits == right.availableMinorUnits
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theSameCommitsHaveTheSameOutcomes(seed: UInt64) async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let lane = try await Lane(.server(.fixed(redis.address)))
        let tokens = (0..<3).map { CardToken(high: $0, low: 9) }
        try await Self.importCards(tokens, lane)
        var model = ModelStore()
        for token in tokens { model.cards[token] = ModelStore.Card(available: Self.opening) }
        var numbers = SeededGenerator(seed: seed)
        // One card from the beginning, one in the middle, one to the end of its counter.
        var next: [UInt16] = [1, 30_000, 0xFFFF - 150]
        for number in 1...700 as ClosedRange<UInt64> {
            let card = Int.random(in: 0..<3, using: &numbers)
            var atc: UInt16? = next[card]
            switch Int.random(in: 0..<12, using: &numbers) {
            case 0: atc = nil
            case 1: atc = next[card] &- UInt16.random(in: 1...60, using: &numbers)
            case 2: atc = next[card] &- UInt16.random(in: 2_000...2_100, using: &numbers)
            case 3: atc = next[card] &+ UInt16.random(in: 990...1_010, using: &numbers)
            case 4: next[card] &+= UInt16.random(in: 1...40, using: &numbers)
            default: next[card] &+= 1
            }
            let old = number - UInt64.random(in: 0..<min(number, 14), using: &numbers)
            let isRepeat = Int.random(in: 0..<6, using: &numbers) == 0
            let key = Int.random(in: 0..<10, using: &numbers) == 0 ? nil : Self.key(isRepeat ? old : number)
            let commit = Self.commit(number, tokens[card], atc, &numbers, key: key)
            let stored = try await lane.run { try await $0.commit(commit) }
            #expect(Self.same(stored, model.commit(commit)), "seed \(seed), commit \(number): \(stored)")
            let (token, asked) = (tokens[card], Self.key(old))
            let reading = try await lane.run {
                try await $0.read(token, retransmission: asked, deadline: Deadline(nanoseconds: .max))
            }
            let expected = model.read(token, asked)
            #expect(reading.answered == expected.answered, "seed \(seed), commit \(number)")
            #expect(reading.card?.highestATC == expected.card?.highestATC, "seed \(seed), commit \(number)")
            #expect(reading.card?.pinTriesUsed == expected.card?.pinTriesUsed)
        }
        await lane.store.close()
    }

    @Test func eightConnectionsEqualTheModelInTheOrderOfTheJournal() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        try await collide(.server(.fixed(redis.address)))
    }

    @Test func eightConnectionsToAClusterEqualTheModel() async throws {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        try await collide(.cluster(ports.map { .tcp(host: "127.0.0.1", port: $0) }))
        withExtendedLifetime(servers) {}
    }

    /// Eight connections commit to three cards at once. Then the model does the same in the order that the journal says.
    private func collide(_ location: StoreLocation) async throws {
        var lanes: [Lane] = []
        for _ in 0..<8 { lanes.append(try await Lane(location)) }
        let tokens = (0..<3).map { CardToken(high: $0, low: 9) }
        try await Self.importCards(tokens, lanes[0])
        var commits: [UInt64: AuthorisationCommit] = [:]
        var results: [UInt64: CommitResult] = [:]
        try await withThrowingTaskGroup(of: [(AuthorisationCommit, UInt64, CommitResult)].self) { group in
            for (index, lane) in lanes.enumerated() {
                group.addTask {
                    var numbers = SeededGenerator(seed: UInt64(index))
                    var done: [(AuthorisationCommit, UInt64, CommitResult)] = []
                    for step in 0..<60 as Range<UInt64> {
                        let number = UInt64(index) * 1_000 + step
                        // Lanes share their ATCs, so that each is tried by several.
                        let atc = UInt16(1 + step + UInt64.random(in: 0..<4, using: &numbers))
                        let token = tokens[Int.random(in: 0..<3, using: &numbers)]
                        let commit = Self.commit(number, token, atc, &numbers, key: Self.key(number))
                        done.append((commit, number, try await lane.run { try await $0.commit(commit) }))
                    }
                    return done
                }
            }
            for try await done in group {
                for (commit, number, result) in done { (commits[number], results[number]) = (commit, result) }
            }
        }
        let order = Mutex<[UInt64]>([])
        let journal = RedisJournal(lanes[0].store, settings: CardStateSettings())
        _ = try await journal.export(since: 0) { _, items in
            for case .decision(let record, _) in items {
                let text = String(decoding: record.entry.retrievalReferenceNumber, as: UTF8.self)
                order.withLock { $0.append(UInt64(text) ?? 0) }
            }
        }
        let sequence = order.withLock { $0 }
        #expect(sequence.count == 480 && Set(sequence) == Set(commits.keys))
        var model = ModelStore()
        for token in tokens { model.cards[token] = ModelStore.Card(available: Self.opening) }
        var approved = 0
        for number in sequence {
            let (commit, result) = (try #require(commits[number]), try #require(results[number]))
            #expect(Self.same(result, model.commit(commit)), "commit \(number): \(result)")
            approved += result.declined == nil ? 1 : 0
        }
        #expect(approved > 30 && approved < 300)
        for lane in lanes { await lane.store.close() }
    }
}
