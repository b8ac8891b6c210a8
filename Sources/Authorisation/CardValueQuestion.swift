public import EMV

/// A card verification value as it was sent, and what it may have been made over: the candidates say what each
/// match would mean (the stripe's own value, a chip's on a stripe, the printed one).
public struct CardValueQuestion: Sendable {
    /// The card verification key of the card's range.
    public let cardVerificationKey: KeyName
    /// Tried in this order, at least one.
    public let candidates: [CardValueInput]
    /// Three digits in BCD, as received.
    public let value: UInt16

    /// Takes the parts; see each property.
    public init(cardVerificationKey: KeyName, candidates: [CardValueInput], value: UInt16) {
        self.cardVerificationKey = cardVerificationKey
        self.candidates = candidates
        self.value = value
    }
}

/// What the token said of a card verification value.
public enum CardValueAnswer: Hashable, Sendable {
    /// None was sent in.
    case notAsked
    /// It is that of no candidate. Every candidate was computed and compared.
    case differs
    /// It is that of the candidate at this index.
    case matches(Int)
}
