extension LoadResult {
    /// How long one stage of the host took, from its histogram: percentiles are interpolated within a bucket.
    package struct StageTime: Codable, Sendable {
        /// As the host names it.
        package var name: String
        /// Authorisations that passed it.
        package var count: Double
        /// Microseconds.
        package var mean: Double
        /// Microseconds.
        package var p50: Double
        /// Microseconds.
        package var p99: Double
    }
}

extension LoadResult.StageTime {
    /// What was added between two readings of the host's metrics.
    static func all(from first: HostMetrics, to last: HostMetrics) -> [Self] {
        last.stages.compactMap { name in
            let counts = zip(
                first.buckets("issuer_stage_seconds", stage: name),
                last.buckets("issuer_stage_seconds", stage: name)
            ).map { (bound: $1.bound, count: $1.count - $0.count) }
            guard let total = counts.last?.count, total > 0 else { return nil }
            let sum = "issuer_stage_seconds_sum{stage=\"\(name)\"}"
            return Self(
                name: name, count: total,
                mean: ((last.values[sum] ?? 0) - (first.values[sum] ?? 0)) * 1_000_000 / total,
                p50: percentile(0.5, counts), p99: percentile(0.99, counts))
        }
    }

    /// - Parameter counts: upper bounds and how many lie below each, rising.
    static func percentile(_ part: Double, _ counts: [(bound: Double?, count: Double)]) -> Double {
        guard let total = counts.last?.count, total > 0 else { return 0 }
        let rank = part * total
        var lower = 0.0
        var below = 0.0
        for (bound, count) in counts {
            // Above the last bound nothing is known but that.
            guard let bound else { return lower }
            if count >= rank, count > below {
                return lower + (bound - lower) * (rank - below) / (count - below)
            }
            lower = bound
            below = count
        }
        return lower
    }
}
