internal import EMV

/// How a card came to the terminal, as far as DE22 says so.
package enum CardEntry: Sendable {
    /// Chip, with contacts or without.
    case chip
    /// The stripe, read whole.
    case magneticStripe
    /// The stripe of a card whose chip did not answer.
    case fallback
    /// The image of the stripe, without contact.
    case contactlessStripe
    /// Typed or remembered: no card is there.
    case cardNotPresent
    /// Nothing, or nothing that means something here.
    case unknown
}

/// What a request without chip brings to show that the card is there, or in the holder's hand. Not described, not
/// logged, not kept.
package struct NonChipEvidence: Sendable, CustomReflectable {
    /// DE22.
    package let entry: CardEntry
    /// YYMM of track 2 in BCD.
    package let stripeExpiry: UInt16?
    /// The service code of track 2, three digits in BCD (ISO/IEC 7813).
    package let serviceCode: UInt16?
    /// What follows it on the track, at most sixteen digits in BCD, left-aligned.
    package let discretionary: UInt64
    /// How many digits that are.
    package let discretionaryCount: Int
    /// CVV2, three digits in BCD, from where the link has it.
    package let printedValue: UInt16?
    /// What kind of payment it is, where no card is there and the message says so.
    package let remote: RemotePayment?

    package init(
        entry: CardEntry, stripeExpiry: UInt16? = nil, serviceCode: UInt16? = nil, discretionary: UInt64 = 0,
        discretionaryCount: Int = 0, printedValue: UInt16? = nil, remote: RemotePayment? = nil
    ) {
        self.entry = entry
        self.stripeExpiry = stripeExpiry
        self.serviceCode = serviceCode
        self.discretionary = discretionary
        self.discretionaryCount = discretionaryCount
        self.printedValue = printedValue
        self.remote = remote
    }

    /// Three digits of the discretionary data; nil where there are not so many.
    func value(at offset: Int) -> UInt16? {
        guard offset >= 0, offset + 3 <= min(discretionaryCount, 16) else { return nil }
        return UInt16(truncatingIfNeeded: discretionary >> UInt64(4 * (13 - offset))) & 0xFFF
    }

    /// Digits of the discretionary data in BCD; nil where there are not so many.
    func digits(at offset: Int, count: Int) -> UInt64? {
        guard offset >= 0, (1...15).contains(count), offset + count <= min(discretionaryCount, 16) else {
            return nil
        }
        return discretionary >> UInt64(4 * (16 - offset - count)) & (1 << UInt64(4 * count) - 1)
    }

    /// The first digit 2 or 6: the card has a chip.
    var isChipCard: Bool { serviceCode.map { [2, 6].contains($0 >> 8) } ?? false }

    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a range lets pass without a chip.
package struct NonChipPolicy: Sendable {
    /// CVK of stripe, chip image and printed value.
    package var cardVerificationKey: KeyName
    /// Where the value stands in the discretionary data of track 2: behind a PIN key index and a PVV.
    package var stripeValueOffset = 5
    /// The stripe of a card without a chip.
    package var acceptsMagneticStripe = true
    /// The stripe of a card with a chip. A stripe is copied in a second: no, unless the issuer says so.
    package var acceptsFallback = false
    /// Without a card, with the printed value.
    package var acceptsCardNotPresent = true
    /// CVV2 is made over MMYY, not over YYMM.
    package var printedValueTakesMonthFirst = false
    /// What stands for the card in a contactless magnetic stripe; nil: none passes.
    package var contactlessStripe: ContactlessStripe?
    /// What passes without the printed value.
    package var remote = RemotePolicy()

    /// Takes what has no default.
    package init(cardVerificationKey: KeyName) { self.cardVerificationKey = cardVerificationKey }
}

/// A card verification value that the token has found right. Only `NonChipCheck` makes one.
package struct VerifiedCardValue: Sendable {
    /// How the card came.
    package let entry: CardEntry
    /// The counter of a value that a chip made for this transaction; nil for the card's own value.
    let atc: ATCOnTrack?

    init(entry: CardEntry, atc: ATCOnTrack? = nil) { (self.entry, self.atc) = (entry, atc) }
}

extension NonChipCheck {
    /// What the token's answer means, and whether the range lets such traffic pass at all.
    static func evaluate(
        _ finding: ChipFinding, _ answer: CardValueAnswer, request: AuthorisationRequest,
        trace: inout DecisionTrace
    ) -> (verified: VerifiedCardValue?, declined: DeclineReason?) {
        guard case .askValue(let question, let policy) = finding, let evidence = request.nonChip else {
            return (nil, nil)
        }
        if question.dynamic != nil {
            return dynamicResult(question, answer, evidence: evidence, trace: &trace)
        }
        let isPrinted = evidence.entry == .cardNotPresent
        switch answer {
        case .notAsked, .differs:
            trace.add(.cardValue, .declined, reason: isPrinted ? "CVV2 wrong" : "CVV wrong")
            return (nil, isPrinted ? .printedValueWrong : .cardValueWrong)
        case .matches(let index) where index > 0:
            trace.add(.cardValue, .declined, reason: "iCVV in a magnetic stripe: a cloned chip")
            return (nil, .clonedChip)
        case .matches:
            trace.add(.cardValue, .approved, reason: isPrinted ? "CVV2 right" : "CVV right")
        }
        if !isPrinted, evidence.isChipCard || evidence.entry == .fallback, !policy.acceptsFallback {
            trace.add(.entryMode, .declined, reason: "stripe of a card with a chip")
            return (nil, .fallbackNotAllowed)
        }
        if !isPrinted, !policy.acceptsMagneticStripe {
            trace.add(.entryMode, .declined, reason: "magnetic stripe")
            return (nil, .fallbackNotAllowed)
        }
        trace.add(.entryMode, .approved, reason: isPrinted ? "card not present" : "magnetic stripe")
        return (VerifiedCardValue(entry: evidence.entry), nil)
    }

    /// Candidate 0 is what is right for the entry; candidate 1 of a stripe is the chip's value, which only a copy of a
    /// chip's data has there.
    func prepare(_ request: AuthorisationRequest) -> ChipFinding {
        guard let evidence = request.nonChip else { return .decline(.chipDataMissing, "no DE55") }
        switch evidence.entry {
        case .chip: return .decline(.entryModeDiffers, "DE22 says chip, but there is no DE55")
        case .unknown: return .decline(.chipDataMissing, "no DE55")
        case .contactlessStripe: return contactlessStripe(evidence, request)
        case .magneticStripe, .fallback:
            guard let expiry = evidence.stripeExpiry, let code = evidence.serviceCode,
                let value = evidence.value(at: policy.stripeValueOffset),
                let own = CardValueInput(expiry: expiry, serviceCode: code),
                let chip = CardValueInput(expiry: expiry, serviceCode: CardValueInput.chipServiceCode)
            else { return .decline(.cardValueMissing, "no service code or CVV in track 2") }
            return .askValue(
                CardValueQuestion(
                    cardVerificationKey: policy.cardVerificationKey, candidates: [own, chip], value: value),
                policy)
        case .cardNotPresent:
            if let exemption = exemption(request) { return .exempt(exemption) }
            guard policy.acceptsCardNotPresent else {
                return .decline(.cardNotPresentNotAllowed, "card not present")
            }
            guard let value = evidence.printedValue, let expiry = request.expiry,
                let printed = CardValueInput(
                    expiry: policy.printedDate(expiry), serviceCode: CardValueInput.printedServiceCode)
            else { return .decline(.printedValueWrong, "no CVV2 or expiry date sent") }
            return .askValue(
                CardValueQuestion(
                    cardVerificationKey: policy.cardVerificationKey, candidates: [printed], value: value),
                policy)
        }
    }
}

extension NonChipCheck {
    /// Of a contactless magnetic stripe. Its counter is the record's to judge.
    static func dynamicResult(
        _ question: CardValueQuestion, _ answer: CardValueAnswer, evidence: NonChipEvidence,
        trace: inout DecisionTrace
    ) -> (verified: VerifiedCardValue?, declined: DeclineReason?) {
        guard case .matches(let index) = answer, let atc = atc(question, index) else {
            trace.add(.cardValue, .declined, reason: "dCVV or CVC3 wrong")
            return (nil, .cardValueWrong)
        }
        trace.add(.cardValue, .approved, reason: "dCVV or CVC3 right, \(atc.words)")
        trace.add(.entryMode, .approved, reason: "contactless magnetic stripe")
        return (VerifiedCardValue(entry: evidence.entry, atc: atc), nil)
    }
}

extension NonChipPolicy {
    fileprivate func printedDate(_ expiry: ExpiryDate) -> UInt16 {
        func bcd(_ value: Int) -> UInt16 { UInt16((value / 10) << 4 | value % 10) }
        let (year, month) = (bcd(expiry.months / 12 % 100), bcd(expiry.months % 12 + 1))
        return printedValueTakesMonthFirst ? month << 8 | year : year << 8 | month
    }
}

extension Authoriser {
    /// What stands in the place of a cryptogram: a card value, an exemption, an authentication of the cardholder.
    func otherProof(
        _ work: Work, _ chip: Proof, declined: inout DeclineReason?, trace: inout DecisionTrace
    ) -> Proof {
        let request = work.request
        var proof = chip
        if case .askValue = work.chip {
            let (value, reason) = NonChipCheck.evaluate(
                work.chip, work.answer?.cardValue ?? .notAsked, request: request, trace: &trace)
            declined = declined ?? reason
            if let value { proof = .cardValue(value) }
        }
        if case .exempt(let exemption) = work.chip { proof = exemption.proof(&trace) }
        if let finding = work.authentication {
            let (verified, reason) = finding.evaluate(
                work.answer?.authentication ?? .notAsked, request, now: surroundings.unixSeconds(),
                trace: &trace)
            declined = declined ?? reason
            if let verified, declined == nil { proof = .authentication(verified) }
        }
        return proof
    }
}
