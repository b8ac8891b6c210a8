package import EMV
package import LibCrypto

/// A secure channel as the card has it, begun by INITIALIZE UPDATE.
package struct CardChannel: Sendable {
    private enum Kind: Sendable {
        case scp02(CardSCP02)
        case scp03(CardSCP03)
    }

    private var kind: Kind
    /// True once the host has proved itself.
    package private(set) var isOpen = false

    /// - Parameters:
    ///   - hostChallenge: eight bytes; 16 for S16.
    ///   - sequence: of the card's channels.
    ///   - challenge: the card's; nil draws one, or makes it as the card's `i` says.
    ///   - identifier: AID of what is selected.
    ///   - serial: ten bytes of key diversification data.
    package init(
        _ keys: CardKeySet, hostChallenge: [UInt8], sequence: UInt32, challenge: [UInt8]? = nil,
        identifier: [UInt8], serial: [UInt8]
    ) throws(LibCryptoError) {
        let counter = [16, 8, 0].map { UInt8(truncatingIfNeeded: sequence >> UInt32($0)) }
        switch keys.algorithm {
        case .tripleDES(let parameter):
            kind = .scp02(
                try CardSCP02(
                    keys, parameter: parameter, hostChallenge: hostChallenge, sequence: Array(counter[1...]),
                    given: challenge, identifier: identifier, serial: serial))
        case .aes(let parameter):
            kind = .scp03(
                try CardSCP03(
                    keys, parameter: parameter, hostChallenge: hostChallenge, sequence: counter,
                    given: challenge, identifier: identifier, serial: serial))
        }
    }

    /// What INITIALIZE UPDATE is answered with.
    package var answer: [UInt8] {
        switch kind {
        case .scp02(let channel): channel.answer.bytes
        case .scp03(let channel): channel.answer.bytes
        }
    }

    /// EXTERNAL AUTHENTICATE.
    /// - Returns: SW1 SW2; anything but 9000 ends the channel.
    package mutating func authenticate(_ command: CommandAPDU) throws(LibCryptoError) -> UInt16 {
        let status: UInt16
        switch kind {
        case .scp02(var channel):
            status = try channel.authenticate(command)
            kind = .scp02(channel)
        case .scp03(var channel):
            status = try channel.authenticate(command)
            kind = .scp03(channel)
        }
        isOpen = status == 0x9000
        return status
    }

    /// A command as it was meant; nil where its protection is wrong, which ends the channel.
    package mutating func open(_ command: CommandAPDU) throws(LibCryptoError) -> CommandAPDU? {
        let plain: CommandAPDU?
        switch kind {
        case .scp02(var channel):
            plain = try channel.open(command)
            kind = .scp02(channel)
        case .scp03(var channel):
            plain = try channel.open(command)
            kind = .scp03(channel)
        }
        if plain == nil { isOpen = false }
        return plain
    }

    /// An answer as the channel sends it.
    package mutating func protect(_ answer: ResponseAPDU) throws(LibCryptoError) -> ResponseAPDU {
        guard case .scp03(var channel) = kind else { return answer }
        let protected = try channel.protect(answer)
        kind = .scp03(channel)
        return protected
    }

    /// Under the DEK: triple DES in ECB mode, AES in CBC mode with a zero vector.
    func decipher(_ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        switch kind {
        case .scp02(let channel): try TDES.decryptECB(key: channel.dataEncryption, data)
        case .scp03(let channel): try AES.decryptCBC(key: channel.dataEncryption, data: data)
        }
    }

    /// Of the DEK's cipher.
    var blockCount: Int { if case .scp02 = kind { 8 } else { 16 } }
}
