/// What a commit did beside the usual.
package enum CommitEffect: Hashable, Sendable {
    /// Less than asked for was approved: so many minor units.
    case partial(minorUnits: Int64)
    /// A reversal had come first; so many minor units were left to it.
    case reversedBefore(remainingMinorUnits: Int64)
    /// It replaced an earlier transaction, which had taken so much.
    case settled(minorUnits: Int64)
    /// The same, and less was taken than the message says.
    case settledInPart(takenMinorUnits: Int64, minorUnits: Int64)
    /// So much was given back; found by the original's numbers, otherwise by its reference.
    case givenBack(minorUnits: Int64, byNumbers: Bool)
    /// The original is not known (yet): remembered, should it come late.
    case originalUnknown
    /// The original had been declined: there was nothing to give back.
    case originalDeclined

    /// One or two words, as an export has them.
    package var kind: String {
        switch self {
        case .partial: "in part"
        case .reversedBefore: "reversed before"
        case .settled, .settledInPart: "replaced"
        case .givenBack: "given back"
        case .originalUnknown: "original unknown"
        case .originalDeclined: "original declined"
        }
    }

    /// What was taken, where that is less than the message says.
    package var takenMinorUnits: Int64? {
        switch self {
        case .partial(let amount), .reversedBefore(let amount), .settledInPart(let amount, _): amount
        case .settled, .givenBack, .originalUnknown, .originalDeclined: nil
        }
    }

    /// What an earlier transaction had taken and has no more.
    package var givenBackMinorUnits: Int64? {
        switch self {
        case .settled(let amount), .settledInPart(_, let amount), .givenBack(let amount, _): amount
        case .partial, .reversedBefore, .originalUnknown, .originalDeclined: nil
        }
    }

    /// In words, for the trace.
    package var words: String {
        switch self {
        case .partial(let amount): "in part, \(amount)"
        case .reversedBefore(let amount): "reversed before it came, \(amount) left"
        case .settledInPart(let taken, let amount):
            "\(taken) taken, replaces an earlier approval of \(amount)"
        case .settled(let amount): "replaces an earlier approval of \(amount)"
        case .givenBack(let amount, let byNumbers):
            "\(amount) given back, original found by \(byNumbers ? "its numbers" : "its reference")"
        case .originalUnknown: "original not known, remembered in case it comes late"
        case .originalDeclined: "original had been declined, nothing to give back"
        }
    }
}
