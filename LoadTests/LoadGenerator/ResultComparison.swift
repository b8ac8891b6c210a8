internal import Foundation

/// Two results side by side.
public struct ResultComparison: Sendable {
    private let rows: [(name: String, first: Double?, second: Double?, higherIsBetter: Bool?)]

    /// - Parameters:
    ///   - first: the older one.
    ///   - second: the newer one.
    public init(_ first: LoadResult, _ second: LoadResult) {
        func row(
            _ name: String, _ value: (LoadResult) -> Double?, higherIsBetter: Bool? = false
        ) -> (name: String, first: Double?, second: Double?, higherIsBetter: Bool?) {
            (name, value(first), value(second), higherIsBetter)
        }
        rows = [
            row("throughputPerSecond", { $0.throughputPerSecond }, higherIsBetter: true),
            row("latencyMilliseconds.p50", { $0.latencyMilliseconds.p50 }),
            row("latencyMilliseconds.p99", { $0.latencyMilliseconds.p99 }),
            row("latencyMilliseconds.p999", { $0.latencyMilliseconds.p999 }),
            row("saturation p99 (ms)", { $0.saturationLatencyMilliseconds.p99 }),
            row("hostCPUSecondsPer10000", { $0.hostCPUSecondsPer10000 }),
            row("redisCPUSecondsPer10000", { $0.redisCPUSecondsPer10000 }),
            row("generatorCPUSecondsPer10000", { $0.generatorCPUSecondsPer10000 }),
            row("hostResidentMegabytes", { $0.hostResidentMegabytes }),
            row("pkcs11CallsPerAuthorisation", { $0.pkcs11CallsPerAuthorisation }),
            row("redisRoundTripsPerAuthorisation", { $0.redisRoundTripsPerAuthorisation }),
            row("answersChecked", { Double($0.answersChecked) }, higherIsBetter: nil),
            row("answersMismatched", { Double($0.answersMismatched) }),
            row("answersLost", { Double($0.answersLost) }),
        ]
    }

    /// A table for people, one figure a line.
    public var text: String {
        var lines = [line("", "first", "second", "change", "")]
        for row in rows {
            var change = ""
            var verdict = ""
            if let first = row.first, let second = row.second, first != 0 {
                let percent = (second - first) / first * 100
                change = "\(percent >= 0 ? "+" : "")\(rounded(percent, 1)) %"
                if let higher = row.higherIsBetter, abs(percent) >= 3 {
                    verdict = (percent > 0) == higher ? "better" : "worse"
                }
            }
            lines.append(line(row.name, figure(row.first), figure(row.second), change, verdict))
        }
        return lines.joined(separator: "\n")
    }

    private func figure(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value == value.rounded() && abs(value) < 1e12 ? "\(Int(value))" : rounded(value, 3)
    }

    private func line(_ columns: String...) -> String {
        let padded = columns.enumerated().map { index, text in
            let missing = String(repeating: " ", count: max(0, (index == 0 ? 34 : 14) - text.count))
            return index == 0 ? text + missing : missing + text
        }
        return padded.joined(separator: " ")
    }
}
