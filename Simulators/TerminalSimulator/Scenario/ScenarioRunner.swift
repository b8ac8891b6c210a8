internal import EMV
internal import ISO8583
internal import VirtualCard

/// Runs scenarios against a host: one terminal, one request after the other.
package struct ScenarioRunner {
    /// How a run is made.
    package struct Options: Sendable {
        /// Instead of the links that scenarios name.
        package var link: Link?
        /// What is said of all links besides their configuration, such as TLS.
        package var refine: @Sendable (LinkDescription) -> LinkDescription = { $0 }
        /// For a connection or an answer.
        package var timeout = Duration.seconds(5)
        /// For a step that expects no answer.
        package var silence = Duration.milliseconds(300)
        /// Changes cards where a scenario asks for it; nil where nobody can.
        package var issuer: IssuerDesk?
        /// Draws the amounts.
        package var seed: UInt64 = 1
        /// How often everything is run.
        package var repeats = 1
        /// Gets every byte of every link; nil for none.
        package var capture: CaptureFile?

        /// The defaults.
        package init() {}
    }

    let bench: Bench
    let options: Options
    var terminal: Terminal
    var cards: [String: VirtualCard] = [:]
    private var sessions: [String: ScenarioSession] = [:]

    // Of the scenario at hand.
    var cardName: String?
    var linkName: String?
    var pin = PINEntry.none
    var chance = ScenarioChance(seed: 0, name: "")

    /// - Parameter bench: has cards, keys and links.
    package init(_ bench: Bench, options: Options, terminal: Terminal = Terminal()) {
        self.bench = bench
        self.options = options
        self.terminal = terminal
    }

    /// Runs everything in order.
    /// - Parameter report: called after each scenario.
    package mutating func run(
        _ scenarios: [Scenario], report: (ScenarioResult) -> Void = { _ in }
    ) -> ScenarioRun {
        var whole = ScenarioRun(seed: options.seed)
        let start = ContinuousClock.Instant.now
        for turn in 1...max(options.repeats, 1) {
            for scenario in scenarios {
                let name = options.repeats > 1 ? "\(scenario.name) (\(turn))" : scenario.name
                let result = run(scenario, name: name)
                whole.results.append(result)
                report(result)
            }
        }
        whole.elapsed = start.duration(to: .now)
        return whole
    }

    /// A failed step ends its scenario: what follows would be judged against a state that nobody meant.
    mutating func run(_ scenario: Scenario, name: String) -> ScenarioResult {
        cardName = nil
        linkName = nil
        pin = .none
        chance = ScenarioChance(seed: options.seed, name: name)
        for session in sessions.values { session.last = nil }
        let start = ContinuousClock.Instant.now
        var results: [StepResult] = []
        for step in scenario.steps {
            let result = perform(step)
            results.append(result)
            guard result.complaints.isEmpty else { break }
        }
        return ScenarioResult(
            name: name, place: scenario.place, steps: results,
            skipped: scenario.steps.count - results.count, elapsed: start.duration(to: .now))
    }

    private mutating func perform(_ step: ScenarioStep) -> StepResult {
        var record = StepRecord(step)
        do {
            try perform(step.action, step.expectation, record: &record)
        } catch {
            record.complaints.append("\(error)")
            record.summary = "not done"
        }
        if let card = cardName.flatMap({ cards[$0] }) { record.judge(card, step.expectation) }
        if !record.complaints.isEmpty, let (request, code) = record.asked {
            record.why = DeclineExplanation(bench: bench, desk: options.issuer).lines(request, code: code)
        }
        return record.result
    }

    private mutating func perform(
        _ action: ScenarioAction, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        switch action {
        case .transaction(let step): try transaction(step, expectation, record: &record)
        case .again(let step): try again(step, expectation, record: &record)
        case .reversal(let step): try reversal(step, expectation, record: &record)
        case .lateAnswer(let link): try lateAnswer(link, expectation, record: &record)
        case .network(let code, let link): try network(code, link, expectation: expectation, record: &record)
        case .raw(let step): try raw(step, expectation, record: &record)
        case .script(let count): try script(count, expectation, record: &record)
        case .issuer(let step): try issuer(step, expectation, record: &record)
        case .tls(let step): try tls(step, &record)
        case .pinEntry(let entry):
            pin = entry
            record.summary = "from now on"
        case .card(let step): try card(step, &record)
        case .disconnect(let link):
            try session(link).disconnect()
            record.summary = "closed"
        case .wait(let duration):
            sleep(duration)
            record.summary = "waited \(duration)"
        }
    }

    // MARK: - What steps share

    /// The card with this name, or the one used last.
    mutating func card(_ name: String?) throws -> VirtualCard {
        guard let name = name ?? cardName else { throw StepError("no card is named here or before") }
        cardName = name
        if let card = cards[name] { return card }
        let card = try name == DemoTable.stranger ? bench.stranger() : bench.card(name)
        cards[name] = card
        return card
    }

    /// The link with this name, the one used last, or the first.
    mutating func session(_ name: String?) throws -> ScenarioSession {
        if let link = options.link { return sessionOf(link) }
        guard let name = name ?? linkName ?? bench.configuration.links.first?.name else {
            throw StepError("there is no link")
        }
        linkName = name
        if let session = sessions[name] { return session }
        return sessionOf(try bench.link(options.refine(bench.configuration.link(name))))
    }

    private mutating func sessionOf(_ link: Link) -> ScenarioSession {
        if let session = sessions[link.name] { return session }
        let session = ScenarioSession(link, capture: options.capture)
        sessions[link.name] = session
        return session
    }
}

/// Something that cannot be done, in words for people.
package struct StepError: Error, CustomStringConvertible {
    /// One line.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A step's result while it comes about.
struct StepRecord {
    let name: String
    let place: ScenarioPlace
    var summary = ""
    var complaints: [String] = []
    var elapsed: Duration?
    var exchanges: [DecodedExchange] = []
    var cardTrace: [String] = []
    /// What was asked last, and answered.
    var asked: (request: Message, code: String?)?
    var why: [String] = []

    init(_ step: ScenarioStep) {
        name = step.name
        place = step.place
    }

    var result: StepResult {
        StepResult(
            name: name, place: place, summary: summary, complaints: complaints, elapsed: elapsed,
            exchanges: exchanges, cardTrace: cardTrace, why: why)
    }
}
