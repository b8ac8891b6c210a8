package import ByteCoding
internal import PKCS11

extension KeyLoading {
    /// Creates an AES token key from a clear TEST value, as `loadTestKey` does for triple DES.
    ///
    /// - Parameters:
    ///   - value: 16, 24 or 32 bytes.
    ///   - expectedCheckValue: the first three bytes of the CMAC of zeros, in hex; checked in the token before the key
    ///     is made for good.
    package static func loadAESTestKey(
        label: String, purpose: KeyPurpose, value: borrowing SecretBytes, expectedCheckValue: String,
        at location: TokenLocation
    ) throws -> LoadedKey {
        var session = try location.openSession(readWrite: true)
        do { try WeakKeys.refuse(clear: value, .aes128) } catch let weakness as KeyWeakness {
            throw KeyLoadingError(label: label, reason: "\(weakness)")
        }
        let trial = try session.createKey(
            Template(
                keyType: .aes, on: [.sensitive, .isPrivate, .sign],
                off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .sign }), value: value)
        defer { try? session.destroy(trial) }
        let zeros = [UInt8](repeating: 0, count: 16)
        let computed = Hex.encode(try session.aesCMAC(zeros, key: trial).prefix(3))
        guard computed == expectedCheckValue else {
            throw KeyLoadingError(
                label: label, reason: "value has KCV \(computed), not \(expectedCheckValue)")
        }
        let isThere = try !session.findKeys(label: label).isEmpty
        if !isThere {
            let template = Template(
                keyType: .aes, label: label, on: [.token, .isPrivate, .sensitive] + purpose.usage,
                off: [.extractable, .modifiable] + KeyPurpose.usages.filter { !purpose.usage.contains($0) })
            let key = try session.createKey(template, value: value)
            return try made(key, label, purpose: purpose, computed: computed, session: &session)
        }
        return LoadedKey(label: label, purpose: purpose, created: false, checkValue: computed)
    }
}
