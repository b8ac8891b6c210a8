internal import CPKCS11

/// What a token says about a secret key beside its usage.
extension Session {
    /// Every secret key that is a token object and that this session can see.
    public mutating func tokenKeys() throws(PKCS11Error) -> [ObjectHandle] {
        var keyClass = CK_OBJECT_CLASS(CKO_SECRET_KEY)
        var onToken = CK_BBOOL(CK_TRUE)
        let code = withUnsafeMutableBytes(of: &keyClass) { keyClass in
            withUnsafeMutableBytes(of: &onToken) { onToken in
                var template = [
                    CK_ATTRIBUTE(
                        type: CKA_CLASS, pValue: keyClass.baseAddress, ulValueLen: CK_ULONG(keyClass.count)),
                    CK_ATTRIBUTE(
                        type: CKA_TOKEN, pValue: onToken.baseAddress, ulValueLen: CK_ULONG(onToken.count)),
                ]
                return functions.pointee.C_FindObjectsInit!(handle, &template, CK_ULONG(template.count))
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
    public mutating func label(of object: ObjectHandle) throws(PKCS11Error) -> String {
        String(decoding: try bytes(CKA_LABEL, of: object), as: UTF8.self)
    }

    /// `CKA_ID`, empty where there is none.
    public mutating func identifier(of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        try bytes(CKA_ID, of: object)
    }

    /// `CKA_KEY_TYPE`, nil for a type that this product does not use.
    public mutating func keyType(of object: ObjectHandle) throws(PKCS11Error) -> KeyType? {
        guard let type = try number(CKA_KEY_TYPE, of: object) else { return nil }
        return KeyType.allCases.first { $0.type == type }
    }

    /// `CKA_VALUE_LEN`, nil where the token does not say it.
    public mutating func valueCount(of object: ObjectHandle) throws(PKCS11Error) -> Int? {
        try number(CKA_VALUE_LEN, of: object).map { Int($0) }
    }

    /// The buffer has exactly the size of the number: NSS calls a larger one too small.
    private mutating func number(
        _ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle
    ) throws(PKCS11Error) -> CK_ULONG? {
        var value: CK_ULONG = 0
        let code = withUnsafeMutableBytes(of: &value) { bytes in
            var template = CK_ATTRIBUTE(
                type: type, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            return functions.pointee.C_GetAttributeValue!(handle, object.rawValue, &template, 1)
        }
        if code == CKR_ATTRIBUTE_TYPE_INVALID { return nil }
        try check("C_GetAttributeValue", code)
        return value
    }

    private mutating func bytes(
        _ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 256)
        var length: CK_ULONG = 0
        let code = bytes.withUnsafeMutableBytes { bytes in
            var template = CK_ATTRIBUTE(
                type: type, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            let code = functions.pointee.C_GetAttributeValue!(handle, object.rawValue, &template, 1)
            length = template.ulValueLen
            return code
        }
        if code == CKR_ATTRIBUTE_TYPE_INVALID { return [] }
        try check("C_GetAttributeValue", code)
        return Array(bytes.prefix(Int(length)))
    }
}
