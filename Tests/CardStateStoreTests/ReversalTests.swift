import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// What reversals, advices and repeats move, on a real server.
@Suite("Reversals and advices")
struct ReversalTests {
    private let redis: TestRedis
    private let bench: StateBench
    private let token = CardToken(high: .random(in: .min ... .max), low: .random(in: .min ... .max))

    init() async throws {
        redis = try TestRedis(options: ["--appendfsync", "no"])
        bench = try await StateBench(redis)
        try await bench.importCard(token)
    }

    /// The numbers of a transaction: one acquirer, a moment and a reference of its own.
    private func key(_ number: UInt64, fingerprint: UInt64 = 1) -> RetransmissionKey {
        RetransmissionKey(
            moment: number, acquirer: 7, reference: UInt32(number % 1_000), fingerprint: fingerprint)
    }

    private func byNumbers(_ number: UInt64) -> OriginalTransaction {
        OriginalTransaction(moment: number, acquirer: 7, reference: 999)
    }

    private func byReference(_ number: UInt64) -> OriginalTransaction {
        OriginalTransaction(moment: 0, acquirer: 7, reference: UInt32(number))
    }

    private func available() async throws -> Int64 {
        try await bench.read(token).card?.availableMinorUnits ?? -1
    }

    @Test("What was taken is given back once, however often and by whatever name it is asked")
    func full() async throws {
        for (number, original) in [(UInt64(1), byNumbers(1)), (2, byReference(2))] {
            _ = try await bench.commit(token, atc: UInt16(number), minorUnits: 400, key: key(number))
            let by = original.moment != 0
            let first = try await bench.reverse(token, key(number + 100), of: original)
            #expect(first.effect == .givenBack(minorUnits: 400, byNumbers: by))
            #expect(first.availableMinorUnits == 100_000 && !first.repeated && first.declined == nil)
            let again = try await bench.reverse(token, key(number + 100), of: original)
            #expect(again.repeated && again.availableMinorUnits == 100_000)
            let another = try await bench.reverse(token, key(number + 200), of: original)
            #expect(another.effect == .givenBack(minorUnits: 0, byNumbers: by))
            #expect(try await available() == 100_000)
            let other = try await bench.reverse(token, key(number + 100, fingerprint: 2), of: original)
            #expect(other.declined == .retransmissionDiffers)
            // A late repeat of the original is not told that it was approved.
            let late = try await bench.read(token, key(number)).answered
            #expect(late?.declined == .reversedBefore && late?.approvalCode == [])
        }
    }

    @Test func aPartialReversalSetsWhatIsTaken() async throws {
        _ = try await bench.commit(token, atc: 1, minorUnits: 400, key: key(1))
        let first = try await bench.reverse(token, key(101), of: byNumbers(1), remaining: 150)
        #expect(first.effect == .givenBack(minorUnits: 250, byNumbers: true))
        #expect(try await available() == 99_850)
        let raised = try await bench.reverse(token, key(102), of: byNumbers(1), remaining: 300)
        #expect(raised.effect == .givenBack(minorUnits: 0, byNumbers: true), "a reversal never takes")
        #expect(try await bench.read(token, key(1)).answered?.declined == nil)
        let rest = try await bench.reverse(token, key(103), of: byNumbers(1))
        #expect(rest.effect == .givenBack(minorUnits: 150, byNumbers: true))
        #expect(try await available() == 100_000)
    }

    @Test func areversalThatComesFirstWinsOverItsOriginal() async throws {
        for (number, original) in [(UInt64(1), byNumbers(1)), (2, byReference(2))] {
            let early = try await bench.reverse(token, key(number + 100), of: original)
            #expect(early.effect == .originalUnknown && early.declined == nil)
            _ = try await bench.reverse(token, key(number + 200), of: original)
            let late = try await bench.commit(token, atc: UInt16(number), minorUnits: 400, key: key(number))
            #expect(late.declined == .reversedBefore && late.atc != .notAsked, "its ATC is used all the same")
            #expect(late.availableMinorUnits == 100_000)
            let after = try await bench.reverse(token, key(number + 300), of: original)
            #expect(after.effect == .originalDeclined)
        }
        _ = try await bench.reverse(token, key(103), of: byNumbers(3), remaining: 150)
        let part = try await bench.commit(token, atc: 3, minorUnits: 400, key: key(3))
        #expect(part.declined == nil && part.effect == .reversedBefore(remainingMinorUnits: 150))
        #expect(try await available() == 99_850)
        // Another transaction is not touched by any of it.
        #expect(try await bench.commit(token, atc: 4, minorUnits: 100, key: key(4)).effect == nil)
    }

