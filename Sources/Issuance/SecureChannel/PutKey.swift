package import EMV
internal import HSM
package import PKCS11

/// PUT KEY: a new key set under the channel's DEK (GlobalPlatform 2.3.1, 11.8; Amendment D 7.2).
package enum PutKey {
    /// Three keys that a card will have, and their check values.
    package struct Made: Sendable {
        /// To be sent through the channel.
        package let command: CommandAPDU
        /// What the card answers when it has them: version and check values.
        package let expected: [UInt8]
        /// Six digits each would be: ENC, MAC, DEK.
        package let checkValues: [[UInt8]]
    }

    /// - Parameters:
    ///   - version: of the new set, 1 to 127.
    ///   - replacing: version that it takes the place of; 0 adds it.
    ///   - master: the new set follows from it and the card's diversification data.
    ///   - byteCount: of the master key.
    package static func command(
        version: UInt8, replacing: UInt8, diversification: KeyDiversification, from master: ObjectHandle,
        byteCount: Int, diversificationData: [UInt8], under dataEncryption: CardDataEncryption,
        session: inout Session
    ) throws -> Made {
        let keys = try diversification.leavingKeys(
            from: master, byteCount: byteCount, data: diversificationData, session: &session)
        defer { for key in keys { try? session.destroy(key) } }
        var data: [UInt8] = [version]
        var values: [[UInt8]] = []
        for key in keys {
            let made = try field(
                key, isAES: diversification.isAES, byteCount: byteCount, dataEncryption: dataEncryption,
                session: &session)
            values.append(Array(made.suffix(3)))
            data += made
        }
        return Made(
            command: CommandAPDU(
                0x80, 0xD8, parameter1: replacing, parameter2: 0x81, data: data, expecting: 256),
            expected: [version] + values.flatMap(\.self), checkValues: values)
    }

    /// Type, lengths, the key under the DEK, and its check value: of zeros with triple DES, of bytes 01 with AES. AES keys
    /// say their own length, since they may be padded.
    /// - Parameter key: derives and may leave.
    package static func field(
        _ key: ObjectHandle, isAES: Bool, byteCount: Int, dataEncryption: CardDataEncryption,
        session: inout Session
    ) throws -> [UInt8] {
        let block = isAES ? [UInt8](repeating: 1, count: 16) : [UInt8](repeating: 0, count: 8)
        let value = [3] + (try TokenCheckValue.encipherment(of: block, under: key, session: &session)[..<3])
        guard isAES else {
            let wrapped = try dataEncryption.wrap([key], &session)
            return [0x80, UInt8(wrapped.count)] + wrapped + value
        }
        var wrapped: [UInt8]
        if byteCount.isMultiple(of: 16) {
            wrapped = try dataEncryption.wrap([key], &session)
        } else {
            // Anything fills the last block; zeros tell nothing.
            let filled = try session.appendToKey(
                key, [UInt8](repeating: 0, count: 16 - byteCount % 16),
                template: ChannelTemplates.leaving(.genericSecret, (byteCount + 15) / 16 * 16))
            defer { try? session.destroy(filled) }
            wrapped = try dataEncryption.wrap([filled], &session)
        }
        return [0x88, UInt8(wrapped.count + 1), UInt8(byteCount)] + wrapped + value
    }
}
