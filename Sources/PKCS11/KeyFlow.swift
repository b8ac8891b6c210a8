internal import CPKCS11

/// Keys derived from data of any length.
extension Session {
    /// Derives a key from data of any number of blocks, by either block cipher.
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
}
