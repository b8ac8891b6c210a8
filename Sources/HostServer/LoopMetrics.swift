internal import IssuerMessages

/// Counts of one event loop. Only the loop touches them, so counting costs an addition.
struct LoopMetrics: Sendable {
    /// Upper bounds of the latency buckets in microseconds.
    static let bounds: [UInt64] = [
        50, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000,
        500_000, 1_000_000,
    ]

    /// Answers by link and DE39.
    var answers: [String: [UInt64]] = [:]
    var undecodable: UInt64 = 0
    var ignored: UInt64 = 0
    var lateAnswers: UInt64 = 0
    var invalidFrames: UInt64 = 0
    var connections: Int = 0
    var bucketCounts = [UInt64](repeating: 0, count: LoopMetrics.bounds.count + 1)
    var latencySumMicroseconds: UInt64 = 0

    mutating func answered(_ code: Int, link: String, microseconds: UInt64) {
        answers[link, default: [UInt64](repeating: 0, count: ResponseCode.allCases.count)][code] += 1
        latencySumMicroseconds += microseconds
        let bucket = LoopMetrics.bounds.firstIndex { microseconds <= $0 } ?? LoopMetrics.bounds.count
        bucketCounts[bucket] += 1
    }

    mutating func add(_ other: LoopMetrics) {
        for (link, counts) in other.answers {
            let mine = answers[link] ?? [UInt64](repeating: 0, count: counts.count)
            answers[link] = zip(mine, counts).map { $0 + $1 }
        }
        undecodable += other.undecodable
        ignored += other.ignored
        lateAnswers += other.lateAnswers
        invalidFrames += other.invalidFrames
        connections += other.connections
        for index in bucketCounts.indices { bucketCounts[index] += other.bucketCounts[index] }
        latencySumMicroseconds += other.latencySumMicroseconds
    }

    /// Prometheus text format 0.0.4.
    var text: String {
        var lines = ["# TYPE issuer_answers_total counter"]
        for (link, counts) in answers.sorted(by: { $0.key < $1.key }) {
            for (code, count) in zip(ResponseCode.allCases, counts) where count > 0 {
                lines.append("issuer_answers_total{link=\"\(link)\",de39=\"\(code.rawValue)\"} \(count)")
            }
        }
        lines += [
            "# TYPE issuer_undecodable_messages_total counter",
            "issuer_undecodable_messages_total \(undecodable)",
            "# TYPE issuer_ignored_messages_total counter", "issuer_ignored_messages_total \(ignored)",
            "# TYPE issuer_late_answers_total counter", "issuer_late_answers_total \(lateAnswers)",
            "# TYPE issuer_invalid_frames_total counter", "issuer_invalid_frames_total \(invalidFrames)",
            "# TYPE issuer_connections gauge", "issuer_connections \(connections)",
            "# TYPE issuer_answer_microseconds histogram",
        ]
        var total: UInt64 = 0
        for (bound, count) in zip(LoopMetrics.bounds, bucketCounts) {
            total += count
            lines.append("issuer_answer_microseconds_bucket{le=\"\(bound)\"} \(total)")
        }
        total += bucketCounts[LoopMetrics.bounds.count]
        lines += [
            "issuer_answer_microseconds_bucket{le=\"+Inf\"} \(total)",
            "issuer_answer_microseconds_sum \(latencySumMicroseconds)",
            "issuer_answer_microseconds_count \(total)",
        ]
        return lines.joined(separator: "\n") + "\n"
    }
}
