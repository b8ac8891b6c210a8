import Authorisation
import CardStateStore
import EMV
import Foundation
import HostServer
import NIOCore
import NIOPosix
import Redis

/// Read and commit of one authorisation on a real server, without a token.
func storeBenchmarks(_ harness: inout Harness, _ parts: Parts) async throws {
    let depths = [1, 16, 128]
    guard depths.contains(where: { harness.runs(name($0)) }) else { return }
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let executor = EventLoopExecutor(loop)
    let connection = StateStore(to: .server(.fixed(parts.redisAddress)), on: loop)
    try await connection.waitUntilReady(timeout: .seconds(10))
    let state = RedisCardState(connection, settings: CardStateSettings())
    let population: UInt64 = 200
    let currency = CurrencyCode(rawValue: 752)!
    let card = CardRecord(
        status: .active, expiry: ExpiryDate(ascii: Array("2912".utf8))!,
        pinReference: EncipheredPINBlock(rawValue: 1), pinTriesMax: 3, pinTriesUsed: 0, highestATC: nil,
        availableMinorUnits: 900_000_000_000, currency: currency, profile: "visa-cvn18")
    for number in 0..<population {
        try await Task(executorPreference: executor) {
            try await state.importCard(card, token: CardToken(high: number, low: 7))
        }.value
    }
    let amount = Amount(minorUnits: 4_250, currency: currency)!
    var number: UInt64 = 0
    for depth in depths where harness.runs(name(depth)) {
        let count = depth == 1 ? 1_000 : 8_000
        var done = 0
        var approved = 0
        let before = parts.redisSeconds
        try await harness.measure(
            name(depth), operations: count, batches: 9,
            note: {
                let redis = (parts.redisSeconds - before) * 1e6 / Double(done)
                return "\(approved) of \(done) approved, " + String(format: "Redis %.1f µs", redis)
            }
        ) {
            let batch = Array(number..<number + UInt64(count))
            number += UInt64(count)
            done += count
            approved += try await run(batch, depth, executor) { number in
                let token = CardToken(high: number % population, low: 7)
                let key = RetransmissionKey(
                    moment: number, acquirer: 123_456, reference: UInt32(truncatingIfNeeded: number),
                    fingerprint: number)
                let deadline = Deadline(nanoseconds: .max)
                consume(try await state.read(token, retransmission: key, deadline: deadline))
                let atc = UInt16(truncatingIfNeeded: number / population + 1)
                let result = try await state.commit(
                    AuthorisationCommit(
                        token: token, retransmission: key, declined: nil,
                        verifiedATC: ApplicationTransactionCounter(rawValue: atc), pin: .right,
                        amount: amount,
                        approvalCode: Array("123456".utf8),
                        entry: benchmarkEntry(number, amount, atc, approvalTrace), deadline: deadline))
                return result.declined == nil ? 1 : 0
            }
        }
    }
    await connection.close()
}

private func name(_ depth: Int) -> String { "redis read + commit, \(depth) in flight" }

func benchmarkEntry(
    _ number: UInt64, _ amount: Amount, _ atc: UInt16, _ trace: DecisionTrace
) -> JournalEntry {
    JournalEntry(
        retrievalReferenceNumber: Array("\(100_000_000_000 + number)".utf8),
        systemsTraceAuditNumber: UInt32(number % 1_000_000), unixSeconds: 1_795_000_000, link: "acquirer-a",
        range: "visa", amount: amount, profile: "visa-cvn18", derivationKeyIndex: 1, atc: atc,
        microsecondsUntilEvidence: 250, trace: trace)
}

/// The checks of an approval with a PIN.
let approvalTrace: DecisionTrace = {
    var trace = DecisionTrace()
    trace.add(.retransmission, .approved, "first")
    trace.add(.issuerRange, .approved, "visa")
    trace.add(.cardKnown, .approved, "visa-cvn18")
    trace.add(.cardStatus, .approved, "active")
    trace.add(.expiry, .approved, "valid")
    trace.add(.cryptogram, .approved, "visa-cvn18")
    trace.add(.amountAgreement, .approved, "as signed")
    trace.add(.pin, .approved, "right")
    return trace
}()
