package import EMV

/// A card value that a chip made for one transaction, and what it is made over.
package final class DynamicCardValue: Sendable {
    /// Of which scheme.
    package enum Form: Sendable {
        /// Visa's dCVV: the CVV of the PAN with the ATC, four digits in BCD, in place of its first four.
        case dcvv(CardValueInput, atc: UInt16)
        /// Mastercard's CVC3: a MAC over the track as it was issued, then a block with unpredictable number and ATC.
        case cvc3(track: CryptogramInput, unpredictableNumber: UInt32, atcs: [UInt16], digits: Int)
    }

    /// From which the card's key is derived.
    package let issuerMasterKey: KeyName
    /// How.
    package let masterKeyOption: MasterKeyOption
    /// What it is made over.
    package let form: Form
    /// As received: of dCVV three digits in BCD, of CVC3 a decimal number.
    package let value: UInt32

    package init(issuerMasterKey: KeyName, masterKeyOption: MasterKeyOption, form: Form, value: UInt32) {
        self.issuerMasterKey = issuerMasterKey
        self.masterKeyOption = masterKeyOption
        self.form = form
        self.value = value
    }
}

/// What stands for the card in a contactless magnetic stripe.
package struct ContactlessStripe: Sendable {
    /// Of which scheme.
    package enum Form: Sendable {
        /// Digits of track 2 before the value, and before the four of the ATC, behind the service code.
        case dcvv(valueOffset: Int, atcOffset: Int)
        /// Where the card puts its digits.
        case cvc3(ContactlessTrack)
    }

    /// IMK-AC for dCVV, IMK-CVC3 for CVC3.
    package let issuerMasterKey: KeyName
    /// How the card's key is derived from it.
    package let masterKeyOption: MasterKeyOption
    /// Of which scheme.
    package let form: Form

    package init(issuerMasterKey: KeyName, masterKeyOption: MasterKeyOption, form: Form) {
        self.issuerMasterKey = issuerMasterKey
        self.masterKeyOption = masterKeyOption
        self.form = form
    }
}

/// The ATC that a verified value was made with.
package enum ATCOnTrack: Hashable, Sendable {
    /// All of it.
    case whole(UInt16)
    /// Its last four digits.
    case lastFour(UInt16)

    /// The counter that is meant, of several that end alike: the one that the window knows, so that a copy is seen and a
    /// payment that comes late is not refused, otherwise the first one above the highest seen.
    func atc(highest: UInt16?) -> UInt16 {
        guard case .lastFour(let digits) = self else {
            if case .whole(let atc) = self { return atc }
            return 0
        }
        guard let highest else { return digits }
        var atc = UInt32(digits)
        while atc <= UInt32(highest), Int(highest) - Int(atc) >= ATCWindow.count, atc + 10_000 <= 0xFFFF {
            atc += 10_000
        }
        return UInt16(atc)
    }

    /// In words, for the trace.
    var words: String {
        switch self {
        case .whole(let atc): "ATC \(atc)"
        case .lastFour(let digits): "ATC ending with \(digits)"
        }
    }
}

extension NonChipCheck {
    /// What a contactless magnetic stripe brings in place of a cryptogram.
    func contactlessStripe(_ evidence: NonChipEvidence, _ request: AuthorisationRequest) -> ChipFinding {
        guard let stripe = policy.contactlessStripe else { return .decline(.chipDataMissing, "no DE55") }
        guard let value = dynamicValue(stripe, evidence, request: request) else {
            return .decline(.cardValueMissing, "no value, number or counter where track 2 should have them")
        }
        return .askValue(CardValueQuestion(dynamic: value), policy)
    }

    private func dynamicValue(
        _ stripe: ContactlessStripe, _ evidence: NonChipEvidence, request: AuthorisationRequest
    ) -> DynamicCardValue? {
        guard let expiry = evidence.stripeExpiry, let code = evidence.serviceCode,
            let input = CardValueInput(expiry: expiry, serviceCode: code)
        else { return nil }
        func made(_ form: DynamicCardValue.Form, _ value: UInt32) -> DynamicCardValue {
            DynamicCardValue(
                issuerMasterKey: stripe.issuerMasterKey, masterKeyOption: stripe.masterKeyOption, form: form,
                value: value)
        }
        switch stripe.form {
        case .dcvv(let valueOffset, let atcOffset):
            guard let value = evidence.value(at: valueOffset),
                let atc = evidence.digits(at: atcOffset, count: 4)
            else { return nil }
            return made(.dcvv(input, atc: UInt16(atc)), UInt32(value))
        case .cvc3(let track):
            let count = min(evidence.discretionaryCount, 16)
            let digits = (0..<count).map { UInt8(evidence.discretionary >> UInt64(60 - 4 * $0) & 0x0F) }
            guard let content = track.content(of: digits) else { return nil }
            let issued = ContactlessTrack.issued(
                request.card.pan, expiry: expiry, serviceCode: code, discretionary: content.issued)
            guard let track2 = CryptogramInput(issued, padding: .method2) else { return nil }
            return made(
                .cvc3(
                    track: track2, unpredictableNumber: content.unpredictableNumber,
                    atcs: track.atcs(endingWith: content.atc), digits: track.valueDigits), content.value)
        }
    }

    /// The counter that a value which the token has found right was made with.
    static func atc(_ question: CardValueQuestion, _ index: Int) -> ATCOnTrack? {
        switch question.dynamic?.form {
        case .dcvv(_, let digits):
            .lastFour([12, 8, 4, 0].reduce(0) { $0 * 10 + (digits >> UInt16($1) & 0x0F) })
        case .cvc3(_, _, let atcs, _): atcs.indices.contains(index) ? .whole(atcs[index]) : nil
        case nil: nil
        }
    }
}
