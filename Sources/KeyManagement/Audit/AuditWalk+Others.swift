internal import HSM
internal import PKCS11

/// What is no secret key with a purpose: the trail's count, private keys, and objects that are no keys at all.
extension AuditWalk {
    /// Holds no secret that anybody needs: that it is what it was made as, and can do nothing, is all that matters.
    mutating func checkCounter(_ key: AuditedKey, _ type: String?) {
        checkUsage(key, [], label: key.label)
        if type != "\(KeyType.genericSecret)" {
            find(.keySwapped, key.label, detail: "the trail's count is a generic secret")
        }
        if key.attributes[Attribute.sensitive.name] != true { find(.notSensitive, key.label) }
        if key.attributes[Attribute.extractable.name] != false { find(.extractable, key.label) }
        if key.attributes[Attribute.isPrivate.name] != true { find(.notPrivate, key.label) }
    }

    /// A certificate, data, or what else is no key: this product puts none into a token.
    mutating func addOther(_ object: ForeignObject) {
        find(.objectUnknown, object.label, detail: object.words)
    }
}
