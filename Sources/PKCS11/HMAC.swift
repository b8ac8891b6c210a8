internal import CPKCS11

/// The hash of an HMAC.
package enum HMACHash: Sendable {
    /// `CKM_SHA_1_HMAC`, twenty bytes.
    case sha1
    /// `CKM_SHA256_HMAC`, 32 bytes.
    case sha256

    /// Bytes of the whole value.
    package var byteCount: Int { self == .sha1 ? 20 : 32 }
}

extension Session {
    /// The first eight bytes of an HMAC (PKCS#11 v2.40, 2.6.3; FIPS 198-1), big endian. Whole values alone come from a
    /// token: NSS and SoftHSM2 refuse the mechanisms that shorten them.
    package mutating func hmacHead(
        _ hash: HMACHash, _ input: [UInt8], key: ObjectHandle
    ) throws(PKCS11Error) -> UInt64 {
        var mechanism = CK_MECHANISM(
            mechanism: hash == .sha1 ? CKM_SHA_1_HMAC : CKM_SHA256_HMAC, pParameter: nil, ulParameterLen: 0)
        try check("C_SignInit", functions.pointee.C_SignInit!(handle, &mechanism, key.rawValue))
        var output = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        let code = withUnsafeMutableBytes(of: &output) { output in
            input.withUnsafeBytes { input in
                var length = CK_ULONG(hash.byteCount)
                return functions.pointee.C_Sign!(
                    handle,
                    UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress),
                    CK_ULONG(input.count), output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
            }
        }
        try check("C_Sign", code)
        return UInt64(bigEndian: output.0)
    }
}
