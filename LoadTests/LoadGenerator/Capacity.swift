internal import Foundation

/// The steps of a capacity measurement, and what each has to keep to.
package struct CapacityPlan: Sendable {
    /// Requests a second, rising.
    package var rates: [Double]
    /// Of each step.
    package var seconds: Double
    /// A step whose p99 is above this is behind the knee.
    package var p99Milliseconds: Double
    /// Requests under way on each connection in the last step, which the model is held against.
    package var outstanding = 16
    /// Cores that the host may use in the model; the part of them that is meant to be busy is measured.
    package var cores = [1, 2, 4, 8, 16]
    /// Hosts side by side.
    package var hosts = [1, 2, 4]
    /// Masters of the store's cluster.
    package var masters = [1, 3, 6]

    /// Takes what has no default.
    package init(rates: [Double], seconds: Double, p99Milliseconds: Double) {
        self.rates = rates
        self.seconds = seconds
        self.p99Milliseconds = p99Milliseconds
    }

    /// Steps alone: at saturation there is no rate that could be held.
    func holds(_ stage: LoadResult.Stage) -> Bool {
        stage.role == nil && fault(stage) == nil
    }

    /// Which bound a step broke; nil for none.
    func fault(_ stage: LoadResult.Stage) -> String? {
        if stage.failed > 0 {
            let wrong = stage.answersMismatched + stage.strayAnswers
            return "\(wrong) wrong, \(stage.lost) lost, \(stage.unsent) unsent of \(stage.sent)"
        }
        if stage.latencyMilliseconds.p99 > p99Milliseconds {
            return
                "p99 \(rounded(stage.latencyMilliseconds.p99, 2)) ms, \(rounded(p99Milliseconds, 2)) allowed"
        }
        let offered = stage.offeredPerSecond ?? 0
        guard stage.throughputPerSecond < 0.95 * offered else { return nil }
        return "\(rounded(stage.throughputPerSecond, 0)) a second answered of \(rounded(offered, 0))"
    }
}

/// CPU seconds a second as a straight line over the rate, by least squares.
package struct CostFit: Codable, Sendable {
    /// CPU seconds a second at rest.
    package var atRest: Double
    /// CPU seconds that one authorisation adds.
    package var perAuthorisation: Double
    /// Half of the 95 % interval of `perAuthorisation`; nil for fewer than three steps.
    package var margin: Double?
    /// The largest distance of a step from the line, as a part of what was measured there.
    package var worstMisfit: Double

    /// - Parameter points: rate and CPU seconds a second, at least two.
    /// - Returns: nil for fewer, or for rates that are all the same.
    init?(_ points: [(rate: Double, cpu: Double)]) {
        let count = Double(points.count)
        guard points.count >= 2 else { return nil }
        let meanRate = points.reduce(0) { $0 + $1.rate } / count
        let meanCPU = points.reduce(0) { $0 + $1.cpu } / count
        let spread = points.reduce(0) { $0 + ($1.rate - meanRate) * ($1.rate - meanRate) }
        guard spread > 0 else { return nil }
        let slope = points.reduce(0) { $0 + ($1.rate - meanRate) * ($1.cpu - meanCPU) } / spread
        let atRest = meanCPU - slope * meanRate
        self.atRest = atRest
        perAuthorisation = slope
        let misfits = points.map { $0.cpu - atRest - slope * $0.rate }
        worstMisfit = zip(points, misfits).reduce(0) { max($0, abs($1.1) / max(1e-9, $1.0.cpu)) }
        guard points.count > 2 else { return }
        let variance = misfits.reduce(0) { $0 + $1 * $1 } / (count - 2)
        margin = Student.quantile95(degrees: points.count - 2) * (variance / spread).squareRoot()
    }
}

