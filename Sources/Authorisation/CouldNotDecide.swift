internal import EMV

/// No decision could be made: machinery, not business. The message is answered, the card is not judged.
package enum CouldNotDecide: Error, Sendable, CustomStringConvertible {
    case cryptography(CryptographyUnavailable)
    case state(StateUnavailable)
    /// A promise about the card's record does not hold: nothing was written.
    case damaged(RecordDamage)

    /// One line for logs.
    package var description: String {
        switch self {
        case .cryptography(let error): error.description
        case .state(let error): error.description
        case .damaged(let damage): "card record: \(damage)"
        }
    }
}
