internal import Authorisation
internal import EMV
internal import PKCS11

/// ICC master keys, kept, and the session keys of one job.
extension CryptographySession {
    /// A key twice: whole, and its left half doubled, with which single DES is done by triple DES.
    struct KeyPair {
        let full: ObjectHandle
        let chain: ObjectHandle
        /// False for ICC master keys, whose handles are kept.
        let temporary: Bool
    }

    mutating func keyPair(
        _ method: SessionKeyMethod, _ question: CryptogramQuestion, _ card: CardIdentity
    ) throws(JobError) -> KeyPair {
        guard
            let diversifier = SessionKeyDerivation.diversifier(
                method, atc: question.atc, unpredictableNumber: question.unpredictableNumber)
        else {
            return KeyPair(
                full: try masterKey(question, card, .encipher), chain: try masterKey(question, card, .chain),
                temporary: false)
        }
        let master = try masterKey(question, card, .derive)
        return try withToken { () throws(PKCS11Error) in
            let full = try session.deriveKey(
                from: master, left: diversifier.left, right: diversifier.right,
                SessionTemplates.encipheringKey)
            do throws(PKCS11Error) {
                let chain = try session.deriveKey(
                    from: master, left: diversifier.left, right: diversifier.left,
                    SessionTemplates.chainingKey)
                return KeyPair(full: full, chain: chain, temporary: true)
            } catch {
                try? session.destroy(full)
                throw error
            }
        }
    }

    mutating func discard(_ pair: KeyPair) {
        guard pair.temporary else { return }
        // A handle that cannot be destroyed dies with the session; the next call will say what is wrong.
        try? session.destroy(pair.full)
        try? session.destroy(pair.chain)
    }

    mutating func destroyEvictedKeys() {
        for key in evictedKeys { try? session.destroy(key) }
        evictedKeys.removeAll(keepingCapacity: true)
    }

    /// The ICC master key (EMV Book 2 A1.4) from the worker's store, derived if it is not there.
    mutating func masterKey(
        _ question: CryptogramQuestion, _ card: CardIdentity, _ use: MasterKeyUse
    ) throws(JobError) -> ObjectHandle {
        let place = MasterKeyPlace(
            issuerMasterKey: question.issuerMasterKey, option: question.masterKeyOption, card: card, use: use)
        if let known = masterKeys.value(for: place) { return known }
        let issuerMasterKey = try keys.handle(question.issuerMasterKey)
        return try withToken { () throws(PKCS11Error) in
            var diversifier = MasterKeyDerivation.diversifier(for: card)
            if MasterKeyDerivation.needsHash(question.masterKeyOption, for: card) {
                let hash = try session.sha1(MasterKeyDerivation.bytesToHash(for: card))
                diversifier = MasterKeyDerivation.diversifier(fromSHA1: hash)
            }
            let template =
                switch use {
                case .derive: SessionTemplates.derivingKey
                case .encipher: SessionTemplates.encipheringKey
                case .chain: SessionTemplates.chainingKey
                }
            let key = try session.deriveKey(
                from: issuerMasterKey, left: diversifier.left,
                right: use == .chain ? diversifier.left : diversifier.right, template)
            // Not destroyed at once: with few places the evicted key may be one that this job still uses.
            if let evicted = masterKeys.insert(key, for: place) { evictedKeys.append(evicted) }
            return key
        }
    }
}
