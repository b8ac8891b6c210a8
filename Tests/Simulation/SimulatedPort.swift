internal import Authorisation
internal import EMV

/// The ports of one life of a host.
struct SimulatedPort: CardCryptography, CardState {
    let simulation: Simulation
    let life: Int

    /// What the token finds out: the cryptogram is right or forged, the PIN block is what was entered.
    static func answer(_ question: CryptographyQuestion) -> CryptographyAnswer {
        var cryptogram = CryptogramAnswer.notAsked
        if let asked = question.cryptogram {
            cryptogram = asked.cryptogram.rawValue == 0 ? .matches(asked.prepared.map(data)) : .differs
        }
        var pin = PINAnswer.notAsked
        if case .matches = cryptogram, let asked = question.pin { pin = .translated(asked.block) }
        return CryptographyAnswer(
            token: Simulation.token(of: question.card), cryptogram: cryptogram, pin: pin)
    }

    private static func data(_ verdict: IssuerVerdict) -> IssuerAuthenticationData {
        switch verdict {
        case .responseCode(let code): IssuerAuthenticationData(arpc: UInt64(1), code: code)
        case .statusUpdate(let update): IssuerAuthenticationData(arpc: UInt32(1), statusUpdate: update)
        }
    }

    // MARK: - The token

    func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer { .notAsked }

    func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? { nil }

    func knownToken(of card: CardIdentity) -> CardToken? {
        simulation.numbers.chance(80) ? Simulation.token(of: card) : nil
    }

    func begin(_ question: CryptographyQuestion) -> Pending<CryptographyAnswer, CryptographyUnavailable> {
        guard life == simulation.life else { return Pending(.failure(.stopped)) }
        let pending = Pending<CryptographyAnswer, CryptographyUnavailable>()
        simulation.waiting.append(.token(pending, question))
        return pending
    }

    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData { Self.data(verdict) }

    // MARK: - The store

    func read(
        _ token: CardToken, retransmission: RetransmissionKey, deadline: Deadline
    ) async throws(StateUnavailable) -> CardReading {
        try alive()
        return try await withUnsafeContinuation {
            simulation.waiting.append(.read(token, retransmission, $0))
        }.get()
    }

    func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult {
        try alive()
        return try await withUnsafeContinuation { simulation.waiting.append(.commit(commit, $0)) }.get()
    }

    func reverse(_ reversal: ReversalCommit) async throws(StateUnavailable) -> CommitResult {
        try alive()
        return try await withUnsafeContinuation { simulation.waiting.append(.reverse(reversal, $0)) }.get()
    }

    private func alive() throws(StateUnavailable) {
        guard life == simulation.life else { throw StateUnavailable("dead") }
    }
}
