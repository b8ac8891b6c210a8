internal import EMV

/// What a message rests on, before the card's record is looked at.
package enum Proof: Sendable {
    /// A cryptogram that the token has found right, of the plastic that the message names.
    case chip(VerifiedCryptogram)
    /// A card verification value that the token has found right.
    case cardValue(VerifiedCardValue)
    /// Nothing but a rule of the range for payments of its kind.
    case exempt(RemoteExemption)
    /// A 3-D Secure authentication value that the token has found right.
    case authentication(VerifiedAuthentication)
    /// Nothing: a decline, what completes an earlier approval, or what has happened elsewhere.
    case none
}

/// What has to be known before a record can say more.
package enum CardQuestion: Error, Sendable {
    /// The transactions that are filed away.
    case past
    /// More about the PIN, compared with this.
    case pin(PINOnRecord)
    /// The protected form of an issuer script.
    case script(QueuedScript)
    /// The record of another PAN, where the account has moved to.
    case account(CardToken)
    /// What the account of the PAN before leaves here: it is on its way.
    case move
}

/// What the record of a card says to an event.
package enum CardStep: Sendable {
    /// It has to know more; nothing was decided.
    case ask(CardQuestion)
    /// Decided. What it moves holds once it is written, or never. In a box: a step is looked at in several places.
    indirect case decided(CardOutcome, CardChange)
    /// A promise about the record does not hold: nothing is written.
    case broken(String)
}
