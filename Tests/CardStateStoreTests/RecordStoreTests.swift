import Authorisation
import CardStateStore
import EMV
import Redis
import RedisSupport
import Testing

/// The contract of the store, on a real server: it compares, replaces and appends, all or nothing.
@Suite(.timeLimit(.minutes(2))) struct RecordStoreTests {
    private func bench(available: Int64 = 100_000) async throws -> StateBench {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        try await bench.importCard(1, available: available)
        return bench
    }

    private func command(_ bench: StateBench, _ words: String...) async throws -> RedisReply {
        try await bench.connection.sendFromAnywhere(RedisCommand(words))
    }

    private let key = "{b01}:card:00000000000000010000000000000007"

    @Test func aPurchaseMovesRecordAndJournalInOneStep() async throws {
        let bench = try await bench()
        let before = try #require(try await bench.record(1))
        #expect(try await bench.decline(1, atc: 5, minorUnits: 250, rrn: "R1") == nil)
        let after = try #require(try await bench.record(1))
        #expect(after.availableMinorUnits == before.availableMinorUnits - 250)
        #expect(after.plastics[0].highestATC == 5)
        #expect(after.tag.counter == before.tag.counter + 1 && after.tag.random != before.tag.random)
        let records = try await bench.journal.records(retrievalReferenceNumber: "R1")
        #expect(records.count == 1 && records[0].declined == nil && records[0].atc == .first)
        #expect(records[0].availableMinorUnits == after.availableMinorUnits)
        #expect(records[0].approvalCode.count == 6)
    }

    @Test func aRecordThatSomebodyElseReplacedIsReadAgain() async throws {
        let bench = try await bench()
        let (token, stale) = (StateBench.token(1), try #require(try await bench.record(1)))
        #expect(try await bench.decline(1, atc: 5) == nil)
        let reading = CardReading(record: stale, past: nil)
        let step = CardTransition.apply(
            .unblockPIN(sequenceNumber: 0), to: reading, policy: CardPolicy(), now: StateBench.now, random: 9)
        guard case .done(_, let change) = step else {
            Issue.record("no change")
            return
        }
        let result = try await bench.onLoop {
            try await $0.records.replace(
                token, change, lines: [.change("x;;;ann;17;x")], withPast: true,
                deadline: Deadline(nanoseconds: .max))
        }
        guard case .conflict(let current) = result else {
            Issue.record("a record was replaced by what was computed from another one")
            return
        }
        #expect(current.record?.plastics[0].highestATC == 5 && current.past == [])
        let export = try await bench.connection.sendFromAnywhere(RedisCommand("XLEN", "{b01}:journal"))
        #expect(export == .integer(2), "import and purchase, and nothing of the conflict")
    }

    /// The store is told pieces only: what it has then is what was computed, byte for byte, longer or shorter or the same.
    @Test func aRecordWrittenInPiecesIsWhatWasComputed() async throws {
        let bench = try await bench()
        let token = StateBench.token(1)
        for atc in 1...24 as ClosedRange<UInt16> {
            _ = try await bench.decline(1, atc: 40 * atc, pin: atc.isMultiple(of: 5) ? 1 : 77)
            for order: OperatorOrder in [
                .unblockPIN(sequenceNumber: 0), .status(.lost, sequenceNumber: nil),
                .status(.active, sequenceNumber: nil), .resetATC(sequenceNumber: 0),
            ] {
                let reading = CardReading(record: try await bench.record(1), past: [])
                guard
                    case .done(_, let change) = CardTransition.apply(
                        order, to: reading, policy: CardPolicy(), now: StateBench.now, random: UInt64(atc))
                else { continue }
                let result = try await bench.onLoop {
                    try await $0.records.replace(
                        token, change, lines: [.change("x;;;ann;17;x")], withPast: false,
                        deadline: Deadline(nanoseconds: .max))
                }
                guard case .done = result else { throw RedisError.timedOut }
                let isWritten = try await bench.record(1)?.bytes == (change.record ?? reading.record)?.bytes
                #expect(isWritten)
            }
        }
        #expect(try await bench.record(1)?.tag.counter ?? 0 > 60)
    }

    @Test func anApprovalIsToldAgainAndBookedOnce() async throws {
        let bench = try await bench()
        let first = try await bench.decide(1, atc: 5, stan: 3)
        let again = try await bench.decide(1, atc: 5, stan: 3)
        #expect(!first.repeated && again.repeated)
        guard case .approved(let one) = first.outcome, case .approved(let two) = again.outcome else {
            Issue.record("declined")
            return
        }
        #expect(one.code == two.code)
        #expect(try await bench.record(1)?.availableMinorUnits == 99_900)
    }

    @Test func manyTransactionsAreFiledAndStillKnown() async throws {
        let bench = try await bench()
        for atc in 1...60 as ClosedRange<UInt16> {
            #expect(try await bench.decline(1, atc: atc, stan: UInt32(atc)) == nil)
        }
        let filed = try await command(bench, "STRLEN", "{b01}:past:00000000000000010000000000000007")
        guard case .integer(let bytes) = filed else {
            Issue.record("nothing filed")
            return
        }
        #expect(bytes >= 50 * 96 && bytes % 96 == 0)
        // The first one is filed since long; its ATC leads to it.
        #expect(try await bench.decide(1, atc: 1, stan: 1).repeated)
        #expect(try await bench.record(1)?.availableMinorUnits == 94_000)
    }

    @Test func sixtyFourAtOnceOnOneCardAndTwoHosts() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let (one, other) = (try await StateBench(redis), try await StateBench(redis))
        try await one.importCard(1)
        let declines = try await withThrowingTaskGroup(of: DeclineReason?.self) { group in
            for atc in 1...64 as ClosedRange<UInt16> {
                let host = atc.isMultiple(of: 2) ? one : other
                group.addTask { try await host.decline(1, atc: atc, stan: UInt32(atc)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(declines.allSatisfy { $0 == nil }, "\(declines)")
        #expect(try await one.record(1)?.availableMinorUnits == 93_600)
    }

    @Test func aDamagedRecordDecidesNothingAndIsNotWrittenOver() async throws {
        let bench = try await bench()
        _ = try await command(bench, "SETRANGE", key, "18", "9")
        await #expect(throws: CouldNotDecide.self) { try await bench.decline(1, atc: 5) }
        let byte = try await command(bench, "GETRANGE", key, "18", "18")
        #expect(byte == .string([0x39]))
    }

    @Test func aNewerFormatIsSaidAndLeftAlone() async throws {
        let bench = try await bench()
        _ = try await command(bench, "SETRANGE", key, "16", "\u{7F}")
        do {
            _ = try await bench.decline(1, atc: 5)
            Issue.record("decided on a format that this release does not know")
        } catch CouldNotDecide.state(let error) {
            #expect(error.reason.contains("format 127"), "\(error)")
        }
    }

    @Test func theJournalTellsHowOneStateBecameTheNext() async throws {
        let bench = try await bench()
        for atc in 1...20 as ClosedRange<UInt16> { _ = try await bench.decline(1, atc: atc) }
        let reply = try await command(bench, "XRANGE", "{b01}:journal", "-", "+")
        var last: [UInt8]?
        for entry in reply.elements ?? [] {
            let place = try #require(entry.elements?[1].elements?[1].bytes)
            if let last { #expect(Array(place[16..<32]) == last, "a gap") }
            last = Array(place[32..<48])
        }
        let record = try #require(try await bench.record(1))
        #expect(last == Array(record.bytes[0..<16]))
    }
}
