internal import Authorisation
internal import EMV

/// A job of the simulated token. One thread runs the simulation.
final class SimulatedJob: CryptographyUnderWay, @unchecked Sendable {
    private var result: Result<CryptographyAnswer, CryptographyUnavailable>?
    private var waiting: UnsafeContinuation<Result<CryptographyAnswer, CryptographyUnavailable>, Never>?

    func fulfil(_ result: Result<CryptographyAnswer, CryptographyUnavailable>) {
        self.result = result
        waiting?.resume(returning: result)
    }

    func answer() async throws(CryptographyUnavailable) -> CryptographyAnswer {
        if let result { return try result.get() }
        return try await withUnsafeContinuation { waiting = $0 }.get()
    }
}

/// The ports of one life of a host.
struct SimulatedPort: CardCryptography, CardRecords {
    /// It holds the hosts that hold their ports.
    unowned let simulation: Simulation
    let host: Int
    let life: Int

    private var isAlive: Bool { simulation.hosts[host].life == life }

    /// The card verification value of every stripe and printed number, and that of their chips.
    static let value: UInt16 = 0x123
    static let chipValue: UInt16 = 0x321
    /// What every authentication value has for its proof.
    static let authenticationProof: UInt64 = 0x123

    /// Stands for every PIN block that was damaged on the way.
    static let malformedBlock: UInt64 = 99_999
    /// What the token may find wrong with it.
    static let faults: [PINBlockFault] = [.control(.iso0), .length, .fill]

    // MARK: - The token

    /// What the token finds out: a cryptogram names the plastic whose key made it, unless it is forged.
    static func answer(_ question: CryptographyQuestion) -> CryptographyAnswer {
        var (cryptogram, value) = (CryptogramAnswer.notAsked, CardValueAnswer.notAsked)
        if let asked = question.cryptogram {
            let own = UInt64(question.card.panSequenceNumber?.rawValue ?? 0)
            cryptogram = asked.cryptogram.rawValue == own ? .matches(asked.prepared.map(data)) : .differs
        }
        if let asked = question.cardValue {
            value =
                asked.value == Self.value ? .matches(0) : asked.value == chipValue ? .matches(1) : .differs
        }
        var authentication = AuthenticationAnswer.notAsked
        if let asked = question.authentication {
            authentication = asked.value.proof == authenticationProof ? .matches : .differs
        }
        var (pin, isWrong) = (PINAnswer.notAsked, false)
        if case .differs = cryptogram { isWrong = true }
        if value == .differs { isWrong = true }
        if let asked = question.pin, !isWrong { pin = .translated(asked.block) }
        var answer = CryptographyAnswer(token: Plan.token(of: question.card.pan))
        (answer.cryptogram, answer.pin) = (cryptogram, pin)
        (answer.cardValue, answer.authentication) = (value, authentication)
        return answer
    }

    /// Visa's value of a PIN, as this token makes it.
    static func value(_ pin: UInt64) -> PINVerificationValue? {
        let digits = (0..<4).reduce(UInt16(0)) { value, place in
            value | UInt16(pin / [1_000, 100, 10, 1][place] % 10) << UInt16(12 - 4 * place)
        }
        return PINVerificationValue(keyIndex: 1, digits: digits)
    }

    private static func data(_ verdict: IssuerVerdict) -> IssuerAuthenticationData {
        switch verdict {
        case .responseCode(let code): IssuerAuthenticationData(arpc: UInt64(1), code: code)
        case .statusUpdate(let update): IssuerAuthenticationData(arpc: UInt32(1), statusUpdate: update)
        }
    }

    func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer {
        // Some damage shows at once, some only where a comparison has failed.
        if question.block.rawValue == Self.malformedBlock, simulation.numbers.chance(50) {
            return .unreadable(Self.faults.randomElement(using: &simulation.numbers)!)
        }
        guard case .verificationValue = question.verification else { return .translated(question.block) }
        return Self.value(question.block.rawValue).map(PINAnswer.verificationValue) ?? .notServed("no digits")
    }

    func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? {
        question.block.rawValue == Self.malformedBlock
            ? Self.faults.randomElement(using: &simulation.numbers)! : nil
    }

    func knownToken(of pan: PAN) -> CardToken? {
        simulation.numbers.chance(80) ? Plan.token(of: pan) : nil
    }

    func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay {
        guard isAlive else { return Result<CryptographyAnswer, CryptographyUnavailable>.failure(.stopped) }
        let pending = SimulatedJob()
        simulation.waiting.append(Simulation.Waiting(host: host, call: .token(pending, question)))
        return pending
    }

    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData { Self.data(verdict) }

    func protectedCommand(
        _ question: IssuerScriptQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        if simulation.numbers.chance(5) { throw .tokenFailed("simulated") }
        return [0x84, 0x24, 0x00, 0x00, 0x04, 1, 2, 3, 4]
    }

    // MARK: - The store

    func read(
        _ token: CardToken, withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReading {
        guard isAlive else { throw .state(StateUnavailable("dead")) }
        return try await withUnsafeContinuation {
            simulation.waiting.append(Simulation.Waiting(host: host, call: .read(token, withPast, $0)))
        }.get()
    }

    func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReplacement {
        guard isAlive else { throw .state(StateUnavailable("dead")) }
        let write = Simulation.Write(token: token, change: change, lines: lines, withPast: withPast)
        let result = try await withUnsafeContinuation {
            simulation.waiting.append(Simulation.Waiting(host: host, call: .replace(write, $0)))
        }.get()
        guard simulation.hasReplicas, case .done = result else { return result }
        return .done(unconfirmed: CardReading(record: nil, past: nil))
    }

    func confirm(_ reading: CardReading, deadline: Deadline) async throws(CouldNotDecide) {
        guard isAlive else { throw .state(StateUnavailable("dead")) }
        guard simulation.hasReplicas else { return }
        try await withUnsafeContinuation {
            simulation.waiting.append(Simulation.Waiting(host: host, call: .confirm($0)))
        }.get()
    }
}
