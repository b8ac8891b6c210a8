/// Triple DES in the forms that card cryptography needs. Data are whole blocks of eight bytes.
package enum TDES {
    /// ECB; the key has 8, 16 or 24 bytes.
    package static func encryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .ecb, .encrypt, key: key, data)
    }

    /// ECB; the key has 8, 16 or 24 bytes.
    package static func decryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .ecb, .decrypt, key: key, data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func encryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], _ data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .cbc, .encrypt, key: key, initialVector: initialVector, data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func decryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], _ data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .cbc, .decrypt, key: key, initialVector: initialVector, data)
    }
}

/// AES; data are whole blocks of sixteen bytes, keys have 16, 24 or 32.
package enum AES {
    /// ECB.
    package static func encryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .ecb, .encrypt, key: key, data)
    }

    /// ECB.
    package static func decryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .ecb, .decrypt, key: key, data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func encryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], _ data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .cbc, .encrypt, key: key, initialVector: initialVector, data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func decryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], _ data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .cbc, .decrypt, key: key, initialVector: initialVector, data)
    }
}

enum BlockCipher {
    static func run(
        _ algorithm: BlockAlgorithm, _ mode: BlockMode, _ direction: CipherDirection, key: [UInt8],
        initialVector: [UInt8] = [], _ data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        var cipher = try KeyedCipher(algorithm, mode, direction, key: key, initialVector: initialVector)
        return try cipher.process(data)
    }
}
