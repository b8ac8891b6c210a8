internal import CPKCS11

/// Triple DES that stays open in a session of its own, so that a block is one call and not two (PKCS#11 v2.40, 5.8,
/// C_EncryptUpdate). ECB carries nothing from one block to the next.
package struct OpenCipher: ~Copyable {
    private var session: Session

    /// - Parameter session: any of the process; the key has to last as long as this value.
    package init(beside session: borrowing Session, key: ObjectHandle) throws(PKCS11Error) {
        var own = try session.sibling()
        var mechanism = CK_MECHANISM(mechanism: CKM_DES3_ECB, pParameter: nil, ulParameterLen: 0)
        try own.check(
            "C_EncryptInit", own.functions.pointee.C_EncryptInit!(own.handle, &mechanism, key.rawValue))
        self.session = own
    }

    /// Enciphers a block, big endian. After an error the cipher is closed: drop this value.
    package mutating func encrypt(_ block: UInt64) throws(PKCS11Error) -> UInt64 {
        var input = block.bigEndian
        var output: UInt64 = 0
        var length = CK_ULONG(8)
        let code = withUnsafeMutableBytes(of: &input) { input in
            withUnsafeMutableBytes(of: &output) { output in
                session.functions.pointee.C_EncryptUpdate!(
                    session.handle, input.assumingMemoryBound(to: UInt8.self).baseAddress, 8,
                    output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
            }
        }
        try session.check("C_EncryptUpdate", code)
        // A token that keeps a block back until the next one comes.
        guard length == 8 else { throw PKCS11Error(function: "C_EncryptUpdate", code: CKR_DATA_LEN_RANGE) }
        return UInt64(bigEndian: output)
    }
}
