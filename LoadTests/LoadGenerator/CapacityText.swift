internal import Foundation

extension CapacityReport {
    /// The same as JSON, keys sorted.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var plain = self
        for index in plain.result.stages.indices { plain.result.stages[index].intervals = nil }
        return Array(try encoder.encode(plain))
    }

    /// For a terminal.
    package var text: String {
        var lines = [knee]
        lines += [cost("host", host), cost("store", store), cost("generator", generator)].compactMap { $0 }
        lines += checkLines
        lines += ["", "Model: \(CapacityReport.model)"]
        lines += ["", "cores  hosts  masters    a second   at least  limited by"]
        lines += estimates.map { cell in
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            return right("\(cell.cores)", 5) + right("\(cell.hosts)", 7) + right("\(cell.masters)", 9)
                + right(rounded(cell.perSecond, 0), 12)
                + right(cell.least.map { rounded($0, 0) } ?? "–", 11) + "  \(cell.limit)"
        }
        if estimates.isEmpty {
            lines.append(
                "no estimates: DEMO_HOST_PID has to name the host's process, and two steps have to hold")
        }
        return lines.joined(separator: "\n")
    }

    private static let model =
        "CPU seconds = rest + cost × rate for host and store, each by least squares over the steps that held; hosts "
        + "carry what keeps 70 % of their cores busy, a master what keeps 70 % of its one thread busy; cards are spread "
        + "evenly over masters. Not in it: network, memory bandwidth, shared caches, a token that is one device."

    /// How far the model misses what this machine does with all programs on it.
    private var checkLines: [String] {
        guard let check else { return [] }
        var words = "check      at saturation \(rounded(check.measuredPerSecond, 0)) a second"
        if let predicted = check.predictedPerSecond {
            let error = (predicted / check.measuredPerSecond - 1) * 100
            words +=
                "; the model says \(rounded(predicted, 0)) with all \(result.machine.cores) cores busy, "
                + "\(rounded(abs(error), 0)) % too \(error < 0 ? "few" : "many")"
        }
        if let cost = check.perRequest {
            words += "; a request cost \(rounded(cost * 1e6, 0)) µs there, of all three programs"
        }
        return [words]
    }

    private var knee: String {
        let why = brokenBy.map { " (\($0))" } ?? ""
        guard let kneePerSecond else {
            let hints = result.hints.map { "\nhint: \($0)" }.joined()
            return "knee       no step held its bounds\(why): begin with a lower rate\(hints)"
        }
        return isOpen
            ? "knee       above \(rounded(kneePerSecond, 0)) a second: no step broke a bound"
            : "knee       \(rounded(kneePerSecond, 0)) a second held, the next step did not\(why)"
    }

    private func cost(_ name: String, _ fit: CostFit?) -> String? {
        guard let fit else { return nil }
        let margin = fit.margin.map { " ± \(rounded($0 * 1e6, 1))" } ?? " (two steps: no interval)"
        let head = name + String(repeating: " ", count: max(0, 11 - name.count))
        return head
            + "\(rounded(fit.perAuthorisation * 1e6, 1))\(margin) µs of CPU an authorisation, "
            + "\(rounded(fit.atRest * 1e3, 1)) ms a second at rest; the line misses a step by up to "
            + "\(rounded(fit.worstMisfit * 100, 1)) %"
    }

    /// A page that needs nothing but itself.
    package var html: String {
        func line(_ name: String, _ value: (LoadResult.Stage) -> Double?) -> Chart.Line {
            Chart.Line(
                name: name,
                points: result.stages.compactMap { stage in
                    value(stage).map { (stage.throughputPerSecond, $0) }
                })
        }
        func fitted(_ name: String, _ fit: CostFit?) -> Chart.Line {
            let rates = result.stages.map(\.throughputPerSecond)
            return Chart.Line(
                name: name,
                points: fit.map { fit in rates.map { ($0, fit.atRest + fit.perAuthorisation * $0) } } ?? [])
        }
        func busy(_ cost: Double?, _ stage: LoadResult.Stage) -> Double? {
            cost.map { $0 * stage.throughputPerSecond / 10_000 }
        }
        let charts = [
            Chart(
                title: "Latency by rate", xTitle: "answers a second", yTitle: "ms",
                lines: [
                    line("p50", { $0.latencyMilliseconds.p50 }), line("p99", { $0.latencyMilliseconds.p99 }),
                ], isLogarithmic: true),
            Chart(
                title: "CPU by rate, measured and as fitted", xTitle: "answers a second", yTitle: "cores",
                lines: [
                    line("host", { busy($0.hostCPUSecondsPer10000, $0) }), fitted("host, line", host),
                    line("store", { busy($0.redisCPUSecondsPer10000, $0) }), fitted("store, line", store),
                ].filter { !$0.points.isEmpty }),
        ]
        return """
            <!doctype html><html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width"><title>Capacity</title>
            <style>\(ReportStyle.css)</style></head><body><h1>Capacity</h1>
            <p>\(escaped(result.startedAt)) · \(escaped(result.machine.processor)), \(result.machine.cores) cores</p>
            \(charts.map(\.svg).joined(separator: "\n"))
            <pre>\(escaped(text))</pre></body></html>
            """
    }
}
