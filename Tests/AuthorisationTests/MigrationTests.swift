import EMV
import Testing

@testable import Authorisation

/// Records of the layout before become accounts, and what was said then is still known.
@Suite("Migration, by the transition") struct MigrationTests {
    private let now: Int64 = 1_795_000_000
    /// DE37 of the draft, in the form of then.
    private let rrn = "000000000099"

    /// Forty-seven bytes.
    private func answer(
        stan: UInt64 = 7, sentAt: UInt64 = 0x11_1811_0640, mark: UInt64 = 0, rrn: String? = "000000000099",
        declined: UInt8 = 0, kind: UInt8 = 1, flags: UInt8 = 0, taken: Int64 = 1_000, cash: Int64 = 0
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: stan << 40 | sentAt | mark)
        bytes.append(bigEndian: UInt32(1))
        bytes.append(bigEndian: OldNumbers.referenceOf(Array((rrn ?? "").utf8)))
        bytes += [1, 2, 3, 4, 5, 6, 7, 8, declined]
        bytes += Array((declined == 0 ? "123456" : "------").utf8)
        bytes.append(kind | flags)
        bytes.append(bigEndian: UInt16(now / 86_400))
        for number in [taken, cash] {
            bytes += (0..<5).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        return bytes + [0, 0, 0]
    }

    private func fields(_ available: Int64, _ changes: [String: [UInt8]] = [:]) -> [String: [UInt8]] {
        [
            "st": "active", "ex": "3012", "pr": "4d", "pm": "3", "pu": "1", "ah": "5", "av": "\(available)",
            "cu": "752", "pf": "visa-cvn18",
        ].mapValues { Array($0.utf8) }.merging(changes) { $1 }
    }

    private func card(
        _ number: UInt8 = 1, _ available: Int64 = 10_000, _ changes: [String: [UInt8]] = [:],
        window: [UInt8] = [0x04]
    ) throws -> OldCard {
        try OldCard(
            name: CardToken(high: UInt64(number), low: 9), sequenceNumber: number,
            fields: fields(available, changes), window: window, issuerMasterKey: "imk-ac-1")
    }

    private func scene(_ cards: [OldCard], _ merging: MergedBalance? = nil) throws -> CardScene {
        CardScene(try CardTransition.migrate(cards, merging: merging, now: now, random: 5))
    }

    private func draft(_ change: (inout Draft) -> Void = { _ in }) -> Draft {
        Draft {
            $0.rrn = rrn
            change(&$0)
        }
    }

    @Test func everythingThatCountsIsTakenOver() throws {
        let limits = "752 1000 - - - - - - 30 - - - -"
        var scene = try scene([
            card(
                1, 10_000,
                ["li": Array(limits.utf8), "sn": Array("3".utf8), "sp": Array("20775 500 2 100 1;".utf8)])
        ])
        let record = try #require(scene.record)
        let plastic = try scene.plastic(1)
        #expect(scene.available == 10_000 && record.currency == CardScene.currency)
        #expect(plastic.highestATC == 5 && plastic.pinTriesUsed == 1 && plastic.lastScript == 3)
        #expect(plastic.pin == .reference(EncipheredPINBlock(rawValue: 77)))
        #expect(record.profile(of: 0) == "visa-cvn18" && record.issuerMasterKey(of: 0) == "imk-ac-1")
        #expect(record.limits(of: 0)?.transactionMax == 1_000)
        #expect(SpentDays(record.content(.days)).days.map(\.minorUnits) == [500])
        // ATC 5 was seen, and 4 was not.
        #expect(try scene.send(draft { $0.entry = .chip(5, plastic: 1) }).declined == .atcReplayed)
        #expect(try scene.send(draft { $0.entry = .chip(4, plastic: 1) }.next(1)).declined == nil)
    }

    @Test("A repeat of then is answered as then", arguments: [true, false])
    func repeats(isChip: Bool) throws {
        var scene = try scene([card(1, 10_000, ["an": answer()])])
        let draft = draft { if isChip { $0.entry = .chip(6, plastic: 1) } }
        let result = try scene.send(draft)
        #expect(result.repeated && result.declined == nil)
        #expect(result.approvalCode == Array("123456".utf8))
        #expect(scene.available == 10_000)
        // Another one at the same terminal is another one.
        #expect(try scene.send(draft.next(3)).repeated == false)
    }

    @Test func aDeclineOfThenIsRepeatedAndAnotherDE37IsAnother() throws {
        var scene = try scene([card(1, 10_000, ["an": answer(declined: DeclineReason.pinWrong.rawValue)])])
        let other = draft { ($0.rrn, $0.numbers.reference) = ("000000000098", 98) }
        #expect(try scene.send(other).declined == nil)
        scene = try self.scene([card(1, 10_000, ["an": answer(declined: DeclineReason.pinWrong.rawValue)])])
        #expect(try scene.send(draft()).declined == .pinWrong)
    }

