/// Several results of the same load as one row of a table: the median of each figure, and where more than one
/// result is there, the smallest and the largest.
package struct ResultMedians: Sendable {
    private let name: String
    private let results: [LoadResult]

    /// - Parameters:
    ///   - name: what the row is called.
    ///   - results: at least one.
    package init(_ name: String, _ results: [LoadResult]) {
        self.name = name
        self.results = results
    }

    /// The head of the table (Markdown).
    package static var head: String {
        let titles = ["row", "runs"] + figures.map(\.title)
        return "| \(titles.joined(separator: " | ")) |\n|\(String(repeating: "---|", count: titles.count))"
    }

    /// The row (Markdown).
    package var row: String {
        let cells = Self.figures.map { figure in
            Self.cell(results.compactMap(figure.value), figure.places)
        }
        return "| \(([name, "\(results.count)"] + cells).joined(separator: " | ")) |"
    }

    private struct Figure {
        let title: String
        let places: Int
        let value: @Sendable (LoadResult) -> Double?
    }

    private static let figures = [
        Figure(title: "authorisations/s", places: 0) { $0.throughputPerSecond },
        Figure(title: "p99 ms there", places: 2) { $0.saturationLatencyMilliseconds.p99 },
        Figure(title: "p50 ms at half", places: 3) { $0.hasHalf ? $0.latencyMilliseconds.p50 : nil },
        Figure(title: "p99 ms at half", places: 2) { $0.hasHalf ? $0.latencyMilliseconds.p99 : nil },
        Figure(title: "host CPU s/10,000", places: 3) { $0.hostCPUSecondsPer10000 },
        Figure(title: "Redis CPU s/10,000", places: 3) { $0.redisCPUSecondsPer10000 },
        Figure(title: "host MB", places: 0) { $0.hostResidentMegabytes },
        Figure(title: "token calls", places: 2) { $0.pkcs11CallsPerAuthorisation },
        Figure(title: "Redis trips", places: 2) { $0.redisRoundTripsPerAuthorisation },
        Figure(title: "checked", places: 0) { Double($0.answersChecked) },
        Figure(title: "wrong or missing", places: 0) {
            Double($0.answersMismatched + $0.answersLost + ($0.requestsUnsent ?? 0))
        },
    ]

    static func cell(_ values: [Double], _ places: Int) -> String {
        let sorted = values.sorted()
        guard let least = sorted.first, let most = sorted.last else { return "–" }
        let upper = sorted[sorted.count / 2]
        let median = sorted.count % 2 == 1 ? upper : (sorted[sorted.count / 2 - 1] + upper) / 2
        guard sorted.count > 1, least != most else { return rounded(median, places) }
        return "\(rounded(median, places)) (\(rounded(least, places))–\(rounded(most, places)))"
    }
}
