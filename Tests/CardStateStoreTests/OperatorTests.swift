import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// What operators do: changes of cards, export and trimming of the journal.
@Suite struct OperatorTests {
    private let card = 1

    private func bench() async throws -> StateBench {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        try await bench.importCard(card)
        return bench
    }

    private func export(_ bench: StateBench, since: Int64? = nil) async throws -> (
        [JournalItem], [Int: String]
    ) {
        var items: [JournalItem] = []
        let marks = try await bench.journal.marks()
        let ends = try await bench.journal.export(since: since, marks: marks) { _, page in items += page }
        return (items, ends)
    }

    private func changes(_ bench: StateBench) async throws -> [[String]] {
        try await export(bench).0.compactMap { item in
            if case .change(_, let parts, _) = item { parts } else { nil }
        }
    }

    @Test func aResetATCIsTakenAsItComesAndJournalled() async throws {
        let bench = try await bench()
        #expect(try await bench.decline(card, atc: 500) == nil)
        #expect(try await bench.decline(card, atc: 500, minorUnits: 7) == .atcReplayed)
        let before = try await bench.order(card, .resetATC(sequenceNumber: 0), note: "ann;17;card replaced")
        #expect(before == "500")
        #expect(try await bench.decline(card, atc: 3) == nil)
        #expect(try await bench.decline(card, atc: 500, minorUnits: 7) == nil)
        #expect(try await changes(bench).last == ["reset-atc", "", "500", "ann", "17", "card replaced"])
    }

    @Test func aBlockedPINIsGivenBack() async throws {
        let bench = try await bench()
        for atc in 1...3 as ClosedRange<UInt16> { _ = try await bench.decline(card, atc: atc, pin: 1) }
        #expect(try await bench.decline(card, atc: 4, pin: 77) == .pinTriesExceeded)
        #expect(try await bench.order(card, .unblockPIN(sequenceNumber: 0)) == "3")
        #expect(try await bench.decline(card, atc: 5, pin: 77) == nil)
    }

