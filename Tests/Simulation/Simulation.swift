internal import Authorisation
internal import EMV
internal import VectorSupport

/// Hosts, terminals, a token and a store on one thread, with a scheduler that decides by its seed what happens next:
/// which call is carried out, which reply is lost, which host dies. Every run of a seed is the same run.
public final class Simulation: @unchecked Sendable {
    // Sendable because one thread does everything: the executor runs jobs only when `settle` says so.

    /// A broken promise, with the number of steps after which it showed.
    public struct Violation: Error, CustomStringConvertible {
        /// Replays it.
        public let seed: UInt64
        /// The scheduler's, from 1.
        public let step: Int
        /// In words.
        public let what: String
        /// One line.
        public var description: String { "seed \(seed), step \(step): \(what)" }
    }

    /// A call that waits to be carried out.
    enum Call {
        case token(Pending<CryptographyAnswer, CryptographyUnavailable>, CryptographyQuestion)
        case read(
            CardToken, RetransmissionKey, UnsafeContinuation<Result<CardReading, StateUnavailable>, Never>)
        case commit(AuthorisationCommit, UnsafeContinuation<Result<CommitResult, StateUnavailable>, Never>)
        case reverse(ReversalCommit, UnsafeContinuation<Result<CommitResult, StateUnavailable>, Never>)
    }

    private struct Told: Equatable {
        let declined: DeclineReason?
        let code: [UInt8]
    }

    static let cardCount = 3
    static let opening: Int64 = 6_000
    static let daily = Allowance(minorUnits: 6_500, count: 16)
    static let underWayMax = 6
    private let seed: UInt64
    var numbers: SeededGenerator
    private let executor = StepExecutor()
    private var store = ModelStore()
    private var traffic = Traffic(cardCount: Simulation.cardCount)
    private var books = Books(
        cards: Simulation.cardCount, opening: Simulation.opening, daily: Simulation.daily)
    var waiting: [Call] = []
    /// Counts hosts that died: calls and answers of an earlier life reach nobody.
    private(set) var life = 0
    private var step = 0
    private var clock: UInt64 = 0
    private var told: [UInt64: Told] = [:]
    private var newlyTold: [(number: UInt64, code: [UInt8])] = []
    private var underWay = 0
    private var checkedEntries = 0
    private var broken: String?
    /// What happened and how often, so that a reader can see that everything does.
    public private(set) var seen: [String: Int] = [:]
    /// Choices that the scheduler has made.
    public var stepCount: Int { step }

    /// - Parameter seed: the same one makes the same run.
    public init(seed: UInt64) {
        self.seed = seed
        numbers = SeededGenerator(seed: seed)
        for card in 0..<Self.cardCount {
            store.cards[Terminal.token(of: card)] = ModelCard(available: Self.opening)
        }
    }

    /// - Parameter messages: how many are sent, repeats not counted.
    /// - Throws: `Violation`.
    public func run(messages: Int) throws {
        let last = UInt64(messages)
        while traffic.nextNumber <= last || underWay > 0 {
            step += 1
            clock += 1_000
            let mayBegin = underWay < Self.underWayMax && traffic.nextNumber <= last
            if waiting.isEmpty || (mayBegin && numbers.chance(35)) {
                guard mayBegin else { throw violation("messages are under way and nothing waits") }
                try begin()
            } else {
                advance()
            }
            if numbers.chance(1) { crash() }
            settle()
            try checkInvariants()
        }
        do throws(Books.BrokenPromise) { try books.checkEnd() } catch { throw violation(error.what) }
    }

    // MARK: - What happens

    private func begin() throws {
        let sending = traffic.next(&numbers)
        note(sending.name)
        if sending.isLost { return note("message lost") }
        let request = sending.request
        let message = try Terminal.message(request, Self.identities[request.card], at: clock)
        let life = life
        underWay += 1
        let port = SimulatedPort(simulation: self, life: life)
        let authoriser = Authoriser(
            ranges: Self.ranges, codes: Self.codes, cryptography: port, state: port,
            surroundings: Surroundings(
                unixSeconds: { 1_795_000_000 }, monotonicNanoseconds: { [unowned self] in clock },
                random: { [unowned self] in numbers.next() }))
        Task(executorPreference: executor) { [self] in
            do throws(CouldNotDecide) {
                answered(request, try await authoriser.authorise(message), life)
            } catch {
                note("not decided")
                underWay -= 1
            }
        }
    }

