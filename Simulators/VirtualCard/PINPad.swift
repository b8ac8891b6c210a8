package import EMV
package import LibCrypto

/// A PIN pad's cipher under a zone PIN key of triple DES (ISO 9564 formats 0, 1 and 3), its context kept.
package struct PINPad: ~Copyable, Sendable {
    private var cipher: KeyedCipher

    /// - Parameter zonePINKey: a test key of 16 or 24 bytes.
    package init(zonePINKey: some Collection<UInt8>) throws(LibCryptoError) {
        guard zonePINKey.count >= 16 else {
            throw .wrongCount(what: "zone PIN key", found: zonePINKey.count)
        }
        cipher = try KeyedCipher(.tdes, .ecb, direction: .encrypt, key: zonePINKey)
    }

    /// The enciphered block.
    /// - Parameter fill: random nibbles for formats 1 and 3; format 0 has none.
    /// - Throws: `.wrongCount` for format 4, which is AES: see `AESPINPad`.
    package mutating func block(
        _ pin: PIN, pan: PAN, format: PINBlockFormat = .iso0, fill: UInt64
    ) throws(LibCryptoError) -> EncipheredPINBlock {
        let clear: UInt64
        switch format {
        case .iso0: clear = ClearPINBlock.format0(pin, pan: pan)
        case .iso1: clear = ClearPINBlock.format1(pin, fill: fill)
        case .iso3: clear = ClearPINBlock.format3(pin, pan: pan, fill: fill)
        case .iso4: throw .wrongCount(what: "TDES PIN block", found: format.byteCount)
        }
        return EncipheredPINBlock(rawValue: try cipher.process(clear))
    }
}

/// A PIN pad's cipher under a zone PIN key of AES (ISO 9564 format 4), its context kept.
package struct AESPINPad: ~Copyable, Sendable {
    private var cipher: KeyedCipher

    /// - Parameter zonePINKey: a test key of 16, 24 or 32 bytes.
    package init(zonePINKey: some Collection<UInt8>) throws(LibCryptoError) {
        cipher = try KeyedCipher(.aes, .ecb, direction: .encrypt, key: zonePINKey)
    }

    /// The enciphered block (ISO 9564-1 9.4.2): AES of the PIN field, xor the account field, AES again.
    /// - Parameter fill: eight random bytes.
    package mutating func block(
        _ pin: PIN, pan: PAN, fill: UInt64
    ) throws(LibCryptoError) -> EncipheredPINBlock16 {
        let inner = try process(ClearPINBlock.format4PINField(pin, fill: fill))
        return EncipheredPINBlock16(rawValue: try process(inner ^ PINBlock.format4PANField(for: pan)))
    }

    private mutating func process(_ block: UInt128) throws(LibCryptoError) -> UInt128 {
        var word = block.bigEndian
        try withUnsafeMutableBytes(of: &word) { (raw) throws(LibCryptoError) in
            try cipher.process(UnsafeRawBufferPointer(raw), into: raw)
        }
        return UInt128(bigEndian: word)
    }
}

/// The other end of a PIN pad, for tests and tools: what PIN a block holds under a test key.
package enum PINBlockReader {
    /// TDES, formats 0, 1 and 3.
    package static func pin(
        in block: EncipheredPINBlock, format: PINBlockFormat, pan: PAN?, key: [UInt8]
    ) throws -> PIN {
        var cipher = try KeyedCipher(.tdes, .ecb, direction: .decrypt, key: key)
        return try ClearPINBlock.pin(of: cipher.process(block.rawValue), format: format, pan: pan)
    }

    /// AES, format 4.
    package static func pin(in block: EncipheredPINBlock16, pan: PAN, key: [UInt8]) throws -> PIN {
        let outer = try number(AES.decryptECB(key: key, block.bytes))
        let inner = EncipheredPINBlock16(rawValue: outer ^ PINBlock.format4PANField(for: pan))
        return try ClearPINBlock.pin(ofFormat4PINField: number(AES.decryptECB(key: key, inner.bytes)))
    }

    private static func number(_ bytes: [UInt8]) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
}
