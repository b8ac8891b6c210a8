import Authorisation
import CardStateStore
import EMV
import Redis
import RedisSupport
import Testing

/// Each outcome of the commit, on a real server.
@Suite("Card state")
struct CardStateTests {
    private func bench(late: Bool = true) async throws -> (TestRedis, StateBench, CardToken) {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let bench = try await StateBench(redis, late: late)
        let token = CardToken(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        try await bench.importCard(token)
        return (redis, bench, token)
    }

    @Test func whatWasImportedIsRead() async throws {
        let (_, bench, token) = try await bench()
        let card = try #require(try await bench.read(token).card)
        #expect(card.status == .active && card.expiry.description == "2912" && card.profile == "visa-cvn18")
        #expect(card.pinReference?.rawValue == 0xFEDC_BA98_7654_3210)
        #expect(card.pinTriesMax == 3 && card.pinTriesUsed == 0 && card.highestATC == nil)
        #expect(card.availableMinorUnits == 100_000 && card.currency == StateBench.currency)
        #expect(try await bench.read(CardToken(high: 1, low: 2)).card == nil)
    }

    @Test func atcs() async throws {
        let (_, bench, token) = try await bench()
        let steps: [(UInt16, ATCFinding, DeclineReason?)] = [
            (500, .first, nil), (501, .ahead, nil), (501, .replayed, .atcReplayed),
            (500, .replayed, .atcReplayed),
            (1_501, .ahead, nil), (2_502, .outOfRange, .atcOutOfRange), (1_000, .late, nil),
            (1_000, .replayed, .atcReplayed), (1_502, .ahead, nil), (499, .late, nil), (2_502, .ahead, nil),
            (455, .late, nil), (454, .outOfRange, .atcOutOfRange), (3_400, .ahead, nil), (4_300, .ahead, nil),
            // 2,252 and 4,300 share a place of the ring; what was skipped has been cleared.
            (4_299, .late, nil), (4_299, .replayed, .atcReplayed), (3_399, .late, nil),
        ]
        for (atc, finding, declined) in steps {
            let result = try await bench.commit(token, atc: atc)
            #expect(result.atc == finding && result.declined == declined, "\(atc): \(result)")
        }
        #expect(try await bench.read(token).card?.highestATC?.rawValue == 4_300)
    }

    @Test func theEndOfTheCounter() async throws {
        let (_, bench, token) = try await bench()
        #expect(try await bench.commit(token, atc: 0xFFFE).atc == .first)
        #expect(try await bench.commit(token, atc: 0xFFFF).atc == .ahead)
        #expect(try await bench.commit(token, atc: 0xFFFF).atc == .replayed)
        #expect(try await bench.commit(token, atc: 0).atc == .outOfRange)
        #expect(try await bench.commit(token, atc: 1).atc == .outOfRange)
    }

    @Test func aTransactionOfZeroMovesTheATCAndNothingElse() async throws {
        let (_, bench, token) = try await bench()
        let update = try await bench.commit(token, atc: 700, minorUnits: 0)
        #expect(update.declined == nil && update.atc == .first && update.availableMinorUnits == 100_000)
        #expect(try await bench.commit(token, atc: 700, minorUnits: 0).declined == .atcReplayed)
        #expect(try await bench.commit(token, atc: 1_701, minorUnits: 0).declined == .atcOutOfRange)
        #expect(try await bench.commit(token, atc: 701).atc == .ahead)
    }

    @Test func aPolicyAgainstLateATCsRefusesThem() async throws {
        let (_, bench, token) = try await bench(late: false)
        _ = try await bench.commit(token, atc: 10)
        #expect(try await bench.commit(token, atc: 9).declined == .atcOutOfRange)
        #expect(try await bench.commit(token, atc: 10).declined == .atcReplayed)
        #expect(try await bench.commit(token, atc: 11).declined == nil)
    }

    @Test func pinTries() async throws {
        let (_, bench, token) = try await bench()
        #expect(try await bench.commit(token, atc: 1, pin: .wrong).declined == .pinWrong)
        #expect(try await bench.commit(token, atc: 2, pin: .wrong).pinTriesLeft == 1)
        #expect(try await bench.commit(token, atc: 3, pin: .right).pinTriesLeft == 3)
        for (atc, expected) in [(4, DeclineReason.pinWrong), (5, .pinWrong), (6, .pinTriesExceeded)]
            as [(UInt16, DeclineReason)]
        {
            #expect(try await bench.commit(token, atc: atc, pin: .wrong).declined == expected)
        }
        let late = try await bench.commit(token, atc: 7, pin: .right)
        #expect(late.declined == .pinTriesExceeded && late.pinTriesLeft == 0)
        #expect(try await bench.commit(token, atc: 8).declined == nil, "without a PIN the card is still good")
    }

    @Test func aRefusedATCMovesNothingElse() async throws {
        let (_, bench, token) = try await bench()
        _ = try await bench.commit(token, atc: 1)
        let replay = try await bench.commit(token, atc: 1, pin: .wrong, minorUnits: 500)
        #expect(
            replay.declined == .atcReplayed && replay.pinTriesLeft == 3
                && replay.availableMinorUnits == 99_900)
    }

