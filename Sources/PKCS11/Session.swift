internal import CPKCS11

/// One session with the token. It closes itself, belongs to one thread at a time and counts its calls. The
/// session objects made in it end with it.
package struct Session: ~Copyable {
    let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
    let handle: CK_SESSION_HANDLE
    let slotNumber: CK_SLOT_ID
    /// Cryptoki functions called in this session.
    package internal(set) var callCount: UInt64 = 0
    /// How known values cross the border of the token, as far as any session of the process has found.
    let crossings: Crossings
    /// Carries values where the token takes none in the clear.
    var courierKey: ObjectHandle?

    deinit {
        _ = functions.pointee.C_CloseSession!(handle)
    }

    /// Counts the call and turns everything but `CKR_OK` into an error.
    @inline(__always)
    mutating func check(_ function: StaticString, _ code: CK_RV) throws(PKCS11Error) {
        callCount &+= 1
        if code != CKR_OK { throw PKCS11Error(function: "\(function)", code: code) }
    }

    /// Ends an object.
    package mutating func destroy(_ object: ObjectHandle) throws(PKCS11Error) {
        try check("C_DestroyObject", functions.pointee.C_DestroyObject!(handle, object.rawValue))
    }
}

/// An object of the token as one session sees it. Worth nothing in another process.
package struct ObjectHandle: Hashable, Sendable {
    let rawValue: CK_OBJECT_HANDLE
}

/// Mechanisms of this product; those without a parameter, or with the parameter named.
package enum CipherMechanism: Sendable {
    case tripleDESECB
    /// With an initialisation vector of zeros.
    case tripleDESCBC
    case aesECB

    var type: CK_MECHANISM_TYPE {
        switch self {
        case .tripleDESECB: CKM_DES3_ECB
        case .tripleDESCBC: CKM_DES3_CBC
        case .aesECB: CKM_AES_ECB
        }
    }
}

/// Encipherment, MACs and digests (PKCS#11 v2.40, 5.8, 5.10, 5.11).
extension Session {
    /// Enciphers whole blocks in place of `output`, which has the input's size.
    package mutating func encrypt(
        _ mechanism: CipherMechanism, key: ObjectHandle, input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(PKCS11Error) {
        var zeros: UInt64 = 0
        let initCode = withUnsafeMutableBytes(of: &zeros) { vector in
            let isChained = mechanism == .tripleDESCBC
            var parameter = CK_MECHANISM(
                mechanism: mechanism.type, pParameter: isChained ? vector.baseAddress : nil,
                ulParameterLen: isChained ? CK_ULONG(vector.count) : 0)
            return functions.pointee.C_EncryptInit!(handle, &parameter, key.rawValue)
        }
        try check("C_EncryptInit", initCode)
        var length = CK_ULONG(output.count)
        let code = functions.pointee.C_Encrypt!(
            handle, UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress),
            CK_ULONG(input.count), output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
        try check("C_Encrypt", code)
    }

    /// Enciphers one block of eight bytes with triple DES in ECB mode.
    package mutating func encryptBlock(_ block: UInt64, key: ObjectHandle) throws(PKCS11Error) -> UInt64 {
        var bytes = block.bigEndian
        try withUnsafeMutableBytes(of: &bytes) { (bytes) throws(PKCS11Error) in
            try encrypt(.tripleDESECB, key: key, input: UnsafeRawBufferPointer(bytes), into: bytes)
        }
        return UInt64(bigEndian: bytes)
    }

    /// A MAC over whole blocks.
    package mutating func mac(
        _ kind: MACMechanism, key: ObjectHandle, input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(PKCS11Error) {
        var size = CK_ULONG(8)
        let initCode = withUnsafeMutableBytes(of: &size) { size in
            let isCMAC = kind == .aesCMAC
            var mechanism = CK_MECHANISM(
                mechanism: isCMAC ? CKM_AES_CMAC : CKM_DES3_MAC_GENERAL,
                pParameter: isCMAC ? nil : size.baseAddress,
                ulParameterLen: isCMAC ? 0 : CK_ULONG(size.count))
            return functions.pointee.C_SignInit!(handle, &mechanism, key.rawValue)
        }
        try check("C_SignInit", initCode)
        var length = CK_ULONG(output.count)
        let code = functions.pointee.C_Sign!(
            handle, UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress),
            CK_ULONG(input.count), output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
        try check("C_Sign", code)
    }
}

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

    func derive(
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
