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
    /// The PIN as the first job found it. Two rare cases take a second trip to the token: a record of the other form
    /// than the range's, and a comparison that failed, which a malformed block does too.
    func checkPIN(
        _ answer: PINAnswer, _ card: CardRecord, _ range: IssuerRange?, _ request: AuthorisationRequest,
        _ trace: inout DecisionTrace
    ) async throws(CouldNotDecide) -> (evidence: PINEvidence, declined: DeclineReason?) {
        var finding = PINCheck.compare(answer, card: card)
        if let question = request.pin {
            if case .otherForm(let verification) = finding {
                let second = try await secondTrip { () async throws(CryptographyUnavailable) in
                    try await cryptography.pinAnswer(
                        for: question.verified(by: verification), card: request.card,
                        deadline: request.deadline)
                }
                finding = PINCheck.compare(second, card: card)
            }
            if case .wrong = finding {
                let fault = try await secondTrip { () async throws(CryptographyUnavailable) in
                    try await cryptography.fault(
                        in: question, card: request.card, deadline: request.deadline)
                }
                if let fault { finding = .malformed(fault) }
            }
        }
        return PINCheck.evaluate(
            finding, countsMalformedBlocks: range?.countsMalformedPINBlocks == true, &trace)
    }

    private func secondTrip<Answer>(
        _ body: () async throws(CryptographyUnavailable) -> Answer
    ) async throws(CouldNotDecide) -> Answer {
        do { return try await body() } catch { throw .cryptography(error) }
    }
}
