internal import Authorisation
internal import EMV
internal import PKCS11

/// One session with the token, of a worker or of an event loop: its keys and all cryptography of an authorisation.
/// Nothing here returns a key or a clear PIN.
///
/// Each topic is an extension in a file of its own: `+Keys` the ICC master and session keys, `+Cryptograms` ARQC and
/// ARPC, `+PINs`, `+CardValues`, `+MACs`, `+Blocks` what they share. Each trip is a `TokenTask`.
struct CryptographySession: ~Copyable {
    /// Which key an ICC master key was derived from, for which card, and what for.
    struct MasterKeyPlace: Hashable {
        let issuerMasterKey: KeyName
        let option: MasterKeyOption
        let card: CardIdentity
        let use: MasterKeyUse
    }

    enum MasterKeyUse: Hashable {
        case derive, encipher, chain
    }

    var session: Session
    /// Keys of the job under way.
    var passing: PassingKeys
    let keys: KeyRing
    let panHashKey: KeyName
    let pinVerificationKey: KeyName?
    let pinVerificationValueKey: KeyName?
    var knownPINMarks: PINMarks?
    /// Left halves of keys, doubled, as many as keys are configured.
    var doubledLeftHalves: [KeyName: ObjectHandle] = [:]
    /// By key: in sessions of their own, beside `session`.
    var authenticationCiphers: [KeyName: AuthenticationCiphers] = [:]
    /// Calls of the token in those.
    var authenticationCalls: UInt64 = 0
    /// ICC master keys made for the job under way and for nothing else; they end with it.
    var endingKeys: [ObjectHandle] = []
    /// Where ICC master keys stay; nil: nowhere.
    var shelved: ShelvedKeys?
    /// How the chaining part of a MAC is computed on this token; found by a known-answer test.
    let chaining: Chaining
    /// Where a worker notes what it has in the token.
    var underWay: JobUnderWay?
    /// Which of several tokens its worker or loop is at home at, while that one does not answer.
    var away: Int?

    /// How a token computes a CBC-MAC.
    enum Chaining: Sendable {
        /// By a MAC mechanism: only the last block comes back.
        case mac
        /// By encipherment, of which the last block is kept.
        case cbc
    }

    init(
        session: consuming Session, keys: KeyRing, configuration: HSMConfiguration, chaining: Chaining,
        passing: consuming PassingKeys = PassingKeys()
    ) {
        self.passing = passing
        self.session = session
        self.keys = keys
        self.chaining = chaining
        panHashKey = configuration.panHashKey
        pinVerificationKey = configuration.pinVerificationKey
        pinVerificationValueKey = configuration.pinVerificationValueKey
    }

    // MARK: - One authorisation

    /// Everything that one authorisation needs of the token.
    mutating func answer(_ question: CryptographyQuestion) throws(JobError) -> CryptographyAnswer {
        defer { endJobKeys() }
        let token = if let known = question.knownToken { known } else { try cardToken(of: question.card.pan) }
        var cryptogram = CryptogramAnswer.notAsked
        if let asked = question.cryptogram { cryptogram = try verify(asked, card: question.card) }
        var pin = PINAnswer.notAsked
        // A forged cryptogram must not make the token touch a PIN.
        if case .differs = cryptogram {
        } else if let asked = question.pin {
            pin = try answer(asked, pan: question.card.pan)
        }
        var cardValue = CardValueAnswer.notAsked
        if let asked = question.cardValue {
            cardValue =
                if let dynamic = asked.dynamic { try verify(dynamic, card: question.card) } else {
                    try verify(asked, pan: question.card.pan)
                }
        }
        var answer = CryptographyAnswer(token: token, cryptogram: cryptogram, pin: pin, cardValue: cardValue)
        if let asked = question.authentication {
            answer.authentication = try verify(asked, pan: question.card.pan)
        }
        return answer
    }

    /// AES-CMAC over the PAN.
    mutating func cardToken(of pan: PAN) throws(JobError) -> CardToken {
        let key = try keys.handle(panHashKey)
        var mac = (UInt64(0), UInt64(0))
        try withToken { () throws(PKCS11Error) in
            let result = pan.withUniqueBytes { input in
                withUnsafeMutableBytes(of: &mac) { output in
                    Result { () throws(PKCS11Error) in
                        try session.mac(.aesCMAC, key: key, input: input, into: output)
                    }
                }
            }
            try result.get()
        }
        return CardToken(high: UInt64(bigEndian: mac.0), low: UInt64(bigEndian: mac.1))
    }
}
