import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// What operators do: changes of cards, export and trimming of the journal.
@Suite struct OperatorTests {
    private func bench() async throws -> (StateBench, CardToken) {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        return (bench, token)
    }

    private func export(_ bench: StateBench, since: Int64? = nil) async throws -> (
        [JournalItem], [Int: String]
    ) {
        var items: [JournalItem] = []
        let ends = try await bench.journal.export(since: since) { _, page in items += page }
        return (items, ends)
    }

    @Test func aResetATCIsTakenAsItComesAndJournalled() async throws {
        let (bench, token) = try await bench()
        _ = try await bench.commit(token, atc: 500)
        #expect(try await bench.commit(token, atc: 500).declined == .atcReplayed)
        let before = try await bench.onLoop {
            try await $0.change(token, .resetATC, note: "ann;17;card replaced")
        }
        #expect(before == "500")
        #expect(try await bench.commit(token, atc: 3).atc == .first)
        #expect(try await bench.commit(token, atc: 500).atc == .ahead)
        let changes = try await export(bench).0.compactMap { item in
            if case .change(_, let parts, _) = item { parts } else { nil }
        }
        #expect(changes == [["reset-atc", "", "500", "ann", "17", "card replaced"]])
    }

    @Test func aBlockedPINIsGivenBack() async throws {
        let (bench, token) = try await bench()
        for atc in 1...3 as ClosedRange<UInt16> { _ = try await bench.commit(token, atc: atc, pin: .wrong) }
        #expect(try await bench.commit(token, atc: 4, pin: .right).declined == .pinTriesExceeded)
        let before = try await bench.onLoop { try await $0.change(token, .unblockPIN, note: "ann;17;called") }
        #expect(before == "3")
        #expect(try await bench.commit(token, atc: 5, pin: .right).declined == nil)
    }

    @Test func aStatusCountsFromTheNextCommitOn() async throws {
        let (bench, token) = try await bench()
        let before = try await bench.onLoop {
            try await $0.change(token, .status(.stolen), note: "ann;17;called")
        }
        #expect(before == "active")
        #expect(try await bench.commit(token, atc: 1).declined == .cardStolen)
        let unknown = try await bench.onLoop {
            try await $0.change(CardToken(high: 9, low: 9), .unblockPIN, note: "ann;17;x")
        }
        #expect(unknown == nil)
    }

    @Test func anExportHandsOnEverythingOnceAndOnlyThatCanBeTrimmed() async throws {
        let (bench, _) = try await bench()
        // Over several buckets and more than one page.
        let tokens = (0..<3).map { CardToken(high: UInt64($0), low: UInt64($0)) }
        for token in tokens { try await bench.importCard(token) }
        for number in 0..<2_400 {
            _ = try await bench.commit(tokens[number % 3], rrn: "R\(number)")
        }
        #expect(try await bench.journal.trim(before: .max / 2) == 0, "nothing was exported")
        let (items, ends) = try await export(bench)
        let numbers = items.compactMap { item in
            if case .decision(let record, _) = item {
                String(decoding: record.entry.retrievalReferenceNumber, as: UTF8.self)
            } else {
                nil
            }
        }
        #expect(numbers.count == 2_400 && Set(numbers).count == 2_400)
        #expect(try await bench.journal.trim(before: .max / 2) == 0, "the export was not marked")
        try await bench.journal.markExported(ends)
        _ = try await bench.commit(tokens[0], rrn: "LATER")
        #expect(try await export(bench).0.count == 1, "only what came later")
        #expect(try await bench.journal.trim(before: 1_000) == 0, "too young")
        #expect(try await bench.journal.trim(before: .max / 2) == 2_400)
        #expect(try await bench.journal.records(retrievalReferenceNumber: "LATER").count == 1)
        // An older export cannot take the mark back.
        try await bench.journal.markExported(ends.mapValues { _ in "1-0" })
        #expect(try await export(bench).0.count == 1)
    }
}
