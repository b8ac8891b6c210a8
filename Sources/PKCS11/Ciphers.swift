internal import CPKCS11

/// MACs of whole blocks.
package enum MACMechanism: Sendable {
    /// CBC-MAC, eight bytes (`CKM_DES3_MAC_GENERAL`).
    case tripleDESCBC
    /// `CKM_AES_CMAC`, sixteen bytes.
    case aesCMAC
}

extension Session {
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