    @Test func aStatusCountsFromTheNextMessageOn() async throws {
        let bench = try await bench()
        #expect(try await bench.order(card, .status(.stolen, sequenceNumber: nil)) == "active")
        #expect(try await bench.decline(card, atc: 1) == .cardStolen)
        await #expect(throws: OperatorRefusal.unknownCard) {
            try await bench.order(9, .unblockPIN(sequenceNumber: 0))
        }
        await #expect(throws: OperatorRefusal.unknownSequenceNumber) {
            try await bench.order(1, .unblockPIN(sequenceNumber: 3))
        }
    }

    @Test func anImportIsJournalledWithWhatStoodThereBefore() async throws {
        let bench = try await bench()
        #expect(try await bench.decline(card, atc: 1, minorUnits: 300) == nil)
        try await bench.importCard(card, available: 5_000)
        let last = try #require(try await changes(bench).last)
        #expect(
            last[0] == "import" && last[1].hasPrefix("available 5000") && last[2].hasPrefix("available 99700")
        )
        #expect(try await bench.decline(card, atc: 1, minorUnits: 301) == .atcReplayed, "ATCs stay")
        #expect(try await bench.record(card)?.availableMinorUnits == 5_000)
    }

    @Test func readersOfAGroupShareTheJournalAndNothingTheyLackIsTrimmed() async throws {
        let bench = try await bench()
        try await bench.journal.makeGroup("fraud")
        try await bench.journal.makeGroup("fraud")
        for number in 0..<1_500 {
            _ = try await bench.decline(card, atc: UInt16(1 + number), rrn: "G\(number)")
        }
        let bucket = card % 64
        let first = try await bench.journal.next(bucket, group: "fraud", reader: "a", again: false)
        let second = try await bench.journal.next(bucket, group: "fraud", reader: "b", again: false)
        #expect(
            first.items.count == 1_000 && second.items.count == 501, "each entry once, the import among them")
        #expect(Set(first.identifiers).isDisjoint(with: second.identifiers))
        try await bench.journal.acknowledge(first.identifiers, bucket, group: "fraud")
        // A reader that was killed before it acknowledged gets the same again.
        let again = try await bench.journal.next(bucket, group: "fraud", reader: "b", again: true)
        #expect(again.identifiers == second.identifiers)
        let (_, ends) = try await export(bench)
        try await bench.journal.markExported(ends, since: [:])
        #expect(
            try await bench.journal.trim(before: .max / 2) == 1_000,
            "what the group has not acknowledged stays")
        try await bench.journal.acknowledge(again.identifiers, bucket, group: "fraud")
        #expect(try await bench.journal.trim(before: .max / 2) == 501)
        // A group that reads nothing keeps everything, until it is removed.
        _ = try await bench.decline(card, atc: 2_000, rrn: "GLAST")
        try await bench.journal.markExported(try await export(bench).1, since: ends)
        #expect(try await bench.journal.trim(before: .max / 2) == 0)
        try await bench.journal.removeGroup("fraud")
        #expect(try await bench.journal.trim(before: .max / 2) == 1)
        await bench.store.close()
    }

    @Test func ofTwoMarkedExportsOneRuns() async throws {
        let bench = try await bench()
        #expect(try await bench.journal.takeExport("a"))
        #expect(try await !bench.journal.takeExport("b"))
        #expect(try await bench.journal.takeExport("a"), "its own lock is kept up")
        try await bench.journal.releaseExport("b")
        #expect(try await !bench.journal.takeExport("b"))
        try await bench.journal.releaseExport("a")
        #expect(try await bench.journal.takeExport("b"))
        await bench.store.close()
    }

    @Test func anExportHandsOnEverythingOnceAndOnlyThatCanBeTrimmed() async throws {
        let bench = try await bench()
        // Over several buckets and more than one page.
        for card in 1...3 { try await bench.importCard(card) }
        for number in 0..<2_400 {
            _ = try await bench.decline(1 + number % 3, atc: UInt16(1 + number / 3), rrn: "R\(number)")
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
        try await bench.journal.markExported(ends, since: [:])
        _ = try await bench.decline(1, atc: 900, rrn: "LATER")
        #expect(try await export(bench).0.count == 1, "only what came later")
        #expect(try await bench.journal.trim(before: 1_000) == 0, "too young")
        #expect(try await bench.journal.trim(before: .max / 2) == 2_404, "four imports among them")
        #expect(try await bench.journal.records(retrievalReferenceNumber: "LATER").count == 1)
        // Another export that began at the same place has handed on the same: it cannot mark.
        await #expect(throws: MarkMoved.self) { try await bench.journal.markExported(ends, since: [:]) }
        #expect(try await export(bench).0.count == 1)
    }
}

extension OperatorTests {
    @Test func anAccountMovesToANewPANWithAllThatBelongsToIt() async throws {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        try await bench.importCard(1, available: 10_000)
        for atc in 1...30 as ClosedRange<UInt16> { #expect(try await bench.decline(1, atc: atc) == nil) }
        try await bench.importCard(2, available: 5)
        let (old, new) = (StateBench.token(1), StateBench.token(2))
        let before = try #require(try await bench.record(1))
        // The second run ends what the first one, broken off after any step, has begun.
        for _ in 0..<2 {
            _ = try await bench.order(2, .awaitMove(from: old))
            _ = try await bench.order(1, .moveAway(to: new))
            let reading = try await bench.onLoop { try await $0.orders.reading(old) }
            _ = try await bench.order(2, .takeOver(reading, from: old))
        }
        let after = try #require(try await bench.record(2))
        #expect(after.availableMinorUnits == before.availableMinorUnits && after.availableMinorUnits == 7_000)
        #expect(after.keptCount == before.keptCount && after.filedCount == before.filedCount)
        #expect(try await bench.decline(1, atc: 40) == .cardRestricted)
        #expect(try await bench.decline(2, atc: 1) == nil)
        #expect(try await bench.record(2)?.availableMinorUnits == 6_900)
        await #expect(throws: OperatorRefusal.movedElsewhere) {
            try await bench.order(1, .moveAway(to: StateBench.token(3)))
        }
    }
}
