/// An RSA public key as EMV certificates carry it (EMV Book 2 11.2 and annex B2.1).
package struct RSAPublicKey: Hashable, Sendable {
    /// Big endian, without leading zeros; 64 to 248 bytes.
    package let modulus: [UInt8]
    /// Big endian, without leading zeros; 1 to 3 bytes.
    package let exponent: [UInt8]

    /// Bytes of the modulus.
    package var byteCount: Int { modulus.count }

    /// The shortest and longest modulus that is taken, in bytes.
    static let byteCounts = 64...248

    /// - Throws: `CertificateFault.length` for a modulus or exponent that no EMV key has.
    package init(modulus: [UInt8], exponent: [UInt8]) throws(CertificateFault) {
        let exponent = Array(exponent.drop { $0 == 0 })
        guard RSAPublicKey.byteCounts.contains(modulus.count), let first = modulus.first, first != 0,
            (1...3).contains(exponent.count), exponent.last.map({ $0 & 1 }) == 1, exponent != [1],
            modulus.last.map({ $0 & 1 }) == 1
        else { throw .length }
        self.modulus = modulus
        self.exponent = exponent
    }
}

/// The two operations that checking a certificate takes. Both work on public data only.
package struct PublicKeyArithmetic: Sendable {
    /// `data ^ exponent mod modulus`, as long as the modulus; nil where data are not below it.
    package let power: @Sendable (_ data: [UInt8], _ key: RSAPublicKey) -> [UInt8]?
    /// SHA-1, 20 bytes: the only hash of these certificates (EMV Book 2 annex B3.1).
    package let sha1: @Sendable (_ data: [UInt8]) -> [UInt8]?

    /// Takes both; the terminal's are libcrypto's.
    package init(
        power: @escaping @Sendable (_ data: [UInt8], _ key: RSAPublicKey) -> [UInt8]?,
        sha1: @escaping @Sendable (_ data: [UInt8]) -> [UInt8]?
    ) {
        self.power = power
        self.sha1 = sha1
    }

    /// Plain Swift, for programs that link no cryptographic library. Not in constant time: nothing here is secret.
    package static let portable = PublicKeyArithmetic(
        power: { data, key in PublicPower.power(data, key) }, sha1: { PublicDigest.sha1($0) })
}
