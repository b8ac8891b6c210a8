internal import ByteCoding
package import PKCS11

/// Key check values of keys in a token, without a key's value.
package enum TokenCheckValue {
    /// Bytes of a check value.
    package static let byteCount = 3

    /// Triple DES: the first three bytes of the encipherment of zeros. AES: of the CMAC of a block of zeros
    /// (ANSI X9.24-1:2017 Annex A). A generic secret: of the HMAC-SHA-256 of sixteen zeros. In hex; nil where the
    /// token gives no way to it.
    ///
    /// Zeros derived into a readable secret are exactly the encipherment of zeros. NSS derives so with any cipher
    /// key, which its audit says; a token that minds the key's usage is asked in the way that the usage allows.
    package static func of(_ key: ObjectHandle, _ session: inout Session) throws -> String? {
        try answer(of: key, &session).map { Hex.encode($0.prefix(byteCount)) }
    }

    /// The whole block that a check value is the beginning of: 8 bytes for triple DES, 16 for AES, 32 for HMAC. Three bytes
    /// where the token gives nothing but the check value that it kept. Nobody is shown it: a digest of it tells keys apart
    /// that have one check value, of which anybody finds a second key in seconds.
    static func answer(of key: ObjectHandle, _ session: inout Session) throws -> [UInt8]? {
        switch try session.keyType(of: key) {
        case .des2, .des3: tripleDES(key, &session)
        case .aes: aes(key, &session)
        case .genericSecret: try? session.hmacSHA256([UInt8](repeating: 0, count: 16), key: key)
        case nil: nil
        }
    }

    /// The encipherment of one block of given data under a key that derives (`CKM_*_ECB_ENCRYPT_DATA`).
    package static func encipherment(
        of block: [UInt8], under key: ObjectHandle, session: inout Session
    ) throws(PKCS11Error) -> [UInt8] {
        try session.shownEncipherment(
            of: block, block.count == 16 ? .aesECB : .tripleDESECB, under: key)
    }

    private static func tripleDES(_ key: ObjectHandle, _ session: inout Session) -> [UInt8]? {
        let zeros = [UInt8](repeating: 0, count: 8)
        if let block = try? encipherment(of: zeros, under: key, session: &session) { return block }
        var block = try? session.encryptBlock(0, key: key)
        if block == nil { block = wrappedZeros(key, &session) }
        // What the token computed when the key was made (PKCS#11 v2.40, 4.9.3).
        if block == nil, let kept = try? session.keptCheckValue(of: key), kept.count == byteCount {
            return kept
        }
        return block.map { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
    }

    private static func wrappedZeros(_ key: ObjectHandle, _ session: inout Session) -> UInt64? {
        let template = Template(
            keyType: .genericSecret, on: [.extractable, .isPrivate, .sensitive], off: [.token])
        let zeros = SecretBytes(copying: [UInt8](repeating: 0, count: 8))
        guard let object = try? session.createKey(template, value: zeros) else { return nil }
        defer { try? session.destroy(object) }
        return try? session.wrapBlock(object, key: key)
    }

    private static func aes(_ key: ObjectHandle, _ session: inout Session) -> [UInt8]? {
        let zeros = [UInt8](repeating: 0, count: 16)
        if let block = try? encipherment(of: zeros, under: key, session: &session) {
            // The CMAC of one whole block is the encipherment of that block xor the first subkey.
            return try? encipherment(of: CMACSubkey.doubled(block), under: key, session: &session)
        }
        var mac = zeros
        let signed: Void? = try? zeros.withUnsafeBytes { input in
            try mac.withUnsafeMutableBytes { try session.mac(.aesCMAC, key: key, input: input, into: $0) }
        }
        return signed == nil ? nil : mac
    }
}

/// Subkeys of CMAC (NIST SP 800-38B, 6.1).
package enum CMACSubkey {
    /// A block doubled in GF(2^64) or GF(2^128): the first subkey of the encipherment of zeros, the second of the
    /// first.
    /// - Parameter block: 8 or 16 bytes.
    package static func doubled(_ block: [UInt8]) -> [UInt8] {
        var result = block
        var carry: UInt8 = 0
        for index in block.indices.reversed() {
            result[index] = block[index] << 1 | carry
            carry = block[index] >> 7
        }
        if carry == 1 { result[result.count - 1] ^= block.count == 16 ? 0x87 : 0x1B }
        return result
    }
}
