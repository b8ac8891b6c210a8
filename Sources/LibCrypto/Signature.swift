internal import CLibcrypto

/// Ed25519 (RFC 8032): signatures of people, under keys that are in no token.
package enum Signature {
    /// Bytes of either key.
    package static let keyCount = 32
    /// Bytes of a signature.
    package static let count = 64

    /// A new key pair. Whoever keeps the private key wipes it.
    package static func keyPair() throws(LibCryptoError) -> (privateKey: [UInt8], publicKey: [UInt8]) {
        let privateKey = try Random.bytes(keyCount)
        let key = try privateHandle(privateKey)
        defer { EVP_PKEY_free(key) }
        var bytes = [UInt8](repeating: 0, count: keyCount)
        var length = bytes.count
        try check(EVP_PKEY_get_raw_public_key(key, &bytes, &length), "EVP_PKEY_get_raw_public_key")
        return (privateKey, bytes)
    }

    /// 64 bytes over a message of any length.
    package static func sign(_ message: [UInt8], privateKey: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        let key = try privateHandle(privateKey)
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { throw .last("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestSignInit(context, nil, nil, nil, key), "EVP_DigestSignInit")
        var signature = [UInt8](repeating: 0, count: count)
        var length = signature.count
        try check(EVP_DigestSign(context, &signature, &length, message, message.count), "EVP_DigestSign")
        return signature
    }

    /// Whether a signature is that of this message under this public key.
    package static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard publicKey.count == keyCount, signature.count == count,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private static func privateHandle(_ privateKey: [UInt8]) throws(LibCryptoError) -> OpaquePointer {
        guard privateKey.count == keyCount else {
            throw .wrongCount(what: "Ed25519 key", found: privateKey.count)
        }
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, privateKey, privateKey.count)
        else { throw .last("EVP_PKEY_new_raw_private_key") }
        return key
    }
}