    private func answered(_ request: Terminal.Request, _ decision: Decision, _ life: Int) {
        underWay -= 1
        // The answer of a dead host reaches nobody; of a living one, it may be lost on the way.
        guard life == self.life, !numbers.chance(5) else { return note("answer lost") }
        var code: [UInt8] = []
        if case .approved(let approval) = decision.outcome { code = approval.code }
        let declined = decision.outcome.declineReason
        if case .accepted = decision.outcome {
            note(decision.repeated ? "accepted again" : "accepted")
        } else {
            note(
                declined.map { "declined \($0.words)" } ?? (decision.repeated ? "approved again" : "approved")
            )
        }
        if request.isChanged { return }
        // Told to whoever repeats what was reversed meanwhile, or comes after its reversal.
        if declined == .reversedBefore { return }
        // Not a decision about this content: other content had come first, and may be forgotten before the last
        // repeat arrives.
        if declined == .retransmissionDiffers { return }
        let now = Told(declined: declined, code: code)
        // A decline is kept for so many messages only; what took something, much longer.
        if declined == .atcReplayed, told[request.number]?.declined != nil {
            return note("decline that was forgotten")
        }
        if let before = told.updateValue(now, forKey: request.number), before != now {
            broken = "message \(request.number) was told \(before) and then \(now)"
        }
        guard declined == nil else { return }
        switch request.purpose {
        case .reversal(let remaining):
            // Of a completion it says nothing about what that would have completed.
            if request.original == request.reference {
                books.told(reversalOf: request.reference, remaining: remaining)
            }
        case .advice(let approved): if approved { books.told(adviceBooked: request.number) }
        case .decision:
            newlyTold.append((request.number, code))
            if request.isForged { broken = "a forged cryptogram was approved" }
            if request.pin == 1 { broken = "a wrong PIN was approved" }
        }
    }

    private func advance() {
        let chosen = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &numbers))
        let fate = Int.random(in: 0..<100, using: &numbers)
        switch chosen {
        case .token(let pending, let question):
            if fate < 2 {
                note("token failed")
                pending.fulfil(.failure(.tokenFailed("simulated")))
            } else {
                pending.fulfil(.success(SimulatedPort.answer(question)))
            }
        case .read(let token, let key, let continuation):
            if fate < 2 {
                note("read lost")
                continuation.resume(returning: .failure(StateUnavailable("simulated")))
            } else {
                continuation.resume(returning: .success(store.read(token, key)))
            }
        case .commit(let commit, let continuation): write(fate, continuation) { $0.commit(commit) }
        case .reverse(let reversal, let continuation): write(fate, continuation) { $0.reverse(reversal) }
        }
    }

    /// Carried out and told, or lost before the store, or after it.
    private func write(
        _ fate: Int, _ continuation: UnsafeContinuation<Result<CommitResult, StateUnavailable>, Never>,
        _ body: (inout ModelStore) -> CommitResult
    ) {
        if fate < 3 {
            note("commit lost before the store")
            return continuation.resume(returning: .failure(StateUnavailable("simulated")))
        }
        let result = body(&store)
        if let effect = result.effect { note("effect: \(effect.kind)") }
        if fate < 6 {
            note("commit lost after the store")
            continuation.resume(returning: .failure(StateUnavailable("simulated")))
        } else {
            continuation.resume(returning: .success(result))
        }
    }

    /// All hosts die and others begin. What they had sent to the store may still arrive there, or not.
    private func crash() {
        note("crash")
        life += 1
        let left = waiting
        waiting = []
        for call in left {
            let arrives = numbers.chance(50)
            switch call {
            case .token(let pending, _): pending.fulfil(.failure(.stopped))
            case .read(_, _, let continuation):
                continuation.resume(returning: .failure(StateUnavailable("dead")))
            case .commit(let commit, let continuation):
                if arrives { _ = store.commit(commit) }
                continuation.resume(returning: .failure(StateUnavailable("dead")))
            case .reverse(let reversal, let continuation):
                if arrives { _ = store.reverse(reversal) }
                continuation.resume(returning: .failure(StateUnavailable("dead")))
            }
        }
    }

    /// Runs what can run until everybody waits for the scheduler.
    private func settle() { while executor.runOne() {} }

    private func note(_ what: String) { seen[what, default: 0] += 1 }

    // MARK: - What has to hold

    private func violation(_ what: String) -> Violation { Violation(seed: seed, step: step, what: what) }

    private func checkInvariants() throws {
        if let broken { throw violation(broken) }
        do throws(Books.BrokenPromise) {
            for entry in store.journal[checkedEntries...] { try books.add(entry) }
            checkedEntries = store.journal.count
            for (number, code) in newlyTold { try books.checkTold(approval: code, number) }
            newlyTold.removeAll(keepingCapacity: true)
        } catch { throw violation(error.what) }
        for card in 0..<Self.cardCount {
            guard let state = store.cards[Terminal.token(of: card)] else { throw violation("a card is gone") }
            guard state.available == Self.opening - books.spent[card] else {
                throw violation("card \(card): \(state.available) left after \(books.spent[card])")
            }
            guard state.pinTriesUsed == books.pinTriesUsed[card] else {
                throw violation(
                    "card \(card): \(state.pinTriesUsed) PIN tries used, \(books.pinTriesUsed[card]) journalled"
                )
            }
        }
    }

    // MARK: - The issuer

    static func token(of card: CardIdentity) -> CardToken {
        Terminal.token(of: identities.firstIndex(of: card) ?? 99)
    }

    private static let identities = (0..<cardCount).compactMap { card in
        (try? PAN(Terminal.pan(of: card))).map { CardIdentity(pan: $0, panSequenceNumber: nil) }
    }
    private static let ranges: IssuerRangeTable = {
        var limits = SpendingLimits(currency: ModelStore.currency)
        limits.daily = daily
        return IssuerRangeTable([
            IssuerRange(
                name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"),
                masterKeyOption: .a, profiles: [.visaCVN18], limits: limits)
        ])
    }()
    private static let codes = AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
        AuthorisationResponseCode("05")!
    }
}

/// Runs a job when it is told to, on the thread that tells.
private final class StepExecutor: TaskExecutor, @unchecked Sendable {
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
