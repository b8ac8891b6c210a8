internal import ByteCoding
package import PKCS11

/// What a trail keeps of a key beside its label, read back from the token after the key was made: a token may take a
/// template and not heed it.
package struct KeyDescription: Hashable, Sendable {
    /// Six hex digits, nil where the token gives no way to it.
    package let checkValue: String?
    /// `sensitive private derive`: the attributes that are true, in a fixed order.
    package let attributes: String
    /// The same of attributes that no usage asks for, where the token knows them: where the key was made, who trusts it.
    package let flags: String
    /// What tells it from another key of the same check value: 16 hex digits, nil where the token gives no way to it.
    package let digest: String?
    /// Of `CKA_ID`, 16 hex digits.
    package let identifier: String
    /// `des2`, `aes` …; nil for a type that this product does not use, and for asymmetric keys, whose numbers say it.
    package let type: String?
    /// Everything that was read; one that the token does not know is left out.
    package let found: [Attribute: Bool]

    /// The attributes that are written down.
    package static let noted: [Attribute] =
        [.sensitive, .isPrivate, .extractable, .modifiable] + KeyPurpose.usages
    private static let flagged: [Attribute] = [
        .local, .alwaysSensitive, .neverExtractable, .trusted, .wrapWithTrusted, .copyable, .destroyable,
        .signRecover, .verifyRecover, .alwaysAuthenticate,
    ]
    private static let digestBytes = 8
    /// As descriptions write them: computed once, since an audit writes thousands.
    private static let spoken: [Attribute: String] = Dictionary(
        uniqueKeysWithValues: (noted + flagged).map {
            ($0, $0.name.dropFirst(4).lowercased().replacing("_", with: "-"))
        })

    /// - Parameters:
    ///   - keyClass: of an asymmetric key the numbers that everybody may know are what it is told by.
    ///   - copy: a copy of the key that gives its check value in its place.
    ///   - attributes: as `read` found them; nil reads them.
    ///   - name: `CKA_ID` where it was read before; nil reads it.
    /// - Throws: `PKCS11Error`.
    package init(
        of key: ObjectHandle, as keyClass: KeyClass = .secret, answeredBy copy: ObjectHandle? = nil,
        attributes read: [Attribute: Bool]? = nil, identifier name: [UInt8]? = nil,
        in session: inout Session
    ) throws {
        found = try read ?? Self.read(key, in: &session)
        attributes = Self.words(found)
        flags = Self.words(found, Self.flagged)
        identifier = Hex.encode(
            try session.sha256(name ?? session.identifier(of: key)).prefix(Self.digestBytes))
        type = keyClass == .secret ? try session.keyType(of: copy ?? key).map { "\($0)" } : nil
        if keyClass == .secret {
            let answer = try TokenCheckValue.answer(of: copy ?? key, &session)
            checkValue = answer.map { Hex.encode($0.prefix(TokenCheckValue.byteCount)) }
            digest = try answer.flatMap { answer in
                guard answer.count > TokenCheckValue.byteCount else { return nil }
                return Hex.encode(try session.sha256(answer).prefix(Self.digestBytes))
            }
        } else {
            let part = try session.publicPart(of: key)
            let exponent = try session.publicExponent(of: key)
            let isKnown = !part.isEmpty
            checkValue =
                isKnown ? Hex.encode(try session.sha256(part).prefix(TokenCheckValue.byteCount)) : nil
            digest = isKnown ? Hex.encode(try session.sha256(part + exponent).prefix(Self.digestBytes)) : nil
        }
    }

    /// Everything that a description says of attributes.
    package static func read(
        _ key: ObjectHandle, in session: inout Session
    ) throws(PKCS11Error) -> [Attribute: Bool] {
        try session.attributes(noted + flagged, of: key)
    }

    /// The words for attributes that were read.
    package static func words(_ attributes: [Attribute: Bool], _ list: [Attribute] = noted) -> String {
        list.compactMap { attributes[$0] == true ? spoken[$0] : nil }.joined(separator: " ")
    }

    /// What an event of the audit trail says of the key.
    package var details: [String: String] {
        var details = ["attributes": attributes, "flags": flags, "id": identifier]
        details["kcv"] = checkValue
        details["digest"] = digest
        details["type"] = type
        return details
    }

    /// Holds what was made against what was asked for, and ends a key that is something else.
    ///
    /// - Throws: `KeyError.tooPowerful`, `KeyError.tooWeak`; the key is gone then.
    package static func requireAsAsked(
        _ key: ObjectHandle, _ label: String, purpose: KeyPurpose, session: inout Session
    ) throws {
        let found = try session.attributes(noted, of: key)
        let wanted: Set<Attribute> =
            Set([.sensitive, .isPrivate] + purpose.usage)
            .union(purpose.rules.isExtractable ? [.extractable] : [])
        for attribute in noted {
            let isOn = found[attribute] == true
            guard isOn != wanted.contains(attribute) else { continue }
            try? session.destroy(key)
            throw isOn
                ? KeyError.tooPowerful(label, attribute: attribute.name)
                : KeyError.tooWeak(label, attribute: attribute.name)
        }
    }
}
