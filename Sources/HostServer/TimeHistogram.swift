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

    /// - Parameter labels: stand before `le`.
    func samples(labels: [(name: String, value: String)]) -> [MetricFamily.Sample] {
        var total: UInt64 = 0
        var samples: [MetricFamily.Sample] = []
        let bounds = TimeHistogram.bounds.map { MetricFamily.seconds(microseconds: $0) } + ["+Inf"]
        for (bound, count) in zip(bounds, counts) {
            total += count
            samples.append(.init(suffix: "_bucket", labels: labels + [("le", bound)], value: "\(total)"))
        }
        samples.append(.init(suffix: "_sum", labels: labels, value: MetricFamily.seconds(microseconds: sum)))
        samples.append(.init(suffix: "_count", labels: labels, value: "\(total)"))
        return samples
    }
}
