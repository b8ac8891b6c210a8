internal import ByteCoding
import EventLoops
import Foundation
import Authorisation
import CardStateStore
import EMV
import HSM
import HostServer
import IssuerMessages
import NIOCore
import NIOPosix
import Redis

/// A token that answers at once and takes everything for right.
struct InstantToken: CardCryptography {
    private let data = IssuerAuthenticationData(arpc: UInt32(1), statusUpdate: .approve)
    /// What is known of a card beforehand; nil: `CardToken` of one card for all.
    var token: @Sendable (PAN) -> CardToken = { _ in CardToken(high: 1, low: 1) }

    func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer { .notAsked }

    func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? { nil }

    func knownToken(of pan: PAN) -> CardToken? { token(pan) }

    func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
        var answer = CryptographyAnswer(token: token(question.card.pan))
        answer.cryptogram = .matches([data, data])
        answer.pin = .translated(EncipheredPINBlock(rawValue: 1))
        return Result<CryptographyAnswer, CryptographyUnavailable>.success(answer)
    }

    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData { data }

    func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] { [] }
}

/// A store that answers at once, always with the same card: what is left is the machinery.
private struct FixedRecords: CardRecords {
    let reading: CardReading

    init(_ definition: CardDefinition) throws {
        let step = CardTransition.apply(
            .importCard(definition, forgettingATCs: false), to: CardReading(record: nil, past: []),
            policy: CardPolicy(), now: 1_795_000_000, random: 1)
        guard case .done(_, let change) = step else { throw CancellationError() }
        reading = CardReading(record: change.record, past: [])
    }

    func read(
        _ token: CardToken, withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReading { reading }

    func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReplacement { .done(unconfirmed: nil) }

    func confirm(_ reading: CardReading, deadline: Deadline) async throws(CouldNotDecide) {}
}

/// A card of the benchmarks.
func cardDefinition(pin block: EncipheredPINBlock, sequenceNumber: UInt8 = 0) -> CardDefinition {
    CardDefinition(
        sequenceNumber: sequenceNumber, status: .active, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
        pin: .reference(block), pinTriesMax: 3, availableMinorUnits: 900_000_000_000,
        currency: CurrencyCode(rawValue: 752)!, profile: "visa-cvn18")
}

let surroundings = Surroundings(
    unixSeconds: { 1_795_000_000 }, monotonicNanoseconds: { monotonicNanoseconds() },
    random: { .random(in: .min ... .max) })

/// From one thread to the token and back, to Redis and back, and everything together.
func wholeBenchmarks(_ harness: inout Harness, _ parts: Parts, cards: inout Cards) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let executor = EventLoopExecutor(loop)
    let mapping = RequestMapping(link: LinkProfile(name: "a", zonePINKey: KeyName("zpk-acquirer-a")))
    let request = try mapping.request(try cards.message(2))

    let instant = InstantToken()
    let fixed = try FixedRecords(cardDefinition(pin: EncipheredPINBlock(rawValue: 1), sequenceNumber: 1))
    let machinery = Authoriser(
        ranges: Parts.ranges, codes: ResponseCode.authorisationResponseCodes, cryptography: instant,
        records: fixed, surroundings: surroundings)
    await harness.measure("authoriser with instant ports", operations: 10_000) {
        await Task(executorPreference: executor) {
            for _ in 0..<10_000 { consume(try? await machinery.authorise(request)) }
        }.value
    }

    for workers in [1, 2] where harness.runs(hsmName(workers)) {
        let hsm = try parts.hsm(workers: workers)
        let port = hsm.port { work in loop.execute(work) }
        let question = try cryptography(request)
        let before = hsm.statistics
        await harness.measure(
            hsmName(workers), operations: 5_000,
            note: {
                let now = hsm.statistics
                return "\((now.calls - before.calls) / max(1, now.jobs - before.jobs)) PKCS#11 calls a job"
            }
        ) {
            await Task(executorPreference: executor) {
                for _ in 0..<5_000 / 100 {
                    let pending = (0..<100).map { _ in port.begin(question) }
                    for answer in pending { consume(try? await answer.answer()) }
                }
            }.value
        }
        hsm.stop()
    }
    if ([1, 16, 64, 128].contains { harness.runs("whole authorisation, \($0) in flight") }) {
        try await withStore(&harness, parts, cards: &cards, loop: loop, executor: executor, mapping: mapping)
    }
}

