internal import Foundation

extension LoadResult {
    /// A page that needs nothing but itself.
    package var html: String {
        """
        <!doctype html><html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width"><title>Load \(escaped(profile))</title>
        <style>
        \(ReportStyle.css)
        </style></head><body>
        <h1>Load \(escaped(profile))</h1>
        <p>\(escaped(startedAt)) · \(escaped(machine.processor)), \(machine.cores) cores, Linux
        \(escaped(machine.kernel)), load average before \(escaped(machine.loadAverageBefore)) · \(cards) cards,
        \(connections) connections</p>
        \(headline)
        \(hints.map { "<p class=bad>\(escaped($0))</p>" }.joined())
        \(overTime)
        \(percentileChart)
        \(stages.map(\.section).joined(separator: "\n"))
        </body></html>
        """
    }

    private var headline: String {
        var rows: [(String, String)] = [
            (
                "Authorisations a second\(hasSaturation ? " at saturation" : "")",
                rounded(throughputPerSecond, 0)
            ),
            (
                "p50 / p99 / p99.9 \(hasHalf ? "at half" : "of \(escaped(latencyStage ?? "the last stage"))") (ms)",
                latencyMilliseconds.text
            ),
            ("Host CPU seconds per 10,000", hostCPUSecondsPer10000.text(3)),
            ("Redis CPU seconds per 10,000", redisCPUSecondsPer10000.text(3)),
            ("Generator CPU seconds per 10,000", generatorCPUSecondsPer10000.text(3)),
            ("Host resident memory (MB)", hostResidentMegabytes.text(1)),
            ("PKCS#11 calls per authorisation", pkcs11CallsPerAuthorisation.text(2)),
            ("Redis round trips per authorisation", redisRoundTripsPerAuthorisation.text(2)),
            ("Answers checked", "\(answersChecked)"),
            ("Answers wrong", answersMismatched == 0 ? "0" : "<span class=bad>\(answersMismatched)</span>"),
            (
                "Requests sent without an answer (lost)",
                answersLost == 0 ? "0" : "<span class=bad>\(answersLost)</span>"
            ),
        ]
        let unsent = requestsUnsent ?? 0
        rows.append(("Requests never sent", unsent == 0 ? "0" : "<span class=bad>\(unsent)</span>"))
        if hasSaturation {
            rows.insert(("p50 / p99 / p99.9 at saturation (ms)", saturationLatencyMilliseconds.text), at: 2)
        }
        if let kneePerSecond { rows.append(("Knee (a second)", rounded(kneePerSecond, 0))) }
        return table(["Figure", "Value"], rows.map { [$0.0, $0.1] })
    }

    /// All stages one after the other on one axis of time.
    private var overTime: String {
        var offset = 0.0
        var seconds: [(at: Double, second: SecondOfLoad)] = []
        for stage in stages {
            for second in stage.series { seconds.append((offset + second.second, second)) }
            offset += (stage.series.last?.second ?? stage.seconds)
        }
        func line(_ name: String, _ value: (SecondOfLoad) -> Double?) -> Chart.Line {
            Chart.Line(
                name: name, points: seconds.compactMap { at, second in value(second).map { (at, $0) } })
        }
        let charts = [
            Chart(
                title: "Throughput", xTitle: "seconds", yTitle: "answers/s",
                lines: [line("answers a second", { $0.answersPerSecond })]),
            Chart(
                title: "Latency", xTitle: "seconds", yTitle: "ms",
                lines: [line("p50", { $0.p50 }), line("p99", { $0.p99 }), line("longest", { $0.longest })],
                isLogarithmic: true),
            Chart(
                title: "CPU", xTitle: "seconds", yTitle: "cores",
                lines: [
                    line("host", { $0.hostCPU }), line("Redis", { $0.redisCPU }),
                    line("generator", { $0.generatorCPU }),
                ]),
            Chart(
                title: "Resident memory", xTitle: "seconds", yTitle: "MB",
                lines: [line("host", { $0.hostMegabytes }), line("Redis", { $0.redisMegabytes })]),
        ]
        return charts.map(\.svg).joined(separator: "\n")
    }

    /// Nines on the x axis: each step is ten times rarer.
    private var percentileChart: String {
        func place(_ percentile: Double) -> Double { -log10(max(1e-6, 1 - min(percentile, 99.9999) / 100)) }
        let lines = stages.filter { $0.role != .warmUp }.map { stage in
            Chart.Line(
                name: stage.name, points: stage.curve.map { (place($0.percentile), $0.milliseconds) })
        }
        let marks = [
            ("50", 50.0), ("90", 90.0), ("99", 99.0), ("99.9", 99.9), ("99.99", 99.99), ("99.999", 99.999),
        ]
        return Chart(
            title: "Percentiles", xTitle: "percentile", yTitle: "ms", lines: Array(lines.prefix(4)),
            xMarks: marks.map { (place($0.1), $0.0) }, isLogarithmic: true
        ).svg
    }
}

extension LoadResult.Stage {
    fileprivate var section: String {
        var text = "<h2>\(escaped(name))</h2><p>\(escaped(load)), \(rounded(seconds, 0)) s</p>"
        text += table(
            [
                "Answers/s", "p50 / p99 / p99.9 / max ms", "sent", "checked", "wrong", "stray", "lost",
                "unsent",
            ],
            [
                [
                    rounded(throughputPerSecond, 0),
                    latencyMilliseconds.text + " / " + rounded(latencyMilliseconds.max, 1), "\(sent)",
                    "\(answersChecked)", "\(answersMismatched)", "\(strayAnswers)", "\(lost)", "\(unsent)",
                ]
            ])
        text += table(
            ["DE39", "answers"], answersByCode.sorted { $0.key < $1.key }.map { [$0.key, "\($0.value)"] })
        let busy = hostHistogram.filter { $0.answers > 0 }
        if !busy.isEmpty {
            text += "<p>By the host's own clock, from whole request to answer:</p>"
            text += table(
                ["up to µs", "answers"],
                busy.map { [$0.upToMicroseconds.map { rounded($0, 0) } ?? "more", rounded($0.answers, 0)] })
        }
        text += stageTimes
        if !faults.isEmpty {
            text += "<p class=bad>The first faults</p><ul>"
            text += faults.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        }
        return text
    }
}

extension LoadResult.Stage {
    /// Bars and figures: where the host spent the time. Read and token run side by side.
    fileprivate var stageTimes: String {
        guard !hostStages.isEmpty else { return "" }
        let bars = BarChart(
            title: "Time by stage of the host (µs, bar: p50, line: p99)",
            bars: hostStages.map { .init(name: $0.name, value: $0.p50, reach: $0.p99) })
        return bars.svg
            + table(
                ["stage", "authorisations", "mean µs", "p50 µs", "p99 µs"],
                hostStages.map {
                    [
                        $0.name, rounded($0.count, 0), rounded($0.mean, 1), rounded($0.p50, 1),
                        rounded($0.p99, 1),
                    ]
                })
    }
}

extension LoadResult.Latency {
    /// Three percentiles.
    var text: String { "\(rounded(p50, 3)) / \(rounded(p99, 3)) / \(rounded(p999, 3))" }
}

extension Double? {
    /// A dash for nothing.
    func text(_ places: Int) -> String { map { rounded($0, places) } ?? "–" }
}

func table(_ head: [String], _ rows: [[String]]) -> String {
    let header = head.map { "<th>\(escaped($0))</th>" }.joined()
    let body = rows.map { "<tr>" + $0.map { "<td>\($0)</td>" }.joined() + "</tr>" }.joined()
    return "<table><tr>\(header)</tr>\(body)</table>"
}
