package import EMV

/// The account's name in the state store: a keyed hash of the PAN, made in the token, so that no PAN stands in Redis.
/// 16 bytes.
package struct CardToken: Hashable, Sendable {
    /// The first eight bytes, big endian.
    package let high: UInt64
    /// The last eight bytes, big endian.
    package let low: UInt64

    /// - Parameters: the two halves of the 16-byte hash.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What the issuer says to the card: the part of the ARPC's input that is the issuer's own.
package enum IssuerVerdict: Hashable, Sendable {
    /// ARPC method 1 signs this code (EMV Book 2 8.2.1).
    case responseCode(AuthorisationResponseCode)
    /// ARPC method 2 signs this update (EMV Book 2 8.2.2).
    case statusUpdate(CardStatusUpdate)
}

/// A cryptogram to be verified: everything that the token needs and nothing that it has itself.
package final class CryptogramQuestion: Sendable {
    /// IMK-AC of the card's range.
    package let issuerMasterKey: KeyName
    /// The name of the version that it is; empty where the range has one key only.
    package let keyVersion: String
    /// How the ICC master key is derived from it.
    package let masterKeyOption: MasterKeyOption
    /// The row of the profile table.
    package let profile: CryptogramProfile
    /// Tag 9F36.
    package let atc: ApplicationTransactionCounter
    /// Tag 9F37.
    package let unpredictableNumber: UnpredictableNumber
    /// The padded input of the MAC.
    package let input: CryptogramInput
    /// Tag 9F26, as received.
    package let cryptogram: ApplicationCryptogram
    /// The verdicts whose ARPC is computed in the same job when the cryptogram is right, at most two.
    ///
    /// The final response code is known only after the commit. An ARPC costs under a microsecond here and a
    /// second trip to the token's thread several, so the likely answers are prepared; none leaves the host
    /// before the commit has said which one is true.
    package let prepared: [IssuerVerdict]

    /// Takes the parts; see each property.
    package init(
        issuerMasterKey: KeyName, keyVersion: String = "", masterKeyOption: MasterKeyOption,
        profile: CryptogramProfile, atc: ApplicationTransactionCounter,
        unpredictableNumber: UnpredictableNumber, input: CryptogramInput,
        cryptogram: ApplicationCryptogram, prepared: [IssuerVerdict]
    ) {
        self.issuerMasterKey = issuerMasterKey
        self.keyVersion = keyVersion
        self.masterKeyOption = masterKeyOption
        self.profile = profile
        self.atc = atc
        self.unpredictableNumber = unpredictableNumber
        self.input = input
        self.cryptogram = cryptogram
        self.prepared = prepared
    }
}

/// All cryptography of one authorisation: one job.
package struct CryptographyQuestion: Sendable {
    /// PAN and sequence number, for the card token, the ICC master key and the PIN block.
    package let card: CardIdentity
    /// The cryptogram, nil for a request without one.
    package let cryptogram: CryptogramQuestion?
    /// The PIN block, nil where none came. It is translated only when there is no cryptogram to verify or
    /// the cryptogram was right: a forged one must not make the token touch a PIN.
    package let pin: PINQuestion?
    /// The card verification value, nil where none came: requests without a chip.
    package let cardValue: CardValueQuestion?
    /// The 3-D Secure authentication value, nil where none came.
    package var authentication: AuthenticationQuestion?
    /// After this the job is not begun any more.
    package let deadline: Deadline
    /// The account's token where it is known: it need not be made again.
    package var knownToken: CardToken?

    /// Takes the parts; see each property.
    package init(
        card: CardIdentity, cryptogram: CryptogramQuestion?, pin: PINQuestion?,
        cardValue: CardValueQuestion? = nil, deadline: Deadline, knownToken: CardToken? = nil
    ) {
        self.knownToken = knownToken
        self.card = card
        self.cryptogram = cryptogram
        self.pin = pin
        self.cardValue = cardValue
        self.deadline = deadline
    }
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

/// The answer of one job.
package struct CryptographyAnswer: Sendable {
    /// The card's name in the state store.
    package let token: CardToken
    /// What became of the cryptogram.
    package let cryptogram: CryptogramAnswer
    /// What became of the PIN block.
    package let pin: PINAnswer
    /// What became of the card verification value.
    package let cardValue: CardValueAnswer
    /// What became of the authentication value.
    package var authentication = AuthenticationAnswer.notAsked
    /// When the worker began, on the monotonic clock in nanoseconds; 0 where nobody looked.
    package var startedAt: UInt64 = 0
    /// When the worker was done.
    package var finishedAt: UInt64 = 0

    /// Takes the parts.
    package init(
        token: CardToken, cryptogram: CryptogramAnswer, pin: PINAnswer,
        cardValue: CardValueAnswer = .notAsked
    ) {
        self.token = token
        self.cryptogram = cryptogram
        self.pin = pin
        self.cardValue = cardValue
    }
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