    @Test func funds() async throws {
        let (_, bench, token) = try await bench()
        #expect(try await bench.commit(token, atc: 1, minorUnits: 100_001).declined == .insufficientFunds)
        #expect(try await bench.commit(token, atc: 2, minorUnits: 99_999).availableMinorUnits == 1)
        #expect(try await bench.commit(token, atc: 3, minorUnits: 2).declined == .insufficientFunds)
        let last = try await bench.commit(token, atc: 4, minorUnits: 1)
        #expect(last.declined == nil && last.availableMinorUnits == 0)
        let other = try await bench.commit(
            token, atc: 5, minorUnits: 0, currency: CurrencyCode(rawValue: 978)!)
        #expect(other.declined == .currencyNotServed)
        try await bench.importCard(token, available: Amount.minorUnitsMax)
        let large = try await bench.commit(token, atc: 6, minorUnits: 1)
        #expect(large.availableMinorUnits == Amount.minorUnitsMax - 1)
    }

    @Test func theHostsDeclineStandsAndItsATCIsClaimed() async throws {
        let (_, bench, token) = try await bench()
        let result = try await bench.commit(token, atc: 9, declined: .cardExpired)
        #expect(
            result.declined == .cardExpired && result.atc == .first && result.availableMinorUnits == 100_000)
        #expect(try await bench.commit(token, atc: 9).declined == .atcReplayed)
        // A forged cryptogram brings no ATC.
        let forged = try await bench.commit(token, declined: .cryptogramWrong)
        #expect(forged.declined == .cryptogramWrong && forged.atc == .notAsked)
        #expect(try await bench.read(token).card?.highestATC?.rawValue == 9)
    }

    @Test func aCardThatChangedBetweenReadAndCommit() async throws {
        let (_, bench, token) = try await bench()
        for (status, reason) in [
            (CardStatus.lost, DeclineReason.cardLost), (.stolen, .cardStolen), (.restricted, .cardRestricted),
        ] {
            try await bench.importCard(token, status: status)
            #expect(try await bench.commit(token, minorUnits: 1).declined == reason)
        }
        let unknown = try await bench.commit(CardToken(high: 3, low: 4), atc: 1)
        #expect(unknown.declined == .unknownCard && unknown.atc == .notAsked)
    }

    @Test func aRepeatGetsTheFirstAnswerAndMovesNothing() async throws {
        let (_, bench, token) = try await bench()
        let first = try await bench.commit(token, atc: 1, transmission: "1/000001/a/", code: "111111")
        let again = try await bench.commit(token, atc: 1, transmission: "1/000001/a/", code: "222222")
        #expect(!first.repeated && again.repeated)
        #expect(again.declined == nil && again.approvalCode == Array("111111".utf8))
        #expect(again.availableMinorUnits == 99_900)
        let answered = try #require(try await bench.read(token, "1/000001/a/").answered)
        #expect(answered == RecordedAnswer(fingerprint: 1, declined: nil, approvalCode: Array("111111".utf8)))
        let declined = try await bench.commit(token, atc: 1, transmission: "1/000002/a/")
        #expect(declined.declined == .atcReplayed)
        #expect(try await bench.read(token, "1/000002/a/").answered?.declined == .atcReplayed)
    }

    @Test func aKeyIsFoundOnlyWhereAKeyStands() async throws {
        let (_, bench, token) = try await bench()
        // The middle of the first record reads like the second key.
        let first = RetransmissionKey(
            moment: 1, acquirer: 2, reference: 3, fingerprint: 0x0000_0004_0000_0005)
        let within = RetransmissionKey(
            moment: 0x0000_0002_0000_0003, acquirer: 4, reference: 5, fingerprint: 9)
        _ = try await bench.commit(token, atc: 1, key: first)
        #expect(try await bench.read(token, within).answered == nil)
        _ = try await bench.commit(token, atc: 2, key: within)
        _ = try await bench.commit(token, atc: 3, key: first.with(moment: 8))
        #expect(try await bench.read(token, within).answered?.fingerprint == 9)
        #expect(try await bench.read(token, first).answered?.fingerprint == first.fingerprint)
        for other in [first.with(moment: 2), first.with(acquirer: 3), first.with(reference: 4)] {
            #expect(try await bench.read(token, other).answered == nil)
        }
    }

    @Test func atLeastTheLastEightAnswersAreKept() async throws {
        let (_, bench, token) = try await bench()
        for number in 1...16 as ClosedRange<UInt16> {
            _ = try await bench.commit(token, atc: number, transmission: "x/\(number)/%d+/")
        }
        #expect(try await bench.read(token, "x/1/%d+/").answered == nil)
        for number in 9...16 {
            #expect(try await bench.read(token, "x/\(number)/%d+/").answered != nil, "\(number)")
        }
    }

    @Test func everyCommitIsOneJournalRecord() async throws {
        let (_, bench, token) = try await bench()
        _ = try await bench.commit(token, atc: 1, transmission: "a", rrn: "RRN1", code: "ABC123")
        _ = try await bench.commit(token, atc: 1, transmission: "a", rrn: "RRN1")
        _ = try await bench.commit(token, atc: 2, pin: .wrong, rrn: "RRN1")
        _ = try await bench.commit(CardToken(high: 9, low: 9), rrn: "RRN12")
        let records = try await bench.journal.records(retrievalReferenceNumber: "RRN1")
        #expect(records.count == 2, "the repeat is no decision")
        #expect(records.first?.approvalCode == Array("ABC123".utf8) && records.first?.declined == nil)
        #expect(records.first?.entry.trace.lines == [TraceLine(.cardStatus, .approved, "active")])
        #expect(records.first?.availableMinorUnits == 99_900 && records.first?.atc == .first)
        #expect(records.last?.declined == .pinWrong && records.last?.pinTriesLeft == 2)
        #expect(
            try await bench.journal.records(retrievalReferenceNumber: "RRN12").first?.declined == .unknownCard
        )
        #expect(try await bench.journal.records(retrievalReferenceNumber: "RRN").isEmpty)
    }

    @Test func importingAgainKeepsATCsUnlessTold() async throws {
        let (_, bench, token) = try await bench()
        _ = try await bench.commit(token, atc: 5, pin: .wrong)
        try await bench.importCard(token)
        #expect(try await bench.commit(token, atc: 5).declined == .atcReplayed)
        #expect(try await bench.read(token).card?.pinTriesUsed == 0)
        try await bench.importCard(token, forgetting: true)
        #expect(try await bench.commit(token, atc: 5).atc == .first)
    }

    @Test("Eight connections on colliding cards equal a sequential model")
    func collisions() async throws {
        let (redis, first, _) = try await bench()
        var benches = [first]
        for _ in 1..<8 { benches.append(try await StateBench(redis)) }
        let tokens = (0..<3).map { CardToken(high: UInt64($0), low: 1) }
        for token in tokens { try await first.importCard(token, available: 10_000) }
        let results = try await withThrowingTaskGroup(of: [(Int, UInt16, CommitResult)].self) { group in
            for (lane, bench) in benches.enumerated() {
                group.addTask {
                    var results: [(Int, UInt16, CommitResult)] = []
                    for step in 0..<100 {
                        let card = (lane + step) % 3
                        // Lanes share half of their ATCs, so that each is tried by several.
                        let atc = UInt16(1 + step / 2 * 2)
                        results.append(
                            (card, atc, try await bench.commit(tokens[card], atc: atc, minorUnits: 100)))
                    }
                    return results
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        for card in 0..<3 {
            let own = results.filter { $0.0 == card }
            let approved = own.filter { $0.2.declined == nil }
            #expect(approved.count == Set(approved.map(\.1)).count, "an ATC was approved twice")
            let left = try #require(try await first.read(tokens[card]).card).availableMinorUnits
            #expect(left == 10_000 - Int64(approved.count) * 100, "money was lost or made")
            #expect(
                Set(own.map(\.1)) == Set(own.filter { $0.2.atc != .replayed }.map(\.1)),
                "an ATC was never accepted")
        }
    }

    @Test func anOlderLibraryIsReplacedAndANewerRefused() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "no"])
        let plain = RedisConnection(to: redis.address, on: StateBench.loop)
        try await plain.waitUntilReady(timeout: .seconds(60))
        func load(_ version: Int) async throws {
            let source = """
                #!lua name=cardstate
                redis.register_function{ function_name = 'cardstate_version',
                  callback = function() return \(version) end, flags = { 'no-writes' } }
                """
            _ = try await plain.sendFromAnywhere(RedisCommand("FUNCTION", "LOAD", "REPLACE", source))
        }
        try await load(0)
        let bench = try await StateBench(redis)
        #expect(try await bench.commit(CardToken(high: 0, low: 0)).declined == .unknownCard)
        await bench.store.close()
        try await load(99)
        let newer = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop)
        #expect(try await refusal(newer, containing: "version 99"))
        await newer.close()
        await plain.close()
    }

    @Test func aServerThatMayLoseWritesIsRefusedWhereDurabilityIsAskedFor() async throws {
        let redis = try TestRedis(options: ["--appendfsync", "everysec"])
        let connection = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop, durable: true)
        #expect(try await refusal(connection, containing: "appendfsync"))
        await connection.close()
    }

    /// Waits for the reason why a connection is not used.
    private func refusal(_ connection: StateStore, containing words: String) async throws -> Bool {
        for _ in 0..<20_000 {
            guard let reason = await connection.unavailability() else { return false }
            if reason.contains(words) { return true }
            try await Task.sleep(for: .milliseconds(1))
        }
        return false
    }

    @Test func aServerThatMayForgetIsNamed() async throws {
        let redis = try TestRedis(options: ["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"])
        let connection = StateStore(to: .server(.fixed(redis.address)), on: StateBench.loop)
        #expect(try await refusal(connection, containing: "maxmemory-policy"))
        await connection.close()
    }

    @Test func aServerThatCannotWriteFailsClosedAndRecovers() async throws {
        let (_, bench, token) = try await bench()
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
        do {
            _ = try await bench.commit(token, atc: 1)
            Issue.record("a full server took a commit")
        } catch let error as StateUnavailable {
            #expect(error.reason.contains("OOM"), "\(error)")
        }
        _ = try await bench.connection.sendFromAnywhere(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
        #expect(try await bench.commit(token, atc: 1).atc == .first, "nothing was half applied")
    }

    @Test func whatWasCommittedSurvivesAKilledServer() async throws {
        let redis = try TestRedis()
        let bench = try await StateBench(redis)
        let token = CardToken(high: 5, low: 6)
        try await bench.importCard(token)
        _ = try await bench.commit(token, atc: 77, pin: .wrong, transmission: "t")
        redis.kill()
        try redis.start()
        try await bench.connection.waitUntilReady(timeout: .seconds(60))
        let card = try #require(try await bench.read(token).card)
        #expect(card.highestATC?.rawValue == 77 && card.pinTriesUsed == 1)
        #expect(try await bench.commit(token, atc: 77).declined == .atcReplayed)
        #expect(try await bench.read(token, "t").answered?.declined == .pinWrong)
    }
}

extension RetransmissionKey {
    fileprivate func with(moment: UInt64? = nil, acquirer: UInt32? = nil, reference: UInt32? = nil) -> Self {
        RetransmissionKey(
            moment: moment ?? self.moment, acquirer: acquirer ?? self.acquirer,
            reference: reference ?? self.reference, fingerprint: fingerprint)
    }
}
