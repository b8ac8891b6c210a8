internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11
internal import Synchronization

/// One session with the token, of a worker or of an event loop: its keys and all cryptography of an authorisation.
/// Nothing here returns a key or a clear PIN.
///
/// Each topic is an extension in a file of its own: `+Cryptograms` the card's keys, ARQC and ARPC, `+PINs`, `+CardValues`,
/// `+MACs`. Each trip is a `TokenTask`.
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
    /// Keys made for the job under way and for nothing else; they end with it.
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
        let pan = question.card.pan
        let token = if let known = question.knownToken { known } else { try cardToken(of: pan) }
        var answer = CryptographyAnswer(token: token)
        if let asked = question.cryptogram { answer.cryptogram = try verify(asked, card: question.card) }
        // A forged cryptogram must not make the token touch a PIN.
        if case .differs = answer.cryptogram {
        } else if let asked = question.pin {
            answer.pin = try self.answer(asked, pan: pan)
        }
        if let asked = question.cardValue { answer.cardValue = try verify(asked, question.card) }
        if let asked = question.authentication { answer.authentication = try verify(asked, pan: pan) }
        return answer
    }

    /// AES-CMAC over the PAN.
    mutating func cardToken(of pan: PAN) throws(JobError) -> CardToken {
        let key = try keys.handle(panHashKey)
        var mac = (UInt64(0), UInt64(0))
        try withToken { () throws(PKCS11Error) in
            try pan.withUniqueBytes { (input) throws(PKCS11Error) in
                try withUnsafeMutableBytes(of: &mac) { (output) throws(PKCS11Error) in
                    try session.mac(.aesCMAC, key: key, input: input, into: output)
                }
            }
        }
        return CardToken(high: UInt64(bigEndian: mac.0), low: UInt64(bigEndian: mac.1))
    }
}

/// The working copies of one session, by name. Token objects themselves are never used: a software token
/// reads and deciphers its store at every use.
struct KeyRing {
    let handles: [KeyName: ObjectHandle]

    /// Held while keys are looked up and copied: SoftHSM2 shows a copy that it is about to refuse to others for
    /// a moment, as a second key with the same label.
    static let lookingUp = Mutex(())

    func handle(_ name: KeyName) throws(JobError) -> ObjectHandle {
        guard let handle = handles[name] else { throw .noSuchKey(name.rawValue) }
        return handle
    }
}

/// Where keys live that are made for one job. At the end of a wire each object's end is a call of its own; there such keys
/// are made in a session beside the serving one, which is closed after some jobs and takes them all with it. In a library
/// of this process a call costs less than that session, and each key ends with its job. PIN blocks end at once on both.
struct PassingKeys: ~Copyable {
    /// Jobs whose keys end together: few enough that a token has room for them.
    static let jobsMax = 64

    /// Nil: keys are made in the serving session and ended one by one.
    var own: Session?
    var jobs = 0
    /// Calls of sessions that are closed.
    var earlierCalls: UInt64 = 0

    /// Ended one by one.
    init() { own = nil }

    /// Ended together.
    init(beside session: borrowing Session) throws(PKCS11Error) { own = try session.sibling() }

    var callCount: UInt64 {
        mutating get { earlierCalls &+ (own?.callCount ?? 0) }
    }
}

extension CryptographySession {
    /// Calls of the token by all that this value is made of.
    var callCount: UInt64 {
        mutating get {
            session.callCount &+ passing.callCount &+ authenticationCalls &+ (shelved?.calls ?? 0)
        }
    }

    /// Derives a key for this job, with which it ends.
    mutating func deriveForJob(
        from base: ObjectHandle, left: UInt64, right: UInt64, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        let key =
            passing.own == nil
            ? try session.deriveKey(from: base, left: left, right: right, template: template)
            : try passing.own!.deriveKey(from: base, left: left, right: right, template: template)
        endingKeys.append(key)
        return key
    }
}

/// The usual PIN block, from the key of the link to that of the issuer without leaving the token.
extension CryptographySession {
    mutating func answer(_ question: PINQuestion, pan: PAN) throws(JobError) -> PINAnswer {
        if case .reference = question.verification, question.format == .iso0, let name = pinVerificationKey {
            return try translateFormat0(question, name)
        }
        return try answerOther(question, pan: pan)
    }

    /// ZPK → PVK of the usual block, which both sides have in the same form: three calls.
    private mutating func translateFormat0(
        _ question: PINQuestion, _ verificationKey: KeyName
    ) throws(JobError) -> PINAnswer {
        let zoneKey = try keys.handle(question.zonePINKey)
        let target = try keys.handle(verificationKey)
        return try withToken { () throws(PKCS11Error) in
            let clear = try session.unwrapBlock(
                question.block.rawValue, key: zoneKey, template: SessionTemplates.pinBlock)
            let result = Result { () throws(PKCS11Error) in try session.wrapBlock(clear, key: target) }
            try session.destroy(clear)
            return .translated(EncipheredPINBlock(rawValue: try result.get()))
        }
    }
}
