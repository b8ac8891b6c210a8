package import ByteCoding
internal import PKCS11

/// What became of one key.
package struct LoadedKey: Sendable {
    /// `CKA_LABEL`.
    package let label: String
    /// The purpose whose template it has.
    package let purpose: KeyPurpose
    /// False if it was there already.
    package let created: Bool
    /// The check value, nil where the key's usage gives no way to it.
    package let checkValue: String?
    /// What the trail keeps of it, read back; nil where it was there already.
    package let description: KeyDescription?

    init(
        label: String, purpose: KeyPurpose, created: Bool, checkValue: String?,
        description: KeyDescription? = nil
    ) {
        self.label = label
        self.purpose = purpose
        self.created = created
        self.checkValue = checkValue
        self.description = description
    }
}

/// Puts keys into the token, each with the least usage of its purpose.
package enum KeyLoading {
    /// Creates a token key from a clear TEST value. Production keys are born in the token or come under
    /// another key.
    ///
    /// - Parameters:
    ///   - value: 16 or 24 bytes, TDES of double or triple length.
    ///   - expectedCheckValue: three bytes in hex; checked in the token before the key is made for good.
    /// - Throws: `KeyError` or `PKCS11Error`, naming the key.
    package static func loadTestKey(
        label: String, purpose: KeyPurpose, value: borrowing SecretBytes, expectedCheckValue: String,
        at location: TokenLocation
    ) throws -> LoadedKey {
        var session = try location.openSession(readWrite: true)
        let algorithm = value.count == 24 ? KeyAlgorithm.tdes192 : .tdes128
        do { try WeakKeys.refuse(clear: value, algorithm) } catch let weakness as KeyWeakness {
            throw KeyLoadingError(label: label, reason: "\(weakness)")
        }
        let computed = try checkValue(of: value, algorithm, session: &session)
        guard computed == expectedCheckValue else {
            throw KeyLoadingError(
                label: label, reason: "value has KCV \(computed), not \(expectedCheckValue)")
        }
        if let present = try session.findKeys(label: label).first {
            let found = try TokenCheckValue.of(present, &session)
            guard found == nil || found == computed else {
                throw KeyLoadingError(label: label, reason: "another key with this label is in the token")
            }
            return LoadedKey(label: label, purpose: purpose, created: false, checkValue: found)
        }
        let key = try session.createKey(
            purpose.tokenTemplate(
                label: label, algorithm: algorithm, provenance: KeyProvenance(.test, checkValue: computed),
                statesLength: false), value: value)
        return try made(key, label, purpose: purpose, computed: computed, session: &session)
    }

    /// What was made, as the token has it.
    static func made(
        _ key: ObjectHandle, _ label: String, purpose: KeyPurpose, computed: String?,
        session: inout Session
    ) throws -> LoadedKey {
        let description = try KeyDescription(of: key, in: &session)
        return LoadedKey(
            label: label, purpose: purpose, created: true, checkValue: description.checkValue ?? computed,
            description: description)
    }

    /// Has the token make the AES-256 key of the card tokens, unless it is there.
    package static func generatePANHashKey(label: String, at location: TokenLocation) throws -> LoadedKey {
        var session = try location.openSession(readWrite: true)
        if try !session.findKeys(label: label).isEmpty {
            return LoadedKey(label: label, purpose: .panHashKey, created: false, checkValue: nil)
        }
        let key = try session.generateAESKey(
            KeyPurpose.panHashKey.tokenTemplate(
                label: label, provenance: KeyProvenance(.generated), statesLength: true))
        try KeyDescription.requireAsAsked(key, label, purpose: .panHashKey, session: &session)
        return try made(key, label, purpose: .panHashKey, computed: nil, session: &session)
    }

    private static func checkValue(
        of value: borrowing SecretBytes, _ algorithm: KeyAlgorithm, session: inout Session
    ) throws -> String {
        let template = Template(
            keyType: algorithm.keyType, on: [.encrypt, .sensitive, .isPrivate], off: [.token, .extractable])
        let key = try session.createKey(template, value: value)
        defer { try? session.destroy(key) }
        let block = try session.encryptBlock(0, key: key)
        return Hex.encode((0..<3).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) })
    }
}

/// A key that was not loaded.
package struct KeyLoadingError: Error, Sendable, CustomStringConvertible {
    /// `CKA_LABEL`.
    package let label: String
    /// Why, without its value.
    package let reason: String

    /// One line for people.
    package var description: String { "key \(label): \(reason)" }
}