private func hsmName(_ workers: Int) -> String {
    "hsm job through the pool, \(workers) worker\(workers == 1 ? "" : "s")"
}

private func cryptography(_ request: AuthorisationRequest) throws -> CryptographyQuestion {
    guard let chip = request.chip, let atc = chip.atc, let number = chip.unpredictableNumber,
        let cryptogram = chip.cryptogram
    else { throw CancellationError() }
    let iad = try IssuerApplicationData(parsing: chip[.issuerApplicationData] ?? [])
    return CryptographyQuestion(
        card: request.card,
        cryptogram: CryptogramQuestion(
            issuerMasterKey: KeyName("imk-ac-476173"), masterKeyOption: .a, profile: .visaCVN18, atc: atc,
            unpredictableNumber: number,
            input: try CryptogramProfile.visaCVN18.cryptogramInput(from: chip, iad: iad),
            cryptogram: cryptogram,
            prepared: [.statusUpdate(.approve), .statusUpdate(.decline)]), pin: request.pin,
        deadline: Deadline(nanoseconds: .max))
}

private func withStore(
    _ harness: inout Harness, _ parts: Parts, cards: inout Cards, loop: any EventLoop,
    executor: EventLoopExecutor, mapping: RequestMapping
) async throws {
    let connection = StateStore(to: .server(.fixed(parts.redisAddress)), on: loop)
    try await connection.waitUntilReady(timeout: .seconds(10))
    let records = RedisCardRecords(connection, settings: CardStateSettings())
    let orders = CardOrders(records, unixSeconds: surroundings.unixSeconds)
    let hsm = try parts.hsm(workers: 2)
    let port = hsm.port { work in loop.execute(work) }
    let authoriser = Authoriser(
        ranges: Parts.ranges, codes: ResponseCode.authorisationResponseCodes, cryptography: port,
        records: records, surroundings: surroundings)
    for identity in cards.identities {
        let reference = try cards.reference(parts, identity)
        let token = try await port.begin(
            CryptographyQuestion(
                card: identity, cryptogram: nil, pin: nil, deadline: Deadline(nanoseconds: .max))
        ).answer().token
        try await Task(executorPreference: executor) {
            _ = try await orders.carryOut(
                .importCard(cardDefinition(pin: reference, sequenceNumber: 1), forgettingATCs: true),
                for: token, note: "benchmark;0;import")
        }.value
    }
    // Numbers run on over all depths: a number twice would be a retransmission.
    var number = 0
    for depth in [1, 16, 64, 128] {
        let name = "whole authorisation, \(depth) in flight"
        guard harness.runs(name) else { continue }
        let batches = harness.batchCount(9)
        let count = depth == 1 ? 1_000 : 4_000
        var requests: [AuthorisationRequest] = []
        for _ in 0..<(batches + 1) * count {
            requests.append(try mapping.request(try cards.message(number)))
            number += 1
        }
        let all = requests
        var next = 0
        var approved = 0
        let before = (hsm.statistics.calls, connection.commandsSent, parts.redisSeconds)
        try await harness.measure(
            name, operations: count, batches: 9,
            note: {
                let calls = Double(hsm.statistics.calls - before.0) / Double(next)
                let trips = Double(connection.commandsSent - before.1) / Double(next)
                let redis = (parts.redisSeconds - before.2) * 1e6 / Double(next)
                return "\(approved) of \(next) approved, "
                    + String(
                        format: "%.1f PKCS#11 calls, %.1f Redis trips, Redis %.1f µs", calls, trips, redis)
            }
        ) {
            let batch = Array(all[next..<next + count])
            next += count
            approved += try await run(batch, depth, executor: executor) { request in
                if case .approved = try await authoriser.authorise(request).outcome { return 1 }
                return 0
            }
        }
    }
    hsm.stop()
    await connection.close()
}

/// Keeps `depth` items under way on the executor; the sum of what they return.
func run<Item: Sendable>(
    _ items: [Item], _ depth: Int, executor: EventLoopExecutor,
    body: @escaping @Sendable (Item) async throws -> Int
) async throws -> Int {
    try await withThrowingTaskGroup(of: Int.self) { group in
        for lane in 0..<depth {
            group.addTask(executorPreference: executor) {
                var sum = 0
                for place in stride(from: lane, to: items.count, by: depth) {
                    sum += try await body(items[place])
                }
                return sum
            }
        }
        return try await group.reduce(0, +)
    }
}
