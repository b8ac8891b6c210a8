internal import EMV

/// Decides. One for each event loop; it holds no state of its own.
///
/// `authorise` reads from top to bottom as the way of one authorisation; the order is the point of it.
///
/// The ports are existentials: four calls an authorisation go through a table, while a generic type, which no other
/// module can specialise, would ask the runtime about every value that it moves.
public final class Authoriser: Sendable {
    let ranges: IssuerRangeTable
    let codes: AuthorisationResponseCodes
    let cryptography: any CardCryptography
    let state: any CardState
    let surroundings: Surroundings

    /// Takes its ports and tables.
    public init(
        ranges: IssuerRangeTable, codes: AuthorisationResponseCodes, cryptography: any CardCryptography,
        state: any CardState, surroundings: Surroundings
    ) {
        self.ranges = ranges
        self.codes = codes
        self.cryptography = cryptography
        self.state = state
        self.surroundings = surroundings
    }

    /// - Returns: approval or decline, each a decision; for an advice or a reversal, that it was accepted.
    /// - Throws: `CouldNotDecide` where token or state gave no answer; nothing is approved then.
    public func authorise(_ request: AuthorisationRequest) async throws(CouldNotDecide) -> Decision {
        // What has happened elsewhere is booked, not judged.
        guard case .decision = request.purpose else { return try await book(request) }
        let kind = request.circumstances.kind
        var trace = DecisionTrace()
        if kind != .purchase { trace.add(.transaction, .approved, kind.words) }
        let range = ranges.range(for: request.card.pan)
        let chip = chipFinding(request, range)

        // The token works while Redis reads: neither needs the other.
        let evidence = try await gather(request, chip, range)

        // A retransmission is answered as before: no counter moves twice for one transaction.
        if let answered = evidence.reading.answered,
            answered.fingerprint == request.retransmission.fingerprint
        {
            return try await repeatAnswer(answered, request, chip, evidence)
        }

        // Card, cryptogram and offline results: all that can be said before any counter moves.
        let findings = weigh(evidence, chip, range, request, &trace)

        // An issuer script's fate, for the few cards that have one: a PIN that the card has taken over counts at once.
        let scripts =
            evidence.reading.scripts.isEmpty
            ? nil : await scripts(evidence.reading, findings.verified, range, request, &trace)

        // The PIN only for a card that is here and a cryptogram that is its own.
        var (pin, declined) = (PINEvidence.notChecked, findings.declined)
        if declined == nil {
            var finding = pinFinding(evidence, scripts)
            if !finding.isSettled { finding = try await settle(finding, evidence, scripts, request) }
            (pin, declined) = PINCheck.evaluate(
                finding, countsMalformedBlocks: range?.countsMalformedPINBlocks == true, &trace)
        } else {
            trace.add(.pin, .skipped, "already declined")
        }

        // What may be spent at all; then ATC, PIN tries, limits, amount and journal in one step: what the store says is
        // final.
        let booking = booking(
            declined, pin, findings, evidence, chip, range, scripts?.commit, request, &trace)
        let result = try await commit(booking, at: evidence.at)

        // The ARPC last, over the final answer, for declines too: the card shall know.
        let decision = conclude(result, findings, evidence, request, trace)
        return await answered(decision, findings.verified, request)
            .carrying(result.scriptIsClaimed ? scripts?.template : nil)
    }

    // MARK: - Steps
    //
    // Those that wait for nothing are kept out of line: what they need for a moment would otherwise live in the frame of
    // the task, which is memory taken and given back for each request.

    @inline(never)
    func chipFinding(_ request: AuthorisationRequest, _ range: IssuerRange?) -> ChipFinding {
        guard let range else { return .decline(.unknownCard, "no issuer range") }
        let finding = CryptogramCheck(range: range, codes: codes).prepare(request)
        guard let policy = range.nonChip, request.purpose == .decision else { return finding }
        return NonChipCheck(policy: policy).finding(finding, request)
    }

    /// What token and store said, and when.
    final class Evidence: Sendable {
        let answer: CryptographyAnswer
        let reading: CardReading
        let at: UInt64
        let times: StageTimes

