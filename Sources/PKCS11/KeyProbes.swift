internal import CPKCS11

/// A use that a key may have no right to.
package enum KeyUse: String, CaseIterable, Sendable {
    case encrypt, decrypt, sign, verify, wrap, unwrap, derive

    /// The attribute that permits it.
    package var attribute: Attribute {
        switch self {
        case .encrypt: .encrypt
        case .decrypt: .decrypt
        case .sign: .sign
        case .verify: .verify
        case .wrap: .wrap
        case .unwrap: .unwrap
        case .derive: .derive
        }
    }

    /// The mechanisms worth trying with a key of this type: which of them a token has differs.
    fileprivate func mechanisms(_ type: KeyType) -> [CK_MECHANISM_TYPE] {
        switch (self, type) {
        case (.encrypt, .des2), (.encrypt, .des3), (.decrypt, .des2), (.decrypt, .des3), (.wrap, .des2),
            (.wrap, .des3), (.unwrap, .des2), (.unwrap, .des3):
            [CKM_DES3_ECB]
        case (.encrypt, .aes), (.decrypt, .aes): [CKM_AES_ECB]
        case (.wrap, .aes), (.unwrap, .aes): [CKM_AES_ECB, CKM_AES_KEY_WRAP]
        case (.sign, .des2), (.sign, .des3), (.verify, .des2), (.verify, .des3):
            [CKM_DES3_MAC, CKM_DES3_CMAC]
        case (.sign, .aes), (.verify, .aes): [CKM_AES_CMAC, CKM_AES_MAC]
        case (.derive, .des2), (.derive, .des3): [CKM_DES3_ECB_ENCRYPT_DATA]
        case (.derive, .aes): [CKM_AES_ECB_ENCRYPT_DATA]
        case (.sign, .genericSecret), (.verify, .genericSecret): [CKM_SHA256_HMAC]
        case (.derive, .genericSecret): [CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_BASE_AND_DATA]
        case (_, .genericSecret): []
        }
    }
}

/// Attempts at what a key must not let happen (PKCS#11 v2.40, 4.4). Each leaves the token as it was.
extension Session {
    /// Tries to use a key, with every mechanism that fits its type.
    ///
    /// - Returns: nil if one of them let the use through, else what each of them answered.
    package mutating func refusals(of use: KeyUse, key: ObjectHandle, type: KeyType) -> [PKCS11Error]? {
        var refusals: [PKCS11Error] = []
        for mechanism in use.mechanisms(type) {
            do throws(PKCS11Error) {
                try attempt(use, mechanism, key: key)
                return nil
            } catch { refusals.append(error) }
        }
        return refusals
    }

    private mutating func attempt(
        _ use: KeyUse, _ type: CK_MECHANISM_TYPE, key: ObjectHandle
    ) throws(PKCS11Error) {
        let (functions, handle) = (functions.pointee, handle)
        switch use {
        case .encrypt:
            try attemptCipher("C_EncryptInit", type, key: key, begin: functions.C_EncryptInit!) {
                functions.C_Encrypt!(handle, $0, $1, $2, $3)
            }
        case .decrypt:
            try attemptCipher("C_DecryptInit", type, key: key, begin: functions.C_DecryptInit!) {
                functions.C_Decrypt!(handle, $0, $1, $2, $3)
            }
        case .sign:
            try attemptCipher("C_SignInit", type, key: key, begin: functions.C_SignInit!) {
                functions.C_Sign!(handle, $0, $1, $2, $3)
            }
        case .verify:
            try attemptCipher("C_VerifyInit", type, key: key, begin: functions.C_VerifyInit!) {
                functions.C_Verify!(handle, $0, $1, $2, $3.pointee)
            }
        case .wrap, .unwrap: try attemptWrapping(use, type, key: key)
        case .derive: try attemptDerivation(type, key)
        }
    }

