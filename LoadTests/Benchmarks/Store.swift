import EventLoops
import Authorisation
import CardStateStore
import EMV
import Foundation
import HostServer
import IssuerMessages
import NIOCore
import NIOPosix
import Redis

/// Read and replacement of one authorisation on a real server, with a token that answers at once.
func storeBenchmarks(_ harness: inout Harness, _ parts: Parts, cards: inout Cards) async throws {
    let depths = [1, 16, 128]
    guard depths.contains(where: { harness.runs(name($0)) }) else { return }
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let executor = EventLoopExecutor(loop)
    let connection = StateStore(to: .server(.fixed(parts.redisAddress)), on: loop)
    try await connection.waitUntilReady(timeout: .seconds(10))
    let records = RedisCardRecords(connection, settings: CardStateSettings())
    let orders = CardOrders(records, unixSeconds: surroundings.unixSeconds)
    let tokens = Dictionary(
        uniqueKeysWithValues: cards.identities.enumerated().map {
            ($0.element.pan, CardToken(high: UInt64($0.offset), low: 7))
        })
    let token = InstantToken { tokens[$0] ?? CardToken(high: 0, low: 0) }
    let authoriser = Authoriser(
        ranges: Parts.ranges, codes: ResponseCode.authorisationResponseCodes, cryptography: token,
        records: records, surroundings: surroundings)
    let definition = cardDefinition(pin: EncipheredPINBlock(rawValue: 1), sequenceNumber: 1)
    for token in tokens.values {
        try await Task(executorPreference: executor) {
            _ = try await orders.carryOut(
                .importCard(definition, forgettingATCs: true), for: token, note: "benchmark;0;import")
        }.value
    }
    let mapping = RequestMapping(link: LinkProfile(name: "a", zonePINKey: KeyName("zpk-acquirer-a")))
    var number = 0
    for depth in depths where harness.runs(name(depth)) {
        let count = depth == 1 ? 1_000 : 4_000
        var requests: [AuthorisationRequest] = []
        for _ in 0..<(harness.batchCount(9) + 1) * count {
            requests.append(try mapping.request(try cards.message(number)))
            number += 1
        }
        let all = requests
        var (done, approved) = (0, 0)
        let before = parts.redisSeconds
        try await harness.measure(
            name(depth), operations: count, batches: 9,
            note: {
                let redis = (parts.redisSeconds - before) * 1e6 / Double(done)
                return "\(approved) of \(done) approved, " + String(format: "Redis %.1f µs", redis)
            }
        ) {
            let batch = Array(all[done..<done + count])
            done += count
            approved += try await run(batch, depth, executor: executor) { request in
                if case .approved = try await authoriser.authorise(request).outcome { return 1 }
                return 0
            }
        }
    }
    await connection.close()
}

private func name(_ depth: Int) -> String { "redis read + replace, \(depth) in flight" }