        init(_ answer: CryptographyAnswer, _ reading: CardReading, at: UInt64, _ times: StageTimes) {
            self.answer = answer
            self.reading = reading
            self.at = at
            self.times = times
        }
    }

    /// What card, chip and token's answer come to, before any counter: a forgery must not burn ATCs or PIN tries.
    struct Findings {
        /// The same transmission came before with other content.
        let differs: Bool
        let verified: VerifiedCryptogram?
        let value: VerifiedCardValue?
        let declined: DeclineReason?
        /// A verified ATC is claimed for declines too, since the card has used it.
        let claimedATC: ApplicationTransactionCounter?
    }

    @inline(never)
    private func weigh(
        _ evidence: Evidence, _ chip: ChipFinding, _ range: IssuerRange?, _ request: AuthorisationRequest,
        _ trace: inout DecisionTrace
    ) -> Findings {
        let differs = evidence.reading.answered != nil
        trace.add(.retransmission, differs ? .declined : .approved, differs ? "other content" : "first")

        // The card itself, before anything that the terminal claims.
        var declined: DeclineReason? = differs ? .retransmissionDiffers : nil
        declined = declined ?? checkCard(evidence.reading.card, range, request, &trace)

        let (verified, cryptogramDecline) = CryptogramCheck.evaluate(chip, evidence.answer.cryptogram, &trace)
        declined = declined ?? cryptogramDecline
        // Without a chip, the value on stripe or card; what a range lets pass so is its own decision.
        let (value, valueDecline) = NonChipCheck.evaluate(chip, evidence.answer.cardValue, request, &trace)
        declined = declined ?? valueDecline
        if let data = request.chip, declined == nil {
            declined = AmountAgreementCheck.evaluate(request, data, &trace)
        }
        // What card and terminal found out before they asked.
        if let data = request.chip, let verified, let range, declined == nil, request.purpose == .decision {
            declined = OfflineResultsCheck(policy: range.offlineResults)
                .evaluate(data, verified.question.profile, request.circumstances.kind, &trace)
        }
        return Findings(
            differs: differs, verified: verified, value: value, declined: declined,
            claimedATC: evidence.reading.card == nil || differs ? nil : verified?.question.atc)
    }

    /// The store's part, prepared: with what may be spent at all, which needs no counter.
    @inline(never)
    private func booking(
        _ declined: DeclineReason?, _ pin: PINEvidence, _ findings: Findings, _ evidence: Evidence,
        _ chip: ChipFinding, _ range: IssuerRange?, _ scripts: ScriptCommit?, _ request: AuthorisationRequest,
        _ trace: inout DecisionTrace
    ) -> AuthorisationCommit {
        let kind = request.circumstances.kind
        var declined = declined
        let limits = evidence.reading.card?.limits ?? range?.limits
        if let limits, kind.takes, declined == nil {
            declined = LimitCheck(limits: limits).evaluate(request.amount, request.circumstances, &trace)
        }
        return AuthorisationCommit(
            token: evidence.answer.token, retransmission: findings.differs ? nil : request.retransmission,
            declined: declined, verifiedATC: findings.claimedATC, pin: pin, kind: kind,
            mode: request.commitMode, original: request.original, amount: request.amount,
            cashMinorUnits: request.circumstances.cashBackMinorUnits ?? 0, limits: counted(limits, request),
            approvalCode: approvalCode(), entry: journalEntry(request, range, chip, trace, evidence),
            scripts: scripts, deadline: request.deadline)
    }

    /// What the store's word comes to.
    @inline(never)
    private func conclude(
        _ result: CommitResult, _ findings: Findings, _ evidence: Evidence, _ request: AuthorisationRequest,
        _ trace: DecisionTrace
    ) -> Decision {
        var (trace, times) = (trace, evidence.times)
        times.set(.stateCommit, from: evidence.at, to: surroundings.monotonicNanoseconds())
        let outcome = Outcome.final(
            result.declined, approvalCode: result.approvalCode,
            basis: request.basis(findings.verified, findings.value))
        trace.add(result)
        var decision = decision(outcome, findings.verified, repeated: result.repeated, trace, times)
        decision.add(
            result.effect, available: result.availableMinorUnits, evidence.reading.card,
            request.circumstances.kind)
        return decision
    }

