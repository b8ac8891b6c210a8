internal import EMV

/// What the chip data of a request comes to before any key is used.
enum ChipFinding: Sendable {
    /// With the IAD that it was made from.
    case ask(CryptogramQuestion, IssuerApplicationData)
    /// No chip: a card verification value instead, under a range's policy.
    indirect case askValue(CardValueQuestion, NonChipPolicy)
    /// Neither chip nor value, under a rule for payments of its kind.
    case exempt(RemoteExemption)
    case decline(DeclineReason, String)
    /// Not looked at, and nothing can be approved by it.
    case skip(String)

    /// The token has nothing to say to it.
    var asksNothing: Bool {
        switch self {
        case .ask, .askValue: false
        case .decline, .skip, .exempt: true
        }
    }
}

extension CryptogramCheck {
    /// The first of what every cryptogram needs and this one has not.
    static func missing(_ chip: ICCData) -> Tag {
        if chip.cryptogram == nil { return .applicationCryptogram }
        if chip.atc == nil { return .applicationTransactionCounter }
        return chip.unpredictableNumber == nil ? .unpredictableNumber : .issuerApplicationData
    }

    /// Chip data of which no question can be made, and why.
    static func decline(_ error: any Error) -> ChipFinding {
        switch error {
        case let error as KeyVersionUnknown: .decline(.keyVersionUnknown, error.description)
        case let error as CryptogramInputError: .decline(.chipDataMalformed, "format: \(error)")
        default: .decline(.cryptogramProfileUnknown, "format: \(error)")
        }
    }

    /// A cryptogram that the token did not find right.
    static func declined(
        _ question: CryptogramQuestion, _ answer: CryptogramAnswer, trace: inout DecisionTrace
    ) -> DeclineReason {
        if case .differs = answer, let tag = question.input.takenAsZeros {
            return trace.declined(
                .cryptogram, .chipDataMalformed,
                reason: "format: tag \(tag) missing, and the card did not sign zeros")
        }
        return trace.declined(.cryptogram, .cryptogramWrong, reason: "invalid, \(words(question))")
    }
}
