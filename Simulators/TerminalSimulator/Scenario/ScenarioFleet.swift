internal import NIOConcurrencyHelpers
internal import NIOPosix
internal import Synchronization
internal import VirtualCard

/// Several terminals at once. A card is in one terminal at a time: scenarios that share one keep their order, all
/// others run side by side.
package struct ScenarioFleet {
    /// More than any test of a host needs.
    package static let terminalsMax = 256

    private struct Entry {
        let index: Int
        let scenario: Scenario
        let name: String
        /// Names of the cards that it uses.
        let cardNames: Set<String>
    }

    /// A terminal and whether somebody works at it.
    private final class Seat: Sendable {
        let runner: Mutex<ScenarioRunner>

        init(_ runner: sending ScenarioRunner) { self.runner = Mutex(runner) }
    }

    private struct Done: Sendable {
        let seat: Int
        let index: Int
        let cardNames: Set<String>
        let result: ScenarioResult
        let cards: [String: VirtualCard]
    }

    /// What terminals have finished, and a bell for whoever waits for it.
    private final class Finished: Sendable {
        private let list = Mutex<[Done]>([])
        private let bell = ConditionLock(value: 0)

        func add(_ done: Done) {
            list.withLock { $0.append(done) }
            bell.lock()
            bell.unlock(withValue: 1)
        }

        /// Waits until there is something.
        func take() -> [Done] {
            bell.lock(whenValue: 1)
            defer { bell.unlock(withValue: 0) }
            return list.withLock { list in
                defer { list = [] }
                return list
            }
        }
    }

    private let bench: Bench
    private let options: ScenarioRunner.Options
    private let seats: [Seat]
    private let finished = Finished()
    private var waiting: [Entry] = []
    private var busyCards: Set<String> = []
    private var freeSeats: [Int]
    private var cards: [String: VirtualCard] = [:]
    private var results: [Int: ScenarioResult] = [:]

    /// - Parameter terminals: 1…`terminalsMax`.
    package init(_ bench: Bench, options: ScenarioRunner.Options, terminals: Int) {
        self.bench = bench
        self.options = options
        seats = (0..<terminals).map { number in
            Seat(ScenarioRunner(bench, options: options, terminal: Terminal(number: number, of: terminals)))
        }
        freeSeats = Array(seats.indices.reversed())
    }

    /// Runs everything.
    /// - Parameter report: called after each scenario, in the order in which they end.
    package mutating func run(
        _ scenarios: [Scenario], report: (ScenarioResult) -> Void = { _ in }
    ) throws -> ScenarioRun {
        let start = ContinuousClock.Instant.now
        try queue(scenarios)
        let pool = NIOThreadPool(numberOfThreads: seats.count)
        pool.start()
        while !waiting.isEmpty || freeSeats.count < seats.count {
            while let seat = freeSeats.last, let entry = next() {
                freeSeats.removeLast()
                begin(entry, seat, pool: pool)
            }
            for done in finished.take() {
                put(done)
                report(done.result)
            }
        }
        try pool.syncShutdownGracefully()
        var whole = ScenarioRun(seed: options.seed)
        whole.results = results.sorted { $0.key < $1.key }.map(\.value)
        whole.elapsed = start.duration(to: .now)
        return whole
    }

    private mutating func queue(_ scenarios: [Scenario]) throws {
        for turn in 1...max(options.repeats, 1) {
            for scenario in scenarios {
                waiting.append(
                    Entry(
                        index: waiting.count, scenario: scenario,
                        name: options.repeats > 1 ? "\(scenario.name) (\(turn))" : scenario.name,
                        cardNames: try scenario.cardNames(bench)))
            }
        }
    }

    /// The first scenario whose cards nobody has and no earlier one waits for.
    private mutating func next() -> Entry? {
        var taken = busyCards
        for (index, entry) in waiting.enumerated() {
            if taken.isDisjoint(with: entry.cardNames) { return waiting.remove(at: index) }
            taken.formUnion(entry.cardNames)
        }
        return nil
    }

    private mutating func begin(_ entry: Entry, _ number: Int, pool: NIOThreadPool) {
        busyCards.formUnion(entry.cardNames)
        let own = cards.filter { entry.cardNames.contains($0.key) }
        let (seat, finished) = (seats[number], finished)
        pool.submit { _ in
            let (result, cards) = seat.runner.withLock { runner in
                runner.cards = own
                return (runner.run(entry.scenario, name: entry.name), runner.cards)
            }
            finished.add(
                Done(
                    seat: number, index: entry.index, cardNames: entry.cardNames, result: result, cards: cards
                ))
        }
    }

    private mutating func put(_ done: Done) {
        freeSeats.append(done.seat)
        busyCards.subtract(done.cardNames)
        cards.merge(done.cards) { $1 }
        results[done.index] = done.result
    }
}

extension Scenario {
    /// The cards that its steps name, behind personalised chips too.
    func cardNames(_ bench: Bench) throws -> Set<String> {
        var names: Set<String> = []
        for step in steps {
            switch step.action {
            case .transaction(let step):
                if let card = step.card { names.insert(card) }
                if let chip = step.conversation { names.insert(try ChipFile(chip, bench: bench).card) }
            case .card(let step): if let card = step.card { names.insert(card) }
            case .issuer(let step): if let card = step.card { names.insert(card) }
            default: break
            }
        }
        return names
    }
}
