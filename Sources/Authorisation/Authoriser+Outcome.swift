internal import EMV

/// What follows the record: it is asked until it says what a message comes to, the store until it has that, and then the
/// answer is made.
extension Authoriser {
    /// Asks the record until it says what the message comes to, and the store until it has that.
    func applyAndWrite(_ work: Work) async throws(CouldNotDecide) {
        (work.message, work.knowledge) = (message(work), CardKnowledge())
        var conflicts = 0
        while true {
            switch try apply(work) {
            case .follow(let token):
                try await follow(token, work)
                work.message = message(work)
            case .learn: try await learn(work)
            case .tell: return
            case .write:
                if try await write(work) { return }
                conflicts += 1
                self.conflicts.add()
                guard conflicts <= Self.conflictsMax else {
                    throw .state(StateUnavailable("replace: other hosts were quicker \(conflicts) times"))
                }
            }
        }
    }

    private enum Next {
        case follow(CardToken)
        case learn
        case write
        /// An answer that was given before.
        case tell
    }

    /// The step, and what has to be done about it.
    @inline(never)
    private func apply(_ work: Work) throws(CouldNotDecide) -> Next {
        guard let message = work.message else { preconditionFailure("a record is asked after the checks") }
        let step = CardTransition.apply(message, work.knowledge, to: work.reading)
        work.step = step
        switch step {
        case .ask(.account(let token)): return .follow(token)
        case .ask: return .learn
        case .broken(let words): throw .damaged(RecordDamage(words))
        case .decided(_, let change):
            guard change.lines.isEmpty else { return .write }
            work.unconfirmed = work.reading
            return .tell
        }
    }

    /// - Returns: false on a conflict; the record as it is now is the reading then.
    private func write(_ work: Work) async throws(CouldNotDecide) -> Bool {
        let request = work.request
        let from = surroundings.monotonicNanoseconds()
        // Whoever asked will not listen any more: nothing may be approved behind his back.
        guard from < request.deadline.nanoseconds else {
            throw .state(StateUnavailable("replace: not sent, the deadline had passed"))
        }
        let (change, lines) = changeAndLines(work)
        do throws(CouldNotDecide) {
            switch try await records.replace(
                work.token, change, lines: lines, withPast: work.readsPast || work.reading.past != nil,
                deadline: request.deadline)
            {
            case .done(let unconfirmed):
                work.unconfirmed = unconfirmed
                if unconfirmed != nil { (work.written, work.writtenFrom) = (change.record?.tag, from) }
            case .conflict(let current):
                work.reading = current
                return false
            }
        } catch {
            guard try await isWritten(change, after: error, since: from, work: work) else { return false }
        }
        work.times.set(.stateCommit, from: from, to: surroundings.monotonicNanoseconds())
        return true
    }

    @inline(never)
    private func changeAndLines(_ work: Work) -> (CardChange, [JournalLine]) {
        guard case .decided(let outcome, let change) = work.step, let now = work.message?.now else {
            preconditionFailure("only what was decided is written")
        }
        let lines: [JournalLine] = change.lines.map { line in
            switch line {
            case .decision: .decision(journalEntry(outcome, now, work: work), outcome.result)
            case .change(let operation, let value, let before):
                .change("\(operation);\(value);\(before);host;\(now);-")
            }
        }
        return (change, lines)
    }

    private func journalEntry(_ outcome: CardOutcome, _ now: Int64, work: Work) -> JournalEntry {
        let request = work.request
        var (profile, keyVersion, index) = ("-", "", UInt8?.none)
        if case .ask(let question, let iad) = work.chip {
            (profile, keyVersion, index) = (
                question.profile.name, question.keyVersion,
                iad.derivationKeyIndex(in: question.profile.format)
            )
        }
        return JournalEntry(
            retrievalReferenceNumber: request.retrievalReferenceNumber,
            systemsTraceAuditNumber: request.transmission.stan, unixSeconds: now, link: request.link,
            range: work.range?.name ?? "-", amount: request.amount, charge: outcome.charge, profile: profile,
            derivationKeyIndex: index, keyVersion: keyVersion, atc: request.chip?.atc?.rawValue,
            microsecondsUntilEvidence: UInt32(clamping: (work.evidenceAt &- request.receivedAt) / 1_000),
            times: work.times, trace: outcome.trace)
    }
}

/// After the record: what the acquirer and the card are told.
extension Authoriser {
    func decision(_ work: Work) async -> Decision {
        let decision = answer(work)
        if decision.authorisationResponseCode != nil, decision.issuerAuthenticationData == nil {
            await addResponseCryptogram(to: decision, work)
        }
        if hasScript(work) { await addScript(to: decision, work) }
        return decision
    }

    @inline(never)
    private func hasScript(_ work: Work) -> Bool {
        if case .decided(let outcome, _) = work.step { outcome.script != nil } else { false }
    }

    @inline(never)
    private func answer(_ work: Work) -> Decision {
        guard case .decided(let outcome, _) = work.step else {
            preconditionFailure("only decisions are told")
        }
        let result = outcome.result
        var trace = outcome.trace
        if !result.repeated { trace.add(result) }
        let isDecision = work.request.purpose == .decision
        let final =
            isDecision
            ? Outcome.final(result.declined, approvalCode: result.approvalCode, basis: outcome.basis)
            : result.declined.map(Outcome.declined) ?? .accepted
        let decision = Decision(final, repeated: result.repeated, trace: trace, times: work.times)
        if isDecision, let verified = work.verified {
            let verdict = codes.verdict(for: final.declineReason, profile: verified.question.profile)
            decision.authorisationResponseCode = codes.code(for: final.declineReason)
            decision.issuerAuthenticationData = verified.prepared(verdict)
        }
        if let finding = work.authentication {
            decision.configuredAnswer = finding.answer(final.declineReason, outcome.basis)
        }
        guard isDecision, final.declineReason == nil else { return decision }
        decision.partialMinorUnits = outcome.partialMinorUnits
        decision.balanceMinorUnits = outcome.balanceMinorUnits
        if outcome.balanceMinorUnits != nil { decision.balanceCurrency = outcome.currency }
        decision.charge = outcome.charge
        return decision
    }
}
