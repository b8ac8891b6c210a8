internal import Authorisation
internal import EMV
internal import PKCS11

/// ICC master keys, kept, and the session keys of one job.
extension CryptographySession {
    /// A key twice: whole, and its left half doubled, with which single DES is done by triple DES.
    struct KeyPair {
        let full: ObjectHandle
        /// Nil where nothing is chained.
        let chain: ObjectHandle?
        /// False for ICC master keys, whose handles are kept.
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

    mutating func destroyEvictedKeys() {
        for key in evictedKeys {
            if masterKeys.capacity == 0 { endPassing(key) } else { try? session.destroy(key) }
        }
        evictedKeys.removeAll(keepingCapacity: true)
    }

    /// The ICC master key (EMV Book 2 A1.4) from the worker's store, derived if it is not there.
    mutating func masterKey(
        _ question: CryptogramQuestion, _ card: CardIdentity, use: MasterKeyUse
    ) throws(JobError) -> ObjectHandle {
        let place = MasterKeyPlace(
            issuerMasterKey: question.issuerMasterKey, option: question.masterKeyOption, card: card, use: use)
        if let known = masterKeys.value(for: place) { return known }
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
            // One that is kept outlives the session of passing keys.
            let key =
                masterKeys.capacity == 0
                ? try derivePassing(
                    from: issuerMasterKey, left: diversifier.left, right: right, template: template)
                : try session.deriveKey(
                    from: issuerMasterKey, left: diversifier.left, right: right, template: template)
            // Not destroyed at once: with few places the evicted key may be one that this job still uses.
            if let evicted = masterKeys.insert(key, for: place) { evictedKeys.append(evicted) }
            return key
        }
    }
}
