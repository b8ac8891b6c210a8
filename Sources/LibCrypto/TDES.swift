/// Triple DES in the forms that card cryptography needs. Data are whole blocks of eight bytes.
package enum TDES {
    /// ECB; the key has 8, 16 or 24 bytes.
    package static func encryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .ecb, direction: .encrypt, key: key, data: data)
    }

    /// ECB; the key has 8, 16 or 24 bytes.
    package static func decryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.tdes, .ecb, direction: .decrypt, key: key, data: data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func encryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(
            .tdes, .cbc, direction: .encrypt, key: key, initialVector: initialVector, data: data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func decryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(
            .tdes, .cbc, direction: .decrypt, key: key, initialVector: initialVector, data: data)
    }
}

/// AES; data are whole blocks of sixteen bytes, keys have 16, 24 or 32.
package enum AES {
    /// ECB.
    package static func encryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .ecb, direction: .encrypt, key: key, data: data)
    }

    /// ECB.
    package static func decryptECB(key: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(.aes, .ecb, direction: .decrypt, key: key, data: data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func encryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(
            .aes, .cbc, direction: .encrypt, key: key, initialVector: initialVector, data: data)
    }

    /// CBC; an empty initial vector stands for zeros.
    package static func decryptCBC(
        key: [UInt8], initialVector: [UInt8] = [], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        try BlockCipher.run(
            .aes, .cbc, direction: .decrypt, key: key, initialVector: initialVector, data: data)
    }
}

enum BlockCipher {
    static func run(
        _ algorithm: BlockAlgorithm, _ mode: BlockMode, direction: CipherDirection, key: [UInt8],
        initialVector: [UInt8] = [], data: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        var cipher = try KeyedCipher(
            algorithm, mode, direction: direction, key: key, initialVector: initialVector)
        return try cipher.process(data)
    }
}
