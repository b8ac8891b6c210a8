package import EMV
package import LibCrypto

/// The cryptography inside an AES chip, by libcrypto. It shares nothing with the host's side but the public arithmetic
/// of `EMV`; no published example is known, so each is the other's only witness.
package enum AESChip {
    /// The ICC master key (option C, EMV Book 2 A1.4.3), as long as the issuer's.
    package static func iccMasterKey(
        issuerMasterKey: [UInt8], card: CardIdentity
    ) throws(LibCryptoError) -> [UInt8] {
        let count = issuerMasterKey.count
        let data = AESKeyDerivation.masterKeyData(for: card, keyByteCount: count)
        return Array(try AES.encryptECB(key: issuerMasterKey, data).prefix(count))
    }

    /// The session key (EMV Book 2 A1.3.1).
    package static func sessionKey(
        iccMasterKey: [UInt8], atc: ApplicationTransactionCounter
    ) throws(LibCryptoError) -> [UInt8] {
        let count = iccMasterKey.count
        let data = AESKeyDerivation.sessionKeyData(atc: atc, keyByteCount: count)
        return Array(try AES.encryptECB(key: iccMasterKey, data).prefix(count))
    }

    /// The application cryptogram (EMV Book 2 8.1.2), or ARPC of method 2 (8.2.2) in the upper four bytes: the leftmost
    /// eight bytes of the CMAC, big endian.
    package static func mac(_ input: CryptogramInput, sessionKey: [UInt8]) throws(LibCryptoError) -> UInt64 {
        try MAC.cmac(.aes, key: sessionKey, data: input.bytes).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
