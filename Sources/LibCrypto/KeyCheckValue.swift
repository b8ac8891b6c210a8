/// Key check values.
package enum KeyCheckValue {
    /// TDES: a block of zeros enciphered, eight bytes; three of them are usually shown.
    /// - Parameter key: 8, 16 or 24 bytes.
    package static func tdes(_ key: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try TDES.encryptECB(key: key, [UInt8](repeating: 0, count: 8))
    }

    /// TDES, of a key held inline: the first three bytes.
    package static func tdes(_ key: DoubleLengthKey) throws(LibCryptoError) -> [UInt8] {
        var cipher = try KeyedCipher.unkeyedTDES()
        try cipher.setKey(key)
        let block = try cipher.process(UInt64(0))
        return [56, 48, 40].map { UInt8(truncatingIfNeeded: block >> UInt64($0)) }
    }

    /// AES: CMAC of a block of zeros (ANSI X9.24-1:2017), sixteen bytes; three or five are usually shown.
    package static func aes(_ key: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try MAC.cmac(.aes, key: key, data: [UInt8](repeating: 0, count: 16))
    }

    /// AES as older devices show it: a block of zeros enciphered.
    package static func aesLegacy(_ key: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        try AES.encryptECB(key: key, [UInt8](repeating: 0, count: 16))
    }
}
