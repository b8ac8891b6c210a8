import Authorisation
import ByteCoding
import CardStateStore
import EMV
import EventLoops
import NIOCore
import NIOPosix
import Redis
import RedisSupport
import Synchronization

/// Cards on a real server, decided by the real `Authoriser` over a token that takes every cryptogram of zeros
/// for right.
final class StateBench: Sendable {
    /// Held, since the servers end with the value.
    private let servers: any Sendable
    let store: StateStore
    /// For commands of the test itself.
    let connection: RedisConnection
    let records: RedisCardRecords
    let orders: CardOrders
    let journal: RedisJournal
    let claims: OldRecordClaims
    private let authoriser: Authoriser
    private let stan = Atomic<UInt32>(0)
    private let executor: EventLoopExecutor

    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }
    static let currency = CurrencyCode(rawValue: 752)!
    static let now: Int64 = 1_795_000_000

    convenience init(_ redis: TestRedis) async throws {
        try await self.init(redis, at: .server(.fixed(redis.address)), first: redis.address)
    }

    /// - Parameters:
    ///   - first: a server for commands of the test itself.
    ///   - replicaTimeout: milliseconds for replicas to acknowledge. Long, so that a slow disk fails no test; short where the
    ///     replica is to be missed.
    init(
        _ servers: any Sendable, at location: StoreLocation, first: RedisAddress, replicasMin: Int = 0,
        replicaTimeout: Int = 1_000, watch: StoreWatch? = nil,
        settings connectionSettings: RedisConnectionSettings = RedisConnectionSettings(),
        waits: Bool = true, migrates: Bool = false
    ) async throws {
        self.servers = servers
        let loop = Self.loop
        store = StateStore(
            to: location, on: loop, watch: watch, migrates: migrates, settings: connectionSettings)
        connection = RedisConnection(to: first, on: loop)
        var settings = CardStateSettings()
        settings.replicasMin = replicasMin
        settings.replicaTimeoutMilliseconds = replicaTimeout
        records = RedisCardRecords(store, settings: settings)
        orders = CardOrders(records, unixSeconds: { Self.now })
        journal = RedisJournal(store, settings: settings)
        executor = EventLoopExecutor(loop)
        let range = IssuerRange(
            name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"), masterKeyOption: .a,
            profiles: [.visaCVN18])
        let surroundings = Surroundings(
            unixSeconds: { Self.now }, monotonicNanoseconds: monotonicNanoseconds,
            random: { .random(in: 1 ... .max) })
        claims = OldRecordClaims(
            store, settings: settings, surroundings: surroundings, who: "ann",
            names: { pan, _ throws(CryptographyUnavailable) in
                (0..<100).map { OldStore.name(OpenToken.card(pan), UInt8($0)) }
            })
        authoriser = Authoriser(
            ranges: IssuerRangeTable([range]),
            codes: AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
                AuthorisationResponseCode("05")!
            }, cryptography: OpenToken(), records: records,
            surroundings: surroundings, oldRecords: migrates ? claims : nil)
        if waits { try await store.waitUntilReady(timeout: .seconds(60)) }
        try await connection.waitUntilReady(timeout: .seconds(60))
    }

    /// On the loop of the connection, as the host does it.
    func onLoop<Result: Sendable>(_ body: @escaping @Sendable (StateBench) async throws -> Result)
        async throws -> Result
    {
        try await Task(executorPreference: executor) { try await body(self) }.value
    }

    /// The token of a card is its number: see `OpenToken`.
    static func token(_ card: Int) -> CardToken { CardToken(high: UInt64(card), low: 7) }

    func importCard(
        _ card: Int, status: CardStatus = .active, available: Int64 = 100_000, forgetting: Bool = false
    ) async throws {
        let definition = CardDefinition(
            status: status, expiry: ExpiryDate(ascii: Array("3012".utf8))!,
            pin: .reference(EncipheredPINBlock(rawValue: 77)), pinTriesMax: 3,
            availableMinorUnits: available, currency: Self.currency, profile: "visa-cvn18")
        _ = try await order(card, .importCard(definition, forgettingATCs: forgetting))
    }

    func order(_ card: Int, _ order: OperatorOrder, note: String = "ann;17;test") async throws -> String {
        try await onLoop { try await $0.orders.carryOut(order, for: Self.token(card), note: note) }
    }

    func record(_ card: Int) async throws -> CardRecord? {
        try await onLoop { try await $0.orders.record(Self.token(card)) }
    }

    /// A chip purchase.
    /// - Parameter pin: 77 is right.
    /// - Returns: nil for an approval.
    func decline(
        _ card: Int, atc: UInt16, pin: UInt64? = nil, minorUnits: Int64 = 100, rrn: String = "000000000001",
        stan: UInt32? = nil
    ) async throws -> DeclineReason? {
        try await decide(card, atc: atc, pin: pin, minorUnits: minorUnits, rrn: rrn, stan: stan).outcome
            .declineReason
    }

    func decide(
        _ card: Int, atc: UInt16, pin: UInt64? = nil, minorUnits: Int64 = 100, rrn: String = "000000000001",
        stan: UInt32? = nil
    ) async throws -> Decision {
        let number = stan ?? self.stan.wrappingAdd(1, ordering: .relaxed).newValue
        let request = AuthorisationRequest(
            link: "acquirer-a",
            card: CardIdentity(pan: try OpenToken.pan(card), panSequenceNumber: nil), expiry: nil,
            amount: Amount(minorUnits: minorUnits, currency: Self.currency)!,
            transmission: Transmission(
                messageClass: .request, stan: number, localTime: 1_123_120_000, acquirer: 1),
            retrievalReferenceNumber: Array(rrn.utf8),
            chip: try OpenToken.chip(atc, minorUnits),
            pin: pin.map {
                PINQuestion(
                    zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: $0))
            }, circumstances: Circumstances(), receivedAt: 0, deadline: Deadline(nanoseconds: .max))
        return try await onLoop { try await $0.authoriser.authorise(request) }
    }
}