    @Test func aDeclineHasNothingToGiveBack() async throws {
        _ = try await bench.commit(token, atc: 1, minorUnits: 100_001, key: key(1))
        let reversal = try await bench.reverse(token, key(101), of: byNumbers(1))
        #expect(reversal.effect == .originalDeclined && reversal.availableMinorUnits == 100_000)
    }

    @Test("What limits counted is counted back, on its own day")
    func limits() async throws {
        var limits = SpendingLimits(currency: StateBench.currency)
        limits.daily = Allowance(minorUnits: 500, count: 2)
        limits.dailyCash = Allowance(minorUnits: 300, count: 1)
        func spend(_ number: UInt64, _ minorUnits: Int64, cash: Int64 = 0, day: Int64 = 20_000) async throws
            -> DeclineReason?
        {
            let kind = cash > 0 ? TransactionKind.purchaseWithCashBack : .purchase
            return try await bench.commit(
                token, atc: UInt16(number), minorUnits: minorUnits, key: key(number),
                limits: CountedLimits(day: day, kind: kind, limits: limits), kind: kind, cash: cash
            ).declined
        }
        #expect(try await spend(1, 400, cash: 300) == nil)
        #expect(try await spend(2, 101) == .dailyAmountExceeded)
        #expect(try await spend(3, 50, cash: 1) == .cashAmountExceeded)
        _ = try await bench.reverse(token, key(101), of: byNumbers(1), remaining: 200)
        #expect(try await spend(4, 300) == nil, "200 and 300 are 500")
        #expect(try await spend(5, 0) == .dailyCountExceeded)
        _ = try await bench.reverse(token, key(102), of: byNumbers(1))
        #expect(try await spend(6, 200, cash: 200) == nil, "nothing of the first is left, its cash neither")
        _ = try await bench.reverse(token, key(103), of: byNumbers(6))
        #expect(try await spend(7, 200, cash: 200, day: 19_000) == nil)
        #expect(try await spend(8, 1) == .dailyAmountExceeded)
    }

    @Test func whatTheAnswersForgetTheTakingsRemember() async throws {
        for number in UInt64(1)...70 {
            _ = try await bench.commit(token, atc: UInt16(number), minorUnits: 100, key: key(number))
        }
        #expect(try await available() == 93_000)
        let old = try await bench.reverse(token, key(201), of: byNumbers(2))
        #expect(old.effect == .givenBack(minorUnits: 100, byNumbers: true))
        let twice = try await bench.reverse(token, key(202), of: byReference(2))
        #expect(twice.effect == .givenBack(minorUnits: 0, byNumbers: false))
        #expect(try await available() == 93_100)
        for number in UInt64(71)...300 {
            _ = try await bench.commit(token, atc: UInt16(number), minorUnits: 1, key: key(number))
        }
        let forgotten = try await bench.reverse(token, key(401), of: byNumbers(3))
        #expect(forgotten.effect == .originalUnknown, "the record of takings is bounded")
    }

    @Test func anAdviceIsBookedWhateverTheCardHas() async throws {
        let booked = try await bench.commit(
            token, atc: 5, minorUnits: 100_500, key: key(1), mode: .book, original: byReference(1))
        #expect(booked.declined == nil && booked.availableMinorUnits == -500 && booked.atc == .first)
        #expect(try await bench.commit(token, atc: 6, minorUnits: 1).declined == .insufficientFunds)
        let noted = try await bench.commit(
            token, atc: 7, minorUnits: 50, key: key(2), kind: .purchase, mode: .note, original: byReference(2)
        )
        #expect(noted.declined == nil && noted.availableMinorUnits == -500 && noted.atc == .ahead)
        try await bench.importCard(token, status: .lost)
        let lost = try await bench.commit(
            token, minorUnits: 10, key: key(3), mode: .book, original: byReference(3))
        #expect(lost.declined == nil && lost.availableMinorUnits == 99_990)
        let unknown = try await bench.commit(
            CardToken(high: 1, low: 2), key: key(4), mode: .book, original: byReference(4))
        #expect(unknown.declined == .unknownCard)
    }

