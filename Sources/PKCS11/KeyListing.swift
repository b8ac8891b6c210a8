internal import CPKCS11

/// Classes of keys (PKCS#11 v2.40, 4.7 to 4.9). The raw values stand in audit trails.
package enum KeyClass: String, Codable, Sendable, CaseIterable {
    case secret = "secret-key"
    case privateKey = "private-key"
    case publicKey = "public-key"

    var type: CK_OBJECT_CLASS {
        switch self {
        case .secret: CK_OBJECT_CLASS(CKO_SECRET_KEY)
        case .privateKey: CK_OBJECT_CLASS(CKO_PRIVATE_KEY)
        case .publicKey: CK_OBJECT_CLASS(CKO_PUBLIC_KEY)
        }
    }
}

/// An object of a token that is no key.
package struct ForeignObject: Sendable {
    /// `CKA_LABEL`, empty where there is none.
    package let label: String
    let type: UInt64
    /// Why the token does not say what it is.
    var fault: PKCS11Error?

    /// `certificate`, `data` …, or the number of a vendor's class.
    package var words: String {
        if let fault { return "an object of which the token does not say what it is: \(fault)" }
        return switch CK_OBJECT_CLASS(type) {
        case CK_OBJECT_CLASS(CKO_DATA): "data"
        case CK_OBJECT_CLASS(CKO_CERTIFICATE): "certificate"
        case CK_OBJECT_CLASS(CKO_DOMAIN_PARAMETERS): "domain parameters"
        case CK_OBJECT_CLASS(CKO_OTP_KEY): "one-time password key"
        default: "object of class 0x\(String(type, radix: 16))"
        }
    }
}

/// What a token says about a key beside its usage.
extension Session {
    /// Every key of a class that is a token object and that this session can see.
    package mutating func tokenKeys(
        _ kind: KeyClass = .secret
    ) throws(PKCS11Error) -> [ObjectHandle] {
        try tokenObjects(kind.type)
    }

    /// Token objects that are no keys (certificates, data, domain parameters …), hardware features and mechanisms left out,
    /// which a module lists of itself (PKCS#11 v2.40, 4.3 and 4.12).
    ///
    /// - Parameter keys: what is known already.
    package mutating func foreignObjects(
        besides keys: [ObjectHandle]
    ) throws(PKCS11Error) -> [ForeignObject] {
        let known = Set(keys)
        var found: [ForeignObject] = []
        for object in try tokenObjects(nil) where !known.contains(object) {
            do throws(PKCS11Error) {
                let type = try number(CKA_CLASS, of: object) ?? CK_OBJECT_CLASS.max
                guard ![CK_OBJECT_CLASS(CKO_HW_FEATURE), CK_OBJECT_CLASS(CKO_MECHANISM)].contains(type),
                    !KeyClass.allCases.contains(where: { $0.type == type })
                else { continue }
                found.append(ForeignObject(label: try label(of: object), type: UInt64(type)))
            } catch {
                // One that nobody can read hides nothing: it is in the report as what it is.
                if error.endsSession { throw error }
                if !error.isObjectGone { found.append(ForeignObject(label: "", type: 0, fault: error)) }
            }
        }
        return found
    }

    private mutating func tokenObjects(_ type: CK_OBJECT_CLASS?) throws(PKCS11Error) -> [ObjectHandle] {
        var keyClass = type ?? 0
        var onToken = CK_BBOOL(CK_TRUE)
        let code = withUnsafeMutableBytes(of: &keyClass) { keyClass in
            withUnsafeMutableBytes(of: &onToken) { onToken in
                var template = [
                    CK_ATTRIBUTE(
                        type: CKA_TOKEN, pValue: onToken.baseAddress, ulValueLen: CK_ULONG(onToken.count)),
                    CK_ATTRIBUTE(
                        type: CKA_CLASS, pValue: keyClass.baseAddress, ulValueLen: CK_ULONG(keyClass.count)),
                ]
                return functions.pointee.C_FindObjectsInit!(handle, &template, type == nil ? 1 : 2)
            }
        }
        try check("C_FindObjectsInit", code)
        var keys: [ObjectHandle] = []
        var found = [CK_OBJECT_HANDLE](repeating: 0, count: 64)
        var count: CK_ULONG = 0
        repeat {
            let findCode = functions.pointee.C_FindObjects!(handle, &found, CK_ULONG(found.count), &count)
            if findCode != CKR_OK { _ = functions.pointee.C_FindObjectsFinal!(handle) }
            try check("C_FindObjects", findCode)
            keys += found.prefix(Int(count)).map(ObjectHandle.init(rawValue:))
        } while count > 0
        try check("C_FindObjectsFinal", functions.pointee.C_FindObjectsFinal!(handle))
        return keys
    }

    /// `CKA_LABEL`, empty where there is none.
    package mutating func label(of object: ObjectHandle) throws(PKCS11Error) -> String {
        String(decoding: try bytes(CKA_LABEL, of: object), as: UTF8.self)
    }

    /// `CKA_ID`, empty where there is none.
    package mutating func identifier(of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        try bytes(CKA_ID, of: object)
    }

    /// `CKA_KEY_TYPE`, nil for a type that this product does not use.
    package mutating func keyType(of object: ObjectHandle) throws(PKCS11Error) -> KeyType? {
        guard let type = try number(CKA_KEY_TYPE, of: object) else { return nil }
        return KeyType.allCases.first { $0.type == type }
    }

    /// `CKA_VALUE_LEN`, nil where the token does not say it.
    package mutating func valueCount(of object: ObjectHandle) throws(PKCS11Error) -> Int? {
        try number(CKA_VALUE_LEN, of: object).map { Int($0) }
    }

    /// `CKA_CHECK_VALUE`, empty where the token keeps none.
    package mutating func keptCheckValue(of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        try bytes(CKA_CHECK_VALUE, of: object)
    }

    /// What everybody may know of an asymmetric key: the modulus of RSA or the point of an elliptic curve, empty where
    /// the token says neither.
    package mutating func publicPart(of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        let modulus = try bytes(CKA_MODULUS, of: object)
        return modulus.isEmpty ? try bytes(CKA_EC_POINT, of: object) : modulus
    }

    /// `CKA_PUBLIC_EXPONENT`, empty for what is no key of RSA.
    package mutating func publicExponent(of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        try bytes(CKA_PUBLIC_EXPONENT, of: object)
    }
}
