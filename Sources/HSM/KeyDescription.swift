package import PKCS11

/// What a trail keeps of a key beside its label, read back from the token after the key was made: a token may take a
/// template and not heed it.
package struct KeyDescription: Hashable, Sendable {
    /// Six hex digits, nil where the token gives no way to it.
    package let checkValue: String?
    /// `sensitive private derive`: the attributes that are true, in a fixed order.
    package let attributes: String

    /// The attributes that are written down.
    package static let noted: [Attribute] =
        [.sensitive, .isPrivate, .extractable, .modifiable] + KeyPurpose.usages

    /// - Throws: `PKCS11Error`.
    package init(of key: ObjectHandle, _ session: inout Session) throws {
        attributes = Self.words(try session.attributes(Self.noted, of: key))
        checkValue = try TokenCheckValue.of(key, &session)
    }

    /// The words for attributes that were read.
    package static func words(_ attributes: [Attribute: Bool]) -> String {
        noted.filter { attributes[$0] == true }.map {
            $0.name.dropFirst(4).lowercased().replacing("_", with: "-")
        }.joined(separator: " ")
    }

    /// What an event of the audit trail says of the key.
    package var details: [String: String] {
        var details = ["attributes": attributes]
        details["kcv"] = checkValue
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
