import Authorisation
import EMV
import VectorSupport

/// Hosts, terminals, a token and a store on one thread, with a scheduler that decides by its seed what happens next:
/// which call is carried out, which reply is lost, which host dies. Every run of a seed is the same run.
final class Simulation: @unchecked Sendable {
    // Sendable because one thread does everything: the executor runs jobs only when `settle` says so.

    /// A broken promise, with the number of steps after which it showed.
    struct Violation: Error, CustomStringConvertible {
        let seed: UInt64
        let step: Int
        let what: String
        var description: String { "seed \(seed), step \(step): \(what)" }
    }

    /// A call that waits to be carried out.
    private enum Call {
        case token(Pending<CryptographyAnswer, CryptographyUnavailable>, CryptographyQuestion)
        case read(
            CardToken, RetransmissionKey, UnsafeContinuation<Result<CardReading, StateUnavailable>, Never>)
        case commit(AuthorisationCommit, UnsafeContinuation<Result<CommitResult, StateUnavailable>, Never>)
        case reverse(ReversalCommit, UnsafeContinuation<Result<CommitResult, StateUnavailable>, Never>)
    }

    private struct Waiting {
        let life: Int
        let call: Call
    }

    private struct Told: Equatable {
        let declined: DeclineReason?
        let code: [UInt8]
    }

    static let cardCount = 3
    static let opening: Int64 = 50_000
    private let seed: UInt64
    private var numbers: SeededGenerator
    private let executor = StepExecutor()
    private var store = ModelStore()
    private var waiting: [Waiting] = []
    private var life = 0
    private var step = 0
    private var clock: UInt64 = 0
    private var nextNumber: UInt64 = 1
    private var nextATC = [UInt16](repeating: 1, count: Simulation.cardCount)
    private var sent: [Terminal.Request] = []
    private var told: [UInt64: Told] = [:]
    private var underWay = 0
    private var checkedEntries = 0
    private var checkedReversals = 0
    private var approvedATCs: Set<[UInt64]> = []
    private var approvals: [UInt64: [UInt8]] = [:]
    private var spent = [Int64](repeating: 0, count: Simulation.cardCount)
    /// What happened, so that a test can see that everything does.
    private(set) var seen: [String: Int] = [:]

    init(seed: UInt64) {
        self.seed = seed
        numbers = SeededGenerator(seed: seed)
        for card in 0..<Self.cardCount {
            store.cards[Terminal.token(of: card)] = ModelStore.Card(available: Self.opening)
        }
    }

    /// - Parameter transactions: how many requests are sent, repeats not counted.
    func run(transactions: Int) throws {
        while nextNumber <= UInt64(transactions) || underWay > 0 {
            step += 1
            clock += 1_000
            let mayBegin = underWay < 6 && nextNumber <= UInt64(transactions)
            if waiting.isEmpty || (mayBegin && numbers.chance(35)) {
                guard mayBegin else { throw violation("requests are under way and nothing waits") }
                try begin()
            } else {
                advance()
            }
            if numbers.chance(1) { crash() }
            settle()
            try checkInvariants()
        }
    }

    // MARK: - What happens

