package import EMV
package import LibCrypto

/// Secure messaging as the chip computes it (EMV Book 2 9, VIS 1.5 D): with libcrypto, and nothing of the host's.
extension ChipCryptography {
    /// The session key for MACs or encipherment, odd parity.
    /// - Parameter iccMasterKey: the card's key for secure messaging integrity, or for confidentiality.
    package mutating func scriptSessionKey(
        _ messaging: SecureMessaging, iccMasterKey: DoubleLengthKey, atc: ApplicationTransactionCounter,
        cryptogram: ApplicationCryptogram
    ) throws(LibCryptoError) -> DoubleLengthKey {
        switch messaging.sessionKey {
        case .visa: visaSecureMessagingKey(iccMasterKey: iccMasterKey, atc: atc)
        case .commonFromCryptogram: try sessionKey(iccMasterKey: iccMasterKey, from: cryptogram.rawValue)
        }
    }

    /// The MAC of a command, big endian.
    package func scriptMAC(
        _ messaging: SecureMessaging, key: DoubleLengthKey, header: [UInt8], data: [UInt8],
        atc: ApplicationTransactionCounter, cryptogram: ApplicationCryptogram
    ) throws(LibCryptoError) -> UInt64 {
        let input = ScriptMessage.macInput(
            header: header, data: data, messaging: messaging, atc: atc, cryptogram: cryptogram)
        // Padded already; method 1 adds nothing to whole blocks.
        return try MAC.algorithm3(key: key, input, padding: .method1)
    }

    /// Enciphers command data.
    package func encipherScriptData(
        _ data: [UInt8], _ encipherment: SecureMessaging.Encipherment, key: DoubleLengthKey
    ) throws(LibCryptoError) -> [UInt8] {
        var padded = encipherment == .visa ? [UInt8(truncatingIfNeeded: data.count)] + data : data
        let fill = ScriptMessage.encipheredCount(of: data.count, encipherment) - padded.count
        if fill > 0 { padded += [0x80] + [UInt8](repeating: 0, count: fill - 1) }
        return encipherment == .visa
            ? try TDES.encryptECB(key: key.bytes, padded) : try TDES.encryptCBC(key: key.bytes, data: padded)
    }

    /// Deciphers command data; nil where length or padding are none of this kind.
    /// - Parameter count: bytes in clear, which Mastercard's form does not say itself.
    package func decipherScriptData(
        _ data: [UInt8], _ encipherment: SecureMessaging.Encipherment, key: DoubleLengthKey, count: Int
    ) throws(LibCryptoError) -> [UInt8]? {
        guard data.count == ScriptMessage.encipheredCount(of: count, encipherment) else { return nil }
        let clear =
            encipherment == .visa
            ? try TDES.decryptECB(key: key.bytes, data) : try TDES.decryptCBC(key: key.bytes, data: data)
        if encipherment == .visa, clear[0] != UInt8(truncatingIfNeeded: count) { return nil }
        let start = encipherment == .visa ? 1 : 0
        let padding = clear[(start + count)...]
        guard padding.isEmpty || padding.first == 0x80 && padding.dropFirst().allSatisfy({ $0 == 0 }) else {
            return nil
        }
        return Array(clear[start..<start + count])
    }
}

extension ClearPINBlock {
    /// The block of a PIN change. Big endian.
    /// - Parameters:
    ///   - keyHalf: the left half of the ICC master key for cryptograms, of which VIS takes four bytes.
    ///   - current: the PIN until now, for VIS commands that prove it.
    package static func scriptBlock(
        _ pin: PIN, _ form: SecureMessaging.PINForm, keyHalf: UInt64, current: PIN? = nil
    ) -> UInt64 {
        let length = UInt64(pin.digitCount) << 56
        let field = pin.field(filledWith: .max) & 0x00FF_FFFF_FFFF_FFFF
        switch form {
        case .iso2: return 0x2 << 60 | length | field
        case .vis:
            let mask = (keyHalf & 0xFFFF_FFFF) ^ (current.map { $0.field(filledWith: 0) << 8 } ?? 0)
            return (length | field) ^ mask
        }
    }

    /// The PIN of such a block; nil where it is none.
    package static func pin(
        ofScriptBlock block: UInt64, _ form: SecureMessaging.PINForm, keyHalf: UInt64, current: PIN? = nil
    ) -> PIN? {
        var field = block
        switch form {
        case .iso2: field ^= 0x2 << 60
        case .vis: field ^= (keyHalf & 0xFFFF_FFFF) ^ (current.map { $0.field(filledWith: 0) << 8 } ?? 0)
        }
        guard field >> 60 == 0 else { return nil }
        return PIN(clearField: field, fill: 0xF...0xF)
    }
}

extension DoubleLengthKey {
    /// Sixteen bytes, for calls that take them so.
    fileprivate var bytes: [UInt8] {
        [left, right].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
    }
}
