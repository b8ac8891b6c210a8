internal import CPKCS11

/// Block ciphers with a mode and a vector, and keys from a chained encipherment (PKCS#11 v2.40, 5.8, 5.9, 2.15).
extension Session {
    /// Enciphers whole blocks.
    package mutating func encipher(
        _ mechanism: WrappingMechanism, key: ObjectHandle, data: [UInt8]
    ) throws(PKCS11Error) -> [UInt8] {
        let code = withMechanism(mechanism) { functions.pointee.C_EncryptInit!(handle, $0, key.rawValue) }
        try check("C_EncryptInit", code)
        var input = data
        var output = [UInt8](repeating: 0, count: data.count)
        var length = CK_ULONG(output.count)
        try check(
            "C_Encrypt",
            functions.pointee.C_Encrypt!(handle, &input, CK_ULONG(input.count), &output, &length))
        return Array(output.prefix(Int(length)))
    }

    /// Deciphers whole blocks.
    package mutating func decipher(
        _ mechanism: WrappingMechanism, key: ObjectHandle, data: [UInt8]
    ) throws(PKCS11Error) -> [UInt8] {
        let code = withMechanism(mechanism) { functions.pointee.C_DecryptInit!(handle, $0, key.rawValue) }
        try check("C_DecryptInit", code)
        var input = data
        var output = [UInt8](repeating: 0, count: data.count)
        var length = CK_ULONG(output.count)
        try check(
            "C_Decrypt",
            functions.pointee.C_Decrypt!(handle, &input, CK_ULONG(input.count), &output, &length))
        return Array(output.prefix(Int(length)))
    }

    /// A MAC of whole blocks or, with AES-CMAC, of any number of bytes.
    package mutating func mac(
        _ kind: MACMechanism, key: ObjectHandle, data: [UInt8]
    ) throws(PKCS11Error) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: kind == .aesCMAC ? 16 : 8)
        let result = data.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                Result { () throws(PKCS11Error) in try mac(kind, key: key, input: input, into: output) }
            }
        }
        try result.get()
        return output
    }

    /// Derives a key: its value is the encipherment of `data` under `base` in CBC mode with a zero vector
    /// (`CKM_DES3_CBC_ENCRYPT_DATA`).
    /// - Parameter data: whole blocks of eight bytes.
    package mutating func deriveKey(
        from base: ObjectHandle, chained data: [UInt8], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var data = data
        let result = data.withUnsafeMutableBytes { bytes in
            var parameter = CK_DES_CBC_ENCRYPT_DATA_PARAMS()
            parameter.pData = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
            parameter.length = CK_ULONG(bytes.count)
            return withUnsafeMutableBytes(of: &parameter) {
                derive(base, CKM_DES3_CBC_ENCRYPT_DATA, parameter: $0, template: template)
            }
        }
        try check("C_DeriveKey", result.code)
        return ObjectHandle(rawValue: result.key)
    }
}
