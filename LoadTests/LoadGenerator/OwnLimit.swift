/// How much load the generator itself can make and check, with a host that is no limit: what is said of a host is only worth
/// something far below it.
package struct OwnLimit: Sendable {
    /// One measurement against the stand-in.
    package struct Pass: Sendable {
        /// Requests a second that were answered and checked.
        package let perSecond: Double
        /// CPU seconds of the generator for one.
        package let cost: Double
        /// Cores' worth that the generator used; its event loop is one thread.
        package let cores: Double
        /// The same of the stand-in; nil where its process is not known.
        package let standInCores: Double?
        /// Wrong, lost and unsent ones.
        package let failed: Int
        /// Checked ones.
        package let checked: Int

        /// Whether the generator's loop had no time left, so that this is its limit and not the stand-in's.
        package var isOwn: Bool { cores >= OwnLimit.busyMin }
        /// What one core would do at this cost.
        package var byCost: Double { 1 / cost }
    }

    static let busyMin = 0.95

    /// In the order in which they were measured; at least one.
    package let passes: [Pass]

    /// - Parameter results: of loads with a stage at saturation each, against the stand-in.
    /// - Throws: `LoadSetupError` where one has no such stage, or nothing was answered.
    package init(_ results: [LoadResult]) throws(LoadSetupError) {
        var passes: [Pass] = []
        for result in results {
            guard let stage = result.stages.first(where: { $0.role == .saturation }),
                let cpu = stage.generatorCPUSecondsPer10000, cpu > 0, stage.throughputPerSecond > 0
            else { throw LoadSetupError("the stand-in answered nothing") }
            passes.append(
                Pass(
                    perSecond: stage.throughputPerSecond, cost: cpu / 10_000,
                    cores: cpu * stage.throughputPerSecond / 10_000,
                    standInCores: stage.hostCPUSecondsPer10000.map {
                        $0 * stage.throughputPerSecond / 10_000
                    },
                    failed: stage.failed, checked: stage.answersChecked))
        }
        guard !passes.isEmpty else { throw LoadSetupError("nothing was measured") }
        self.passes = passes
    }

    /// The middle one by throughput.
    package var median: Pass { passes.sorted { $0.perSecond < $1.perSecond }[passes.count / 2] }

    /// How often the generator's limit is what a host came to.
    package func times(_ host: LoadResult) -> Double { median.perSecond / host.throughputPerSecond }

    /// For a terminal.
    /// - Parameter host: a result to hold it against; nil for none.
    package func text(against host: LoadResult? = nil) -> String {
        var lines = passes.enumerated().map { index, pass in
            "pass \(index + 1)     \(rounded(pass.perSecond, 0)) a second, \(rounded(pass.cost * 1e6, 2)) µs of CPU a request; "
                + "generator \(rounded(pass.cores * 100, 0)) % of a core, stand-in "
                + "\(pass.standInCores.map { "\(rounded($0 * 100, 0)) %" } ?? "–"); \(pass.checked) checked, "
                + "\(pass.failed) wrong, lost or unsent"
        }
        let (median, sorted) = (median, passes.map(\.perSecond).sorted())
        let range = "\(rounded(sorted[0], 0)) to \(rounded(sorted[sorted.count - 1], 0))"
        lines.append(
            median.isOwn
                ? "own limit  \(rounded(median.perSecond, 0)) a second (\(range)): the generator's loop had no time left"
                : "own limit  at least \(rounded(median.perSecond, 0)) a second (\(range)): the stand-in or the machine was "
                    + "slower than the generator, whose loop was busy \(rounded(median.cores * 100, 0)) %; a whole core would "
                    + "be \(rounded(median.byCost, 0)) by its CPU a request")
        if let host {
            lines.append(
                "against    \(rounded(host.throughputPerSecond, 0)) a second of \(host.profile), \(host.startedAt): "
                    + "\(rounded(times(host), 1)) times")
        }
        return lines.joined(separator: "\n")
    }
}
