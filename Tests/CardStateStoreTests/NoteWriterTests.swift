import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// Notes find their way into the journal, however long the store is away.
@Suite(.timeLimit(.minutes(2))) struct NoteWriterTests {
    private func note(_ number: Int, card: CardToken? = nil) throws -> JournalNote {
        JournalNote(
            AuthorisationRequest(
                link: "a", card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil),
                expiry: nil, amount: Amount(minorUnits: 1, currency: StateBench.currency)!,
                transmission: Transmission(messageClass: .request, stan: UInt32(number)),
                retrievalReferenceNumber: Array("N\(number)".utf8), chip: nil,
                pin: nil, circumstances: Circumstances(), receivedAt: 0,
                deadline: Deadline(nanoseconds: .max)),
            .undecided(reason: "away"), card: card, unixSeconds: 1_795_000_000 + Int64(number))
    }

    private func exported(_ bench: StateBench) async throws -> [JournalNote] {
        var notes: [JournalNote] = []
        _ = try await bench.journal.export(since: 0) { _, items in
            for case .note(_, let note, _) in items { notes.append(note) }
        }
        return notes
    }

    @Test func aNoteStandsBesideTheDecisionsOfItsCard() async throws {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        let token = CardToken(high: 5, low: 7)
        try await bench.importCard(5)
        #expect(try await bench.decline(5, atc: 1, rrn: "N1") == nil)
        let writer = NoteWriter(bench.store, settings: CardStateSettings())
        writer.add(try note(1, card: token))
        writer.add(try note(2))
        #expect(await writer.finish(within: .seconds(30)) == 0)
        let found = try await bench.journal.find(retrievalReferenceNumber: "N1")
        let (first, second) = (try note(1), try note(2))
        #expect(found.records.count == 1 && found.notes == [first])
        let other = try await bench.journal.find(retrievalReferenceNumber: "N2")
        #expect(other.notes == [second])
        var cards: [String] = []
        _ = try await bench.journal.export(since: 0) { bucket, items in
            for case .note(_, _, let card) in items { cards.append("\(bucket) \(card)") }
        }
        #expect(cards == ["0 ", "5 00000000000000050000000000000007"])
    }

    @Test func whatHappensWhileTheStoreIsAwayIsWrittenWhenItIsBack() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let bench = try await StateBench(redis)
        redis.kill()
        let writer = NoteWriter(
            bench.store, settings: CardStateSettings(), retryAfter: .milliseconds(20))
        for number in 0..<NoteWriter.waitingMax + 5 { writer.add(try note(number)) }
        #expect(writer.waitingCount == NoteWriter.waitingMax && writer.notKeptCount == 5)
        try redis.start()
        try await bench.store.waitUntilReady(timeout: .seconds(30))
        #expect(await writer.finish(within: .seconds(60)) == 0)
        let notes = try await exported(bench)
        // One may stand there twice: its answer can be lost with the connection.
        #expect(Set(notes).count == NoteWriter.waitingMax + 1)
        let rest = JournalNote(
            notKept: 5, unixSeconds: 1_795_000_000 + Int64(NoteWriter.waitingMax))
        #expect(notes.last == rest)
    }

    @Test func whatTheStoreNeverGotIsCountedAtTheEnd() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let bench = try await StateBench(redis)
        redis.kill()
        let writer = NoteWriter(bench.store, settings: CardStateSettings())
        for number in 0..<3 { writer.add(try note(number)) }
        #expect(await writer.finish(within: .milliseconds(1)) == 3)
    }
}
