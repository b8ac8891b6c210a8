internal import HSM
internal import LibCrypto
internal import PKCS11

/// What is no secret key with a purpose: the trail's count, private keys, and objects that are no keys at all.
extension AuditWalk {
    /// Holds no secret that anybody needs: that it is what it was made as, and can do nothing, is all that matters.
    mutating func checkCounter(_ key: AuditedKey, _ type: KeyType?) {
        checkUsage(key, [], label: key.label)
        if type != .genericSecret {
            find(.keySwapped, key.label, detail: "the trail's count is a generic secret")
        }
        if key.attributes[Attribute.sensitive.name] != true { find(.notSensitive, key.label) }
        if key.attributes[Attribute.extractable.name] != false { find(.extractable, key.label) }
        if key.attributes[Attribute.isPrivate.name] != true { find(.notPrivate, key.label) }
    }

    /// A session copy that says the same of itself as the key, for what is tried on it: a software token deciphers a key of
    /// its store at each use, which takes it longer than the use. Nil where the token makes none, or makes it different.
    func likeCopy(of key: ObjectHandle, in session: inout Session) -> ObjectHandle? {
        guard let copy = try? session.workingCopy(of: key) else { return nil }
        let said = try? session.attributes(KeyDescription.noted, of: key)
        guard said != nil, said == (try? session.attributes(KeyDescription.noted, of: copy)) else {
            try? session.destroy(copy)
            return nil
        }
        return copy
    }

    /// Whether an RSA key signs as its own numbers say: they are attributes, which whoever makes an object can choose.
    mutating func signs(
        _ key: ObjectHandle, _ label: String, mayTry: Bool, in session: inout Session
    ) -> [AuditedKey.Probe] {
        guard mayTry, let numbers = try? session.publicNumbers(of: key), !numbers.modulus.isEmpty,
            !numbers.exponent.isEmpty
        else { return [] }
        // Below the modulus, and the form of no certificate (EMV Book 2, 5.1: those begin with 6A).
        let block = [0] + (1..<numbers.modulus.count).map { _ in UInt8.random(in: .min ... .max) }
        let words = "sign as its modulus says"
        do throws(PKCS11Error) {
            let signature = try session.signRaw(block, key: key)
            let opened = try? RSAPublicPower.compute(
                signature, exponent: numbers.exponent, modulus: numbers.modulus)
            guard opened != block else {
                return [.init(tried: words, accepted: false, answer: "as it should")]
            }
            find(
                .keySwapped, label, detail: "what it signs does not verify under its own modulus and exponent"
            )
            return [.init(tried: words, accepted: true, answer: "it does not")]
        } catch {
            return [.init(tried: words, accepted: false, answer: "\(error.name)")]
        }
    }

    /// A certificate, data, or what else is no key: this product puts none into a token.
    mutating func addOther(_ object: ForeignObject) {
        find(.objectUnknown, object.label, detail: object.words)
    }
}
