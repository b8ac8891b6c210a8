internal import Authorisation
internal import ISO8583
internal import IssuerMessages

/// The counts of all loops together, as reports have them.
extension MessageCounts {
    mutating func add(_ other: MessageCounts) {
        for index in received.indices { received[index] += other.received[index] }
        for index in answers.indices { answers[index] += other.answers[index] }
        for index in answerTimes.indices { answerTimes[index].add(other.answerTimes[index]) }
    }
}

extension LoopMetrics {
    mutating func add(_ other: LoopMetrics) {
        if let last = other.links.indices.last { reserve(last) }
        for index in other.links.indices { links[index].add(other.links[index]) }
        undecodable += other.undecodable
        ignored += other.ignored
        lateAnswers += other.lateAnswers
        expired += other.expired
        shed += other.shed
        invalidFrames += other.invalidFrames
        peersRefused += other.peersRefused
        handshakesRefused += other.handshakesRefused
        macFailures += other.macFailures
        networkRequests += other.networkRequests
        untold += other.untold
        signOnsRefused += other.signOnsRefused
        abandoned.merge(other.abandoned) { $0 + $1 }
        connections += other.connections
        connectionsMoved += other.connectionsMoved
        inFlight += other.inFlight
        answerTimes.add(other.answerTimes)
        for index in stageTimes.indices { stageTimes[index].add(other.stageTimes[index]) }
    }
}

extension TimeHistogram {
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
