import Authorisation
import CardStateStore
import EMV
import NIOCore
import NIOPosix
import Redis
import RedisSupport

/// A card on a real server.
final class StateBench: Sendable {
    /// Held, since the servers end with the value.
    private let servers: any Sendable
    let store: StateStore
    /// For commands of the test itself.
    let connection: RedisConnection
    let state: RedisCardState
    let journal: RedisJournal
    private let executor: LoopExecutor

    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }
    static let currency = CurrencyCode(rawValue: 752)!

    convenience init(_ redis: TestRedis, late: Bool = true) async throws {
        try await self.init(redis, at: .server(.fixed(redis.address)), first: redis.address, late: late)
    }

    /// - Parameter first: a server for commands of the test itself.
    init(
        _ servers: any Sendable, at location: StoreLocation, first: RedisAddress, late: Bool = true,
        replicasMin: Int = 0
    ) async throws {
        self.servers = servers
        let loop = Self.loop
        store = StateStore(to: location, on: loop)
        connection = RedisConnection(to: first, on: loop)
        var settings = CardStateSettings()
        settings.lateATCAccepted = late
        settings.replicasMin = replicasMin
        state = RedisCardState(store, settings: settings)
        journal = RedisJournal(store, settings: settings)
        executor = LoopExecutor(loop)
        try await store.waitUntilReady(timeout: .seconds(60))
        try await connection.waitUntilReady(timeout: .seconds(60))
    }

    /// On the loop of the connection, as the host does it.
    func onLoop<Result: Sendable>(_ body: @escaping @Sendable (RedisCardState) async throws -> Result)
        async throws -> Result
    {
        let state = state
        return try await Task(executorPreference: executor) { try await body(state) }.value
    }

    func importCard(
        _ token: CardToken, status: CardStatus = .active, available: Int64 = 100_000,
        forgetting: Bool = false,
        limits: SpendingLimits? = nil
    ) async throws {
        let card = CardRecord(
            status: status, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
            pinReference: EncipheredPINBlock(rawValue: 0xFEDC_BA98_7654_3210), pinTriesMax: 3,
            pinTriesUsed: 0,
            highestATC: nil, availableMinorUnits: available, currency: Self.currency, profile: "visa-cvn18",
            limits: limits)
        try await onLoop { try await $0.importCard(card, token: token, forgettingATCs: forgetting) }
    }

    /// A key of its own for every text here.
    static func key(_ text: String, fingerprint: UInt64) -> RetransmissionKey {
        RetransmissionKey(
            moment: text.utf8.reduce(0) { $0 &* 0x0000_0100_0000_01B3 ^ UInt64($1) }, acquirer: 0,
            reference: 0,
            fingerprint: fingerprint)
    }

    func read(_ token: CardToken, _ transmission: String = "none") async throws -> CardReading {
        try await read(token, StateBench.key(transmission, fingerprint: 0))
    }

    func read(_ token: CardToken, _ key: RetransmissionKey) async throws -> CardReading {
        try await onLoop {
            try await $0.read(token, retransmission: key, deadline: Deadline(nanoseconds: .max))
        }
    }

    func commit(
        _ token: CardToken, atc: UInt16? = nil, pin: PINEvidence = .notChecked, minorUnits: Int64 = 100,
        declined: DeclineReason? = nil, currency: CurrencyCode = StateBench.currency,
        transmission: String? = nil, fingerprint: UInt64 = 1, key: RetransmissionKey? = nil,
        limits: CountedLimits? = nil,
        rrn: String = "000000000001",
        code: String = "123456",
        kind: TransactionKind = .purchase, mode: CommitMode = .decide, original: OriginalTransaction? = nil,
        cash: Int64 = 0
    ) async throws -> CommitResult {
        let amount = Amount(minorUnits: minorUnits, currency: currency)!
        var trace = DecisionTrace()
        trace.add(.cardStatus, .approved, "active")
        let commit = AuthorisationCommit(
            token: token,
            retransmission: key ?? transmission.map { StateBench.key($0, fingerprint: fingerprint) },
            declined: declined, verifiedATC: atc.map(ApplicationTransactionCounter.init(rawValue:)), pin: pin,
            kind: kind, mode: mode, original: original, amount: amount, cashMinorUnits: cash, limits: limits,
            approvalCode: Array(code.utf8),
            entry: JournalEntry(
                retrievalReferenceNumber: Array(rrn.utf8), systemsTraceAuditNumber: 7,
                unixSeconds: 1_795_000_000, link: "acquirer-a", range: "visa", amount: amount,
                profile: "visa-cvn18", derivationKeyIndex: 1, atc: atc, microsecondsUntilEvidence: 250,
                trace: trace),
            deadline: Deadline(nanoseconds: .max))
        return try await onLoop { try await $0.commit(commit) }
    }

    func reverse(
        _ token: CardToken, _ key: RetransmissionKey, of original: OriginalTransaction, remaining: Int64 = 0
    ) async throws -> CommitResult {
        var trace = DecisionTrace()
        trace.add(.transaction, .approved, "reversal")
        let amount = Amount(minorUnits: remaining, currency: Self.currency)!
        let reversal = ReversalCommit(
            token: token, retransmission: key, original: original, remaining: amount,
            entry: JournalEntry(
                retrievalReferenceNumber: Array("000000000009".utf8), systemsTraceAuditNumber: 9,
                unixSeconds: 1_795_000_000, link: "acquirer-a", range: "visa", amount: amount,
                profile: "-", derivationKeyIndex: nil, atc: nil, microsecondsUntilEvidence: 1, trace: trace),
            deadline: Deadline(nanoseconds: .max))
        return try await onLoop { try await $0.reverse(reversal) }
    }
}

/// Runs tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop
    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }
}
