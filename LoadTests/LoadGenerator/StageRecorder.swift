internal import Histogram

/// Latencies in nanoseconds, from 0.1 µs to a minute with three digits.
typealias LatencyHistogram = Histogram<UInt64>

extension LatencyHistogram {
    static let longest: UInt64 = 60_000_000_000

    static func empty(_ precision: SignificantDigits = .three) -> LatencyHistogram {
        LatencyHistogram(
            lowestDiscernibleValue: 100, highestTrackableValue: longest,
            numberOfSignificantValueDigits: precision)
    }

    mutating func record(nanoseconds: UInt64) { _ = record(Swift.min(nanoseconds, Self.longest)) }

    func milliseconds(_ percentile: Double) -> Double {
        totalCount == 0 ? 0 : Double(valueAtPercentile(percentile)) / 1e6
    }
}

/// Counts of one stage.
struct StageCounts: Sendable {
    var sent = 0
    /// Answers to requests, right or not.
    var checked = 0
    var mismatched = 0
    /// Answers to nothing that waits.
    var stray = 0
    /// Requests whose answer did not come within the limit, or whose connection broke.
    var lost = 0
    /// Requests of an open load that could not even be sent before the stage was given up.
    var unsent = 0
    /// Requests that waited because every card drawn was in use.
    var waitedForCard = 0
    var reconnects = 0
    /// Sent again over another connection, since theirs had ended.
    var repeated = 0

    var failed: Int { mismatched + stray + lost + unsent }
}

/// One second of a stage.
struct SecondOfLoad: Codable, Sendable {
    var second: Double
    var answersPerSecond: Double
    var p50: Double
    var p99: Double
    var longest: Double
    var outstanding: Int
    var hostCPU: Double?
    var redisCPU: Double?
    var generatorCPU: Double?
    var hostMegabytes: Double?
    var redisMegabytes: Double?
}

/// Everything that is written down while a stage runs.
struct StageRecorder {
    var counts = StageCounts()
    var latency = LatencyHistogram.empty()
    /// By DE39; few ones, so that looking through them is quicker than hashing.
    private(set) var byCode: [(code: UInt16, count: Int)] = []
    var series: [SecondOfLoad] = []
    var intervals: [HistogramInterval] = []
    /// Answers that came while requests were being sent.
    var answeredInTime = 0
    /// The first faults, in words.
    var faults: [String] = []

    static let faultsMax = 20

    private var interval = LatencyHistogram.empty(.two)
    private var intervalStart: UInt64

    init(startedAt: UInt64) { intervalStart = startedAt }

    mutating func answered(nanoseconds: UInt64, code: UInt16) {
        counts.checked += 1
        latency.record(nanoseconds: nanoseconds)
        interval.record(nanoseconds: nanoseconds)
        if let place = byCode.firstIndex(where: { $0.code == code }) {
            byCode[place].count += 1
        } else {
            byCode.append((code, 1))
        }
    }

    mutating func fault(_ words: @autoclosure () -> String) {
        if faults.count < Self.faultsMax { faults.append(words()) }
    }

    /// Closes an interval of the series.
    mutating func tick(now: UInt64, startedAt: UInt64, outstanding: Int) -> SecondOfLoad {
        let seconds = max(1e-9, Double(now - intervalStart) / 1e9)
        let point = SecondOfLoad(
            second: Double(now - startedAt) / 1e9, answersPerSecond: Double(interval.totalCount) / seconds,
            p50: interval.milliseconds(50), p99: interval.milliseconds(99),
            longest: interval.totalCount == 0 ? 0 : Double(interval.max) / 1e6, outstanding: outstanding)
        if interval.totalCount > 0 {
            intervals.append(
                HistogramInterval(
                    start: Double(intervalStart &- startedAt) / 1e9, seconds: seconds, longest: point.longest,
                    histogram: HistogramLog.encoded(interval)))
            interval.reset()
        }
        intervalStart = now
        return point
    }
}
