internal import CPKCS11

/// Key pairs of access control servers, and what signs with them (RFC 7518, 3.4 and 3.5).
package enum ServerSignature: String, Sendable, CaseIterable {
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
    case ps256 = "PS256"
    /// ECDSA with P-256 and SHA-256; r ‖ s, 64 bytes.
    case es256 = "ES256"
}

extension Session {
    /// Has the token make a P-256 key pair that stays (PKCS#11 v2.40, 2.3.5). The private key is sensitive, not
    /// modifiable, and signs, nothing else.
    package mutating func generateP256KeyPair(label: String, identifier: [UInt8]) throws(PKCS11Error) {
        let values = ServerAttributes()
        defer { withExtendedLifetime(values) {} }
        let named = values.named(label, identifier)
        var publicTemplate =
            named + [
                values.bytes(CKA_EC_PARAMS, Self.p256), values.flag(CKA_VERIFY, true),
                values.flag(CKA_PRIVATE, false),
            ]
        var privateTemplate = named + values.signing
        var mechanism = CK_MECHANISM(mechanism: CKM_EC_KEY_PAIR_GEN, pParameter: nil, ulParameterLen: 0)
        var (publicKey, privateKey): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0, 0)
        try check(
            "C_GenerateKeyPair",
            functions.pointee.C_GenerateKeyPair!(
                handle, &mechanism, &publicTemplate, CK_ULONG(publicTemplate.count), &privateTemplate,
                CK_ULONG(privateTemplate.count), &publicKey, &privateKey))
    }

    /// The point of a P-256 public key: 04, x and y, 65 bytes; empty for a key of another kind.
    package mutating func p256Point(of key: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        let point = (try? bytes(CKA_EC_POINT, of: key)) ?? []
        // The standard has it within an OCTET STRING; some tokens give it bare.
        if point.count == 67, point[0] == 0x04, point[1] == 65 { return Array(point.dropFirst(2)) }
        return point.count == 65 ? point : []
    }

    /// A signature as JWS has it, and, where `publicKey` is given, verified before it is handed out: a fault while it is
    /// made could give the key away.
    ///
    /// - Parameter data: what is signed; the token hashes it, or for ECDSA this side does (SoftHSM2 has no combined
    ///   mechanism).
    package mutating func sign(
        _ algorithm: ServerSignature, _ data: [UInt8], key: ObjectHandle, publicKey: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        let input = algorithm == .es256 ? try sha256(data) : data
        let signature = try operate(
            algorithm,
            { (session, mechanism) throws(PKCS11Error) in
                try session.check(
                    "C_SignInit",
                    session.functions.pointee.C_SignInit!(session.handle, &mechanism, key.rawValue))
                var input = input
                var output = [UInt8](repeating: 0, count: 512)
                var length = CK_ULONG(output.count)
                try session.check(
                    "C_Sign",
                    session.functions.pointee.C_Sign!(
                        session.handle, &input, CK_ULONG(input.count), &output, &length))
                return Array(output.prefix(Int(length)))
            })
        _ = try operate(
            algorithm,
            { (session, mechanism) throws(PKCS11Error) in
                try session.check(
                    "C_VerifyInit",
                    session.functions.pointee.C_VerifyInit!(session.handle, &mechanism, publicKey.rawValue))
                var (input, made) = (input, signature)
                try session.check(
                    "C_Verify",
                    session.functions.pointee.C_Verify!(
                        session.handle, &input, CK_ULONG(input.count), &made, CK_ULONG(made.count)))
                return []
            })
        return signature
    }

    /// Takes a private key in: PKCS#8 (RFC 5208) in AES-CBC with padding and a zero vector, under a key that unwraps.
    ///
    /// It comes in for the session alone, and a copy stays: NSS heeds no usage that an unwrapping template forbids, and
    /// that of a copy.
    ///
    /// - Parameters:
    ///   - algorithm: what it signs, and with that its type.
    ///   - point: of a P-256 key, 65 bytes: NSS takes none without an attribute of its own that holds it.
    package mutating func unwrapServerKey(
        _ wrapped: [UInt8], under key: ObjectHandle, algorithm: ServerSignature, point: [UInt8],
        label: String,
        identifier: [UInt8]
    ) throws(PKCS11Error) {
        let values = ServerAttributes()
        defer { withExtendedLifetime(values) {} }
        var template =
            values.signing
            + [
                values.flag(CKA_TOKEN, false), values.number(CKA_CLASS, CKO_PRIVATE_KEY),
                values.number(CKA_KEY_TYPE, algorithm == .ps256 ? CKK_RSA : CKK_EC),
            ]
        let passing: ObjectHandle
        do throws(PKCS11Error) { passing = try unwrap(wrapped, under: key, template: &template) } catch {
            guard !point.isEmpty, error.code == CKR_TEMPLATE_INCOMPLETE else { throw error }
            template.append(values.bytes(Self.nssDatabaseKey, [0x04, 65] + point))
            passing = try unwrap(wrapped, under: key, template: &template)
        }
        var kept = values.named(label, identifier) + values.forbidden
        var object: CK_OBJECT_HANDLE = 0
        let copied = Result { () throws(PKCS11Error) in
            try check(
                "C_CopyObject",
                functions.pointee.C_CopyObject!(
                    handle, passing.rawValue, &kept, CK_ULONG(kept.count), &object))
        }
        try destroy(passing)
        try copied.get()
    }

    private mutating func unwrap(
        _ wrapped: [UInt8], under key: ObjectHandle, template: inout [CK_ATTRIBUTE]
    ) throws(PKCS11Error) -> ObjectHandle {
        var (input, vector) = (wrapped, [UInt8](repeating: 0, count: 16))
        var object: CK_OBJECT_HANDLE = 0
        let code = vector.withUnsafeMutableBytes { vector in
            var mechanism = CK_MECHANISM(
                mechanism: CKM_AES_CBC_PAD, pParameter: vector.baseAddress,
                ulParameterLen: CK_ULONG(vector.count))
            return functions.pointee.C_UnwrapKey!(
                handle, &mechanism, key.rawValue, &input, CK_ULONG(input.count), &template,
                CK_ULONG(template.count), &object)
        }
        try check("C_UnwrapKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// Puts a public half beside a private key that came in.
    /// - Parameters: big endian, or the point.
    package mutating func createServerPublicKey(
        modulus: [UInt8], exponent: [UInt8], point: [UInt8], label: String, identifier: [UInt8]
    ) throws(PKCS11Error) {
        let values = ServerAttributes()
        defer { withExtendedLifetime(values) {} }
        var template =
            values.named(label, identifier)
            + [
                values.number(CKA_CLASS, CKO_PUBLIC_KEY), values.flag(CKA_VERIFY, true),
                values.flag(CKA_PRIVATE, false),
                values.number(CKA_KEY_TYPE, point.isEmpty ? CKK_RSA : CKK_EC),
            ]
        if point.isEmpty {
            template += [values.bytes(CKA_MODULUS, modulus), values.bytes(CKA_PUBLIC_EXPONENT, exponent)]
        } else {
            template += [
                values.bytes(CKA_EC_PARAMS, Self.p256), values.bytes(CKA_EC_POINT, [0x04, 65] + point),
            ]
        }
        var object: CK_OBJECT_HANDLE = 0
        try check(
            "C_CreateObject",
            functions.pointee.C_CreateObject!(handle, &template, CK_ULONG(template.count), &object))
    }

    /// NSS's `CKA_NSS_DB`: the public value beside a private one.
    private static var nssDatabaseKey: CK_ATTRIBUTE_TYPE { 0xD5A0_DB00 }

    /// `prime256v1` as an object identifier in DER (RFC 5480, 2.1.1.1).
    private static var p256: [UInt8] { [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07] }

    private mutating func operate(
        _ algorithm: ServerSignature,
        _ body: (inout Session, inout CK_MECHANISM) throws(PKCS11Error) -> [UInt8]
    ) throws(PKCS11Error) -> [UInt8] {
        guard algorithm == .ps256 else {
            var mechanism = CK_MECHANISM(mechanism: CKM_ECDSA, pParameter: nil, ulParameterLen: 0)
            return try body(&self, &mechanism)
        }
        // PKCS#11 v2.40, 2.1.10: the salt as long as the hash (RFC 7518, 3.5).
        let parameters = UnsafeMutablePointer<CK_RSA_PKCS_PSS_PARAMS>.allocate(capacity: 1)
        defer { parameters.deallocate() }
        parameters.initialize(
            to: CK_RSA_PKCS_PSS_PARAMS(hashAlg: CKM_SHA256, mgf: CK_ULONG(CKG_MGF1_SHA256), sLen: 32))
        var mechanism = CK_MECHANISM(
            mechanism: CKM_SHA256_RSA_PKCS_PSS, pParameter: parameters,
            ulParameterLen: CK_ULONG(MemoryLayout<CK_RSA_PKCS_PSS_PARAMS>.size))
        return try body(&self, &mechanism)
    }
}

/// Memory for the values of a template's attributes, as long as it lives.
private final class ServerAttributes {
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

    /// A token object with this name that nobody changes.
    func named(_ label: String, _ identifier: [UInt8]) -> [CK_ATTRIBUTE] {
        [
            flag(CKA_TOKEN, true), bytes(CKA_LABEL, Array(label.utf8)), bytes(CKA_ID, identifier),
            flag(CKA_MODIFIABLE, false),
        ]
    }

    /// What a private half may do: sign, and stay.
    var signing: [CK_ATTRIBUTE] {
        [
            flag(CKA_PRIVATE, true), flag(CKA_SENSITIVE, true), flag(CKA_EXTRACTABLE, false),
            flag(CKA_SIGN, true),
        ] + forbidden
    }

    /// What it may not: a token may let it where it is not told.
    var forbidden: [CK_ATTRIBUTE] {
        [flag(CKA_DECRYPT, false), flag(CKA_UNWRAP, false), flag(CKA_DERIVE, false)]
    }
}
