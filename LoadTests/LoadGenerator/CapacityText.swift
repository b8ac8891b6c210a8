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
        var lines = [knee] + faults
        lines += [cost("host", host), cost("store", store), cost("generator", generator)].compactMap { $0 }
        lines += checkLines
        lines += ["", "Model: \(CapacityReport.model)"]
        lines += ["", "cores  hosts  masters    a second   at least    at most  limited by"]
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        lines += estimates.map { cell in
            right("\(cell.cores)", 5) + right("\(cell.hosts)", 7) + right("\(cell.masters)", 9)
                + right(rounded(cell.perSecond, 0), 12) + right(cell.least.text(0), 11)
                + right(cell.most.text(0), 11) + "  \(cell.limit)"
        }
        if estimates.isEmpty {
            lines.append("no estimates: DEMO_HOST_PID has to name the host's process, and a step has to hold")
        }
        return lines.joined(separator: "\n")
    }

    private static let model =
        "what an authorisation costs in host and store, by the busy part of the machine, over the steps that held and "
        + "saturation: an exponential curve by least squares, since the cost falls where a turn of the loop does more; "
        + "“at least” and “at most” are the ends of its 95 % interval and that of a straight line. Hosts carry what keeps 70 % "
        + "of their cores busy, a master what keeps 70 % of its one thread busy; cards are spread evenly over masters. Not in it: network, memory "
        + "bandwidth, shared caches, a token that is one device."

    /// What went wrong, and what to do about it.
    private var faults: [String] {
        let first = result.stages.flatMap { stage in stage.faults.map { "  \(stage.name): \($0)" } }
        return result.hints.map { "hint: \($0)" } + (first.isEmpty ? [] : ["first faults:"]) + first.prefix(5)
    }

    /// How far the model, from the steps alone, misses what this machine does with all programs on it.
    private var checkLines: [String] {
        guard let check else { return [] }
        var words = "check      at saturation \(rounded(check.measuredPerSecond, 0)) a second"
        if let cost = check.perRequest, let cores = check.cores {
            words +=
                " with \(rounded(cores, 2)) of \(result.machine.cores) cores, \(rounded(cost * 1e6, 1)) µs of CPU each in all "
                + "three programs"
        }
        guard let predicted = check.predictedPerSecond else { return [words] }
        words +=
            "; the steps alone let expect \(rounded(predicted, 0)) of so much CPU "
            + "(\(check.least.text(0)) to \(check.most.text(0))), \(rounded(predicted / check.measuredPerSecond, 2)) of it"
        switch check.isWithinError {
        case true?: words += ": within the model's error"
        case false?: words += ": OUTSIDE of the model's error, do not go by the estimates"
        case nil: words += ": two steps or fewer state no error"
        }
        return [words]
    }

    private var knee: String {
        let why = brokenBy.map { " (\($0))" } ?? ""
        guard let kneePerSecond else {
            return "knee       no step held its bounds\(why): begin with a lower rate"
        }
        return isOpen
            ? "knee       above \(rounded(kneePerSecond, 0)) a second: no step broke a bound"
            : "knee       \(rounded(kneePerSecond, 0)) a second held, the next step did not\(why)"
    }

    private func cost(_ name: String, _ model: CostModel?) -> String? {
        guard let model else { return nil }
        func microseconds(_ busy: Double) -> String {
            let cost = model.cost(atBusy: busy)
            let interval = cost.most.map { most in
                " (\((cost.least.map { $0 * 1e6 }).text(1)) to \(rounded(most * 1e6, 1)))"
            }
            return "\(rounded(cost.likely * 1e6, 1))\(interval ?? "")"
        }
        let steps = model.points.map {
            "\(rounded($0.cost * 1e6, 1)) at \(rounded($0.busy * 100, 0)) %"
        }
        let head = name + String(repeating: " ", count: max(0, 11 - name.count))
        return head
            + "µs of CPU an authorisation, by how busy the machine is: \(steps.joined(separator: ", "))\n"
            + "           model: \(microseconds(0.7)) at 70 % busy; \(rounded(model.atRest * 1e3, 1)) ms a second at rest"
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
        func fitted(_ name: String, _ model: CostModel?) -> Chart.Line {
            Chart.Line(
                name: name,
                points: model.map { model in
                    stride(from: 0.0, through: 1, by: 0.05).map {
                        ($0 * 100, model.cost(atBusy: $0).likely * 1e6)
                    }
                } ?? [])
        }
        func measured(_ name: String, _ model: CostModel?) -> Chart.Line {
            let points = (model?.points ?? []).sorted { $0.busy < $1.busy }
            return Chart.Line(name: name, points: points.map { ($0.busy * 100, $0.cost * 1e6) })
        }
        let charts = [
            Chart(
                title: "Latency by rate", xTitle: "answers a second", yTitle: "ms",
                lines: [
                    line("p50", { $0.latencyMilliseconds.p50 }), line("p99", { $0.latencyMilliseconds.p99 }),
                ], isLogarithmic: true),
            Chart(
                title: "Cost by load, measured and by the model", xTitle: "% of the machine busy",
                yTitle: "µs of CPU an authorisation",
                lines: [
                    measured("host", host), fitted("host, model", host), measured("store", store),
                    fitted("store, model", store),
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
