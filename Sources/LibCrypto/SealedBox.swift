internal import CLibcrypto

/// Encipherment to the holder of a private key: X25519 (RFC 7748), a key derived from the shared secret with SHA-256
/// (NIST SP 800-56C, 4.1), AES-256-GCM. Each box has a key pair of its own, so its nonce can be fixed.
package enum SealedBox {
    /// Bytes of either key.
    package static let keyCount = 32
    /// Bytes that a box is longer than its contents.
    package static let overheadCount = keyCount + AuthenticatedEncryption.tagCount

    /// A new key pair. Whoever keeps the private key wipes it.
    package static func keyPair() throws(LibCryptoError) -> (privateKey: [UInt8], publicKey: [UInt8]) {
        let privateKey = try Random.bytes(keyCount)
        return (privateKey, try publicKey(of: privateKey))
    }

    /// - Parameters:
    ///   - publicKey: the holder's, 32 bytes.
    ///   - associated: data that are authenticated and not enciphered.
    package static func seal(
        _ plain: [UInt8], to publicKey: [UInt8], associated: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        var ephemeral = try keyPair()
        defer { wipe(&ephemeral.privateKey) }
        var key = try key(ephemeral.privateKey, publicKey, ephemeral: ephemeral.publicKey, holder: publicKey)
        defer { wipe(&key) }
        return ephemeral.publicKey
            + (try AuthenticatedEncryption.seal(key: key, nonce: nonce, plain: plain, associated: associated))
    }

    /// - Throws: `.notAuthentic` where box, key and associated data do not belong together.
    package static func open(
        _ box: [UInt8], privateKey: [UInt8], associated: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        guard box.count >= overheadCount else { throw .wrongCount(what: "sealed box", found: box.count) }
        let ephemeral = Array(box.prefix(keyCount))
        let holder = try publicKey(of: privateKey)
        var key = try key(privateKey, ephemeral, ephemeral: ephemeral, holder: holder)
        defer { wipe(&key) }
        return try AuthenticatedEncryption.open(
            key: key, nonce: nonce, sealed: Array(box.dropFirst(keyCount)), associated: associated)
    }

    /// Overwrites bytes that were secret.
    package static func wipe(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    private static let nonce = [UInt8](repeating: 0, count: AuthenticatedEncryption.nonceCount)

    private static func publicKey(of privateKey: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard privateKey.count == keyCount else {
            throw .wrongCount(what: "X25519 key", found: privateKey.count)
        }
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, privateKey, privateKey.count)
        else {
            throw .last("EVP_PKEY_new_raw_private_key")
        }
        defer { EVP_PKEY_free(key) }
        var bytes = [UInt8](repeating: 0, count: keyCount)
        var count = keyCount
        try check(EVP_PKEY_get_raw_public_key(key, &bytes, &count), "EVP_PKEY_get_raw_public_key")
        return bytes
    }

    private static func key(
        _ privateKey: [UInt8], _ other: [UInt8], ephemeral: [UInt8], holder: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        var shared = try agree(privateKey, other)
        defer { wipe(&shared) }
        // One step: SHA-256 of a counter, the secret and what fixes the use.
        var input: [UInt8] = [0, 0, 0, 1] + shared + ephemeral + holder
        defer { wipe(&input) }
        return try Digest.sha256(input)
    }

    private static func agree(_ privateKey: [UInt8], _ other: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard privateKey.count == keyCount, other.count == keyCount else {
            throw .wrongCount(what: "X25519 key", found: other.count)
        }
        guard let own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, privateKey, privateKey.count)
        else { throw .last("EVP_PKEY_new_raw_private_key") }
        defer { EVP_PKEY_free(own) }
        guard let peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, other, other.count) else {
            throw .last("EVP_PKEY_new_raw_public_key")
        }
        defer { EVP_PKEY_free(peer) }
        guard let context = EVP_PKEY_CTX_new(own, nil) else { throw .last("EVP_PKEY_CTX_new") }
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_derive_init(context), "EVP_PKEY_derive_init")
        try check(EVP_PKEY_derive_set_peer(context, peer), "EVP_PKEY_derive_set_peer")
        var shared = [UInt8](repeating: 0, count: keyCount)
        var count = keyCount
        try check(EVP_PKEY_derive(context, &shared, &count), "EVP_PKEY_derive")
        return shared
    }
}
