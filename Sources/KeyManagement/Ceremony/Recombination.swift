internal import ByteCoding
internal import HSM
internal import PKCS11

/// A key being put together inside the token. Each component is a value in this process for the length of one call;
/// their xor is an object of the token from the first component on, and ends with the session unless it is
/// installed.
struct Recombination {
    private(set) var object: ObjectHandle?

    /// Xors one more component in, and says its check value.
    ///
    /// - Parameter algorithm: what the whole key will be; a component's check value is that of a key of its value.
    mutating func add(
        _ component: borrowing SecretBytes, as algorithm: KeyAlgorithm, session: inout Session
    ) throws -> String {
        let single = try session.createKey(Recombination.template, value: component)
        let checkValue: String
        do { checkValue = try Recombination.checkValue(of: single, algorithm, session: &session) } catch {
            try? session.destroy(single)
            throw error
        }
        guard let base = object else {
            object = single
            return checkValue
        }
        try? session.destroy(single)
        object = try component.withUnsafeBytes { bytes in
            try session.xorKey(base, with: bytes, template: Recombination.template)
        }
        try session.destroy(base)
        return checkValue
    }

    /// The check value of a component that is not to be part of the key.
    static func checkValue(
        of component: borrowing SecretBytes, as algorithm: KeyAlgorithm, session: inout Session
    ) throws -> String {
        var alone = Recombination()
        let checkValue = try alone.add(component, as: algorithm, session: &session)
        alone.forget(&session)
        return checkValue
    }

    /// The check value of what is there so far.
    func checkValue(_ algorithm: KeyAlgorithm, _ session: inout Session) throws -> String {
        guard let object else { return "" }
        return try Recombination.checkValue(of: object, algorithm, session: &session)
    }

    /// Makes it a key of the token: the same value with another template.
    func install(
        _ name: VersionedKeyName, _ purpose: KeyPurpose, algorithm: KeyAlgorithm, store: inout KeyStore
    ) throws {
        guard let object else { return }
        let checkValue = try checkValue(algorithm, &store.session)
        do { try WeakKeys.refuse(object, algorithm: algorithm, session: &store.session) } catch let weakness
            as KeyWeakness
        {
            throw KeyManagementError(name.label, "\(weakness)")
        }
        try KeyStore.refuseTestKey(name, checkValue, refusesTestKeys: store.refusesTestKeys)
        let provenance = KeyProvenance(.ceremony, checkValue: checkValue)
        let template = purpose.tokenTemplate(
            label: name.label, algorithm: algorithm, provenance: provenance, statesLength: true)
        _ = try KeyStore.made(name.label, purpose, session: &store.session) { (session) throws(PKCS11Error) in
            try Recombination.copy(object, algorithm, template: template, session: &session)
        }
    }

    /// Ends what is there so far.
    mutating func forget(_ session: inout Session) {
        if let object { try? session.destroy(object) }
        object = nil
    }

    /// Material that can be xored and nothing else.
    private static var template: Template {
        Template(
            keyType: .genericSecret, on: [.sensitive, .isPrivate, .derive],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .derive })
    }

    private static func checkValue(
        of object: ObjectHandle, _ algorithm: KeyAlgorithm, session: inout Session
    ) throws -> String {
        let purpose: KeyPurpose = algorithm == .hmac256 ? .auditKey : .keyBlockProtectionKey
        let key = try copy(
            object, algorithm, template: KeyStore.sessionTemplate(purpose, algorithm), session: &session)
        defer { try? session.destroy(key) }
        guard let checkValue = try TokenCheckValue.of(key, &session) else {
            throw KeyManagementError(algorithm.rawValue, "the token gives no check value")
        }
        return checkValue
    }

    /// A value xor zeros is the same value under another template.
    private static func copy(
        _ object: ObjectHandle, _ algorithm: KeyAlgorithm, template: Template, session: inout Session
    ) throws(PKCS11Error) -> ObjectHandle {
        let zeros = [UInt8](repeating: 0, count: algorithm.byteCount)
        let result = zeros.withUnsafeBytes { bytes in
            Result { () throws(PKCS11Error) in try session.xorKey(object, with: bytes, template: template) }
        }
        return try result.get()
    }
}
