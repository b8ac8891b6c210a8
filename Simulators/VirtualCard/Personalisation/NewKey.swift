internal import ByteCoding
package import LibCrypto

/// One key of a PUT KEY command (GlobalPlatform 2.3.1, 11.8.2.3; Amendment D 7.2).
package struct NewKey: Sendable {
    /// In clear, inside the card.
    package let value: [UInt8]
    /// Three bytes, which the command has to say too.
    package let checkValue: [UInt8]
    /// By the key type, 88 or 80.
    package let isAES: Bool

    /// Takes the first key off the front of a command's data.
    /// - Parameter decipher: under the DEK.
    /// - Returns: nil for what has not the form, or another check value.
    package static func take(
        from data: inout [UInt8], decipher: ([UInt8]) throws(LibCryptoError) -> [UInt8]
    ) throws(LibCryptoError) -> NewKey? {
        guard data.count >= 2, data[0] == 0x80 || data[0] == 0x88 else { return nil }
        let isAES = data[0] == 0x88
        let field = Int(data[1])
        guard data.count >= 2 + field + 4, data[2 + field] == 3 else { return nil }
        var text = Array(data[2..<2 + field])
        let given = Array(data[(3 + field)..<(6 + field)])
        var count = text.count
        if isAES {
            guard let first = text.first else { return nil }
            count = Int(first)
            text.removeFirst()
        }
        guard text.count >= count, [16, 24, 32].contains(count), text.count % (isAES ? 16 : 8) == 0 else {
            return nil
        }
        let value = Array(try decipher(text).prefix(count))
        let computed =
            try isAES
            ? AES.encryptECB(key: value, [UInt8](repeating: 1, count: 16))
            : TDES.encryptECB(key: value, [UInt8](repeating: 0, count: 8))
        guard constantTimeEqual(Array(computed.prefix(3)), given) else { return nil }
        data.removeFirst(6 + field)
        return NewKey(value: value, checkValue: given, isAES: isAES)
    }
}
