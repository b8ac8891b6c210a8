/// Times in buckets of the Prometheus kind. Adding one costs a few comparisons.
struct TimeHistogram: Sendable {
    /// Upper bounds of the buckets in microseconds.
    static let bounds: [UInt64] = [
        10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000,
        100_000, 500_000, 1_000_000,
    ]

    private var counts = [UInt64](repeating: 0, count: TimeHistogram.bounds.count + 1)
    private var sum: UInt64 = 0

    mutating func add(microseconds: UInt64) {
        sum += microseconds
        var bucket = 0
        while bucket < TimeHistogram.bounds.count, microseconds > TimeHistogram.bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
    }

    mutating func add(_ other: TimeHistogram) {
        sum += other.sum
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// Prometheus text format 0.0.4.
    /// - Parameter label: stands before `le`; nil for none.
    func lines(name: String, label: String?) -> [String] {
        let before = label.map { $0 + "," } ?? ""
        let after = label.map { "{\($0)}" } ?? ""
        var total: UInt64 = 0
        var lines: [String] = []
        for (bound, count) in zip(TimeHistogram.bounds.map { "\($0)" } + ["+Inf"], counts) {
            total += count
            lines.append("\(name)_bucket{\(before)le=\"\(bound)\"} \(total)")
        }
        return lines + ["\(name)_sum\(after) \(sum)", "\(name)_count\(after) \(total)"]
    }
}
