internal import CPKCS11

/// How blocks are chained when key data cross the border of the token.
package enum WrappingMechanism: Sendable {
    case tripleDESECB, aesECB
    /// With an initialisation vector of one block.
    case tripleDESCBC(initialVector: [UInt8])
    case aesCBC(initialVector: [UInt8])

    fileprivate var type: CK_MECHANISM_TYPE {
        switch self {
        case .tripleDESECB: CKM_DES3_ECB
        case .aesECB: CKM_AES_ECB
        case .tripleDESCBC: CKM_DES3_CBC
        case .aesCBC: CKM_AES_CBC
        }
    }

    fileprivate var initialVector: [UInt8] {
        switch self {
        case .tripleDESECB, .aesECB: []
        case .tripleDESCBC(let vector), .aesCBC(let vector): vector
        }
    }
}

/// Keys put together and taken apart inside the token (PKCS#11 v2.40, 2.43: CKM_XOR_BASE_AND_DATA and its like).
/// What comes out is as secret as what went in: the token refuses a template that would show a sensitive base.
extension Session {
    /// `base` xor `data`; the key of an empty template is as long as the shorter of both.
    package mutating func xorKey(
        _ base: ObjectHandle, with data: UnsafeRawBufferPointer, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        try compose(base, CKM_XOR_BASE_AND_DATA, data: data, template: template)
    }

    /// `data ‖ base`.
    package mutating func prependToKey(
        _ base: ObjectHandle, _ data: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        try compose(base, CKM_CONCATENATE_DATA_AND_BASE, data: data, template: template)
    }

    /// `base ‖ data`.
    package mutating func appendToKey(
        _ base: ObjectHandle, _ data: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        try compose(base, CKM_CONCATENATE_BASE_AND_DATA, data: data, template: template)
    }

    /// As many bytes of `base` as the template says or its key type has, from a byte on.
    package mutating func extractKey(
        from base: ObjectHandle, byteOffset: Int, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var bitOffset = CK_ULONG(byteOffset * 8)
        let result = withUnsafeMutableBytes(of: &bitOffset) { parameter in
            derive(base, CKM_EXTRACT_KEY_FROM_KEY, parameter: parameter, template: template)
        }
        try check("C_DeriveKey", result.code)
        return ObjectHandle(rawValue: result.key)
    }

    private mutating func compose(
        _ base: ObjectHandle, _ mechanism: CK_MECHANISM_TYPE, data: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        let result = data.withUnsafeBytes { bytes in
            Result { () throws(PKCS11Error) in try compose(base, mechanism, data: bytes, template: template) }
        }
        return try result.get()
    }

    private mutating func compose(
        _ base: ObjectHandle, _ mechanism: CK_MECHANISM_TYPE, data: UnsafeRawBufferPointer,
        template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var parameter = CK_KEY_DERIVATION_STRING_DATA(
            pData: UnsafeMutablePointer(mutating: data.assumingMemoryBound(to: UInt8.self).baseAddress),
            ulLen: CK_ULONG(data.count))
        let result = withUnsafeMutableBytes(of: &parameter) {
            derive(base, mechanism, parameter: $0, template: template)
        }
        try check("C_DeriveKey", result.code)
        return ObjectHandle(rawValue: result.key)
    }

    func derive(
        _ base: ObjectHandle, _ type: CK_MECHANISM_TYPE, parameter: UnsafeMutableRawBufferPointer,
        template: Template
    ) -> (code: CK_RV, key: CK_OBJECT_HANDLE) {
        var mechanism = CK_MECHANISM(
            mechanism: type, pParameter: parameter.baseAddress, ulParameterLen: CK_ULONG(parameter.count))
        var key: CK_OBJECT_HANDLE = 0
        let code = functions.pointee.C_DeriveKey!(
            handle, &mechanism, base.rawValue, template.attributes.baseAddress,
            CK_ULONG(template.attributes.count), &key)
        return (code, key)
    }

    // MARK: - Across the border

    /// Deciphers whole blocks inside the token into an object.
    package mutating func unwrapKey(
        _ mechanism: WrappingMechanism, under key: ObjectHandle, wrapped: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var wrapped = wrapped
        var object: CK_OBJECT_HANDLE = 0
        let code = withMechanism(mechanism) { mechanism in
            functions.pointee.C_UnwrapKey!(
                handle, mechanism, key.rawValue, &wrapped, CK_ULONG(wrapped.count),
                template.attributes.baseAddress, CK_ULONG(template.attributes.count), &object)
        }
        try check("C_UnwrapKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// Enciphers an object of whole blocks under a wrapping key.
    package mutating func wrapKey(
        _ mechanism: WrappingMechanism, under key: ObjectHandle, object: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        // Every object of this product that leaves a token is shorter.
        var output = [UInt8](repeating: 0, count: 512)
        var length = CK_ULONG(output.count)
        let code = withMechanism(mechanism) { mechanism in
            functions.pointee.C_WrapKey!(
                handle, mechanism, key.rawValue, object.rawValue, &output, &length)
        }
        try check("C_WrapKey", code)
        return Array(output.prefix(Int(length)))
    }

    func withMechanism(
        _ mechanism: WrappingMechanism, _ body: (UnsafeMutablePointer<CK_MECHANISM>) -> CK_RV
    ) -> CK_RV {
        var vector = mechanism.initialVector
        return vector.withUnsafeMutableBytes { bytes in
            var parameter = CK_MECHANISM(
                mechanism: mechanism.type, pParameter: bytes.isEmpty ? nil : bytes.baseAddress,
                ulParameterLen: CK_ULONG(bytes.count))
            return body(&parameter)
        }
    }

    // MARK: - New secrets

    /// Has the token make a key of the template's type (PKCS#11 v2.40, 5.13).
    package mutating func generateKey(
        _ type: KeyType, _ template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var mechanism = CK_MECHANISM(mechanism: type.generation, pParameter: nil, ulParameterLen: 0)
        var object: CK_OBJECT_HANDLE = 0
        let code = functions.pointee.C_GenerateKey!(
            handle, &mechanism, template.attributes.baseAddress, CK_ULONG(template.attributes.count), &object)
        try check("C_GenerateKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// Fills a buffer from the token's generator.
    package mutating func generateRandom(into bytes: UnsafeMutableRawBufferPointer) throws(PKCS11Error) {
        let code = functions.pointee.C_GenerateRandom!(
            handle, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, CK_ULONG(bytes.count))
        try check("C_GenerateRandom", code)
    }

    /// HMAC-SHA-256 under a generic secret, 32 bytes.
    package mutating func hmacSHA256(_ data: [UInt8], key: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        var mechanism = CK_MECHANISM(mechanism: CKM_SHA256_HMAC, pParameter: nil, ulParameterLen: 0)
        try check("C_SignInit", functions.pointee.C_SignInit!(handle, &mechanism, key.rawValue))
        var data = data
        var mac = [UInt8](repeating: 0, count: 32)
        var length = CK_ULONG(mac.count)
        try check("C_Sign", functions.pointee.C_Sign!(handle, &data, CK_ULONG(data.count), &mac, &length))
        return mac
    }
}

extension KeyType {
    fileprivate var generation: CK_MECHANISM_TYPE {
        switch self {
        case .des2: CKM_DES2_KEY_GEN
        case .des3: CKM_DES3_KEY_GEN
        case .aes: CKM_AES_KEY_GEN
        case .genericSecret: CKM_GENERIC_SECRET_KEY_GEN
        }
    }
}
