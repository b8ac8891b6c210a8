internal import Authorisation
internal import Books
internal import EMV
internal import VectorSupport

/// Two hosts, terminals, operators, a token and a store on one thread, with a scheduler that decides by its seed what
/// happens next: which call is carried out, which reply is lost, which host dies. Every run of a seed is the same run.
package final class Simulation: @unchecked Sendable {
    // Sendable because one thread does everything: the executor runs jobs only when `settle` says so.

    /// A broken promise, with the number of steps after which it showed.
    package struct Violation: Error, CustomStringConvertible {
        /// Replays it.
        package let seed: UInt64
        /// The scheduler's, from 1.
        package let step: Int
        /// In words.
        package let what: String
        /// One line.
        package var description: String { "seed \(seed), step \(step): \(what)" }
    }

    struct Write {
        let token: CardToken
        let change: CardChange
        let lines: [JournalLine]
        let withPast: Bool
    }

    /// A call that waits to be carried out.
    enum Call {
        case token(SimulatedJob, CryptographyQuestion)
        case read(CardToken, Bool, UnsafeContinuation<Result<CardReading, CouldNotDecide>, Never>)
        case replace(Write, UnsafeContinuation<Result<CardReplacement, CouldNotDecide>, Never>)
        case confirm(UnsafeContinuation<Result<Void, CouldNotDecide>, Never>)
    }

    /// Answers wait for replicas, in a quarter of the runs: after the card's turn, and not always with success.
    var hasReplicas: Bool { seed % 4 == 2 }

    struct Waiting {
        let host: Int
        let call: Call
    }

    struct Host {
        var life: Int
        var authoriser: Authoriser?
    }

    static let hostCount = 2
    static let underWayMax = 6
    let seed: UInt64
    let plan: Plan
    var numbers: SeededGenerator
    let executor = StepExecutor()
    var store = SimulatedStore()
    var traffic: Traffic
    var books = Books()
    var waiting: [Waiting] = []
    /// Each with the count of its lives: calls and answers of an earlier one reach nobody.
    var hosts = [Host](repeating: Host(life: 0, authoriser: nil), count: hostCount)
    private(set) var step = 0
    private var nanoseconds: UInt64 = 0
    var clock = Plan.start
    var underWay = 0
    /// What a message that is under way is about, by the auditor's number.
    var sent: [Deal] = []
    /// Which messages are reversals of which deal.
    private var reversals: [Int: [Int]] = [:]
    private var checkedWrites = 0
    /// Since nothing was under way.
    private var authenticating: [(account: Int, authentication: Int, host: Int, number: Int)] = []
    var broken: String?
    /// What happened and how often, so that a reader can see that everything does.
    package private(set) var seen: [String: Int] = [:]
    /// Takes what happens as it happens, one line each, for a reader who looks for the fault behind a seed.
    package var story: ((String) -> Void)?
    /// Choices that the scheduler has made.
    package var stepCount: Int { step }
    /// Messages that were sent, repeats among them.
    package var messageCount: Int { sent.count }

    /// - Parameter seed: the same one makes the same run.
    package init(seed: UInt64) {
        self.seed = seed
        numbers = SeededGenerator(seed: seed)
        plan = Plan(seed: seed, &numbers)
        traffic = Traffic(plan)
        for account in plan.accounts { books.open(plan.terms(account)) }
        for host in hosts.indices { start(host) }
    }

    /// - Parameter messages: how many are sent, repeats among them; a long seed sends a multiple.
    /// - Throws: `Violation`.
    package func run(messages: Int) throws {
        let last = messages * plan.length
        try importCards()
        while sent.count < last || underWay > 0 {
            step += 1
            nanoseconds += 1_000
            let mayBegin = underWay < Self.underWayMax && sent.count < last
            if waiting.isEmpty || (mayBegin && numbers.chance(35)) {
                guard mayBegin else { throw violation("messages are under way and nothing waits") }
                try begin()
            } else {
                advance()
            }
            if Int.random(in: 0..<400, using: &numbers) == 0 {
                crash(Int.random(in: 0..<Self.hostCount, using: &numbers))
            }
            settle()
            try checkPromises()
        }
        do throws(BrokenPromise) { try books.checkEnd() } catch { throw violation(error.description) }
    }

    // MARK: - What happens

    func start(_ host: Int) {
        hosts[host].life += 1
        let port = SimulatedPort(simulation: self, host: host, life: hosts[host].life)
        hosts[host].authoriser = Authoriser(
            ranges: plan.ranges, codes: Plan.codes, cryptography: port, records: port,
            surroundings: surroundings)
    }

    private var surroundings: Surroundings {
        Surroundings(
            unixSeconds: { [unowned self] in clock }, monotonicNanoseconds: { [unowned self] in nanoseconds },
            random: { [unowned self] in numbers.next() }, pause: { _ in })
    }

    private func begin() throws {
        clock += Int64.random(in: 1...5, using: &numbers)
        if Int.random(in: 0..<1_000, using: &numbers) < plan.jumps {
            clock += Int64.random(in: 3_600...(12 * 86_400), using: &numbers)
            note("the clock jumped")
        }
        if Int.random(in: 0..<100, using: &numbers) < 3 { return operate() }
        let changesBefore = traffic.pinChanges
        let sending = traffic.next(&numbers, clock: clock)
        note(sending.name)
        if traffic.pinChanges > changesBefore { note("PIN changed") }
        let index = books.send(sending.deal.sent(plan))
        sent.append(sending.deal)
        if sending.deal.isReversal, let original = sending.deal.original {
            reversals[original, default: []].append(index)
        }
        let isLost = numbers.chance(4)
        story?(
            "\(step) \(clock) message \(index)\(isLost ? " (lost)" : ""): \(sending.name): \(sending.deal.story)"
        )
        if isLost { return note("message lost") }
        let message = try Terminal.message(sending.deal, plan, link: index, at: nanoseconds)
        let host = Int.random(in: 0..<Self.hostCount, using: &numbers)
        guard let authoriser = hosts[host].authoriser else { return }
        let life = hosts[host].life
        underWay += 1
        noteAuthentication(sending.deal, host)
        Task(executorPreference: executor) { [self] in
            do throws(CouldNotDecide) {
                answered(index, try await authoriser.authorise(message), host, life)
            } catch {
                undecided(error)
            }
        }
    }

    /// Two payments on one authentication that two hosts have at once.
    private func noteAuthentication(_ deal: Deal, _ host: Int) {
        if underWay == 1 { authenticating = [] }
        guard let authentication = deal.authentication else { return }
        let isShared = authenticating.contains {
            $0.account == deal.account && $0.authentication == authentication && $0.host != host
                && $0.number != deal.number
        }
        if isShared { note("one authentication on two hosts at once") }
        authenticating.append((deal.account, authentication, host, deal.number))
    }

    private func answered(_ index: Int, _ decision: Decision, _ host: Int, _ life: Int) {
        underWay -= 1
        // The answer of a dead host reaches nobody; of a living one, it may be lost on the way.
        guard life == hosts[host].life, !numbers.chance(5) else { return note("answer lost") }
        let deal = sent[index]
        let answer = Self.told(decision)
        switch answer {
        case .approved(_, let partial):
            note(decision.repeated ? "approved again" : "approved")
            traffic.approved[deal.number] = partial ?? deal.minorUnits
        case .accepted: note(decision.repeated ? "accepted again" : "accepted")
        case .declined: note("declined \(decision.outcome.declineReason?.words ?? "")")
        }
        story?("\(step) told \(index): \(answer) \(decision.outcome.declineReason?.words ?? "")")
        if !traffic.isStillClear(deal) { books.blur(index) }
        let script = Self.scriptIdentifier(decision.issuerScript)
        if let script {
            note("script sent")
            traffic.delivered.append((deal.account, deal.plastic.sequenceNumber, script))
        }
        do throws(BrokenPromise) {
            try writtenSoFar()
            try books.told(index, answer, script: script, now: clock)
        } catch { broken = broken ?? error.description }
    }

    private func undecided(_ error: CouldNotDecide) {
        story?("\(step) not decided: \(error)")
        note("not decided")
        underWay -= 1
        if case .damaged(let damage) = error { broken = broken ?? "a record is damaged: \(damage)" }
    }

    private func advance() {
        let chosen = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &numbers))
        let fate = Int.random(in: 0..<100, using: &numbers)
        switch chosen.call {
        case .token(let pending, let question):
            if fate < 2 {
                note("token failed")
                pending.fulfil(.failure(.tokenFailed("simulated")))
            } else {
                pending.fulfil(.success(SimulatedPort.answer(question)))
            }
        case .read(let token, let withPast, let continuation):
            if fate < 2 {
                note("read lost")
                continuation.resume(returning: .failure(.state(StateUnavailable("simulated"))))
            } else {
                continuation.resume(returning: store.read(token, withPast: withPast))
            }
        case .replace(let write, let continuation): carryOut(write, fate, continuation)
        case .confirm(let continuation):
            if fate < 10 { note(fate < 5 ? "replica late" : "connection lost before a replica answered") }
            continuation.resume(
                returning: fate < 10
                    ? .failure(.state(StateUnavailable("simulated", recordTells: fate >= 5))) : .success(()))
        }
    }

    /// Carried out and told, or lost before the store, or after it.
    private func carryOut(
        _ write: Write, _ fate: Int,
        _ continuation: UnsafeContinuation<Result<CardReplacement, CouldNotDecide>, Never>
    ) {
        if fate < 3 {
            note("write lost before the store")
            return continuation.resume(returning: .failure(.state(StateUnavailable("simulated"))))
        }
        let result = store.replace(write.token, write.change, lines: write.lines, withPast: write.withPast)
        if case .success(.conflict) = result { note("conflict") }
        if fate < 6 {
            note("write lost after the store")
            continuation.resume(returning: .failure(.state(StateUnavailable("simulated"))))
        } else {
            continuation.resume(returning: result)
        }
    }

    /// A host dies and another begins. What it had sent to the store may still arrive there, or not.
    private func crash(_ host: Int) {
        note("crash")
        story?("\(step) host \(host) dies")
        start(host)
        let left = waiting.filter { $0.host == host }
        waiting.removeAll { $0.host == host }
        for entry in left {
            let arrives = numbers.chance(50)
            switch entry.call {
            case .token(let pending, _): pending.fulfil(.failure(.stopped))
            case .read(_, _, let continuation):
                continuation.resume(returning: .failure(.state(StateUnavailable("dead"))))
            case .replace(let write, let continuation):
                if arrives {
                    _ = store.replace(write.token, write.change, lines: write.lines, withPast: false)
                }
                continuation.resume(returning: .failure(.state(StateUnavailable("dead"))))
            case .confirm(let continuation):
                continuation.resume(returning: .failure(.state(StateUnavailable("dead"))))
            }
        }
    }

    /// Runs what can run until everybody waits for the scheduler.
    private func settle() { while executor.runOne() {} }

    func note(_ what: String) { seen[what, default: 0] += 1 }

    // MARK: - What has to hold

    func violation(_ what: String) -> Violation { Violation(seed: seed, step: step, what: what) }

    /// Tells the auditor of every write that he has not seen.
    func writtenSoFar() throws(BrokenPromise) {
        while checkedWrites < store.journal.count {
            let written = store.journal[checkedWrites]
            checkedWrites += 1
            let write = journalWrite(written)
            story?("\(step) write, account \(write.account): \(write.story)")
            for case .decision(let decision) in write.lines {
                for index in [decision.message] + reversals[sent[decision.message].number, default: []]
                where sent[index].naming != nil && !traffic.isStillClear(sent[index]) { books.blur(index) }
            }
            try books.write(write)
        }
    }

    func checkPromises() throws {
        if let broken { throw violation(broken) }
        guard checkedWrites < store.journal.count else { return }
        let tokens = Set(store.journal[checkedWrites...].map(\.token))
        do throws(BrokenPromise) {
            try writtenSoFar()
            for token in tokens {
                guard case .success(let reading) = store.read(token, withPast: false),
                    let record = reading.record
                else {
                    broken = "a record is gone or damaged"
                    continue
                }
                try compare(record, plan.position(of: token))
            }
        } catch { throw violation(error.description) }
        if let broken { throw violation(broken) }
    }

    private func compare(_ record: CardRecord, _ account: Int) throws(BrokenPromise) {
        let tag = record.tag
        try books.compare(
            account: account, balance: record.availableMinorUnits, name: StateName(tag.random, tag.counter),
            triesUsed: record.plastics.map { (Int($0.sequenceNumber), Int($0.pinTriesUsed)) })
    }
}

/// Runs a job when it is told to, on the thread that tells.
final class StepExecutor: TaskExecutor, @unchecked Sendable {
    // Sendable because one thread does everything.
    private var jobs: [UnownedJob] = []

    func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

    /// - Returns: false if there was none.
    func runOne() -> Bool {
        guard !jobs.isEmpty else { return false }
        jobs.removeFirst().runSynchronously(on: asUnownedTaskExecutor())
        return true
    }
}
