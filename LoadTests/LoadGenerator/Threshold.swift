/// What a load has to keep to, such as `p99 < 5 ms` or `wrong == 0`, for the exit code of a pipeline.
package struct Threshold: Sendable, CustomStringConvertible {
    /// As it was written.
    package let description: String
    private let figure: Figure
    private let holds: @Sendable (Double, Double) -> Bool
    private let bound: Double
    /// Nil for all stages but those that warm up.
    private let stage: String?

    private struct Figure: Sendable {
        let name: String
        /// Milliseconds, where it is a time.
        let isTime: Bool
        /// The worse of two.
        let isHigherWorse: Bool
        let value: @Sendable (LoadResult.Stage) -> Double?
    }

    private static let figures = [
        Figure(name: "p50", isTime: true, isHigherWorse: true) { $0.latencyMilliseconds.p50 },
        Figure(name: "p99", isTime: true, isHigherWorse: true) { $0.latencyMilliseconds.p99 },
        Figure(name: "p999", isTime: true, isHigherWorse: true) { $0.latencyMilliseconds.p999 },
        Figure(name: "max", isTime: true, isHigherWorse: true) { $0.latencyMilliseconds.max },
        Figure(name: "wrong", isTime: false, isHigherWorse: true) {
            Double($0.answersMismatched + $0.strayAnswers)
        },
        Figure(name: "lost", isTime: false, isHigherWorse: true) { Double($0.lost) },
        Figure(name: "unsent", isTime: false, isHigherWorse: true) { Double($0.unsent) },
        Figure(name: "throughput", isTime: false, isHigherWorse: false) { $0.throughputPerSecond },
        Figure(name: "hostCPU", isTime: false, isHigherWorse: true) { $0.hostCPUSecondsPer10000 },
        Figure(name: "hostMB", isTime: false, isHigherWorse: true) { $0.hostResidentMegabytes },
    ]

    private static let comparisons: [(name: String, holds: @Sendable (Double, Double) -> Bool)] = [
        ("<=", { $0 <= $1 }), (">=", { $0 >= $1 }), ("==", { $0 == $1 }), ("<", { $0 < $1 }),
        (">", { $0 > $1 }),
    ]

    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("us", 0.001), ("µs", 0.001), ("s", 1_000),
    ]

    /// What a load keeps to where nothing else is said.
    package static let usual = ["wrong == 0", "lost == 0", "unsent == 0"]

    /// - Parameter text: `FIGURE COMPARISON NUMBER`, a unit behind times, and perhaps ` in STAGE`.
    package init(_ text: String) throws(LoadSetupError) {
        func fault(_ reason: String) -> LoadSetupError { LoadSetupError("threshold \"\(text)\": \(reason)") }
        var rest = text[...]
        var stage: String?
        if let place = text.firstRange(of: " in ") {
            stage = String(text[place.upperBound...])
            rest = text[..<place.lowerBound]
        }
        guard
            let (place, comparison) = Threshold.comparisons.lazy.compactMap({ comparison in
                rest.firstRange(of: comparison.name).map { ($0, comparison) }
            }).first
        else { throw fault("one of <, <=, >, >=, == is expected, as in p99 < 5 ms") }
        let name = rest[..<place.lowerBound].filter { !$0.isWhitespace }
        guard let figure = Threshold.figures.first(where: { $0.name == name }) else {
            throw fault(
                "\(name) is no figure; choose one of: "
                    + Threshold.figures.map(\.name).joined(separator: ", "))
        }
        var number = rest[place.upperBound...].filter { !$0.isWhitespace }
        var factor = 1.0
        if let unit = Threshold.units.first(where: { number.hasSuffix($0.name) }) {
            guard figure.isTime else { throw fault("\(name) is no time: it has no unit") }
            number.removeLast(unit.name.count)
            factor = unit.milliseconds
        } else if figure.isTime {
            throw fault("a time needs a unit: us, ms or s")
        }
        guard let bound = Double(number), bound.isFinite else { throw fault("\(number) is no number") }
        description = text
        self.figure = figure
        holds = comparison.holds
        self.bound = bound * factor
        self.stage = stage
    }

    /// A name that is misspelt would be found only at the end of the load.
    package func expectStage(of profile: LoadProfile, path: String) throws(LoadSetupError) {
        guard let stage, !profile.stages.contains(where: { $0.name == stage }) else { return }
        let names = profile.stages.map(\.name).joined(separator: ", ")
        throw LoadSetupError(
            "\(path): threshold \"\(description)\": there is no stage \(stage); choose one of: \(names)")
    }

    /// A threshold held against a result.
    package struct Verdict: Sendable {
        /// Whether it held.
        package let holds: Bool
        /// One line for people.
        package let words: String
    }

    /// The worst of the stages counts.
    package func verdict(on result: LoadResult) -> Verdict {
        let stages = result.stages.filter { one in stage.map { $0 == one.name } ?? (one.role != .warmUp) }
        let values = stages.compactMap(figure.value)
        guard let worst = figure.isHigherWorse ? values.max() : values.min() else {
            let why = stages.isEmpty ? "there is no such stage" : "\(figure.name) was not measured"
            return Verdict(holds: false, words: "✗ \(description): \(why)")
        }
        let good = values.allSatisfy { holds($0, bound) }
        let shown = "\(rounded(worst, figure.isTime ? 3 : worst == worst.rounded() ? 0 : 3))"
        return Verdict(
            holds: good,
            words: "\(good ? "✓" : "✗") \(description): \(shown)\(figure.isTime ? " ms" : "")")
    }
}
