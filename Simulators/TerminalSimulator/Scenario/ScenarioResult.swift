/// A request and what came back, decoded and masked, for reports.
package struct DecodedExchange: Sendable {
    /// Element by element.
    package let request: String
    /// Element by element, or why there is nothing.
    package let response: String
    /// The same as bytes, in order; whatever else came in between among them.
    package var bytes: [WireMessage] = []
}

/// What became of a step.
package struct StepResult: Sendable {
    /// As the step calls itself.
    package let name: String
    /// Where it is written.
    package let place: ScenarioPlace
    /// What happened, in one line: DE39, the card's verdict.
    package let summary: String
    /// What was expected and did not come; empty for a good step.
    package let complaints: [String]
    /// Of the answer; nil where none came.
    package let elapsed: Duration?
    /// The messages.
    package let exchanges: [DecodedExchange]
    /// The card's conversation, a command a line, where there was one.
    package let cardTrace: [String]
    /// Of a step that went wrong: why the issuer answered as it did, where that can be known.
    package let why: [String]
}

/// What became of a scenario.
package struct ScenarioResult: Sendable {
    /// As defined; with the number of the repetition where there is more than one.
    package let name: String
    /// Of its definition.
    package let place: ScenarioPlace
    /// In order; those after a failed one are not run.
    package let steps: [StepResult]
    /// Steps that were not run.
    package let skipped: Int
    /// All of it.
    package let elapsed: Duration

    /// Everything was as expected.
    package var passed: Bool { steps.allSatisfy(\.complaints.isEmpty) }
}

/// What a report says of a run besides its results.
package struct ScenarioRunAbout: Sendable {
    /// ISO 8601, UTC.
    package var startedAt: String
    /// Links and their addresses, or the target.
    package var host: String
    /// Of the simulator and, where it says so, of the host.
    package var version: String
    /// What was chosen of the scenarios; empty for all.
    package var filter = ""

    /// Takes what has no default.
    package init(startedAt: String, host: String, version: String, filter: String = "") {
        self.startedAt = startedAt
        self.host = host
        self.version = version
        self.filter = filter
    }

    /// The links of a bench and where they lead, a text for `host`.
    package static func hosts(_ bench: Bench) -> String {
        bench.configuration.links.map { "\($0.name) \($0.endpoint), \($0.dialect)" }.joined(separator: "; ")
    }

    /// By name, for tables and properties.
    var properties: [(name: String, value: String)] {
        [
            ("date", startedAt), ("host", host), ("version", version),
            ("filter", filter.isEmpty ? "all" : filter),
        ]
    }
}

/// What became of a run.
package struct ScenarioRun: Sendable {
    /// Nil in tests of parts.
    package var about: ScenarioRunAbout?
    /// In order.
    package internal(set) var results: [ScenarioResult] = []
    /// From the first step to the last.
    package internal(set) var elapsed: Duration = .zero
    /// Draws the amounts; the same seed draws the same ones.
    package let seed: UInt64

    /// Scenarios that did not come out as expected.
    package var failed: [ScenarioResult] { results.filter { !$0.passed } }
    /// There was something to run, and all of it passed.
    package var passed: Bool { !results.isEmpty && failed.isEmpty }
}
