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

@testable import Simulation

/// The model that the simulation trusts, held against the functions on real servers.
@Suite(.timeLimit(.minutes(5))) struct StoreAgainstModelTests {
    private static let opening: Int64 = 3_000

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

    /// - Parameter original: the number of an earlier message, for those that speak of one.
    private static func commit(
        _ number: UInt64, _ token: CardToken, _ atc: UInt16?, _ numbers: inout SeededGenerator,
        key: RetransmissionKey?, original: UInt64? = nil
    ) -> AuthorisationCommit {
        let amount = Amount(
            minorUnits: Int64.random(in: 0...900, using: &numbers), currency: ModelStore.currency)!
        var (kind, mode, about) = (TransactionKind.purchase, CommitMode.decide, OriginalTransaction?.none)
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0: kind = .refund
        case 1...4: kind = .preAuthorisation
        case 5...6: mode = .decidePartially
        case 7: mode = .book
        case 8: mode = .note
        case 9...11: (kind, mode) = (.completion, numbers.chance(60) ? .complete : .book)
        default: break
        }
        if kind == .completion, let original { about = self.original(original) }
        let pins: [PINEvidence] = mode.isBooked ? [.notChecked] : [.notChecked, .notChecked, .right, .wrong]
        var limits = SpendingLimits(currency: ModelStore.currency)
        if !mode.isBooked { limits.daily = Allowance(minorUnits: 20_000, count: 60) }
        let declines = !mode.isBooked && numbers.chance(8)
        return AuthorisationCommit(
            token: token, retransmission: key, declined: declines ? .cardExpired : nil,
            verifiedATC: atc.map(ApplicationTransactionCounter.init(rawValue:)),
            pin: pins.randomElement(using: &numbers) ?? .notChecked, kind: kind, mode: mode, original: about,
            amount: amount,
            limits: kind.takes && mode != .note && numbers.chance(80)
                ? CountedLimits(day: 20_775, kind: kind, limits: limits) : nil,
            approvalCode: Array("\(100_000 + number)".utf8), entry: entry(number, amount, atc),
            deadline: Deadline(nanoseconds: .max))
    }

    private static func entry(_ number: UInt64, _ amount: Amount, _ atc: UInt16?) -> JournalEntry {
        JournalEntry(
            retrievalReferenceNumber: Array("\(number)".utf8), systemsTraceAuditNumber: 1,
            unixSeconds: 1_795_000_000, link: "a", range: "visa", amount: amount, profile: "visa-cvn18",
            derivationKeyIndex: 1, atc: atc, microsecondsUntilEvidence: 1, trace: DecisionTrace())
    }

    /// By its numbers, and its reference; of seven messages one names no numbers.
    private static func original(_ number: UInt64) -> OriginalTransaction {
        OriginalTransaction(
            moment: number % 7 == 0 ? 0 : number, acquirer: 1, reference: reference(number))
    }

    private static func reversal(
        _ number: UInt64, _ token: CardToken, of original: UInt64, _ numbers: inout SeededGenerator,
        key: RetransmissionKey
    ) -> ReversalCommit {
        let remaining = numbers.chance(60) ? 0 : Int64.random(in: 0...900, using: &numbers)
        let amount = Amount(minorUnits: remaining, currency: ModelStore.currency)!
        return ReversalCommit(
            token: token, retransmission: key, original: self.original(original), remaining: amount,
            entry: entry(number, amount, nil), deadline: Deadline(nanoseconds: .max))
    }

    /// Three messages in a row share one.
    private static func reference(_ number: UInt64) -> UInt32 { UInt32(2 + number / 3) }

    private static func key(_ number: UInt64) -> RetransmissionKey {
        RetransmissionKey(
            moment: number, acquirer: 1, reference: reference(number), fingerprint: number)
    }

    private static func same(_ left: CommitResult, _ right: CommitResult) -> Bool {
        left.declined == right.declined && left.approvalCode == right.approvalCode
            && left.repeated == right.repeated && left.atc == right.atc
            && left.pinTriesLeft == right.pinTriesLeft
            && left.availableMinorUnits == right.availableMinorUnits && left.effect == right.effect
    }

    @Test(arguments: [2, 3, 4, 5, 6] as [UInt64])
    func theSameCommitsHaveTheSameOutcomes(seed: UInt64) async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        try await equalTheModel(seed, .server(.fixed(redis.address)))
    }

    @Test(arguments: [2, 7] as [UInt64])
    func onAClusterTheyHaveThemToo(seed: UInt64) async throws {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        try await equalTheModel(seed, .cluster(ports.map { .tcp(host: "127.0.0.1", port: $0) }))
        withExtendedLifetime(servers) {}
    }

    private func equalTheModel(_ seed: UInt64, _ location: StoreLocation) async throws {
        let lane = try await Lane(location)
        let tokens = (0..<3).map { CardToken(high: $0, low: 9) }
        try await Self.importCards(tokens, lane)
        var model = ModelStore()
        for token in tokens { model.cards[token] = ModelCard(available: Self.opening) }
        var numbers = SeededGenerator(seed: seed)
        var effects: Set<String> = []
        // One card from the beginning, one in the middle, one to the end of its counter.
        var next: [UInt16] = [1, 30_000, 0xFFFF - 150]
        for number in 1...1_000 as ClosedRange<UInt64> {
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
            let earlier = number - UInt64.random(in: 0..<min(number, 40), using: &numbers)
            let token = tokens[card]
            let stored: CommitResult
            let expected: CommitResult
            if numbers.chance(15) {
                // Some come before what they reverse.
                let target = numbers.chance(30) ? number + UInt64.random(in: 1...5, using: &numbers) : earlier
                let reversal = Self.reversal(
                    number, token, of: target, &numbers, key: Self.key(isRepeat ? old : number))
                stored = try await lane.run { try await $0.reverse(reversal) }
                expected = model.reverse(reversal)
            } else {
                let commit = Self.commit(number, token, atc, &numbers, key: key, original: earlier)
                stored = try await lane.run { try await $0.commit(commit) }
                expected = model.commit(commit)
            }
            #expect(
                Self.same(stored, expected), "seed \(seed), message \(number): \(stored), not \(expected)")
            if let effect = stored.effect { effects.insert(effect.kind) }
            let asked = Self.key(old)
            let reading = try await lane.run {
                try await $0.read(token, retransmission: asked, deadline: Deadline(nanoseconds: .max))
            }
            let known = model.read(token, asked)
            #expect(reading.answered == known.answered, "seed \(seed), message \(number)")
            #expect(reading.card?.highestATC == known.card?.highestATC, "seed \(seed), message \(number)")
            #expect(reading.card?.pinTriesUsed == known.card?.pinTriesUsed)
        }
        let all: Set = [
            "given back", "original unknown", "original declined", "reversed before", "replaced", "in part",
        ]
        #expect(effects == all, "seed \(seed)")
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

    private enum Sent: Sendable {
        case commit(AuthorisationCommit)
        case reversal(ReversalCommit)
    }

    /// What one of eight connections sends.
    private static func sent(
        _ index: Int, _ step: UInt64, _ tokens: [CardToken], _ numbers: inout SeededGenerator
    ) -> (number: UInt64, Sent) {
        let number = UInt64(index) * 1_000 + step + 1
        let token = tokens[Int.random(in: 0..<3, using: &numbers)]
        // Any other's message of about now, or one that is yet to come.
        let about = UInt64.random(in: 0..<8, using: &numbers) * 1_000 + step
        let other = about + 2 - min(about, UInt64.random(in: 0..<10, using: &numbers))
        if numbers.chance(20) {
            return (number, .reversal(reversal(number, token, of: other, &numbers, key: key(number))))
        }
        // Lanes share their ATCs, so that each is tried by several.
        let atc = UInt16(1 + step + UInt64.random(in: 0..<4, using: &numbers))
        return (number, .commit(commit(number, token, atc, &numbers, key: key(number), original: other)))
    }

    /// Eight connections send for three cards at once. Then the model does the same in the order that the journal says.
    private func collide(_ location: StoreLocation) async throws {
        var lanes: [Lane] = []
        for _ in 0..<8 { lanes.append(try await Lane(location)) }
        let tokens = (0..<3).map { CardToken(high: $0, low: 9) }
        try await Self.importCards(tokens, lanes[0])
        var messages: [UInt64: (sent: Sent, result: CommitResult)] = [:]
        try await withThrowingTaskGroup(of: [(UInt64, Sent, CommitResult)].self) { group in
            for (index, lane) in lanes.enumerated() {
                group.addTask {
                    var numbers = SeededGenerator(seed: UInt64(index))
                    var done: [(UInt64, Sent, CommitResult)] = []
                    for step in 0..<60 as Range<UInt64> {
                        let (number, sent) = Self.sent(index, step, tokens, &numbers)
                        let result = try await lane.run { state in
                            switch sent {
                            case .commit(let commit): try await state.commit(commit)
                            case .reversal(let reversal): try await state.reverse(reversal)
                            }
                        }
                        done.append((number, sent, result))
                    }
                    return done
                }
            }
            for try await done in group {
                for (number, sent, result) in done { messages[number] = (sent, result) }
            }
        }
        let order = Mutex<[UInt64]>([])
        let journal = RedisJournal(lanes[0].store, settings: CardStateSettings())
        _ = try await journal.export(since: 0) { _, items in
            for case .decision(let record, _) in items {
                let text = String(decoding: record.entry.retrievalReferenceNumber, as: UTF8.self)
                order.withLock { $0.append(UInt64(text) ?? .max) }
            }
        }
        let sequence = order.withLock { $0 }
        #expect(sequence.count == 480 && Set(sequence) == Set(messages.keys))
        var model = ModelStore()
        for token in tokens { model.cards[token] = ModelCard(available: Self.opening) }
        var (approved, givenBack) = (0, 0)
        for number in sequence {
            let (sent, result) = try #require(messages[number])
            let expected: CommitResult
            switch sent {
            case .commit(let commit):
                expected = model.commit(commit)
                approved += result.declined == nil ? 1 : 0
            case .reversal(let reversal):
                expected = model.reverse(reversal)
                givenBack += result.effect?.givenBackMinorUnits ?? 0 > 0 ? 1 : 0
            }
            #expect(Self.same(result, expected), "message \(number): \(result), not \(expected)")
        }
        #expect(approved > 30 && approved < 350 && givenBack > 0)
        for lane in lanes { await lane.store.close() }
    }
}
