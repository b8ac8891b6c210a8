internal import EMV

/// Rare cases take a second trip to the token: a record of the other form than the range's, and a comparison that failed,
/// which a malformed block does too, and one under the zone PIN key before, while the acquirer goes over to a new one.
extension Authoriser {
    /// What a PIN block comes to against a record, with every look that it takes.
    func lookAgain(
        at first: PINAnswer, _ record: PINOnRecord, request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINVerdict {
        let verdict = PINVerdict.compare(first, record)
        guard let question = request.pin else { return verdict }
        let found = try await confirm(verdict, question, record: record, request: request)
        guard found.mayBeUnderAnotherKey,
            let before = cryptography.zonePINKey(before: question.zonePINKey)
        else { return found }
        var older = question
        older.zonePINKey = before
        let answer = try await answer(older.verified(by: record.verification), request)
        let under = try await confirm(
            PINVerdict.compare(answer, record), older, record: record, request: request)
        // A well-formed block under either key is one, with a wrong PIN.
        if case .malformed = under { return found }
        return under
    }

    /// The other form where the record is of that, and whether a block that compared wrong is one at all.
    private func confirm(
        _ first: PINVerdict, _ question: PINQuestion, record: PINOnRecord, request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINVerdict {
        var verdict = first
        if verdict == .otherForm {
            verdict = PINVerdict.compare(
                try await answer(question.verified(by: record.verification), request), record)
        }
        guard verdict == .wrong else { return verdict }
        do {
            let fault = try await cryptography.fault(
                in: question, card: request.card, deadline: request.deadline)
            return fault.map(PINVerdict.malformed) ?? verdict
        } catch { throw .cryptography(error) }
    }

    private func answer(
        _ question: PINQuestion, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINAnswer {
        do {
            return try await cryptography.pinAnswer(
                for: question, card: request.card, deadline: request.deadline)
        } catch { throw .cryptography(error) }
    }
}

extension PINOnRecord {
    /// How the token has to be asked for it.
    fileprivate var verification: PINVerification {
        if case .verificationValue(let value) = self { return .verificationValue(keyIndex: value.keyIndex) }
        return .reference
    }
}

extension PINVerdict {
    /// Under the wrong key a block is malformed, or by chance another PIN's.
    fileprivate var mayBeUnderAnotherKey: Bool {
        switch self {
        case .wrong, .malformed: true
        case .notSent, .right, .notOnRecord, .notServed, .otherForm: false
        }
    }
}
