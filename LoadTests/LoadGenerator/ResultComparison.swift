internal import Foundation

/// Two loads side by side, each of one or several runs.
package struct ResultComparison: Sendable {
    private struct Row: Sendable {
        let name: String
        let higherIsBetter: Bool?
        /// Says something of the host only where both were offered the same.
        var needsSameRate = false
        let value: @Sendable (LoadResult) -> Double?
    }

    private static let rows = [
        Row(name: "throughputPerSecond", higherIsBetter: true) { $0.throughputPerSecond },
        Row(name: "latencyMilliseconds.p50", higherIsBetter: false, needsSameRate: true) {
            $0.latencyMilliseconds.p50
        },
        Row(name: "latencyMilliseconds.p99", higherIsBetter: false, needsSameRate: true) {
            $0.latencyMilliseconds.p99
        },
        Row(name: "latencyMilliseconds.p999", higherIsBetter: false, needsSameRate: true) {
            $0.latencyMilliseconds.p999
        },
        Row(name: "saturation p99 (ms)", higherIsBetter: false) {
            $0.hasSaturation ? $0.saturationLatencyMilliseconds.p99 : nil
        },
        Row(name: "hostCPUSecondsPer10000", higherIsBetter: false) { $0.hostCPUSecondsPer10000 },
        Row(name: "redisCPUSecondsPer10000", higherIsBetter: false) { $0.redisCPUSecondsPer10000 },
        Row(name: "generatorCPUSecondsPer10000", higherIsBetter: false) { $0.generatorCPUSecondsPer10000 },
        Row(name: "hostResidentMegabytes", higherIsBetter: false) { $0.hostResidentMegabytes },
        Row(name: "pkcs11CallsPerAuthorisation", higherIsBetter: false) { $0.pkcs11CallsPerAuthorisation },
        Row(name: "redisRoundTripsPerAuthorisation", higherIsBetter: false) {
            $0.redisRoundTripsPerAuthorisation
        },
        Row(name: "answersChecked", higherIsBetter: nil) { Double($0.answersChecked) },
        Row(name: "answersMismatched", higherIsBetter: false) { Double($0.answersMismatched) },
        Row(name: "answersLost", higherIsBetter: false) { Double($0.answersLost) },
        Row(name: "requestsUnsent", higherIsBetter: false) { $0.requestsUnsent.map(Double.init) },
    ]

    /// Rates that differ by more are others.
    private static let rateTolerance = 0.02

    private let first: [LoadResult]
    private let second: [LoadResult]

    /// - Parameters:
    ///   - first: the older runs, at least one.
    ///   - second: the newer runs, at least one.
    package init(_ first: [LoadResult], _ second: [LoadResult]) {
        self.first = first
        self.second = second
    }

    /// Why latencies cannot be compared; nil where they can.
    package var rateWarning: String? {
        let rates = [first, second].map { runs in runs.compactMap(ResultComparison.rate) }
        guard rates[0].count == first.count, rates[1].count == second.count,
            let low = (rates[0] + rates[1]).min(), let high = (rates[0] + rates[1]).max()
        else {
            return rates[0].isEmpty == rates[1].isEmpty
                ? nil : "one was offered a rate and the other was not: latencies are not compared"
        }
        guard high > low * (1 + ResultComparison.rateTolerance) else { return nil }
        func text(_ rates: [Double]) -> String { rates.map { rounded($0, 0) }.joined(separator: ", ") }
        return
            "offered rates differ (\(text(rates[0])) and \(text(rates[1])) a second): latencies are not compared"
    }

    /// Of the stage that the latencies are of.
    private static func rate(_ result: LoadResult) -> Double? {
        let stages = result.stages.filter { $0.role != .warmUp }
        let stage = result.latencyStage.flatMap { name in stages.first { $0.name == name } }
        return (stage ?? stages.first { $0.role == .half } ?? stages.last)?.offeredPerSecond
    }

    /// A table for people, one figure a line; what differs by chance is not called better or worse.
    package var text: String {
        let warning = rateWarning
        var lines = warning.map { ["warning: \($0)"] } ?? []
        if first[0].cards != second[0].cards || first[0].connections != second[0].connections {
            lines.append("warning: cards or connections differ")
        }
        let repeated = first.count > 1 && second.count > 1
        lines.append(
            repeated
                ? "means of \(first.count) and \(second.count) runs; the change with its 95 % interval (Welch)"
                : "one run on a side says nothing of chance: give several, `compare --first A… --second B…`")
        lines.append(line("", "first", "second", "change", ""))
        for row in ResultComparison.rows {
            let one = first.compactMap(row.value)
            let two = second.compactMap(row.value)
            guard !row.needsSameRate || warning == nil else {
                lines.append(line(row.name, figure(mean(one)), figure(mean(two)), "–", "other rate"))
                continue
            }
            let (change, verdict) = change(one, two, higherIsBetter: row.higherIsBetter)
            lines.append(line(row.name, figure(mean(one)), figure(mean(two)), change, verdict))
        }
        return lines.joined(separator: "\n")
    }

    private func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    private func change(_ one: [Double], _ two: [Double], higherIsBetter: Bool?) -> (String, String) {
        guard let first = mean(one), let second = mean(two), first != 0 else { return ("", "") }
        let percent = (second - first) / first * 100
        var text = "\(percent >= 0 ? "+" : "")\(rounded(percent, 1)) %"
        var isClear = abs(percent) >= 3
        if let margin = margin(one, two).map({ $0 / abs(first) * 100 }) {
            text = "\(percent >= 0 ? "+" : "")\(rounded(percent, 1)) ± \(rounded(margin, 1)) %"
            isClear = abs(percent) > margin
        }
        guard let higherIsBetter, isClear else { return (text, "") }
        return (text, (percent > 0) == higherIsBetter ? "better" : "worse")
    }

    /// Half of the 95 % interval of the means' difference (Welch); nil for a side of one.
    private func margin(_ one: [Double], _ two: [Double]) -> Double? {
        guard one.count > 1, two.count > 1 else { return nil }
        func part(_ values: [Double]) -> Double {
            let centre = values.reduce(0, +) / Double(values.count)
            let sum = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
            return sum / Double(values.count - 1) / Double(values.count)
        }
        let (a, b) = (part(one), part(two))
        guard a + b > 0 else { return 0 }
        let degrees =
            (a + b) * (a + b) / (a * a / Double(one.count - 1) + b * b / Double(two.count - 1))
        return Student.quantile95(degrees: max(1, Int(degrees))) * (a + b).squareRoot()
    }

    private func figure(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value == value.rounded() && abs(value) < 1e12 ? "\(Int(value))" : rounded(value, 3)
    }

    private func line(_ columns: String...) -> String {
        let widths = [34, 12, 12, 18, 12]
        let padded = columns.enumerated().map { index, text in
            let missing = String(repeating: " ", count: max(0, widths[index] - text.count))
            return index == 0 ? text + missing : missing + text
        }
        return padded.joined(separator: " ")
    }
}
