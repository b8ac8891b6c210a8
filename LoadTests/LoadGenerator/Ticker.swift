internal import Foundation
internal import NIOCore

/// Takes a sample a second and says how it goes.
final class Ticker: @unchecked Sendable {
    // Sendable because only the engine's event loop touches it after `init`.
    private let stage: LoadProfile.Stage
    private let sampler: ProcessSampler
    private let progress: @Sendable (String) -> Void
    private var last: ProcessSampler.Moment
    private var lastSecond = 0.0

    init(
        _ stage: LoadProfile.Stage, _ sampler: ProcessSampler, first: ProcessSampler.Moment,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.stage = stage
        self.sampler = sampler
        self.progress = progress
        last = first
    }

    /// The rest of a stage's last second; too short a rest would show nothing but chance.
    func finish(_ engine: LoadEngine) {
        let elapsed = Double(NIODeadline.now().uptimeNanoseconds - engine.startedAt) / 1e9
        if elapsed - lastSecond > 0.5 { tick(engine) }
    }

    func tick(_ engine: LoadEngine) {
        var second = engine.tick()
        let now = sampler.moment()
        let seconds = max(0.001, second.second - lastSecond)
        second.hostCPU = ProcessSampler.Moment.cpu(\.host, from: last, to: now).map { $0 / seconds }
        second.redisCPU = ProcessSampler.Moment.cpu(\.redis, from: last, to: now).map { $0 / seconds }
        second.generatorCPU = ProcessSampler.Moment.cpu(\.generator, from: last, to: now).map { $0 / seconds }
        second.hostMegabytes = now.host?.megabytes
        second.redisMegabytes = now.redis?.megabytes
        last = now
        lastSecond = second.second
        engine.append(second)
        progress(line(second, engine))
    }

    private func line(_ second: SecondOfLoad, _ engine: LoadEngine) -> String {
        var parts = [
            "\(stage.name) \(Int(second.second)) of \(Int(stage.seconds)) s",
            "\(Int(second.answersPerSecond))/s",
            "p50 \(rounded(second.p50, 2)) p99 \(rounded(second.p99, 2)) ms",
            "waiting \(second.outstanding)", "failed \(engine.recorder.counts.failed)",
        ]
        if let cpu = second.hostCPU { parts.append("host \(Int(cpu * 100)) %") }
        if let memory = second.hostMegabytes { parts.append("\(Int(memory)) MB") }
        if let cpu = second.redisCPU { parts.append("redis \(Int(cpu * 100)) %") }
        if let cpu = second.generatorCPU { parts.append("generator \(Int(cpu * 100)) %") }
        return parts.joined(separator: "  ")
    }
}

/// A number with so many decimal places.
func rounded(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }
