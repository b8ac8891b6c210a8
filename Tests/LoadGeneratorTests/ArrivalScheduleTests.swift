import Testing

@testable import LoadGenerator

@Suite("Arrival schedule")
struct ArrivalScheduleTests {
    @Test("a fixed rate is as even as a clock")
    func fixed() {
        let times = Array(ArrivalSchedule(.constant(1_000), seconds: 2, spacing: .fixed, seed: 1))
        #expect((1_999...2_000).contains(times.count))
        for (index, time) in times.enumerated() {
            #expect(abs(Double(time) - Double(index + 1) * 1e6) < 10)
        }
    }

    @Test("Poisson arrivals have the mean and the spread of their kind", arguments: [UInt64(1), 7, 99])
    func poisson(seed: UInt64) {
        let times = Array(ArrivalSchedule(.constant(5_000), seconds: 20, spacing: .poisson, seed: seed))
        // Of 100,000 expected arrivals the standard deviation is 316.
        #expect(abs(times.count - 100_000) < 1_600)
        let gaps = zip(times, times.dropFirst()).map { Double($1 - $0) / 1e9 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        // An exponential distribution's deviation equals its mean.
        #expect(abs(variance.squareRoot() / mean - 1) < 0.03)
        #expect(times == times.sorted())
    }

    @Test("the same seed gives the same times, another one does not")
    func seeds() {
        func times(_ seed: UInt64) -> [UInt64] {
            Array(ArrivalSchedule(.constant(100), seconds: 3, spacing: .poisson, seed: seed))
        }
        #expect(times(5) == times(5))
        #expect(times(5) != times(6))
    }

    @Test("a ramp grows evenly", arguments: [ArrivalSpacing.fixed, .poisson])
    func ramp(spacing: ArrivalSpacing) {
        let curve = RateCurve.ramp(from: 1_000, to: 9_000)
        let times = Array(ArrivalSchedule(curve, seconds: 8, spacing: spacing, seed: 3))
        #expect(abs(times.count - 40_000) < 1_000)
        for second in 0..<8 {
            let count = times.filter { $0 / 1_000_000_000 == UInt64(second) }.count
            let expected = 1_500 + 1_000 * second
            #expect(abs(count - expected) < expected / 10, "second \(second)")
        }
    }

    @Test("a ramp may fall, even to nothing")
    func fallingRamp() {
        let times = Array(
            ArrivalSchedule(.ramp(from: 1_000, to: 0), seconds: 4, spacing: .fixed, seed: 3))
        #expect((1_998...2_000).contains(times.count))
        #expect(times.last.map { $0 <= 4_000_000_000 } == true)
    }

    @Test("a spike is where it should be and nowhere else")
    func spike() {
        let curve = RateCurve.spike(base: 100, peak: 5_000, from: 2, until: 3)
        let times = Array(ArrivalSchedule(curve, seconds: 5, spacing: .fixed, seed: 3))
        let inside = times.filter { (2_000_000_000..<3_000_000_000).contains($0) }.count
        #expect(abs(inside - 5_000) <= 1)
        #expect(abs(times.count - inside - 400) <= 1)
    }

    @Test("a rate of zero sends nothing and ends")
    func zero() {
        #expect(Array(ArrivalSchedule(.constant(0), seconds: 5, spacing: .poisson, seed: 1)).isEmpty)
    }
}
