internal import CPKCS11

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

/// MACs of whole blocks.
package enum MACMechanism: Sendable {
    /// CBC-MAC, eight bytes (`CKM_DES3_MAC_GENERAL`).
    case tripleDESCBC
    /// `CKM_AES_CMAC`, sixteen bytes.
    case aesCMAC
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
            var parameter = CK_MECHANISM(mechanism: mechanism.type, pParameter: nil, ulParameterLen: 0)
            if mechanism == .tripleDESCBC {
                parameter.pParameter = vector.baseAddress
                parameter.ulParameterLen = CK_ULONG(vector.count)
            }
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
        var input = block.bigEndian
        var output: UInt64 = 0
        var mechanism = CK_MECHANISM(mechanism: CKM_DES3_ECB, pParameter: nil, ulParameterLen: 0)
        try check("C_EncryptInit", functions.pointee.C_EncryptInit!(handle, &mechanism, key.rawValue))
        let code = withUnsafeMutableBytes(of: &input) { input in
            withUnsafeMutableBytes(of: &output) { output in
                var length = CK_ULONG(output.count)
                return functions.pointee.C_Encrypt!(
                    handle, input.assumingMemoryBound(to: UInt8.self).baseAddress, CK_ULONG(input.count),
                    output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
            }
        }
        try check("C_Encrypt", code)
        return UInt64(bigEndian: output)
    }

    /// A MAC over whole blocks.
    package mutating func mac(
        _ kind: MACMechanism, key: ObjectHandle, input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(PKCS11Error) {
        var size = CK_ULONG(8)
        let initCode = withUnsafeMutableBytes(of: &size) { size in
            var mechanism: CK_MECHANISM
            switch kind {
            case .tripleDESCBC:
                mechanism = CK_MECHANISM(
                    mechanism: CKM_DES3_MAC_GENERAL, pParameter: size.baseAddress,
                    ulParameterLen: CK_ULONG(size.count))
            case .aesCMAC:
                mechanism = CK_MECHANISM(mechanism: CKM_AES_CMAC, pParameter: nil, ulParameterLen: 0)
            }
            return functions.pointee.C_SignInit!(handle, &mechanism, key.rawValue)
        }
        try check("C_SignInit", initCode)
        var length = CK_ULONG(output.count)
        let code = functions.pointee.C_Sign!(
            handle, UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress),
            CK_ULONG(input.count), output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
        try check("C_Sign", code)
    }

    /// `C_EncryptInit` alone: whether a key lets itself be used so. Ends the operation it began.
    package mutating func probeEncryptInit(_ mechanism: CipherMechanism, key: ObjectHandle)
        throws(PKCS11Error)
    {
        var input: UInt64 = 0
        var output: UInt64 = 0
        try withUnsafeMutableBytesTyped(of: &input, &output) { (input, output) throws(PKCS11Error) in
            try encrypt(mechanism, key: key, input: UnsafeRawBufferPointer(input), into: output)
        }
    }
}

private func withUnsafeMutableBytesTyped(
    of first: inout UInt64, _ second: inout UInt64,
    body: (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer) throws(PKCS11Error) -> Void
) throws(PKCS11Error) {
    let result = withUnsafeMutableBytes(of: &first) { first in
        withUnsafeMutableBytes(of: &second) { second in
            Result<Void, PKCS11Error> { () throws(PKCS11Error) in try body(first, second) }
        }
    }
    try result.get()
}