    /// The refusal has to come from the first call: it is the one that looks at the key's rights.
    private mutating func attemptCipher(
        _ name: StaticString, _ type: CK_MECHANISM_TYPE, key: ObjectHandle,
        begin: (CK_SESSION_HANDLE, UnsafeMutablePointer<CK_MECHANISM>?, CK_OBJECT_HANDLE) -> CK_RV,
        finish: (
            UnsafeMutablePointer<UInt8>, CK_ULONG, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<CK_ULONG>
        ) -> CK_RV
    ) throws(PKCS11Error) {
        var mechanism = CK_MECHANISM(mechanism: type, pParameter: nil, ulParameterLen: 0)
        try check(name, begin(handle, &mechanism, key.rawValue))
        // Ends the operation that began; what comes of it does not matter any more.
        var input = [UInt8](repeating: 0, count: 16)
        var output = [UInt8](repeating: 0, count: 64)
        var length = CK_ULONG(output.count)
        _ = finish(&input, CK_ULONG(input.count), &output, &length)
    }

    /// Sensitive, so that a token in a strict mode has nothing against it but the use that is tried.
    private static let passing = Template(
        keyType: .genericSecret, valueCount: 16, on: [.extractable, .sensitive, .isPrivate], off: [.token])

    private mutating func attemptWrapping(
        _ use: KeyUse, _ type: CK_MECHANISM_TYPE, key: ObjectHandle
    ) throws(PKCS11Error) {
        var mechanism = CK_MECHANISM(mechanism: type, pParameter: nil, ulParameterLen: 0)
        var bytes = [UInt8](repeating: 0, count: 64)
        var object: CK_OBJECT_HANDLE = 0
        if use == .unwrap {
            let code = functions.pointee.C_UnwrapKey!(
                handle, &mechanism, key.rawValue, &bytes, type == CKM_AES_KEY_WRAP ? 24 : 16,
                Session.passing.attributes.baseAddress, CK_ULONG(Session.passing.attributes.count), &object)
            try check("C_UnwrapKey", code)
            return try destroy(ObjectHandle(rawValue: object))
        }
        var generation = CK_MECHANISM(
            mechanism: CKM_GENERIC_SECRET_KEY_GEN, pParameter: nil, ulParameterLen: 0)
        try check(
            "C_GenerateKey",
            functions.pointee.C_GenerateKey!(
                handle, &generation, Session.passing.attributes.baseAddress,
                CK_ULONG(Session.passing.attributes.count), &object))
        var length = CK_ULONG(bytes.count)
        let code = functions.pointee.C_WrapKey!(
            handle, &mechanism, key.rawValue, object, &bytes, &length)
        try destroy(ObjectHandle(rawValue: object))
        try check("C_WrapKey", code)
    }

    private mutating func attemptDerivation(
        _ type: CK_MECHANISM_TYPE, _ key: ObjectHandle
    ) throws(PKCS11Error) {
        var data = [UInt8](repeating: 0, count: 16)
        var object: CK_OBJECT_HANDLE = 0
        let code = data.withUnsafeMutableBytes { data in
            var parameter = CK_KEY_DERIVATION_STRING_DATA(
                pData: data.assumingMemoryBound(to: UInt8.self).baseAddress, ulLen: CK_ULONG(data.count))
            return withUnsafeMutableBytes(of: &parameter) { parameter in
                var mechanism = CK_MECHANISM(
                    mechanism: type, pParameter: parameter.baseAddress,
                    ulParameterLen: CK_ULONG(parameter.count))
                return functions.pointee.C_DeriveKey!(
                    handle, &mechanism, key.rawValue, Session.passing.attributes.baseAddress,
                    CK_ULONG(Session.passing.attributes.count), &object)
            }
        }
        try check("C_DeriveKey", code)
        try destroy(ObjectHandle(rawValue: object))
    }

    /// Tries to take a key out of the token under a wrapping key that is made for it and destroyed.
    ///
    /// - Returns: nil if the key left, else what each way out answered.
    package mutating func refusals(ofExporting key: ObjectHandle) -> [PKCS11Error]? {
        var refusals: [PKCS11Error] = []
        for (type, mechanisms) in Session.waysOut {
            let usage = Template(
                keyType: type, valueCount: type == .aes ? 16 : nil, on: [.wrap, .encrypt, .sensitive],
                off: [.token, .extractable])
            do throws(PKCS11Error) {
                let wrapping = try generateKey(type, usage)
                defer { try? destroy(wrapping) }
                for mechanism in mechanisms {
                    do throws(PKCS11Error) {
                        try attemptExport(of: key, under: wrapping, type: mechanism)
                        return nil
                    } catch { refusals.append(error) }
                }
            } catch { refusals.append(error) }
        }
        return refusals
    }

