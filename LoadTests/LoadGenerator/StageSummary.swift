internal import Histogram

/// From what was written down to figures.
struct StageSummary {
    let stage: LoadProfile.Stage
    let recorder: StageRecorder
    let before: ProcessSampler.Moment
    let after: ProcessSampler.Moment
    let metricsBefore: HostMetrics?
    let metricsAfter: HostMetrics?

    private static let percentiles: [Double] = [
        0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 99.995, 99.999, 100,
    ]

    var result: LoadResult.Stage {
        let counts = recorder.counts
        return LoadResult.Stage(
            name: stage.name, role: stage.role, load: load, seconds: stage.seconds,
            offeredPerSecond: offered, throughputPerSecond: Double(recorder.answeredInTime) / stage.seconds,
            latencyMilliseconds: latency,
            curve: Self.percentiles.map {
                .init(percentile: $0, milliseconds: recorder.latency.milliseconds($0))
            },
            sent: counts.sent, answersChecked: counts.checked, answersMismatched: counts.mismatched,
            strayAnswers: counts.stray, lost: counts.lost, unsent: counts.unsent,
            reconnects: counts.reconnects, repeated: counts.repeated,
            waitedForCard: counts.waitedForCard, answersByCode: codes,
            hostCPUSecondsPer10000: per10000(\.host), redisCPUSecondsPer10000: per10000(\.redis),
            generatorCPUSecondsPer10000: per10000(\.generator),
            hostResidentMegabytes: after.host?.megabytes, redisResidentMegabytes: after.redis?.megabytes,
            pkcs11CallsPerAuthorisation: perAnswer("issuer_hsm_calls_total"),
            hsmJobsPerAuthorisation: perAnswer("issuer_hsm_jobs_total"),
            redisRoundTripsPerAuthorisation: perAnswer("issuer_redis_commands_total"),
            holdingsBefore: metricsBefore?.holdings, holdingsAfter: metricsAfter?.holdings,
            hostHistogram: hostHistogram, hostStages: hostStages, series: recorder.series,
            faults: recorder.faults, intervals: recorder.intervals)
    }

    private var load: String {
        switch stage.load {
        case .closed(let outstanding): "closed, \(outstanding) outstanding a connection"
        case .open(.constant(let rate), let spacing): "open, \(Int(rate)) a second, \(spacing.rawValue)"
        case .open(.ramp(let from, let to), let spacing):
            "open, \(Int(from)) to \(Int(to)) a second, \(spacing.rawValue)"
        case .open(.spike(let base, let peak, _, _), let spacing):
            "open, \(Int(base)) a second with a spike of \(Int(peak)), \(spacing.rawValue)"
        case .fraction(let part, let spacing): "open, \(part) of saturation, \(spacing.rawValue)"
        }
    }

    private var offered: Double? {
        guard case .open(let curve, _) = stage.load else { return nil }
        return curve.pieces(seconds: stage.seconds).reduce(0) { $0 + $1.arrivals } / stage.seconds
    }

    private var latency: LoadResult.Latency {
        LoadResult.Latency(
            p50: recorder.latency.milliseconds(50), p99: recorder.latency.milliseconds(99),
            p999: recorder.latency.milliseconds(99.9), max: recorder.latency.milliseconds(100))
    }

    private var codes: [String: Int] {
        var codes: [String: Int] = [:]
        for (code, count) in recorder.byCode {
            let text = String(decoding: [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)], as: UTF8.self)
            codes[text] = count
        }
        return codes
    }

    private func per10000(_ process: KeyPath<ProcessSampler.Moment, ProcessSample?>) -> Double? {
        guard recorder.answeredInTime > 0 else { return nil }
        return ProcessSampler.Moment.cpu(process, from: before, to: after)
            .map { $0 / Double(recorder.answeredInTime) * 10_000 }
    }

    private func perAnswer(_ name: String) -> Double? {
        guard let metricsBefore, let metricsAfter else { return nil }
        let answers = metricsAfter.total("issuer_answers_total") - metricsBefore.total("issuer_answers_total")
        guard answers > 0 else { return nil }
        return (metricsAfter.total(name) - metricsBefore.total(name)) / answers
    }

    private var hostStages: [LoadResult.StageTime] {
        guard let metricsBefore, let metricsAfter else { return [] }
        return LoadResult.StageTime.all(from: metricsBefore, to: metricsAfter)
    }

    private var hostHistogram: [LoadResult.Bucket] {
        guard let metricsBefore, let metricsAfter else { return [] }
        var below = 0.0
        return zip(metricsBefore.answerBuckets, metricsAfter.answerBuckets).map { first, last in
            let count = last.count - first.count
            defer { below = count }
            return LoadResult.Bucket(upToMicroseconds: last.bound, answers: count - below)
        }
    }
}