/// A token that takes every cryptogram for right and translates nothing: what is asked here is what the store
/// does.
private struct OpenToken: CardCryptography {
    static func pan(_ card: Int) throws -> PAN {
        let digits = String(card)
        return try PAN("476173" + String(repeating: "0", count: 10 - digits.count) + digits)
    }

    static func chip(_ atc: UInt16, _ minorUnits: Int64) throws -> ICCData {
        var writer = TLVWriter()
        var (rest, amount) = (minorUnits, [UInt8](repeating: 0, count: 6))
        for index in (0..<6).reversed() {
            amount[index] = UInt8((rest % 100 / 10) << 4 | rest % 10)
            rest /= 100
        }
        writer.append(.amountAuthorised, amount)
        writer.append(.amountOther, [0, 0, 0, 0, 0, 0])
        writer.append(.terminalCountryCode, [0x07, 0x52])
        writer.append(.terminalVerificationResults, [0, 0, 0, 0x80, 0])
        writer.append(.transactionCurrencyCode, [0x07, 0x52])
        writer.append(.transactionDate, [0x26, 0x11, 0x23])
        writer.append(.transactionType, [0])
        writer.append(.unpredictableNumber, [1, 2, 3, 4])
        writer.append(.applicationInterchangeProfile, [0x39, 0])
        writer.append(.applicationTransactionCounter, [UInt8(atc >> 8), UInt8(truncatingIfNeeded: atc)])
        writer.append(.applicationCryptogram, [0, 0, 0, 0, 0, 0, 0, 0])
        writer.append(.cryptogramInformationData, [0x80])
        writer.append(.issuerApplicationData, [0x06, 0x01, 0x12, 0x03, 0xA0, 0xB8, 0x00])
        return try ICCData(parsing: writer.bytes)
    }

    static func card(_ pan: PAN) -> Int {
        (6..<pan.digitCount).reduce(0) { $0 * 10 + Int(pan.digit(at: $1)) }
    }

    private func token(_ pan: PAN) -> CardToken { StateBench.token(OpenToken.card(pan)) }

    func knownToken(of pan: PAN) -> CardToken? { token(pan) }

    func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
        let answers = question.cryptogram?.prepared.map { _ in
            IssuerAuthenticationData(arpc: UInt64(1), code: AuthorisationResponseCode("00")!)
        }
        var answer = CryptographyAnswer(token: token(question.card.pan))
        if let answers { answer.cryptogram = .matches(answers) }
        if let pin = question.pin { answer.pin = .translated(pin.block) }
        return Result<CryptographyAnswer, CryptographyUnavailable>.success(answer)
    }

    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData {
        IssuerAuthenticationData(arpc: UInt64(1), code: AuthorisationResponseCode("05")!)
    }

    func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer { .translated(question.block) }

    func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? { nil }
}
