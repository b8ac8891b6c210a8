internal import CLibcrypto

/// AES-256-GCM (NIST SP 800-38D): the form of files that hold key material under a passphrase.
package enum AuthenticatedEncryption {
    /// Bytes of a nonce. One key must never see the same one twice.
    package static let nonceCount = 12
    /// Bytes of the tag.
    package static let tagCount = 16

    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: 12 bytes.
    ///   - associated: data that are authenticated and not enciphered.
    /// - Returns: as many bytes as `plain`, then the tag.
    package static func seal(
        key: [UInt8], nonce: [UInt8], plain: [UInt8], associated: [UInt8] = []
    ) throws(LibCryptoError) -> [UInt8] {
        var context = try GCMContext(key: key, nonce: nonce, direction: .encrypt)
        try context.authenticate(associated)
        return try context.update(plain) + context.tag()
    }

    /// - Parameter sealed: what `seal` gave.
    /// - Throws: `.notAuthentic` where key, nonce, data or tag do not belong together.
    package static func open(
        key: [UInt8], nonce: [UInt8], sealed: [UInt8], associated: [UInt8] = []
    ) throws(LibCryptoError) -> [UInt8] {
        guard sealed.count >= tagCount else { throw .wrongCount(what: "sealed data", found: sealed.count) }
        var context = try GCMContext(key: key, nonce: nonce, direction: .decrypt)
        try context.authenticate(associated)
        let plain = try context.update(Array(sealed.dropLast(tagCount)))
        try context.verify(tag: Array(sealed.suffix(tagCount)))
        return plain
    }
}

private struct GCMContext: ~Copyable {
    private let context: OpaquePointer

    init(key: [UInt8], nonce: [UInt8], direction: CipherDirection) throws(LibCryptoError) {
        guard key.count == 32 else { throw .wrongCount(what: "AES-256-GCM key", found: key.count) }
        guard nonce.count == AuthenticatedEncryption.nonceCount else {
            throw .wrongCount(what: "GCM nonce", found: nonce.count)
        }
        context = try FetchedCipher.aesGCM().makeContext(direction, key: key, initialVector: nonce)
    }

    mutating func authenticate(_ data: [UInt8]) throws(LibCryptoError) {
        guard !data.isEmpty else { return }
        var written: Int32 = 0
        try check(EVP_CipherUpdate(context, nil, &written, data, Int32(data.count)), "EVP_CipherUpdate")
    }

    mutating func update(_ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard !data.isEmpty else { return [] }
        var output = [UInt8](repeating: 0, count: data.count)
        var written: Int32 = 0
        try check(EVP_CipherUpdate(context, &output, &written, data, Int32(data.count)), "EVP_CipherUpdate")
        return output
    }

    mutating func tag() throws(LibCryptoError) -> [UInt8] {
        var unused = [UInt8](repeating: 0, count: 16)
        var written: Int32 = 0
        try check(EVP_CipherFinal_ex(context, &unused, &written), "EVP_CipherFinal_ex")
        var tag = [UInt8](repeating: 0, count: AuthenticatedEncryption.tagCount)
        try check(
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag), "EVP_CIPHER_CTX_ctrl"
        )
        return tag
    }

    mutating func verify(tag: [UInt8]) throws(LibCryptoError) {
        var tag = tag
        try check(
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag), "EVP_CIPHER_CTX_ctrl"
        )
        var unused = [UInt8](repeating: 0, count: 16)
        var written: Int32 = 0
        guard EVP_CipherFinal_ex(context, &unused, &written) == 1 else {
            ERR_clear_error()
            throw .notAuthentic
        }
    }

    deinit { EVP_CIPHER_CTX_free(context) }
}
