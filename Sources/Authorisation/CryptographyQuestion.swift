package import EMV

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
}

/// The account's name in the state store: a keyed hash of the PAN, made in the token, so that no PAN stands in Redis.
/// 16 bytes.
package struct CardToken: Hashable, Sendable {
    /// The first eight bytes, big endian; `low` the last eight.
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }
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
    package let atc: ApplicationTransactionCounter
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

/// The answer of one job.
package struct CryptographyAnswer: Sendable {
    /// The card's name in the state store.
    package let token: CardToken
    /// What became of the cryptogram.
    package var cryptogram = CryptogramAnswer.notAsked
    /// What became of the PIN block.
    package var pin = PINAnswer.notAsked
    /// What became of the card verification value.
    package var cardValue = CardValueAnswer.notAsked
    /// What became of the authentication value.
    package var authentication = AuthenticationAnswer.notAsked
    /// When the worker began, on the monotonic clock in nanoseconds; 0 where nobody looked.
    package var startedAt: UInt64 = 0
    package var finishedAt: UInt64 = 0

    /// Nothing was asked but the name.
    package init(token: CardToken) { self.token = token }
}