    private static let waysOut: [(KeyType, [CK_MECHANISM_TYPE])] = [
        (.aes, [CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_ECB]), (.des3, [CKM_DES3_ECB]),
    ]

    private mutating func attemptExport(
        of key: ObjectHandle, under wrapping: ObjectHandle, type: CK_MECHANISM_TYPE
    ) throws(PKCS11Error) {
        var mechanism = CK_MECHANISM(mechanism: type, pParameter: nil, ulParameterLen: 0)
        // Enciphered, and the wrapping key ends with the probe: nobody can open it.
        var output = [UInt8](repeating: 0, count: 512)
        var length = CK_ULONG(output.count)
        let code = functions.pointee.C_WrapKey!(
            handle, &mechanism, wrapping.rawValue, key.rawValue, &output, &length)
        try check("C_WrapKey", code)
    }

    /// Tries to set a boolean attribute of the object itself, and puts it back if the token lets it. Worth
    /// something only in a session that may write: others refuse everything.
    ///
    /// - Returns: nil if it was accepted.
    package mutating func refusal(
        ofSetting attribute: Attribute, to value: Bool, on object: ObjectHandle
    ) -> PKCS11Error? {
        do throws(PKCS11Error) {
            try setAttribute(attribute, to: value, of: object)
        } catch { return error }
        try? setAttribute(attribute, to: !value, of: object)
        return nil
    }

    /// Tries to make a session copy with one attribute changed.
    ///
    /// - Returns: nil if it was accepted; the copy is destroyed.
    package mutating func refusal(
        ofCopying object: ObjectHandle, setting attribute: Attribute, to value: Bool
    ) -> PKCS11Error? {
        var onToken = CK_BBOOL(CK_FALSE)
        var changed = CK_BBOOL(value ? CK_TRUE : CK_FALSE)
        var copy: CK_OBJECT_HANDLE = 0
        let code = withUnsafeMutableBytes(of: &onToken) { onToken in
            withUnsafeMutableBytes(of: &changed) { changed in
                var template = [
                    CK_ATTRIBUTE(
                        type: CKA_TOKEN, pValue: onToken.baseAddress, ulValueLen: CK_ULONG(onToken.count)),
                    CK_ATTRIBUTE(
                        type: attribute.type, pValue: changed.baseAddress, ulValueLen: CK_ULONG(changed.count)
                    ),
                ]
                return functions.pointee.C_CopyObject!(
                    handle, object.rawValue, &template, CK_ULONG(template.count), &copy)
            }
        }
        do throws(PKCS11Error) { try check("C_CopyObject", code) } catch { return error }
        // A token may take the template and not heed it: what counts is what the copy has.
        let heeded = (try? self.attribute(attribute, of: ObjectHandle(rawValue: copy))) == value
        try? destroy(ObjectHandle(rawValue: copy))
        return heeded ? nil : PKCS11Error(function: "C_CopyObject", code: CKR_ATTRIBUTE_READ_ONLY)
    }
}

/// What an audit trail keeps in a token.
extension Session {
    /// Sets `CKA_ID` of an object that may be changed.
    package mutating func setIdentifier(_ bytes: [UInt8], of object: ObjectHandle) throws(PKCS11Error) {
        var bytes = bytes
        let code = bytes.withUnsafeMutableBytes { bytes in
            var template = CK_ATTRIBUTE(
                type: CKA_ID, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            return functions.pointee.C_SetAttributeValue!(handle, object.rawValue, &template, 1)
        }
        try check("C_SetAttributeValue", code)
    }

    /// SHA-256 of public data.
    package mutating func sha256(_ input: [UInt8]) throws(PKCS11Error) -> [UInt8] {
        var mechanism = CK_MECHANISM(mechanism: CKM_SHA256, pParameter: nil, ulParameterLen: 0)
        try check("C_DigestInit", functions.pointee.C_DigestInit!(handle, &mechanism))
        var bytes = input
        var digest = [UInt8](repeating: 0, count: 32)
        var length = CK_ULONG(digest.count)
        try check(
            "C_Digest",
            functions.pointee.C_Digest!(handle, &bytes, CK_ULONG(input.count), &digest, &length))
        return digest
    }
}