    private func begin() throws {
        if let earlier = sent.suffix(4).randomElement(using: &numbers), numbers.chance(25) {
            var again = earlier
            again.isChanged = numbers.chance(10)
            note(again.isChanged ? "changed repeat" : "repeat")
            return try send(again)
        }
        if let earlier = sent.suffix(6).randomElement(using: &numbers), numbers.chance(10) {
            var reversal = earlier
            reversal.isReversal = true
            note("reversal")
            return try send(reversal)
        }
        let card = Int.random(in: 0..<Self.cardCount, using: &numbers)
        var atc = nextATC[card]
        nextATC[card] += 1
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0: atc = UInt16.random(in: 1...atc, using: &numbers)
        case 1: nextATC[card] += UInt16.random(in: 1...20, using: &numbers)
        case 2: atc = atc &+ 1_500
        default: break
        }
        let request = Terminal.Request(
            card: card, atc: atc, isForged: numbers.chance(5),
            pin: numbers.chance(50) ? (numbers.chance(20) ? 1 : Terminal.rightPIN) : nil,
            minorUnits: Int64.random(in: 0...900, using: &numbers), number: nextNumber)
        nextNumber += 1
        sent.append(request)
        try send(request)
    }

    private func send(_ request: Terminal.Request) throws {
        let message = try Terminal.message(request, at: clock)
        let life = life
        underWay += 1
        let port = Port(simulation: self, life: life)
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
        note(declined.map { "declined \($0.words)" } ?? (decision.repeated ? "approved again" : "approved"))
        if request.isChanged || request.isReversal { return }
        // Told to whoever repeats what was reversed meanwhile, or comes after its reversal.
        if declined == .reversedBefore { return }
        // Not a decision about this content: other content had come first, and may be forgotten before the last
        // repeat arrives.
        if declined == .retransmissionDiffers { return }
        let now = Told(declined: declined, code: code)
        if let before = told[request.number], before != now {
            broken = "request \(request.number) was told \(before) and then \(now)"
        }
        told[request.number] = now
        if declined == nil, request.isForged { broken = "a forged cryptogram was approved" }
        if declined == nil, request.pin == 1 { broken = "a wrong PIN was approved" }
    }

    private var broken: String?

    private func advance() {
        let chosen = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &numbers))
        let fate = Int.random(in: 0..<100, using: &numbers)
        switch chosen.call {
        case .token(let pending, let question):
            if fate < 2 {
                note("token failed")
                pending.fulfil(.failure(.tokenFailed("simulated")))
            } else {
                pending.fulfil(.success(answer(question)))
            }
        case .read(let token, let key, let continuation):
            if fate < 2 {
                note("read lost")
                continuation.resume(returning: .failure(StateUnavailable("simulated")))
            } else {
                continuation.resume(returning: .success(store.read(token, key)))
            }
        case .reverse(let reversal, let continuation):
            if fate < 3 { return continuation.resume(returning: .failure(StateUnavailable("simulated"))) }
            let result = store.reverse(reversal)
            note("reversal: \(result.effect?.words.filter { !$0.isNumber } ?? "none")")
            continuation.resume(
                returning: fate < 6 ? .failure(StateUnavailable("simulated")) : .success(result))
        case .commit(let commit, let continuation):
            if fate < 3 {
                note("commit lost before the store")
                continuation.resume(returning: .failure(StateUnavailable("simulated")))
                return
            }
            let result = store.commit(commit)
            if fate < 6 {
                note("commit lost after the store")
                continuation.resume(returning: .failure(StateUnavailable("simulated")))
            } else {
                continuation.resume(returning: .success(result))
            }
        }
    }

    private func answer(_ question: CryptographyQuestion) -> CryptographyAnswer {
        var cryptogram = CryptogramAnswer.notAsked
        if let asked = question.cryptogram {
            cryptogram = asked.cryptogram.rawValue == 0 ? .matches(asked.prepared.map(Port.data)) : .differs
        }
        var pin = PINAnswer.notAsked
        if case .matches = cryptogram, let asked = question.pin { pin = .translated(asked.block) }
        return CryptographyAnswer(token: token(of: question.card), cryptogram: cryptogram, pin: pin)
    }

    /// All hosts die and others begin. What they had sent to the store may still arrive there, or not.
    private func crash() {
        note("crash")
        life += 1
        let left = waiting
        waiting = []
        for one in left {
            switch one.call {
            case .token(let pending, _): pending.fulfil(.failure(.stopped))
            case .read(_, _, let continuation):
                continuation.resume(returning: .failure(StateUnavailable("dead")))
            case .reverse(let reversal, let continuation):
                if numbers.chance(50) { _ = store.reverse(reversal) }
                continuation.resume(returning: .failure(StateUnavailable("dead")))
            case .commit(let commit, let continuation):
                if numbers.chance(50) { _ = store.commit(commit) }
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
        for entry in store.journal[checkedEntries...] where entry.declined == nil {
            guard let key = entry.key, let atc = entry.atc else {
                throw violation("an approval without key or ATC")
            }
            guard approvals.updateValue(entry.code, forKey: key.moment) == nil else {
                throw violation("request \(key.moment) was approved twice")
            }
            guard approvedATCs.insert([entry.card.high, UInt64(atc)]).inserted else {
                throw violation("ATC \(atc) was approved twice")
            }
            guard entry.pin != .wrong else { throw violation("a wrong PIN was booked as approved") }
            spent[Int(entry.card.high)] += entry.minorUnits
        }
        checkedEntries = store.journal.count
        for (card, minorUnits) in store.givenBack[checkedReversals...] {
            spent[Int(card.high)] -= minorUnits
        }
        checkedReversals = store.givenBack.count
        for (number, answer) in told where answer.declined == nil {
            guard approvals[number] == answer.code else {
                throw violation("approval \(number) is not in the journal")
            }
        }
        for card in 0..<Self.cardCount {
            guard let state = store.cards[Terminal.token(of: card)] else { throw violation("a card is gone") }
            guard state.available == Self.opening - spent[card], state.available >= 0 else {
                throw violation(
                    "card \(card): \(state.available) left after \(spent[card]) of \(Self.opening)")
            }
            guard state.pinTriesUsed <= ModelStore.triesMax else { throw violation("too many PIN tries") }
        }
    }

    // MARK: - Ports

    private func token(of card: CardIdentity) -> CardToken {
        let index = (0..<Self.cardCount).first {
            card.pan.description == Self.masks[$0] && Self.identities[$0] == card
        }
        return Terminal.token(of: index ?? 99)
    }

    private static let identities = (0..<cardCount).compactMap { card in
        (try? PAN(Terminal.pan(of: card))).map { CardIdentity(pan: $0, panSequenceNumber: nil) }
    }
    private static let masks = identities.map(\.pan.description)
    private static let ranges = IssuerRangeTable([
        IssuerRange(
            name: "visa", prefix: PANPrefix("476173")!, issuerMasterKey: KeyName("imk"), masterKeyOption: .a,
            profiles: [.visaCVN18])
    ])
    private static let codes = AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
        AuthorisationResponseCode("05")!
    }

    /// The ports of one life of a host.
    private struct Port: CardCryptography, CardState {
        let simulation: Simulation
        let life: Int

        func pinAnswer(
            for question: PINQuestion, card: CardIdentity, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> PINAnswer { .notAsked }

        func fault(
            in question: PINQuestion, card: CardIdentity, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> PINBlockFault? { nil }

        func knownToken(of card: CardIdentity) -> CardToken? {
            simulation.numbers.chance(80) ? simulation.token(of: card) : nil
        }

        func begin(_ question: CryptographyQuestion) -> Pending<CryptographyAnswer, CryptographyUnavailable> {
            guard life == simulation.life else { return Pending(.failure(.stopped)) }
            let pending = Pending<CryptographyAnswer, CryptographyUnavailable>()
            simulation.waiting.append(Waiting(life: life, call: .token(pending, question)))
            return pending
        }

        func issuerAuthenticationData(
            for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
        ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData { Port.data(verdict) }

        static func data(_ verdict: IssuerVerdict) -> IssuerAuthenticationData {
            switch verdict {
            case .responseCode(let code): IssuerAuthenticationData(arpc: UInt64(1), code: code)
            case .statusUpdate(let update): IssuerAuthenticationData(arpc: UInt32(1), statusUpdate: update)
            }
        }

        func read(
            _ token: CardToken, retransmission: RetransmissionKey, deadline: Deadline
        ) async throws(StateUnavailable) -> CardReading {
            guard life == simulation.life else { throw StateUnavailable("dead") }
            let result = await withUnsafeContinuation { continuation in
                simulation.waiting.append(
                    Waiting(life: life, call: .read(token, retransmission, continuation)))
            }
            return try result.get()
        }

        func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult {
            guard life == simulation.life else { throw StateUnavailable("dead") }
            let result = await withUnsafeContinuation { continuation in
                simulation.waiting.append(Waiting(life: life, call: .commit(commit, continuation)))
            }
            return try result.get()
        }

        func reverse(_ reversal: ReversalCommit) async throws(StateUnavailable) -> CommitResult {
            guard life == simulation.life else { throw StateUnavailable("dead") }
            let result = await withUnsafeContinuation { continuation in
                simulation.waiting.append(Waiting(life: life, call: .reverse(reversal, continuation)))
            }
            return try result.get()
        }
    }
}

extension SeededGenerator {
    /// True in so many of a hundred cases.
    fileprivate mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
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
