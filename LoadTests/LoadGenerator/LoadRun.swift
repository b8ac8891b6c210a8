internal import Foundation
internal import NIOCore
internal import NIOPosix
package import VirtualCard

/// A load from its first connection to its result.
package struct LoadRun: Sendable {
    /// Bounds for the search for the knee.
    package struct Knee: Sendable {
        /// First rate, requests a second.
        package var start: Double
        /// Of each step; more than 1.
        package var factor = 1.25
        /// Of each step.
        package var seconds = 10.0
        /// A step whose p99 is above this is behind the knee.
        package var p99Milliseconds: Double
        /// Failed requests, as a part of all.
        package var failures = 0.001

        /// Takes what has no default.
        package init(start: Double, p99Milliseconds: Double) {
            self.start = start
            self.p99Milliseconds = p99Milliseconds
        }
    }

    private static let readyTimeout = Duration.seconds(10)

    private let profile: LoadProfile
    private let issuer: DemoIssuer
    private let links: [LoadLink]
    private let admin: (host: String, port: Int)?
    private let sampler: ProcessSampler
    private let progress: @Sendable (String) -> Void

    /// - Parameters:
    ///   - admin: host and port of the host's `/metrics`; nil for none.
    ///   - hostPID: process whose CPU and memory belong into the result; nil for none.
    ///   - redisPID: likewise.
    ///   - progress: gets a line once a second.
    package init(
        _ profile: LoadProfile, issuer: DemoIssuer, links: [LoadLink],
        admin: (host: String, port: Int)? = nil, hostPID: String? = nil, redisPID: String? = nil,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.profile = profile
        self.issuer = issuer
        self.links = links
        self.admin = admin
        sampler = ProcessSampler(hostPID: hostPID, redisPID: redisPID)
        self.progress = progress
    }

    /// The first of these numbers, with commas between them, that no process has; nil if all have one.
    package static func missingProcess(in numbers: String) -> String? {
        numbers.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            .first { ProcessSample(pid: $0) == nil }
    }

    /// Runs the stages of the profile one after the other.
    package func perform() async throws -> LoadResult {
        try await withEngine { engine in
            var results: [LoadResult.Stage] = []
            for (index, stage) in profile.stages.enumerated() {
                var stage = stage
                if case .fraction(let part, let spacing) = stage.load {
                    guard let found = results.last(where: { $0.role == .saturation }) else {
                        throw LoadSetupError("stage \(stage.name): there is no saturation before it")
                    }
                    stage.load = .open(.constant(found.throughputPerSecond * part), spacing)
                }
                let last = results.last?.throughputPerSecond
                results.append(try await perform(stage, index, engine: engine, expected: last))
            }
            return (results, nil)
        }
    }

    /// Raises the rate until a bound breaks, then halves the distance three times.
    package func findKnee(_ knee: Knee) async throws -> LoadResult {
        try await withEngine { engine in
            var results: [LoadResult.Stage] = []
            var good = 0.0
            var bad = Double.infinity
            var rate = knee.start
            var refinements = 0
            while refinements < 3, rate >= 1 {
                let stage = LoadProfile.Stage(
                    name: "\(Int(rate)) a second", seconds: knee.seconds,
                    load: .open(.constant(rate), .poisson))
                let result = try await perform(stage, results.count, engine: engine, expected: rate)
                results.append(result)
                let failed = Double(result.failed) / Double(max(1, result.sent))
                let holds =
                    result.latencyMilliseconds.p99 <= knee.p99Milliseconds && failed <= knee.failures
                    && result.throughputPerSecond * knee.seconds >= 0.97 * Double(result.sent)
                if holds { good = max(good, rate) } else { bad = min(bad, rate) }
                if bad.isFinite { refinements += 1 }
                rate = bad.isFinite ? (good + bad) / 2 : rate * knee.factor
            }
            return (results, good)
        }
    }

    /// Runs steps of rising rates until one breaks a bound, and fits what an authorisation costs.
    package func capacity(_ plan: CapacityPlan) async throws -> CapacityReport {
        var rest = RestingCPU()
        let result = try await withEngine { engine in
            progress("at rest")
            rest = try await atRest(seconds: min(3, plan.seconds))
            var results: [LoadResult.Stage] = []
            for rate in plan.rates {
                let stage = LoadProfile.Stage(
                    name: "\(Int(rate)) a second", seconds: plan.seconds,
                    load: .open(.constant(rate), .poisson))
                let result = try await perform(stage, results.count, engine: engine, expected: rate)
                results.append(result)
                if !plan.holds(result) { break }
            }
            let all = LoadProfile.Stage(
                name: "saturation", role: .saturation, seconds: plan.seconds,
                load: .closed(outstanding: plan.outstanding))
            results.append(try await perform(all, results.count, engine: engine, expected: nil))
            return (results, nil)
        }
        return CapacityReport(result, plan: plan, rest: rest)
    }

    /// What the programs take with connections open and nothing to do.
    private func atRest(seconds: Double) async throws -> RestingCPU {
        let before = sampler.moment()
        try await Task.sleep(for: .seconds(seconds))
        let after = sampler.moment()
        func perSecond(_ process: KeyPath<ProcessSampler.Moment, ProcessSample?>) -> Double {
            max(0, (ProcessSampler.Moment.cpu(process, from: before, to: after) ?? 0) / seconds)
        }
        return RestingCPU(
            host: perSecond(\.host), store: perSecond(\.redis), generator: perSecond(\.generator))
    }

    private func withEngine(
        _ body: (LoadEngine) async throws -> ([LoadResult.Stage], Double?)
    ) async throws -> LoadResult {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let machine = LoadResult.Machine.current()
        let startedAt = Date()
        progress("computing \(profile.cards) cards")
        let stages: [LoadResult.Stage]
        let knee: Double?
        do {
            let engine = try LoadEngine(profile, issuer: issuer, links: links, eventLoop: group.next())
            do {
                try await engine.connect()
                try await expectReady(engine)
                (stages, knee) = try await body(engine)
            } catch {
                // Its connections go before it does.
                try await engine.eventLoop.submit { engine.stop() }.get()
                try await group.shutdownGracefully()
                withExtendedLifetime(engine) {}
                throw error
            }
            try await engine.eventLoop.submit { engine.stop() }.get()
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return try LoadResult(profile, startedAt: startedAt, machine: machine, stages: stages, knee: knee)
    }

    // MARK: - One stage

    private func perform(
        _ stage: LoadProfile.Stage, _ index: Int, engine: LoadEngine, expected: Double?
    ) async throws -> LoadResult.Stage {
        if profile.precompute, stage.role != .warmUp {
            progress("\(stage.name): computing requests")
            let count = min(1_000_000, Int((expected ?? 20_000) * stage.seconds * 1.15))
            try await engine.eventLoop.submit { try engine.prepare(count) }.get()
        }
        let metricsBefore = await metrics(engine)
        let before = sampler.moment()
        let ticker = Ticker(stage, sampler, first: before, progress: progress)
        let ticking = engine.eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
        ) { _ in ticker.tick(engine) }
        let renewing = renewing(engine)
        let seed = profile.seed &* 1_000_003 &+ UInt64(index)
        try await engine.eventLoop.flatSubmit {
            engine.begin(stage.load, seconds: stage.seconds, seed: seed)
        }.get()
        let after = sampler.moment()
        renewing?.cancel()
        ticking.cancel()
        try await engine.eventLoop.flatSubmit { engine.drain() }.get()
        try await engine.eventLoop.submit { ticker.finish(engine) }.get()
        let metricsAfter = await metrics(engine)
        let recorder = try await engine.eventLoop.submit { engine.recorder }.get()
        return StageSummary(
            stage: stage, recorder: recorder, before: before, after: after, metricsBefore: metricsBefore,
            metricsAfter: metricsAfter
        ).result
    }

    private func renewing(_ engine: LoadEngine) -> RepeatedTask? {
        guard profile.reconnectSeconds > 0 else { return nil }
        let interval = TimeAmount.nanoseconds(Int64(profile.reconnectSeconds * 1e9))
        return engine.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            engine.renewOneConnection()
        }
    }

    /// A host may listen before all of its parts serve, and answers 91 meanwhile: behind a cluster that was just made that
    /// takes some seconds. It is waited for; what does not become ready is not measured.
    private func expectReady(_ engine: LoadEngine) async throws {
        guard let admin else { return }
        let end = ContinuousClock.now + LoadRun.readyTimeout
        while let lacking = await HostMetrics.unreadiness(
            host: admin.host, port: admin.port, on: engine.eventLoop)
        {
            guard ContinuousClock.now < end else {
                throw LoadSetupError("the host is not ready: \(lacking)")
            }
            progress("waiting for the host: \(lacking)")
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func metrics(_ engine: LoadEngine) async -> HostMetrics? {
        guard let admin else { return nil }
        return await HostMetrics.read(host: admin.host, port: admin.port, on: engine.eventLoop)
    }
}
