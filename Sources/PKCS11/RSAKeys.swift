internal import CPKCS11

/// The two halves of an RSA key pair as one session sees them.
package struct KeyPairHandles: Hashable, Sendable {
    /// Readable.
    package let publicKey: ObjectHandle
    /// Signs.
    package let privateKey: ObjectHandle
}

/// What becomes of a private key that the token makes.
package struct PrivateKeyUse: Sendable {
    /// Token object with this label and `CKA_ID`; nil for a session object.
    package let name: (label: String, identifier: [UInt8])?
    /// May leave, under a wrapping key.
    package let isExtractable: Bool

    /// Stays in the token for good.
    package static func kept(label: String, identifier: [UInt8]) -> PrivateKeyUse {
        PrivateKeyUse(name: (label, identifier), isExtractable: false)
    }

    /// Ends with the session, and may leave under a wrapping key before: a card's.
    package static let leaving = PrivateKeyUse(name: nil, isExtractable: true)
}

/// RSA key pairs (PKCS#11 v2.40, 2.1): made, found, read, used.
extension Session {
    /// Has the token make a key pair. The private key is sensitive, not modifiable, and signs, nothing else.
    /// - Parameters:
    ///   - bits: of the modulus, a multiple of 16 (NSS).
    ///   - exponent: big endian. NSS makes no keys with 3 (CKR_ARGUMENTS_BAD).
    package mutating func generateRSAKeyPair(
        bits: Int, exponent: [UInt8], use: PrivateKeyUse
    ) throws(PKCS11Error) -> KeyPairHandles {
        let values = AttributeValues()
        defer { withExtendedLifetime(values) {} }
        var publicTemplate = [
            values.flag(CKA_TOKEN, use.name != nil), values.number(CKA_MODULUS_BITS, CK_ULONG(bits)),
            values.bytes(CKA_PUBLIC_EXPONENT, exponent), values.flag(CKA_VERIFY, true),
            values.flag(CKA_PRIVATE, false),
        ]
        var privateTemplate = [
            values.flag(CKA_TOKEN, use.name != nil), values.flag(CKA_PRIVATE, true),
            values.flag(CKA_SENSITIVE, true), values.flag(CKA_EXTRACTABLE, use.isExtractable),
            values.flag(CKA_SIGN, true), values.flag(CKA_DECRYPT, false), values.flag(CKA_UNWRAP, false),
        ]
        if let (label, identifier) = use.name {
            for attribute in [
                values.bytes(CKA_LABEL, Array(label.utf8)), values.bytes(CKA_ID, identifier),
                values.flag(CKA_MODIFIABLE, false),
            ] {
                publicTemplate.append(attribute)
                privateTemplate.append(attribute)
            }
        }
        var mechanism = CK_MECHANISM(
            mechanism: CKM_RSA_PKCS_KEY_PAIR_GEN, pParameter: nil, ulParameterLen: 0)
        var (publicKey, privateKey): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0, 0)
        let code = functions.pointee.C_GenerateKeyPair!(
            handle, &mechanism, &publicTemplate, CK_ULONG(publicTemplate.count), &privateTemplate,
            CK_ULONG(privateTemplate.count), &publicKey, &privateKey)
        try check("C_GenerateKeyPair", code)
        return KeyPairHandles(
            publicKey: ObjectHandle(rawValue: publicKey), privateKey: ObjectHandle(rawValue: privateKey))
    }

    /// RSA private keys that are token objects, all or those with this label.
    package mutating func findPrivateKeys(label: String? = nil) throws(PKCS11Error) -> [ObjectHandle] {
        try find(CKO_PRIVATE_KEY, label: label)
    }

    /// The same of public keys.
    package mutating func findPublicKeys(label: String? = nil) throws(PKCS11Error) -> [ObjectHandle] {
        try find(CKO_PUBLIC_KEY, label: label)
    }

    /// Modulus and exponent of either half, big endian.
    package mutating func publicNumbers(
        of key: ObjectHandle
    ) throws(PKCS11Error) -> (modulus: [UInt8], exponent: [UInt8]) {
        let (modulus, exponent) = (
            try bytes(CKA_MODULUS, of: key), try bytes(CKA_PUBLIC_EXPONENT, of: key)
        )
        guard !modulus.isEmpty, !exponent.isEmpty else { throw Session.attributeUnknown }
        return (modulus, exponent)
    }

    /// The bare power of RSA: `block` as long as the modulus, and below it (`CKM_RSA_X_509`).
    package mutating func signRaw(_ block: [UInt8], key: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        var mechanism = CK_MECHANISM(mechanism: CKM_RSA_X_509, pParameter: nil, ulParameterLen: 0)
        try check("C_SignInit", functions.pointee.C_SignInit!(handle, &mechanism, key.rawValue))
        var input = block
        var signature = [UInt8](repeating: 0, count: block.count)
        var length = CK_ULONG(signature.count)
        try check(
            "C_Sign", functions.pointee.C_Sign!(handle, &input, CK_ULONG(input.count), &signature, &length))
        // A token may leave leading zeros away.
        let made = signature.prefix(Int(length))
        return [UInt8](repeating: 0, count: block.count - made.count) + made
    }

    /// A private key as PKCS#8 (RFC 5208) in AES-CBC with padding, zero vector: for the one that wrapped it.
    package mutating func wrapPrivateKey(
        _ privateKey: ObjectHandle, under key: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        var vector = [UInt8](repeating: 0, count: 16)
        // Twice what a key of 1,984 bits takes.
        var output = [UInt8](repeating: 0, count: 4_096)
        var length = CK_ULONG(output.count)
        let code = vector.withUnsafeMutableBytes { vector in
            var mechanism = CK_MECHANISM(
                mechanism: CKM_AES_CBC_PAD, pParameter: vector.baseAddress,
                ulParameterLen: CK_ULONG(vector.count))
            return functions.pointee.C_WrapKey!(
                handle, &mechanism, key.rawValue, privateKey.rawValue, &output, &length)
        }
        try check("C_WrapKey", code)
        return Array(output.prefix(Int(length)))
    }

    // MARK: - Parts

    private mutating func find(
        _ objectClass: CK_OBJECT_CLASS, label: String?
    ) throws(PKCS11Error) -> [ObjectHandle] {
        let values = AttributeValues()
        defer { withExtendedLifetime(values) {} }
        var template = [values.number(CKA_CLASS, objectClass), values.flag(CKA_TOKEN, true)]
        if let label { template.append(values.bytes(CKA_LABEL, Array(label.utf8))) }
        try check(
            "C_FindObjectsInit",
            functions.pointee.C_FindObjectsInit!(handle, &template, CK_ULONG(template.count)))
        var keys: [ObjectHandle] = []
        var found = [CK_OBJECT_HANDLE](repeating: 0, count: 64)
        var count: CK_ULONG = 0
        repeat {
            let code = functions.pointee.C_FindObjects!(handle, &found, CK_ULONG(found.count), &count)
            if code != CKR_OK { _ = functions.pointee.C_FindObjectsFinal!(handle) }
            try check("C_FindObjects", code)
            keys += found.prefix(Int(count)).map(ObjectHandle.init(rawValue:))
        } while count > 0
        try check("C_FindObjectsFinal", functions.pointee.C_FindObjectsFinal!(handle))
        return keys
    }
}

/// Memory for the values of a template's attributes, as long as it lives.
private final class AttributeValues {
    private var places: [UnsafeMutableRawBufferPointer] = []

    deinit { for place in places { place.deallocate() } }

    func bytes(_ type: CK_ATTRIBUTE_TYPE, _ bytes: [UInt8]) -> CK_ATTRIBUTE {
        let place = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
        place.copyBytes(from: bytes)
        places.append(place)
        return CK_ATTRIBUTE(type: type, pValue: place.baseAddress, ulValueLen: CK_ULONG(bytes.count))
    }

    func flag(_ type: CK_ATTRIBUTE_TYPE, _ isOn: Bool) -> CK_ATTRIBUTE {
        bytes(type, [isOn ? UInt8(CK_TRUE) : UInt8(CK_FALSE)])
    }

    func number(_ type: CK_ATTRIBUTE_TYPE, _ number: CK_ULONG) -> CK_ATTRIBUTE {
        withUnsafeBytes(of: number) { bytes(type, Array($0)) }
    }
}
