internal import CPKCS11

/// Keys out of keys, all inside the token (PKCS#11 v2.40, 5.13, 6.x).
extension Session {
    /// Derives a key: its value is the encipherment of `left ‖ right` under `base`
    /// (`CKM_DES3_ECB_ENCRYPT_DATA`).
    package mutating func deriveKey(
        from base: ObjectHandle, left: UInt64, right: UInt64, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var data = (left.bigEndian, right.bigEndian)
        var derived: CK_OBJECT_HANDLE = 0
        let code = withUnsafeMutableBytes(of: &data) { data in
            derive(base, CKM_DES3_ECB_ENCRYPT_DATA, data: data, template: template, derived: &derived)
        }
        try check("C_DeriveKey", code)
        return ObjectHandle(rawValue: derived)
    }

    /// The same with data of any number of blocks and either block cipher.
    package mutating func deriveKey(
        from base: ObjectHandle, _ cipher: CipherMechanism, data: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var data = data
        var derived: CK_OBJECT_HANDLE = 0
        let mechanism = cipher == .aesECB ? CKM_AES_ECB_ENCRYPT_DATA : CKM_DES3_ECB_ENCRYPT_DATA
        let code = data.withUnsafeMutableBytes {
            derive(base, mechanism, data: $0, template: template, derived: &derived)
        }
        try check("C_DeriveKey", code)
        return ObjectHandle(rawValue: derived)
    }

    private func derive(
        _ base: ObjectHandle, _ mechanism: CK_MECHANISM_TYPE, data: UnsafeMutableRawBufferPointer,
        template: Template, derived: inout CK_OBJECT_HANDLE
    ) -> CK_RV {
        var parameter = CK_KEY_DERIVATION_STRING_DATA(
            pData: data.assumingMemoryBound(to: UInt8.self).baseAddress, ulLen: CK_ULONG(data.count))
        return withUnsafeMutableBytes(of: &parameter) { parameter in
            var mechanism = CK_MECHANISM(
                mechanism: mechanism, pParameter: parameter.baseAddress,
                ulParameterLen: CK_ULONG(parameter.count))
            return functions.pointee.C_DeriveKey!(
                handle, &mechanism, base.rawValue, template.attributes.baseAddress,
                CK_ULONG(template.attributes.count), &derived)
        }
    }

    /// Deciphers one block inside the token; its clear form is an object that only a wrapping key can leave.
    package mutating func unwrapBlock(
        _ block: UInt64, key: ObjectHandle, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var input = block.bigEndian
        var object: CK_OBJECT_HANDLE = 0
        var mechanism = CK_MECHANISM(mechanism: CKM_DES3_ECB, pParameter: nil, ulParameterLen: 0)
        let code = withUnsafeMutableBytes(of: &input) { input in
            functions.pointee.C_UnwrapKey!(
                handle, &mechanism, key.rawValue, input.assumingMemoryBound(to: UInt8.self).baseAddress,
                CK_ULONG(input.count), template.attributes.baseAddress, CK_ULONG(template.attributes.count),
                &object)
        }
        try check("C_UnwrapKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// Enciphers an object of eight bytes under a wrapping key.
    package mutating func wrapBlock(_ object: ObjectHandle, key: ObjectHandle) throws(PKCS11Error) -> UInt64 {
        var output: UInt64 = 0
        var mechanism = CK_MECHANISM(mechanism: CKM_DES3_ECB, pParameter: nil, ulParameterLen: 0)
        let code = withUnsafeMutableBytes(of: &output) { output in
            var length = CK_ULONG(output.count)
            return functions.pointee.C_WrapKey!(
                handle, &mechanism, key.rawValue, object.rawValue,
                output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
        }
        try check("C_WrapKey", code)
        return UInt64(bigEndian: output)
    }
}
