internal import EMV

/// What a PIN block came to, from the token's answer to the answer's code.
package enum PINVerdict: Hashable, Sendable {
    case notSent
    case right
    case wrong
    /// Not a block of its format, or one for another PAN.
    case malformed(PINBlockFault)
    case notOnRecord
    case notServed(String)
    /// The record is of another form than the token was asked for.
    case otherForm

    /// The token's answer against the card's record. Constant time: both sides are one machine word each.
    static func compare(_ answer: PINAnswer, _ record: PINOnRecord) -> PINVerdict {
        switch (answer, record) {
        case (.notAsked, _): .notSent
        case (_, .none): .notOnRecord
        case (.unreadable(let fault), _): .malformed(fault)
        case (.notServed(let why), _): .notServed(why)
        case (.translated(let block), .reference(let reference)):
            (block.rawValue ^ reference.rawValue) == 0 ? .right : .wrong
        case (.verificationValue(let found), .verificationValue(let value))
        where found.keyIndex == value.keyIndex:
            (found.digits ^ value.digits) == 0 ? .right : .wrong
        case (.translated, .verificationValue), (.verificationValue, _): .otherForm
        }
    }

    /// The token has nothing to add. Under the wrong key a block is malformed, or by chance another PIN's; and a failed
    /// comparison may be a malformed block's.
    var isSettled: Bool {
        switch self {
        case .notSent, .right, .notOnRecord, .notServed: true
        case .wrong, .malformed, .otherForm: false
        }
    }
}

extension CardTransition {
    /// The PIN against the plastic's record, and its tries. A comparison is only heard while tries are left: with none,
    /// nothing is compared and nothing takes longer.
    mutating func checkPIN(
        _ message: CardMessage, _ knowledge: CardKnowledge, plastic index: Int?
    ) throws(CardQuestion) -> DeclineReason? {
        if case .notAsked = message.pin {
            trace.add(.pin, .skipped, reason: "none sent")
            return nil
        }
        guard let index else {
            trace.add(.pin, .declined, reason: "several cards fit, with different PINs")
            return .pinNotOnRecord
        }
        var plastic = record.plastic(index)
        guard plastic.pin == .none || plastic.pinTriesUsed < plastic.pinTriesMax else {
            trace.add(.pin, .skipped, reason: "no tries left")
            return .pinTriesExceeded
        }
        switch try verdict(message, knowledge, pin: plastic.pin) {
        case .notSent: return nil
        case .right:
            trace.add(.pin, .approved, reason: "right")
            plastic.pinTriesUsed = 0
            share(plastic, index)
            return nil
        case .malformed(let fault):
            trace.add(.pin, .declined, reason: fault.words)
            // A try was made, but maybe not by the cardholder: the scheme says whether it counts.
            guard policy.countsMalformedPINBlocks else { return .pinBlockUnreadable }
            return count(&plastic, index)
        case .wrong, .otherForm:
            trace.add(.pin, .declined, reason: "wrong")
            return count(&plastic, index)
        case .notOnRecord:
            trace.add(.pin, .declined, reason: "no reference on record")
            return .pinNotOnRecord
        case .notServed(let why):
            trace.add(.pin, .declined, reason: why)
            return .pinNotOnRecord
        }
    }

    private func verdict(
        _ message: CardMessage, _ knowledge: CardKnowledge, pin: PINOnRecord
    ) throws(CardQuestion) -> PINVerdict {
        if let known = knowledge.pin, known.record == pin { return known.verdict }
        let first = PINVerdict.compare(message.pin, pin)
        guard first.isSettled else { throw .pin(pin) }
        return first
    }

    private mutating func count(_ plastic: inout Plastic, _ index: Int) -> DeclineReason {
        plastic.pinTriesUsed += 1
        share(plastic, index)
        return plastic.pinTriesUsed >= plastic.pinTriesMax ? .pinTriesExceeded : .pinWrong
    }

    /// Plastics with one PIN have one count of tries: a guess at one is a guess at all.
    mutating func share(_ plastic: Plastic, _ index: Int) {
        for other in 0..<record.plasticCount {
            var its = record.plastic(other)
            guard other == index || its.pin == plastic.pin, its.pinTriesUsed != plastic.pinTriesUsed else {
                continue
            }
            its.pinTriesUsed = min(plastic.pinTriesUsed, its.pinTriesMax)
            record.replacePlastic(other, its)
        }
    }
}
