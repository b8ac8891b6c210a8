internal import EMV

/// Advices and reversals: what has happened already. They always get an answer that says what became of them, and no
/// check stands in their way but whether the card is one of this issuer's.
extension Authoriser {
    func book(_ request: AuthorisationRequest) async throws(CouldNotDecide) -> Decision {
        switch request.purpose {
        case .decision: try await authorise(request)
        case .advice(let approved): try await book(request, approvedElsewhere: approved)
        case .reversal(let remaining): try await reverse(request, remaining)
        }
    }

    private func book(
        _ request: AuthorisationRequest, approvedElsewhere: Bool
    ) async throws(CouldNotDecide) -> Decision {
        var trace = DecisionTrace()
        trace.add(.transaction, .approved, request.purpose.words(request.circumstances.kind))
        let range = ranges.range(for: request.card.pan)
        let chip = chipFinding(request, range)
        let evidence = try await gather(request, chip, range)
        let (card, answered) = (evidence.reading.card, evidence.reading.answered)
        let differs = answered.map { $0.fingerprint != request.retransmission.fingerprint } ?? false
        trace.add(
            .retransmission, differs ? .declined : .approved,
            differs ? "other content" : answered == nil ? "first" : "answered before")
        if answered != nil, !differs {
            return acknowledged(answered?.declined, repeated: true, trace, evidence.times)
        }

        // The cryptogram marks the entry and moves the ATC; what was sold is sold, whatever it says.
        let (verified, _) = CryptogramCheck.evaluate(chip, evidence.answer.cryptogram, &trace)
        // A completion may bring what the card reports of its scripts.
        let scripts = await scripts(evidence.reading, verified, range, request, &trace)
        let limits = card?.limits ?? range?.limits
        let result = try await commit(
            AuthorisationCommit(
                token: evidence.answer.token, retransmission: differs ? nil : request.retransmission,
                declined: differs ? .retransmissionDiffers : nil,
                verifiedATC: card == nil || differs ? nil : verified?.question.atc, pin: .notChecked,
                kind: request.circumstances.kind, mode: approvedElsewhere && !differs ? .book : .note,
                original: request.original, amount: request.amount,
                cashMinorUnits: request.circumstances.cashBackMinorUnits ?? 0,
                limits: approvedElsewhere ? counted(limits, request) : nil, approvalCode: Self.noCode,
                entry: journalEntry(request, range, chip, trace, evidence), scripts: scripts?.commit,
                deadline: request.deadline), at: evidence.at)
        trace.add(result)
        return acknowledged(result.declined, repeated: result.repeated, trace, evidence.times)
    }

    private func reverse(
        _ request: AuthorisationRequest, _ remaining: Int64
    ) async throws(CouldNotDecide) -> Decision {
        var trace = DecisionTrace()
        trace.add(.transaction, .approved, request.purpose.words(request.circumstances.kind))
        guard let original = request.original,
            let left = Amount(minorUnits: remaining, currency: request.amount.currency)
        else { return acknowledged(.retransmissionDiffers, repeated: false, trace, StageTimes()) }
        var times = StageTimes()
        let token = try await cardToken(request, &times)
        let range = ranges.range(for: request.card.pan)
        let now = surroundings.monotonicNanoseconds()
        let entry = JournalEntry(
            retrievalReferenceNumber: request.retrievalReferenceNumber,
            systemsTraceAuditNumber: request.systemsTraceAuditNumber, unixSeconds: surroundings.unixSeconds(),
            link: request.link, range: range?.name ?? "-", amount: request.amount, profile: "-",
            derivationKeyIndex: nil, atc: request.chip?.atc?.rawValue,
            microsecondsUntilEvidence: UInt32(clamping: (now &- request.receivedAt) / 1_000), times: times,
            trace: trace)
        let result: CommitResult
        guard now < request.deadline.nanoseconds else {
            throw .state(StateUnavailable("reversal: not sent, the deadline had passed"))
        }
        do {
            result = try await state.reverse(
                ReversalCommit(
                    token: token, retransmission: request.retransmission, original: original, remaining: left,
                    entry: entry, deadline: request.deadline))
        } catch { throw .state(error) }
        times.set(.stateCommit, from: now, to: surroundings.monotonicNanoseconds())
        trace.add(result)
        return acknowledged(result.declined, repeated: result.repeated, trace, times)
    }

    /// The card's name in the store; the token is only asked where this process has not seen the card lately.
    private func cardToken(
        _ request: AuthorisationRequest, _ times: inout StageTimes
    ) async throws(CouldNotDecide) -> CardToken {
        if let known = cryptography.knownToken(of: request.card) { return known }
        let from = surroundings.monotonicNanoseconds()
        let pending = cryptography.begin(
            CryptographyQuestion(card: request.card, cryptogram: nil, pin: nil, deadline: request.deadline))
        let token = try await answer(pending).token
        times.set(.token, from: from, to: surroundings.monotonicNanoseconds())
        return token
    }

    private func acknowledged(
        _ declined: DeclineReason?, repeated: Bool, _ trace: DecisionTrace, _ times: StageTimes
    ) -> Decision {
        Decision(
            outcome: declined.map(Outcome.declined) ?? .accepted, issuerAuthenticationData: nil,
            authorisationResponseCode: nil, repeated: repeated, trace: trace, times: times)
    }

    /// An advice is no approval of this issuer's: it has no code.
    private static var noCode: [UInt8] { [UInt8](repeating: UInt8(ascii: "-"), count: 6) }
}

extension AuthorisationRequest {
    /// How the store treats a request that is to be decided.
    var commitMode: CommitMode {
        switch circumstances.kind {
        case .completion: .complete
        case .purchase, .preAuthorisation: circumstances.allowsPartialApproval ? .decidePartially : .decide
        default: .decide
        }
    }

    /// What an approval of this request rests on; nil: nothing, so that there is none.
    func basis(_ verified: VerifiedCryptogram?, _ value: VerifiedCardValue?) -> ApprovalBasis? {
        // The store approves a completion only where it completes an approval of this card.
        if circumstances.kind == .completion { return .completion }
        return verified.map(ApprovalBasis.cryptogram) ?? value.map(ApprovalBasis.cardValue)
    }
}

extension Decision {
    /// What the answer says beside approval or decline: a part, or a balance.
    mutating func add(
        _ effect: CommitEffect?, available: Int64, _ card: CardRecord?, _ kind: TransactionKind
    ) {
        guard case .approved = outcome else { return }
        if case .partial(let minorUnits) = effect {
            partialMinorUnits = minorUnits
        } else if kind != .balanceEnquiry {
            return
        }
        (balanceMinorUnits, balanceCurrency) = (available, card?.currency)
    }
}
