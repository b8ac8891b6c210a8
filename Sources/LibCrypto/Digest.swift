internal import CLibcrypto

/// Hash functions.
package enum Digest {
    /// SHA-1, 20 bytes: for EMV Option B only, whose security does not rest on it.
    package static func sha1(_ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try compute("SHA1", data, count: 20)
    }

    /// SHA-256, 32 bytes.
    package static func sha256(_ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try compute("SHA256", data, count: 32)
    }

    private static func compute(
        _ name: String, _ data: [UInt8], count: Int
    ) throws(LibCryptoError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var written = 0
        try check(EVP_Q_digest(nil, name, nil, data, data.count, &output, &written), "EVP_Q_digest")
        guard written == count else { throw .wrongCount(what: "EVP_Q_digest output", found: written) }
        return output
    }
}

/// Random bytes of OpenSSL's generator.
package enum Random {
    /// - Parameter count: number of bytes, 0…65,536.
    package static func bytes(_ count: Int) throws(LibCryptoError) -> [UInt8] {
        guard (0...65_536).contains(count) else { throw .wrongCount(what: "random", found: count) }
        var bytes = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return bytes }
        try check(RAND_bytes(&bytes, Int32(count)), "RAND_bytes")
        return bytes
    }

    /// Four random bytes as a number.
    package static func uint32() throws(LibCryptoError) -> UInt32 {
        try bytes(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// A key made from a passphrase (RFC 7914).
package enum Scrypt {
    /// What the derivation costs.
    package struct Cost: Hashable, Sendable {
        /// CPU and memory cost, a power of two.
        package let n: UInt64
        /// Block size.
        package let r: UInt64
        /// Parallelisation.
        package let p: UInt64

        /// Memory is 128 · n · r bytes.
        package init(n: UInt64, r: UInt64, p: UInt64) {
            self.n = n
            self.r = r
            self.p = p
        }

        /// 2^17, 8, 1: 128 MiB and about half a second, for what is unlocked once.
        package static let interactive = Cost(n: 1 << 17, r: 8, p: 1)
    }

    /// - Parameters:
    ///   - passphrase: its UTF-8 bytes.
    ///   - count: bytes of the key, 1…64.
    package static func deriveKey(
        passphrase: [UInt8], salt: [UInt8], cost: Cost, count: Int
    ) throws(LibCryptoError) -> [UInt8] {
        guard (1...64).contains(count) else { throw .wrongCount(what: "scrypt key", found: count) }
        var key = [UInt8](repeating: 0, count: count)
        let memoryMax: UInt64 = 1 << 30
        let result = passphrase.withUnsafeBytes { raw in
            // An empty buffer has no address, and OpenSSL takes a null passphrase for a dry run.
            EVP_PBE_scrypt(
                raw.bindMemory(to: CChar.self).baseAddress ?? emptyText, passphrase.count, salt, salt.count,
                cost.n, cost.r, cost.p, memoryMax, &key, count)
        }
        try check(result, "EVP_PBE_scrypt")
        return key
    }

    private static var emptyText: UnsafePointer<CChar> {
        // A static string's storage lives as long as the process.
        UnsafeRawPointer(("" as StaticString).utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
