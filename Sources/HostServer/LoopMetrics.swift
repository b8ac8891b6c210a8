internal import Authorisation
internal import IssuerMessages

/// Counts of one event loop. Only the loop touches them, so counting costs an addition.
struct LoopMetrics: Sendable {
    /// Answers by link and DE39.
    var answers: [String: [UInt64]] = [:]
    var undecodable: UInt64 = 0
    var ignored: UInt64 = 0
    var lateAnswers: UInt64 = 0
    var invalidFrames: UInt64 = 0
    var connections: Int = 0
    var answerTimes = TimeHistogram()
    var stageTimes = [TimeHistogram](repeating: TimeHistogram(), count: Stage.allCases.count)

    mutating func answered(_ code: Int, link: String, microseconds: UInt64) {
        answers[link, default: [UInt64](repeating: 0, count: ResponseCode.allCases.count)][code] += 1
        answerTimes.add(microseconds: microseconds)
    }

    /// Counts the stages that an authorisation has passed.
    mutating func passed(_ times: StageTimes) {
        for stage in Stage.allCases {
            if let time = times[stage] { stageTimes[stage.rawValue].add(microseconds: time / 1_000) }
        }
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
        answerTimes.add(other.answerTimes)
        for index in stageTimes.indices { stageTimes[index].add(other.stageTimes[index]) }
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
        lines += answerTimes.lines(name: "issuer_answer_microseconds", label: nil)
        lines.append("# TYPE issuer_stage_microseconds histogram")
        for stage in Stage.allCases {
            lines += stageTimes[stage.rawValue].lines(
                name: "issuer_stage_microseconds", label: "stage=\"\(stage.name)\"")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
