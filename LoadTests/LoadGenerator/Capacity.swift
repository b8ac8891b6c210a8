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
        // Arrivals are drawn: a short step may have had fewer than its rate says. And of the last ones, an answer within the
        // bound may come behind the step's end.
        let offered = min(stage.offeredPerSecond ?? 0, Double(stage.sent) / stage.seconds)
        let late = offered * p99Milliseconds / 1_000 / stage.seconds
        guard stage.throughputPerSecond < 0.95 * offered - late else { return nil }
        return "\(rounded(stage.throughputPerSecond, 0)) a second answered of \(rounded(offered, 0))"
    }
}

/// What N cores, M hosts and a cluster of K masters would carry, by a model of CPU costs, with its error.
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
        /// Likewise; nil without one, or where it has no upper end.
        package var most: Double?
        /// What is at its limit first.
        package var limit: String
    }

    /// What the open steps alone let expect of saturation, and what came.
    package struct Check: Codable, Sendable {
        /// Measured, authorisations a second.
        package var measuredPerSecond: Double
        /// CPU seconds of host, store and generator that a request cost at saturation; nil where one is not known.
        package var perRequest: Double?
        /// Cores' worth of CPU that the three had there.
        package var cores: Double?
        /// By the model, with as much CPU as the three had; nil where no step held.
        package var predictedPerSecond: Double?
        /// By the 95 % interval of the cost; nil without one.
        package var least: Double?
        /// Likewise; nil without one, or where it has no upper end.
        package var most: Double?

        /// Whether what was measured lies within the model's own error; nil where it states none.
        package var isWithinError: Bool? {
            least.map { $0 <= measuredPerSecond && measuredPerSecond <= most ?? .infinity }
        }
    }

    /// The steps, and saturation behind them.
    package var result: LoadResult
    /// Requests a second of the last step that held; nil where none did.
    package var kneePerSecond: Double?
    /// Why the step behind the knee did not hold; nil where none broke a bound.
    package var brokenBy: String?
    /// True where no step broke a bound: the knee lies above.
    package var isOpen: Bool
    /// Over the steps that held, and saturation; nil without the process's number.
    package var host: CostModel?
    /// Likewise.
    package var store: CostModel?
    /// Of this program, likewise.
    package var generator: CostModel?
    /// Nil where no request was answered at saturation.
    package var check: Check?
    /// One master's thread may be busy so much.
    package var storeBusyMax: Double
    /// Of the host's cores that may be busy.
    package var coreBusyMax: Double
    /// The model's cells.
    package var estimates: [Estimate]

    /// What is left for everything that the model does not know: at 70 % queues still are short (M/M/1: 2.3 waiting).
    private static let busyMax = 0.7

    /// - Parameter rest: CPU seconds a second of the three programs with nothing to do.
    init(_ result: LoadResult, plan: CapacityPlan, rest: RestingCPU = RestingCPU()) {
        self.result = result
        let held = result.stages.filter(plan.holds)
        kneePerSecond = held.last?.offeredPerSecond
        let steps = result.stages.filter { $0.role == nil }
        isOpen = held.count == steps.count
        brokenBy = steps.lazy.compactMap(plan.fault).first
        coreBusyMax = CapacityReport.busyMax
        storeBusyMax = CapacityReport.busyMax
        let cores = result.machine.cores
        func point(_ stage: LoadResult.Stage, _ cost: Double?, atRest: Double) -> CostModel.Point? {
            guard let cost, let busy = stage.cpu?.busy(cores: cores) else { return nil }
            return CostModel.Point(
                busy: busy, cost: cost / 10_000 - atRest / max(1e-9, stage.throughputPerSecond))
        }
        // Behind the knee requests queue and fail: their cost is another one.
        let saturation = result.stages.first { $0.role == .saturation && $0.throughputPerSecond > 0 }
        let whole = held + [saturation].compactMap { $0?.failed == 0 ? $0 : nil }
        func model(_ cost: (LoadResult.Stage) -> Double?, _ atRest: Double) -> CostModel? {
            CostModel(whole.compactMap { point($0, cost($0), atRest: atRest) }, atRest: atRest)
        }
        host = model(\.hostCPUSecondsPer10000, rest.host)
        store = model(\.redisCPUSecondsPer10000, rest.store)
        generator = model(\.generatorCPUSecondsPer10000, rest.generator)
        estimates = []
        let restOfAll = rest.host + rest.store + rest.generator
        let all = CostModel(
            held.compactMap { point($0, $0.cpu?.per10000, atRest: restOfAll) }, atRest: restOfAll)
        check = saturation.map { CapacityReport.check($0, by: all, cores: cores) }
        guard let host else { return }
        for masters in plan.masters {
            for hosts in plan.hosts {
                for cores in plan.cores {
                    estimates.append(estimate(host, cores, hosts: hosts, masters: masters))
                }
            }
        }
    }

    /// The model comes from the steps alone: what it is held against is no part of it.
    private static func check(_ stage: LoadResult.Stage, by model: CostModel?, cores: Int) -> Check {
        var check = Check(measuredPerSecond: stage.throughputPerSecond)
        guard let cpu = stage.cpu else { return check }
        check.perRequest = cpu.per10000 / 10_000
        let had = cpu.perSecond
        check.cores = had
        guard let model else { return check }
        let cost = model.cost(atBusy: cpu.busy(cores: cores))
        let free = max(0, had - model.atRest)
        check.predictedPerSecond = free / cost.likely
        check.least = cost.most.map { free / $0 }
        check.most = cost.least.map { free / $0 }
        return check
    }

    private func estimate(_ host: CostModel, _ cores: Int, hosts: Int, masters: Int) -> Estimate {
        func carried(_ model: CostModel, _ units: Double, at cost: Double) -> Double {
            max(0, units - model.atRest) / cost
        }
        let hostCost = host.cost(atBusy: coreBusyMax)
        let storeCost = store?.cost(atBusy: storeBusyMax)
        func both(_ hostCost: Double?, _ storeCost: Double?) -> (perSecond: Double, limit: String)? {
            guard let hostCost else { return nil }
            let byHosts = Double(hosts) * carried(host, Double(cores) * coreBusyMax, at: hostCost)
            guard let store else { return (byHosts, "the hosts") }
            guard let storeCost else { return nil }
            let byStore = Double(masters) * carried(store, storeBusyMax, at: storeCost)
            return byHosts <= byStore ? (byHosts, "the hosts") : (byStore, "the store")
        }
        let likely = both(hostCost.likely, storeCost?.likely) ?? (0, "")
        return Estimate(
            cores: cores, hosts: hosts, masters: masters, perSecond: likely.perSecond,
            least: both(hostCost.most, storeCost?.most)?.perSecond,
            most: both(hostCost.least, storeCost?.least)?.perSecond, limit: likely.limit)
    }
}

/// CPU seconds a second of the programs of a measurement while nothing is asked of them.
struct RestingCPU: Sendable {
    var host = 0.0
    var store = 0.0
    var generator = 0.0
}

/// CPU of host, store and generator together in one stage.
struct StageCPU {
    /// Seconds for 10,000 requests.
    let per10000: Double
    /// Seconds a second: cores' worth.
    let perSecond: Double

    /// Part of the machine.
    func busy(cores: Int) -> Double { min(1, perSecond / Double(max(1, cores))) }
}

extension LoadResult.Stage {
    /// Nil where nothing was answered, or no program's CPU is known.
    var cpu: StageCPU? {
        let known = [hostCPUSecondsPer10000, redisCPUSecondsPer10000, generatorCPUSecondsPer10000]
            .compactMap(\.self)
        guard !known.isEmpty, throughputPerSecond > 0 else { return nil }
        let sum = known.reduce(0, +)
        return StageCPU(per10000: sum, perSecond: sum * throughputPerSecond / 10_000)
    }
}