    @Test("A reversal gives back what was taken then", arguments: [0, 300] as [Int64], [true, false])
    func reversals(remaining: Int64, isKept: Bool) throws {
        let answers: [String: [UInt8]] = [isKept ? "an" : "tk": answer()]
        var scene = try scene([card(1, 9_000, answers)])
        for _ in 0..<2 { #expect(try scene.send(draft().reversal(remaining: remaining)).declined == nil) }
        #expect(scene.available == 10_000 - remaining)
    }

    @Test func aReversalByDE37AloneFindsItToo() throws {
        var scene = try scene([card(1, 9_000, ["an": answer()])])
        let reversal = draft().reversal().with {
            $0.original?.stan = 0
            $0.original?.sentAt = 0
            $0.numbers.stan = 900
        }
        #expect(try scene.send(reversal).declined == nil)
        #expect(scene.available == 10_000)
    }

    @Test("Of another terminal's numbers nothing is given back", arguments: ["000000000098", "000000000099"])
    func otherNumbers(rrn: String) throws {
        var scene = try scene([card(1, 9_000, ["an": answer()])])
        let reversal = draft {
            $0.rrn = rrn
            $0.numbers.stan = 8
            $0.numbers.sentAt += 1
            $0.numbers.reference = 98
        }.reversal()
        _ = try scene.send(reversal)
        #expect(scene.available == 9_000)
    }

    @Test func aPartIsReversedByWhatWasAsked() throws {
        var scene = try scene([card(1, 0, ["an": answer(flags: 16, taken: 700)])])
        #expect(try scene.send(draft().reversal()).declined == nil)
        #expect(scene.available == 700)
    }

    @Test func whatWasReversedOrSettledThenGivesNothingBack() throws {
        for flag in [32, 128] as [UInt8] {
            var scene = try scene([card(1, 10_000, ["an": answer(flags: flag, taken: 0)])])
            _ = try scene.send(draft().reversal())
            #expect(scene.available == 10_000)
        }
    }

    @Test func anApprovalOfThenIsCompleted() throws {
        var scene = try scene([card(1, 9_000, ["an": answer(kind: 5)])])
        let approval = draft { $0.kind = .preAuthorisation }
        #expect(try scene.send(approval.completion(600, stan: 20)).declined == nil)
        #expect(scene.available == 9_400)
    }

    @Test("A reversal that came first, by numbers and by DE37", arguments: [true, false])
    func early(byNumbers: Bool) throws {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: byNumbers ? UInt64(7) << 40 | 0x11_1811_0640 : 0)
        bytes.append(bigEndian: UInt32(1))
        bytes.append(bigEndian: OldNumbers.referenceOf(Array(rrn.utf8)))
        bytes += [0, 0, 0, 0, 0]
        var scene = try scene([card(1, 10_000, ["er": bytes])])
        #expect(try scene.send(draft()).declined == .reversedBefore)
        #expect(scene.available == 10_000)
    }

    @Test func theRecordKeepsNoHashOverThePAN() throws {
        let scene = try scene([card(1, 10_000, ["an": answer()])])
        let fingerprint: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let bytes = try #require(scene.record).bytes
        #expect(!bytes.indices.dropLast(8).contains { Array(bytes[$0..<($0 + 8)]) == fingerprint })
    }

    @Test func balancesThatDifferAreNobodysGuess() throws {
        let cards = [try card(1, 500), try card(2, 700)]
        #expect(throws: MigrationObstacle.balancesDiffer([1: 500, 2: 700])) { try scene(cards) }
        for (merging, available) in [(.sum, 1_200), (.lowest, 500), (.minorUnits(900), 900)]
            as [(MergedBalance, Int64)]
        {
            let scene = try scene(cards, merging)
            #expect(scene.available == available && scene.record?.plasticCount == 2)
        }
        #expect(try scene([card(1, 500), card(2, 500)]).available == 500)
    }

    @Test(
        "What cannot be read is named, and nothing is made of it",
        arguments: [
            ("st", "gone"), ("ex", "3013"), ("pm", "-1"), ("pu", "4"), ("av", "x"), ("cu", "1000"),
            ("pr", "zz"),
            ("an", "abc"), ("tk", "abc"), ("er", "abc"), ("sp", "1 2;"), ("sc", "1,q|"), ("ah", "70000"),
        ])
    func damage(field: String, text: String) throws {
        do {
            _ = try card(1, 10_000, [field: Array(text.utf8)])
            Issue.record("\(field) was taken")
        } catch let damage as RecordDamage {
            #expect(damage.description.contains(field), "\(damage)")
        }
    }

    @Test func manyAnswersOfManyCardsFit() throws {
        let cards = try (1...8 as ClosedRange<UInt8>).map { number in
            let answers = (0..<64 as Range<UInt64>).flatMap { answer(stan: UInt64(number) * 100 + $0) }
            return try card(number, 9_000, ["tk": answers, "an": answers])
        }
        var scene = try scene(cards)
        let record = try #require(scene.record)
        #expect(record.filedCount == 256 && record.forgottenUntil > 0)
        #expect(scene.past.count == 256 * KeptTransaction.byteCount)
        let before = draft().with { $0.numbers.sentAt -= 40 }
        #expect(
            try scene.send(before.next(9)).declined == .originalUnknown, "it may be one that was given up")
        scene.now += 86_400
        let later = draft().with { ($0.numbers.sentAt, $0.numbers.localTime) = (1119_110640, 1119_120640) }
        #expect(try scene.send(later.next(9)).declined == nil)
    }
}