    @Test func anAdviceReplacesTheApprovalThatItSettles() async throws {
        _ = try await bench.commit(token, atc: 1, minorUnits: 400, key: key(1), kind: .preAuthorisation)
        let advice = try await bench.commit(
            token, minorUnits: 450, key: key(1_001), kind: .completion, mode: .book, original: byReference(1))
        #expect(advice.effect == .settled(minorUnits: 400) && advice.availableMinorUnits == 99_550)
        // The reversal names the authorisation, and what went on under its reference is undone.
        let reversal = try await bench.reverse(
            token, key(101), of: OriginalTransaction(moment: 1, acquirer: 7, reference: 1))
        #expect(reversal.effect == .givenBack(minorUnits: 450, byNumbers: false))
        #expect(try await available() == 100_000)
    }

    @Test func aCompletionNeedsWhatItCompletes() async throws {
        _ = try await bench.commit(token, atc: 1, minorUnits: 400, key: key(1), kind: .preAuthorisation)
        func complete(_ number: UInt64, _ minorUnits: Int64) async throws -> CommitResult {
            try await bench.commit(
                token, minorUnits: minorUnits, key: key(number), kind: .completion, mode: .complete,
                original: byNumbers(1))
        }
        #expect(try await complete(11, 100_001).declined == .insufficientFunds)
        let done = try await complete(12, 300)
        #expect(done.effect == .settled(minorUnits: 400) && done.availableMinorUnits == 99_700)
        #expect(try await complete(13, 300).declined == .chipDataMissing, "it was completed before")
    }

    @Test func refundsGiveAndTheirReversalsTake() async throws {
        let refund = try await bench.commit(token, atc: 1, minorUnits: 250, key: key(1), kind: .refund)
        #expect(refund.declined == nil && refund.availableMinorUnits == 100_250)
        let reversal = try await bench.reverse(token, key(101), of: byNumbers(1))
        #expect(reversal.effect == .givenBack(minorUnits: 250, byNumbers: true))
        #expect(try await available() == 100_000)
    }

    @Test func partsAndBalancesAreToldAgainAsTheyWere() async throws {
        let part = try await bench.commit(
            token, atc: 1, minorUnits: 150_000, key: key(1), mode: .decidePartially)
        #expect(part.effect == .partial(minorUnits: 100_000) && part.availableMinorUnits == 0)
        #expect(part.declined == nil)
        let none = try await bench.commit(token, atc: 2, minorUnits: 1, key: key(2), mode: .decidePartially)
        #expect(none.declined == .insufficientFunds)
        _ = try await bench.commit(token, atc: 3, minorUnits: 0, key: key(3), kind: .balanceEnquiry)
        _ = try await bench.commit(token, minorUnits: 70, key: key(4), mode: .book, original: byReference(4))
        let below = try await bench.commit(token, atc: 4, minorUnits: 0, key: key(5), kind: .balanceEnquiry)
        #expect(below.availableMinorUnits == -70)
        _ = try await bench.commit(token, atc: 9, minorUnits: 500, key: key(6), kind: .refund)
        #expect(try await bench.read(token, key(1)).answered?.partialMinorUnits == 100_000)
        #expect(try await bench.read(token, key(3)).answered?.balanceMinorUnits == 0)
        #expect(try await bench.read(token, key(5)).answered?.balanceMinorUnits == -70)
        let again = try await bench.commit(token, atc: 1, minorUnits: 150_000, key: key(1))
        #expect(again.repeated && again.effect == .partial(minorUnits: 100_000))
    }

    @Test("Two transmissions that meet in the store: one effect; other content is told apart")
    func whileTheFirstIsInWork() async throws {
        let first = try await bench.commit(token, atc: 1, minorUnits: 400, key: key(1), code: "111111")
        let second = try await bench.commit(token, atc: 1, minorUnits: 400, key: key(1), code: "222222")
        #expect(second.repeated && second.approvalCode == first.approvalCode)
        let other = try await bench.commit(token, atc: 1, minorUnits: 9, key: key(1, fingerprint: 2))
        #expect(other.declined == .retransmissionDiffers && !other.repeated && other.atc == .notAsked)
        #expect(try await available() == 99_600)
    }
}
