internal import Authorisation
internal import EMV
internal import PKCS11

/// ICC master keys and the session keys of one job.
extension CryptographySession {
    /// A key twice: whole, and its left half doubled, with which single DES is done by triple DES.
    struct KeyPair {
        let full: ObjectHandle
        /// Nil where nothing is chained.
        let chain: ObjectHandle?
        /// False for ICC master keys, which end with the job or stay.
        let temporary: Bool
    }

    /// - Parameter chains: false for a key that enciphers single blocks only.
    mutating func keyPair(
        _ method: SessionKeyMethod, _ question: CryptogramQuestion, card: CardIdentity, chains: Bool = true
    ) throws(JobError) -> KeyPair {
        guard
            let diversifier = SessionKeyDerivation.diversifier(
                method, atc: question.atc, unpredictableNumber: question.unpredictableNumber)
        else {
            return KeyPair(
                full: try masterKey(question, card, use: .encipher),
                chain: chains ? try masterKey(question, card, use: .chain) : nil, temporary: false)
        }
        let master = try masterKey(question, card, use: .derive)
        return try withToken { () throws(PKCS11Error) in
            let full = try derivePassing(
                from: master, left: diversifier.left, right: diversifier.right,
                template: SessionTemplates.encipheringKey)
            guard chains else { return KeyPair(full: full, chain: nil, temporary: true) }
            do throws(PKCS11Error) {
                let chain = try derivePassing(
                    from: master, left: diversifier.left, right: diversifier.left,
                    template: SessionTemplates.chainingKey)
                return KeyPair(full: full, chain: chain, temporary: true)
            } catch {
                endPassing(full)
                throw error
            }
        }
    }

    mutating func discard(_ pair: KeyPair) {
        guard pair.temporary else { return }
        endPassing(pair.full)
        if let chain = pair.chain { endPassing(chain) }
    }

    /// Ends what was made for the job alone, and lets go of what the job took off the shelf.
    mutating func endJobKeys() {
        for key in endingKeys { endPassing(key) }
        endingKeys.removeAll(keepingCapacity: true)
        shelved?.inUse.removeAll(keepingCapacity: true)
    }

    /// The ICC master key (EMV Book 2 A1.4), from the shelf where it is there.
    mutating func masterKey(
        _ question: CryptogramQuestion, _ card: CardIdentity, use: MasterKeyUse
    ) throws(JobError) -> ObjectHandle {
        let place = MasterKeyShelf.Place(
            token: session.slot,
            key: MasterKeyPlace(
                issuerMasterKey: question.issuerMasterKey, option: question.masterKeyOption, card: card,
                use: use))
        if let handle = shelved?.handle(at: place) { return handle }
        let issuerMasterKey = try keys.handle(question.issuerMasterKey)
        return try withToken { () throws(PKCS11Error) in
            let diversifier = MasterKeyDerivation.diversifier(question.masterKeyOption, for: card)
            let template =
                switch use {
                case .derive: SessionTemplates.derivingKey
                case .encipher: SessionTemplates.encipheringKey
                case .chain: SessionTemplates.chainingKey
                }
            let right = use == .chain ? diversifier.left : diversifier.right
            if let home = shelved?.home {
                let key = try home.session.deriveKey(
                    from: issuerMasterKey, left: diversifier.left, right: right, template: template)
                shelved?.keep(key, made: home, at: place)
                return key
            }
            let key = try derivePassing(
                from: issuerMasterKey, left: diversifier.left, right: right, template: template)
            endingKeys.append(key)
            return key
        }
    }
}
