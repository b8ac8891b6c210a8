package import LibCrypto

/// The keys that a fresh card leaves the factory with: the bureau's master key, diversified by the card's serial number.
/// Computed here by libcrypto; the bureau's own program does it in its token.
package enum TransportKeys {
    /// EMV CPS 1.1, 4.1: triple DES.
    /// - Parameters:
    ///   - parameter: `i`: 15 or 55.
    ///   - serial: ten bytes.
    package static func scp02(
        master: [UInt8], version: UInt8, parameter: UInt8, serial: [UInt8]
    ) throws(LibCryptoError) -> CardKeySet {
        var keys: [[UInt8]] = []
        for number in UInt8(1)...3 {
            let tail = Array(serial.suffix(6))
            keys.append(
                try TDES.encryptECB(key: master, tail + [0xF0, number] + tail + [0x0F, number]))
        }
        return CardKeySet(
            .tripleDES(parameter: parameter), version: version, encipherment: keys[0],
            authentication: keys[1], dataEncryption: keys[2])
    }

    /// The form `kdf3`: AES, as long as the master key.
    package static func scp03(
        master: [UInt8], version: UInt8, parameter: UInt8, serial: [UInt8]
    ) throws(LibCryptoError) -> CardKeySet {
        var keys: [[UInt8]] = []
        for number in UInt8(1)...3 {
            var key: [UInt8] = []
            for round in UInt8(1)...2 {
                key += try MAC.cmac(.aes, key: master, data: [round, 0, 0, 0, number, 0] + serial)
            }
            keys.append(Array(key.prefix(master.count)))
        }
        return CardKeySet(
            .aes(parameter: parameter), version: version, encipherment: keys[0], authentication: keys[1],
            dataEncryption: keys[2])
    }
}