/// What N cores, M hosts and a cluster of K masters would carry, by a straight-line model of CPU costs, with its error.
package struct CapacityReport: Codable, Sendable {
    /// One cell of the model.
    package struct Estimate: Codable, Sendable {
        /// Of each host.
        package var cores: Int
        /// Side by side.
        package var hosts: Int
        /// Of the store's cluster.
        package var masters: Int
        /// Authorisations a second.
        package var perSecond: Double
        /// By the 95 % interval of the costs; nil without one.
        package var least: Double?
        /// What is at its limit first.
        package var limit: String
    }

    /// What the model says of this machine with all its programs on it, and what saturation came to there.
    package struct Check: Codable, Sendable {
        /// By the model, with every core busy; nil where a cost is missing.
        package var predictedPerSecond: Double?
        /// Measured.
        package var measuredPerSecond: Double
        /// CPU seconds of host, store and generator that a request cost at saturation.
        package var perRequest: Double?
    }

    /// The steps, and saturation behind them.
    package var result: LoadResult
    /// Requests a second of the last step that held; nil where none did.
    package var kneePerSecond: Double?
    /// Why the step behind the knee did not hold; nil where none broke a bound.
    package var brokenBy: String?
    /// True where no step broke a bound: the knee lies above.
    package var isOpen: Bool
    /// Nil without the process's number.
    package var host: CostFit?
    /// Nil without the process's number.
    package var store: CostFit?
    /// Of this program; nil without two steps.
    package var generator: CostFit?
    /// Nil where no request was answered at saturation.
    package var check: Check?
    /// Cores' worth of CPU that the host used at the knee.
    package var hostBusyAtKnee: Double?
    /// Likewise the store; one of its threads executes commands.
    package var storeBusyAtKnee: Double?
    /// One master's thread is taken to be at its limit at this.
    package var storeBusyMax: Double
    /// Of the host's cores that may be busy.
    package var coreBusyMax: Double
    /// The model's cells.
    package var estimates: [Estimate]

    /// What is left for everything that a straight line does not know: at 70 % queues still are short (M/M/1: 2.3 waiting).
    private static let busyMax = 0.7

    init(_ result: LoadResult, plan: CapacityPlan) {
        self.result = result
        let held = result.stages.filter(plan.holds)
        kneePerSecond = held.last?.offeredPerSecond
        let steps = result.stages.filter { $0.role == nil }
        isOpen = held.count == steps.count
        brokenBy = steps.lazy.compactMap(plan.fault).first
        coreBusyMax = CapacityReport.busyMax
        storeBusyMax = CapacityReport.busyMax
        // Behind the knee requests queue and fail: their cost is another one.
        let fitted = held.count >= 2 ? held : steps
        func points(_ cost: (LoadResult.Stage) -> Double?) -> [(rate: Double, cpu: Double)] {
            fitted.compactMap { stage in
                cost(stage).map { (stage.throughputPerSecond, $0 * stage.throughputPerSecond / 10_000) }
            }
        }
        host = CostFit(points(\.hostCPUSecondsPer10000))
        store = CostFit(points(\.redisCPUSecondsPer10000))
        hostBusyAtKnee = points(\.hostCPUSecondsPer10000).last?.cpu
        storeBusyAtKnee = points(\.redisCPUSecondsPer10000).last?.cpu
        estimates = []
        generator = CostFit(points(\.generatorCPUSecondsPer10000))
        check = result.stages.first { $0.role == .saturation }.flatMap(held(against:))
        guard let host else { return }
        for masters in plan.masters {
            for hosts in plan.hosts {
                for cores in plan.cores {
                    estimates.append(estimate(host, cores, hosts: hosts, masters: masters))
                }
            }
        }
    }

    private func held(against stage: LoadResult.Stage) -> Check? {
        guard stage.throughputPerSecond > 0 else { return nil }
        var check = Check(measuredPerSecond: stage.throughputPerSecond)
        if let host, let store, let generator {
            let parts = [host, store, generator]
            let free = Double(result.machine.cores) - parts.reduce(0) { $0 + max(0, $1.atRest) }
            check.predictedPerSecond = max(0, free) / max(1e-9, parts.reduce(0) { $0 + $1.perAuthorisation })
        }
        if let host = stage.hostCPUSecondsPer10000, let store = stage.redisCPUSecondsPer10000,
            let generator = stage.generatorCPUSecondsPer10000
        {
            check.perRequest = (host + store + generator) / 10_000
        }
        return check
    }

    private func estimate(_ host: CostFit, _ cores: Int, hosts: Int, masters: Int) -> Estimate {
        func carried(_ fit: CostFit, _ units: Double, worst: Bool) -> Double {
            let cost = fit.perAuthorisation + (worst ? fit.margin ?? 0 : 0)
            return max(0, units - max(0, fit.atRest)) / max(1e-9, cost)
        }
        func both(worst: Bool) -> (Double, String) {
            let byHosts = Double(hosts) * carried(host, Double(cores) * coreBusyMax, worst: worst)
            guard let store else { return (byHosts, "the hosts") }
            let byStore = Double(masters) * carried(store, storeBusyMax, worst: worst)
            return byHosts <= byStore ? (byHosts, "the hosts") : (byStore, "the store")
        }
        let (likely, limit) = both(worst: false)
        return Estimate(
            cores: cores, hosts: hosts, masters: masters, perSecond: likely,
            least: host.margin == nil ? nil : both(worst: true).0, limit: limit)
    }
}

/// Student's t distribution.
enum Student {
    /// Two-sided, 95 %, by degrees of freedom from 1.
    private static let table = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ]

    static func quantile95(degrees: Int) -> Double {
        degrees < 1 ? .infinity : degrees <= table.count ? table[degrees - 1] : 1.96
    }
}
