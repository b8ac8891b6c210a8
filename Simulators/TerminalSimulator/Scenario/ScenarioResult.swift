/// A request and what came back, decoded and masked, for reports.
public struct DecodedExchange: Sendable {
    /// Element by element.
    public let request: String
    /// Element by element, or why there is nothing.
    public let response: String
    /// The same as bytes, in order; whatever else came in between among them.
    public var bytes: [WireMessage] = []
}

/// What became of a step.
public struct StepResult: Sendable {
    /// As the step calls itself.
    public let name: String
    /// Where it is written.
    public let place: ScenarioPlace
    /// What happened, in one line: DE39, the card's verdict.
    public let summary: String
    /// What was expected and did not come; empty for a good step.
    public let complaints: [String]
    /// Of the answer; nil where none came.
    public let elapsed: Duration?
    /// The messages.
    public let exchanges: [DecodedExchange]
    /// The card's conversation, a command a line, where there was one.
    public let cardTrace: [String]
    /// Of a step that went wrong: why the issuer answered as it did, where that can be known.
    public let why: [String]
}

/// What became of a scenario.
public struct ScenarioResult: Sendable {
    /// As defined; with the number of the repetition where there is more than one.
    public let name: String
    /// Of its definition.
    public let place: ScenarioPlace
    /// In order; those after a failed one are not run.
    public let steps: [StepResult]
    /// Steps that were not run.
    public let skipped: Int
    /// All of it.
    public let elapsed: Duration

    /// Everything was as expected.
    public var passed: Bool { steps.allSatisfy(\.complaints.isEmpty) }
}

/// What a report says of a run besides its results.
public struct ScenarioRunAbout: Sendable {
    /// ISO 8601, UTC.
    public var startedAt: String
    /// Links and their addresses, or the target.
    public var host: String
    /// Of the simulator and, where it says so, of the host.
    public var version: String
    /// What was chosen of the scenarios; empty for all.
    public var filter = ""

    /// Takes what has no default.
    public init(startedAt: String, host: String, version: String, filter: String = "") {
        self.startedAt = startedAt
        self.host = host
        self.version = version
        self.filter = filter
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
public struct ScenarioRun: Sendable {
    /// Nil in tests of parts.
    public var about: ScenarioRunAbout?
    /// In order.
    public internal(set) var results: [ScenarioResult] = []
    /// From the first step to the last.
    public internal(set) var elapsed: Duration = .zero
    /// Draws the amounts; the same seed draws the same ones.
    public let seed: UInt64

    /// Scenarios that did not come out as expected.
    public var failed: [ScenarioResult] { results.filter { !$0.passed } }
    /// There was something to run, and all of it passed.
    public var passed: Bool { !results.isEmpty && failed.isEmpty }
}
