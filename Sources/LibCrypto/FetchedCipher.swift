internal import CLibcrypto

/// A block cipher of OpenSSL's default provider.
package enum BlockAlgorithm: Sendable {
    /// Triple DES with a key of 8 (three times the same: single DES), 16 or 24 bytes.
    case tdes
    /// AES with a key of 16, 24 or 32 bytes.
    case aes

    /// Bytes of a block.
    package var blockCount: Int { self == .tdes ? 8 : 16 }
}

/// How blocks follow on one another. Nothing is padded: data are whole blocks.
package enum BlockMode: Sendable {
    /// Each by itself.
    case ecb
    /// Each with the one before; the initial vector is given or zero.
    case cbc
}

/// Encipher or decipher.
package enum CipherDirection: Int32, Sendable {
    case decrypt = 0
    case encrypt = 1
}

/// An `EVP_CIPHER`, looked up once: a lookup by name costs more than the encipherment.
///
/// Unchecked, because OpenSSL never changes a fetched cipher and counts its references atomically. It is never
/// freed: there is one of each for the life of the process.
struct FetchedCipher: @unchecked Sendable {
    let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) { self.pointer = pointer }

    private static func fetch(_ name: String) -> Result<FetchedCipher, LibCryptoError> {
        guard let pointer = EVP_CIPHER_fetch(nil, name, nil) else {
            return .failure(.last("EVP_CIPHER_fetch \(name)"))
        }
        return .success(FetchedCipher(pointer))
    }

    private static let tdesECB = fetch("DES-EDE3-ECB")
    private static let tdesCBC = fetch("DES-EDE3-CBC")
    private static let aes128ECB = fetch("AES-128-ECB")
    private static let aes128CBC = fetch("AES-128-CBC")
    private static let aes192ECB = fetch("AES-192-ECB")
    private static let aes192CBC = fetch("AES-192-CBC")
    private static let aes256ECB = fetch("AES-256-ECB")
    private static let aes256CBC = fetch("AES-256-CBC")
    private static let aes256GCM = fetch("AES-256-GCM")

    static func aesGCM() throws(LibCryptoError) -> FetchedCipher { try aes256GCM.get() }

    static func named(
        _ algorithm: BlockAlgorithm, _ mode: BlockMode, keyCount: Int
    ) throws(LibCryptoError) -> FetchedCipher {
        switch (algorithm, mode, keyCount) {
        case (.tdes, .ecb, 8), (.tdes, .ecb, 16), (.tdes, .ecb, 24): try tdesECB.get()
        case (.tdes, .cbc, 8), (.tdes, .cbc, 16), (.tdes, .cbc, 24): try tdesCBC.get()
        case (.aes, .ecb, 16): try aes128ECB.get()
        case (.aes, .cbc, 16): try aes128CBC.get()
        case (.aes, .ecb, 24): try aes192ECB.get()
        case (.aes, .cbc, 24): try aes192CBC.get()
        case (.aes, .ecb, 32): try aes256ECB.get()
        case (.aes, .cbc, 32): try aes256CBC.get()
        default:
            throw .wrongCount(what: "\(algorithm) key", found: keyCount)
        }
    }

    /// A new context with key and initial vector, to be freed by the caller; never padded.
    func makeContext(
        _ direction: CipherDirection, key: [UInt8], initialVector: [UInt8]
    ) throws(LibCryptoError) -> OpaquePointer {
        guard let context = EVP_CIPHER_CTX_new() else { throw .last("EVP_CIPHER_CTX_new") }
        do throws(LibCryptoError) {
            try check(
                EVP_CipherInit_ex2(context, pointer, key, initialVector, direction.rawValue, nil),
                "EVP_CipherInit_ex2")
            try check(EVP_CIPHER_CTX_set_padding(context, 0), "EVP_CIPHER_CTX_set_padding")
        } catch {
            EVP_CIPHER_CTX_free(context)
            throw error
        }
        return context
    }
}
