import Authorisation
import CardStateStore
import EMV
import RedisSupport
import Testing

/// Counted limits on a real server.
@Suite struct LimitTests {
    private func bench() async throws -> (StateBench, CardToken) {
        let bench = try await StateBench(try TestRedis(options: ["--appendfsync", "no"]))
        let token = CardToken(high: 1, low: 2)
        try await bench.importCard(token)
        return (bench, token)
    }

    private func limits(
        daily: Allowance = Allowance(), rolling: Allowance = Allowance(), cash: Allowance = Allowance(),
        days: Int64 = 30
    ) -> SpendingLimits {
        var limits = SpendingLimits(currency: StateBench.currency)
        (limits.daily, limits.rolling, limits.dailyCash, limits.rollingDays) = (daily, rolling, cash, days)
        return limits
    }

    private struct Step {
        var day: Int64 = 100
        var kind = TransactionKind.purchase
        var minorUnits: Int64 = 100
        let declined: DeclineReason?
    }

    private func run(_ limits: SpendingLimits, _ steps: [Step]) async throws {
        let (bench, token) = try await bench()
        var spent: Int64 = 0
        for (index, step) in steps.enumerated() {
            let result = try await bench.commit(
                token, atc: UInt16(index + 1), minorUnits: step.minorUnits,
                limits: CountedLimits(day: step.day, kind: step.kind, limits: limits))
            #expect(result.declined == step.declined, "step \(index)")
            if step.declined == nil { spent += step.minorUnits }
            #expect(result.availableMinorUnits == 100_000 - spent, "step \(index)")
        }
    }

    @Test func theDailyAmountMayBeReachedAndNotPassed() async throws {
        try await run(
            limits(daily: Allowance(minorUnits: 300)),
            [
                Step(minorUnits: 200, declined: nil),
                Step(minorUnits: 101, declined: .dailyAmountExceeded),
                Step(minorUnits: 100, declined: nil),
                Step(minorUnits: 1, declined: .dailyAmountExceeded),
                Step(minorUnits: 0, declined: nil),
                Step(day: 101, minorUnits: 300, declined: nil),
            ])
    }

    @Test func theDailyCountCountsApprovalsOnly() async throws {
        try await run(
            limits(daily: Allowance(minorUnits: 1_000, count: 2)),
            [
                Step(declined: nil), Step(minorUnits: 5_000, declined: .dailyAmountExceeded),
                Step(declined: nil), Step(declined: .dailyCountExceeded), Step(day: 101, declined: nil),
            ])
    }

    @Test func cashIsCountedApartAndAsSpending() async throws {
        try await run(
            limits(
                daily: Allowance(minorUnits: 500), cash: Allowance(minorUnits: 300, count: 2)),
            [
                Step(kind: .cash, minorUnits: 301, declined: .cashAmountExceeded),
                Step(kind: .cash, minorUnits: 200, declined: nil),
                Step(kind: .cash, minorUnits: 100, declined: nil),
                Step(kind: .cash, minorUnits: 0, declined: .cashCountExceeded),
                Step(minorUnits: 200, declined: nil),
                Step(minorUnits: 1, declined: .dailyAmountExceeded),
            ])
    }

    @Test func rollingDaysFallOutOneByOne() async throws {
        try await run(
            limits(rolling: Allowance(minorUnits: 300, count: 4), days: 3),
            [
                Step(day: 100, declined: nil), Step(day: 101, declined: nil), Step(day: 102, declined: nil),
                Step(day: 102, minorUnits: 1, declined: .rollingAmountExceeded),
                Step(day: 103, declined: nil),
                Step(day: 103, minorUnits: 0, declined: nil),
                Step(day: 103, minorUnits: 0, declined: .rollingCountExceeded),
                Step(day: 140, minorUnits: 300, declined: nil),
            ])
    }

    @Test func aClockThatWentBackOpensNothing() async throws {
        try await run(
            limits(daily: Allowance(minorUnits: 300), rolling: Allowance(minorUnits: 300)),
            [
                Step(day: 100, minorUnits: 300, declined: nil),
                Step(day: 99, minorUnits: 1, declined: .dailyAmountExceeded),
            ])
        // Two hosts around midnight: what one books on the old day counts on the new one.
        try await run(
            limits(daily: Allowance(minorUnits: 300)),
            [
                Step(day: 100, minorUnits: 200, declined: nil),
                Step(day: 99, minorUnits: 50, declined: nil),
                Step(day: 100, minorUnits: 51, declined: .dailyAmountExceeded),
                Step(day: 100, minorUnits: 50, declined: nil),
                Step(day: 101, minorUnits: 300, declined: nil),
            ])
    }

    @Test func aCardKeepsLimitsOfItsOwn() async throws {
        let (bench, token) = try await bench()
        var own = limits(daily: Allowance(minorUnits: 7), rolling: Allowance(count: 3), days: 9)
        own.transactionMax = 5
        own.blockedCountries = [408, 364]
        own.blockedMerchantCategories = [7995]
        try await bench.importCard(token, limits: own)
        #expect(try await bench.read(token).card?.limits == own)
        try await bench.importCard(token)
        #expect(try await bench.read(token).card?.limits == nil)
    }

    @Test func importingAnewForgetsWhatWasSpent() async throws {
        let (bench, token) = try await bench()
        let counted = CountedLimits(
            day: 100, kind: .purchase, limits: limits(daily: Allowance(count: 1)))
        #expect(try await bench.commit(token, atc: 1, limits: counted).declined == nil)
        #expect(try await bench.commit(token, atc: 2, limits: counted).declined == .dailyCountExceeded)
        try await bench.importCard(token)
        #expect(try await bench.commit(token, atc: 3, limits: counted).declined == nil)
    }
}