    func gather(
        _ request: AuthorisationRequest, _ chip: ChipFinding, _ range: IssuerRange?
    ) async throws(CouldNotDecide) -> Evidence {
        var cryptogram: CryptogramQuestion?
        var cardValue: CardValueQuestion?
        switch chip {
        case .ask(let question): cryptogram = question
        case .askValue(let question, _): cardValue = question
        default: break
        }
        let isHere = cryptogram != nil || cardValue != nil
        let known = cryptography.knownToken(of: request.card)
        let begunAt = surroundings.monotonicNanoseconds()
        let pending = cryptography.begin(
            CryptographyQuestion(
                card: request.card, cryptogram: cryptogram,
                pin: isHere ? request.pin?.verified(by: range?.pinVerification ?? .reference) : nil,
                cardValue: cardValue,
                deadline: request.deadline))
        var times = StageTimes()
        var readFrom = begunAt
        let reading: CardReading
        if let known {
            reading = try await read(known, request)
        } else {
            // Only the token can say under which name the store knows a card that was not seen lately.
            let token = try await answer(pending).token
            readFrom = surroundings.monotonicNanoseconds()
            reading = try await read(token, request)
        }
        let readAt = surroundings.monotonicNanoseconds()
        times.set(.stateRead, from: readFrom, to: readAt)
        let answer = try await answer(pending)
        let at = surroundings.monotonicNanoseconds()
        times.set(.tokenQueue, from: begunAt, to: answer.startedAt)
        times.set(.token, from: answer.startedAt, to: answer.finishedAt)
        times.set(.tokenReturn, from: answer.finishedAt, to: known == nil ? readFrom : at)
        return Evidence(answer, reading, at: at, times)
    }

    func answer(
        _ pending: Pending<CryptographyAnswer, CryptographyUnavailable>
    ) async throws(CouldNotDecide) -> CryptographyAnswer {
        do { return try await pending.value } catch { throw .cryptography(error) }
    }

