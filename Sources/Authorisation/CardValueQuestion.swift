package import EMV

/// A card verification value as it was sent, and what it may have been made over: the candidates say what each
/// match would mean (the stripe's own value, a chip's on a stripe, the printed one).
package struct CardValueQuestion: Sendable {
    /// The card verification key of the card's range.
    package let cardVerificationKey: KeyName
    /// Tried in this order, at least one.
    package let candidates: [CardValueInput]
    /// Three digits in BCD, as received.
    package let value: UInt16
    /// A value that a chip made for this transaction, in place of all of that; nil: a value of the card's own.
    package let dynamic: DynamicCardValue?

    package init(cardVerificationKey: KeyName, candidates: [CardValueInput], value: UInt16) {
        self.cardVerificationKey = cardVerificationKey
        self.candidates = candidates
        self.value = value
        dynamic = nil
    }

    /// A contactless magnetic stripe.
    package init(dynamic: DynamicCardValue) {
        cardVerificationKey = dynamic.issuerMasterKey
        candidates = []
        value = 0
        self.dynamic = dynamic
    }
}

/// What the token said of a card verification value.
package enum CardValueAnswer: Hashable, Sendable {
    /// None was sent in.
    case notAsked
    /// It is that of no candidate. Every candidate was computed and compared.
    case differs
    /// It is that of the candidate at this index.
    case matches(Int)
}
