package import EMV

/// What the issuer says to the card: the part of the ARPC's input that is the issuer's own.
package enum IssuerVerdict: Hashable, Sendable {
    /// ARPC method 1 signs this code (EMV Book 2 8.2.1).
    case responseCode(AuthorisationResponseCode)
    /// ARPC method 2 signs this update (EMV Book 2 8.2.2).
    case statusUpdate(CardStatusUpdate)
}

/// What the token said of the cryptogram.
package enum CryptogramAnswer: Sendable {
    /// No cryptogram was sent in.
    case notAsked
    /// It differs from the one that the card's key gives. Compared in constant time.
    case differs
    /// It is the card's own; with the issuer authentication data of each prepared verdict, in that order.
    case matches([IssuerAuthenticationData])
}

/// What the token made of the PIN block.
package enum PINAnswer: Sendable {
    /// No block was sent in, or the cryptogram was wrong.
    case notAsked
    /// The block in format 0 under the PIN verification key, to be compared with the card's reference.
    case translated(EncipheredPINBlock)
    /// The verification value of the PIN, to be compared with the card's.
    case verificationValue(PINVerificationValue)
    /// The block is not one of its format; found without looking further than needed, so that a block of format 0
    /// whose comparison failed may still turn out to be one (`fault`).
    case unreadable(PINBlockFault)
    /// The host has no key for this way of verifying.
    case notServed(String)
}

/// The token gave no answer. Never an answer about the card.
package enum CryptographyUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bounded queue before the workers is full.
    case overloaded
    /// The deadline passed before a worker was free, or while the token worked.
    case deadlinePassed
    /// The token failed; the words name the function and the code, never data.
    case tokenFailed(String)
    /// The host is stopping.
    case stopped

    /// One line for logs.
    package var description: String {
        switch self {
        case .overloaded: "HSM queue full"
        case .deadlinePassed: "HSM gave no answer in time"
        case .tokenFailed(let words): "HSM failed: \(words)"
        case .stopped: "HSM stopped"
        }
    }
}

/// A job that was handed to the token.
package protocol CryptographyUnderWay: Sendable {
    /// Waits for the answer; once, on the side that asked.
    func answer() async throws(CryptographyUnavailable) -> CryptographyAnswer
}

/// One that is there already.
extension Result: CryptographyUnderWay

where Success == CryptographyAnswer, Failure == CryptographyUnavailable {
    package func answer() async throws(CryptographyUnavailable) -> CryptographyAnswer { try get() }
}

/// The port to the token. An implementation is bound to the thread or event loop that calls it: answers
/// arrive there, in batches.
package protocol CardCryptography: IssuerScriptCryptography {
    /// The account's token if this process has seen it lately, so that the state can be read while the
    /// token works; nil means that the answer brings it.
    func knownToken(of pan: PAN) -> CardToken?

    /// Hands the job to a worker and returns at once.
    func begin(_ question: CryptographyQuestion) -> any CryptographyUnderWay

    /// Tag 91 for a verdict that was not prepared. A job of its own: declines only.
    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> IssuerAuthenticationData

    /// Verifies a PIN block in another way than the first job did. A job of its own: rare.
    func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer

    /// The zone PIN key that passes beside this one, for a while after the acquirer changed it; nil where none does.
    /// From memory.
    func zonePINKey(before name: KeyName) -> KeyName?

    /// What is wrong with a PIN block whose comparison failed, nil where it is well formed and the PIN is simply
    /// wrong. A job of its own: wrong PINs only.
    func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault?
}

extension CardCryptography {
    /// None: keys that never change.
    package func zonePINKey(before name: KeyName) -> KeyName? { nil }
}

/// Jobs without a 3-D Secure value.
extension CryptographyQuestion {
    package init(
        card: CardIdentity, cryptogram: CryptogramQuestion?, pin: PINQuestion?,
        cardValue: CardValueQuestion? = nil, deadline: Deadline, knownToken: CardToken? = nil
    ) {
        self.init(
            card: card, cryptogram: cryptogram, pin: pin, cardValue: cardValue, authentication: nil,
            deadline: deadline, knownToken: knownToken)
    }
}