    private func read(
        _ token: CardToken, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> CardReading {
        do {
            return try await state.read(
                token, retransmission: request.retransmission, deadline: request.deadline)
        } catch { throw .state(error) }
    }

    private func checkCard(
        _ card: CardRecord?, _ range: IssuerRange?, _ request: AuthorisationRequest,
        _ trace: inout DecisionTrace
    ) -> DeclineReason? {
        guard let range else {
            trace.add(.issuerRange, .declined, "no range has this prefix")
            return .unknownCard
        }
        trace.add(.issuerRange, .approved, range.name)
        guard let card else {
            trace.add(.cardKnown, .declined, "no record")
            return .unknownCard
        }
        trace.add(.cardKnown, .approved, card.profile)
        if let reason = CardStatusCheck.evaluate(card, &trace) { return reason }
        let month = ExpiryDate(unixSeconds: surroundings.unixSeconds())
        return ExpiryCheck(currentMonth: month).evaluate(card, sent: request.expiry, &trace)
    }

    func commit(
        _ commit: AuthorisationCommit, at now: UInt64
    ) async throws(CouldNotDecide) -> CommitResult {
        // Whoever asked will not listen any more: nothing may be approved behind his back.
        guard now < commit.deadline.nanoseconds else {
            throw .state(StateUnavailable("commit: not sent, the deadline had passed"))
        }
        do { return try await state.commit(commit) } catch { throw .state(error) }
    }

    func counted(_ limits: SpendingLimits?, _ request: AuthorisationRequest) -> CountedLimits? {
        guard let limits, limits.isCounted, request.circumstances.kind.takes else { return nil }
        // What is booked is counted and not held up.
        return CountedLimits(
            day: surroundings.unixSeconds() / 86_400, kind: request.circumstances.kind,
            limits: request.purpose == .decision ? limits : SpendingLimits(currency: limits.currency))
    }

    private func approvalCode() -> [UInt8] {
        var number = surroundings.random() % 1_000_000
        var digits = [UInt8](repeating: 0x30, count: 6)
        for index in stride(from: 5, through: 0, by: -1) {
            digits[index] += UInt8(number % 10)
            number /= 10
        }
        return digits
    }

    @inline(never)
    func journalEntry(
        _ request: AuthorisationRequest, _ range: IssuerRange?, _ chip: ChipFinding, _ trace: DecisionTrace,
        _ evidence: Evidence
    ) -> JournalEntry {
        var (profile, keyVersion) = ("-", "")
        if case .ask(let question) = chip {
            (profile, keyVersion) = (question.profile.name, question.keyVersion)
        }
        let iad = request.chip?[.issuerApplicationData].flatMap { try? IssuerApplicationData(parsing: $0) }
        return JournalEntry(
            retrievalReferenceNumber: request.retrievalReferenceNumber,
            systemsTraceAuditNumber: request.systemsTraceAuditNumber, unixSeconds: surroundings.unixSeconds(),
            link: request.link, range: range?.name ?? "-", amount: request.amount, profile: profile,
            derivationKeyIndex: iad?.derivationKeyIndex, keyVersion: keyVersion,
            atc: request.chip?.atc?.rawValue,
            microsecondsUntilEvidence: UInt32(clamping: (evidence.at &- request.receivedAt) / 1_000),
            times: evidence.times, trace: trace)
    }

    /// The earlier answer once more. The ARPC is computed again rather than kept: it depends on nothing but
    /// the request and the answer. A repeat whose cryptogram does not verify gets no approval out of it.
    private func repeatAnswer(
        _ answered: RecordedAnswer, _ request: AuthorisationRequest, _ chip: ChipFinding,
        _ evidence: Evidence
    ) async throws(CouldNotDecide) -> Decision {
        var trace = DecisionTrace()
        trace.add(.retransmission, answered.declined == nil ? .approved : .declined, "answered before")
        let (verified, _) = CryptogramCheck.evaluate(chip, evidence.answer.cryptogram, &trace)
        let (value, _) = NonChipCheck.evaluate(chip, evidence.answer.cardValue, request, &trace)
        let outcome = Outcome.final(
            answered.declined, approvalCode: answered.approvalCode, basis: request.basis(verified, value))
        var decision = decision(outcome, verified, repeated: true, trace, evidence.times)
        decision.add(
            answered.partialMinorUnits.map { .partial(minorUnits: $0) },
            available: answered.balanceMinorUnits ?? 0, evidence.reading.card, request.circumstances.kind)
        return await self.answered(decision, verified, request)
            .carrying(await scriptAgain(evidence.reading, verified, request))
    }

    /// With tag 91 where it was prepared for this outcome.
    private func decision(
        _ outcome: Outcome, _ verified: VerifiedCryptogram?, repeated: Bool, _ trace: DecisionTrace,
        _ times: StageTimes
    ) -> Decision {
        var decision = Decision(
            outcome: outcome, issuerAuthenticationData: nil, authorisationResponseCode: nil,
            repeated: repeated, trace: trace, times: times)
        if let verified {
            let verdict = codes.verdict(for: outcome.declineReason, profile: verified.question.profile)
            decision.issuerAuthenticationData = verified.prepared(verdict)
            decision.authorisationResponseCode = codes.code(for: outcome.declineReason)
        }
        return decision
    }

    /// With tag 91 from a second job where it was not foreseen. The decision is already booked: should the token fail
    /// now, the decline goes out without tag 91 rather than not at all.
    private func answered(
        _ decision: Decision, _ verified: VerifiedCryptogram?, _ request: AuthorisationRequest
    ) async -> Decision {
        guard let verified, decision.issuerAuthenticationData == nil else { return decision }
        var decision = decision
        let from = surroundings.monotonicNanoseconds()
        decision.issuerAuthenticationData = try? await cryptography.issuerAuthenticationData(
            for: verified.question, card: request.card,
            verdict: codes.verdict(
                for: decision.outcome.declineReason, profile: verified.question.profile),
            deadline: request.deadline)
        decision.times.set(.responseCryptogram, from: from, to: surroundings.monotonicNanoseconds())
        return decision
    }
}
