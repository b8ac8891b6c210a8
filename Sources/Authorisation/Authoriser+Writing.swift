internal import EMV

/// With the record: asked until it says what a message comes to, and the store until it has that.
extension Authoriser {
    /// Asks the record until it says what the message comes to, and the store until it has that.
    func applyAndWrite(_ work: Work) async throws(CouldNotDecide) -> CardOutcome {
        var message = message(work)
        var knowledge = CardKnowledge()
        var conflicts = 0
        while true {
            switch CardTransition.apply(message, knowledge, to: work.reading) {
            case .ask(.account(let token)):
                try await follow(token, work)
                message = self.message(work)
            case .ask(let question): try await learn(question, &knowledge, message: message, work: work)
            case .broken(let words): throw .damaged(RecordDamage(words))
            case .decided(let outcome, let change):
                if change.lines.isEmpty {
                    // An answer that was given before.
                    work.unconfirmed = work.reading
                    return outcome
                }
                guard let current = try await write(change, outcome, message: message, work: work) else {
                    return outcome
                }
                work.reading = current
                conflicts += 1
                self.conflicts.add()
                guard conflicts <= Self.conflictsMax else {
                    throw .state(StateUnavailable("replace: other hosts were quicker \(conflicts) times"))
                }
            }
        }
    }

    /// - Returns: nil once it is written, otherwise the record as it is now.
    private func write(
        _ change: CardChange, _ outcome: CardOutcome, message: CardMessage, work: Work
    ) async throws(CouldNotDecide) -> CardReading? {
        let request = work.request
        let from = surroundings.monotonicNanoseconds()
        // Whoever asked will not listen any more: nothing may be approved behind his back.
        guard from < request.deadline.nanoseconds else {
            throw .state(StateUnavailable("replace: not sent, the deadline had passed"))
        }
        let lines = journalLines(change, outcome, message: message, work: work)
        do throws(CouldNotDecide) {
            switch try await records.replace(
                work.token, change, lines: lines, withPast: work.readsPast || work.reading.past != nil,
                deadline: request.deadline)
            {
            case .done(let unconfirmed):
                work.unconfirmed = unconfirmed
                if unconfirmed != nil { (work.written, work.writtenFrom) = (change.record?.tag, from) }
            case .conflict(let current): return current
            }
        } catch {
            // The reply was lost: the record itself says whether the write was carried out. One that still arrives finds
            // another tag.
            guard case .state(let failure) = error, failure.recordTells, let written = change.record else {
                throw error
            }
            guard
                let current = try? await records.read(
                    work.token, withPast: work.readsPast || work.reading.past != nil,
                    deadline: request.deadline)
            else { throw error }
            guard current.record?.tag == written.tag else { return current }
            (work.unconfirmed, work.written, work.writtenFrom) = (current, written.tag, from)
        }
        work.times.set(.stateCommit, from: from, to: surroundings.monotonicNanoseconds())
        return nil
    }

    private func learn(
        _ question: CardQuestion, _ knowledge: inout CardKnowledge, message: CardMessage, work: Work
    ) async throws(CouldNotDecide) {
        switch question {
        case .account, .move: throw Self.isMoving
        case .past:
            work.reading = try await records.read(
                work.token, withPast: true, deadline: work.request.deadline)
        case .pin(let record):
            knowledge.pin = (record, try await lookAgain(at: message.pin, record, request: work.request))
        case .script(let script):
            do throws(CryptographyUnavailable) {
                work.template = try await template(script, work)
                knowledge.script = (script.identifier, nil)
            } catch {
                knowledge.script = (script.identifier, error.description)
            }
        }
    }

    @inline(never)
    private func journalLines(
        _ change: CardChange, _ outcome: CardOutcome, message: CardMessage, work: Work
    ) -> [JournalLine] {
        change.lines.map { line in
            switch line {
            case .decision:
                .decision(journalEntry(outcome, message.now, work: work), outcome.result)
            case .change(let operation, let value, let before):
                .change("\(operation);\(value);\(before);host;\(message.now);-")
            }
        }
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
            systemsTraceAuditNumber: request.systemsTraceAuditNumber, unixSeconds: now, link: request.link,
            range: work.range?.name ?? "-", amount: request.amount, profile: profile,
            derivationKeyIndex: index,
            keyVersion: keyVersion, atc: request.chip?.atc?.rawValue,
            microsecondsUntilEvidence: UInt32(clamping: (work.evidenceAt &- request.receivedAt) / 1_000),
            times: work.times, trace: outcome.trace, charge: outcome.charge)
    }
}
