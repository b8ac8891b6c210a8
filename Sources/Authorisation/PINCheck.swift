internal import EMV

/// What a PIN block came to.
enum PINFinding {
    case notSent
    case right
    case wrong
    /// Not a block of its format, or one for another PAN.
    case malformed(PINBlockFault)
    case notOnRecord
    case notServed(String)
    /// The card's record is of the other form than its range's: the token has to be asked again.
    case otherForm(PINVerification)

    /// Under the wrong key a block is malformed, or by chance another PIN's.
    var mayBeUnderAnotherKey: Bool {
        switch self {
        case .wrong, .malformed: true
        case .notSent, .right, .notOnRecord, .notServed, .otherForm: false
        }
    }

    /// The token has nothing to add.
    var isSettled: Bool {
        switch self {
        case .notSent, .right, .notOnRecord, .notServed: true
        case .wrong, .malformed, .otherForm: false
        }
    }
}

/// The card's PIN against its record: a format 0 block under the PIN verification key, or a verification value. No
/// clear PIN here.
struct PINCheck {
    static func compare(_ answer: PINAnswer, card: CardRecord) -> PINFinding {
        switch answer {
        case .notAsked: return .notSent
        case .unreadable(let fault): return .malformed(fault)
        case .notServed(let why): return .notServed(why)
        case .translated(let block):
            guard let reference = card.pinReference else {
                guard let value = card.pinVerificationValue else { return .notOnRecord }
                return .otherForm(.verificationValue(keyIndex: value.keyIndex))
            }
            // Constant time: both sides are one machine word each.
            return (block.rawValue ^ reference.rawValue) == 0 ? .right : .wrong
        case .verificationValue(let found):
            guard let value = card.pinVerificationValue else {
                return card.pinReference == nil ? .notOnRecord : .otherForm(.reference)
            }
            guard value.keyIndex == found.keyIndex else {
                return .otherForm(.verificationValue(keyIndex: value.keyIndex))
            }
            return (value.digits ^ found.digits) == 0 ? .right : .wrong
        }
    }

    /// What the finding means. Whether a wrong PIN means 55 or 75 is for the counter to say, in the commit.
    static func evaluate(
        _ finding: PINFinding, countsMalformedBlocks: Bool, _ trace: inout DecisionTrace
    ) -> (evidence: PINEvidence, declined: DeclineReason?) {
        switch finding {
        case .notSent:
            trace.add(.pin, .skipped, "none sent")
            return (.notChecked, nil)
        case .right:
            trace.add(.pin, .approved, "right")
            return (.right, nil)
        case .wrong:
            trace.add(.pin, .declined, "wrong")
            return (.wrong, nil)
        case .malformed(let fault):
            trace.add(.pin, .declined, fault.words)
            // A try was made, but maybe not by the cardholder: the scheme says whether it counts.
            return countsMalformedBlocks ? (.wrong, nil) : (.notChecked, .pinBlockUnreadable)
        case .notOnRecord:
            trace.add(.pin, .declined, "no reference on record")
            return (.notChecked, .pinNotOnRecord)
        case .notServed(let why):
            trace.add(.pin, .declined, why)
            return (.notChecked, .pinNotOnRecord)
        case .otherForm:
            trace.add(.pin, .declined, "the card's record is of another form")
            return (.notChecked, .pinNotOnRecord)
        }
    }
}

extension Authoriser {
    /// The PIN as the first job found it.
    @inline(never)
    func pinFinding(_ evidence: Evidence, _ scripts: ScriptTurn?) -> PINFinding {
        guard let card = scripts?.card ?? evidence.reading.card else { return .notOnRecord }
        return PINCheck.compare(evidence.answer.pin, card: card)
    }

    /// Rare cases take a second trip to the token: a record of the other form than the range's, and a comparison that
    /// failed, which a malformed block does too, and one under the zone PIN key before, while the acquirer goes over to
    /// a new one.
    func settle(
        _ first: PINFinding, _ evidence: Evidence, _ scripts: ScriptTurn?, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINFinding {
        guard let question = request.pin, let card = scripts?.card ?? evidence.reading.card else {
            return first
        }
        let finding = try await settle(first, question, card, request)
        guard finding.mayBeUnderAnotherKey,
            let before = cryptography.zonePINKey(before: question.zonePINKey)
        else { return finding }
        let older = try await findUnder(before, question, card, request)
        // A well-formed block under either key is one, with a wrong PIN.
        if case .malformed = older { return finding }
        return older
    }

    private func findUnder(
        _ key: KeyName, _ question: PINQuestion, _ card: CardRecord, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINFinding {
        var question = question
        question.zonePINKey = key
        let answer = try await answer(question, request)
        return try await settle(PINCheck.compare(answer, card: card), question, card, request)
    }

    /// What is left to be asked after a comparison.
    private func settle(
        _ first: PINFinding, _ question: PINQuestion, _ card: CardRecord, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINFinding {
        var finding = first
        if case .otherForm(let verification) = finding {
            finding = PINCheck.compare(
                try await answer(question.verified(by: verification), request), card: card)
        }
        guard case .wrong = finding else { return finding }
        let fault = try await secondTrip { () async throws(CryptographyUnavailable) in
            try await cryptography.fault(in: question, card: request.card, deadline: request.deadline)
        }
        return fault.map(PINFinding.malformed) ?? finding
    }

    private func answer(
        _ question: PINQuestion, _ request: AuthorisationRequest
    ) async throws(CouldNotDecide) -> PINAnswer {
        try await secondTrip { () async throws(CryptographyUnavailable) in
            try await cryptography.pinAnswer(for: question, card: request.card, deadline: request.deadline)
        }
    }

    private func secondTrip<Answer>(
        _ body: () async throws(CryptographyUnavailable) -> Answer
    ) async throws(CouldNotDecide) -> Answer {
        do { return try await body() } catch { throw .cryptography(error) }
    }
}
