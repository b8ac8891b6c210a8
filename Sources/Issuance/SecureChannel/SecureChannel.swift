package import EMV
internal import HSM
package import PKCS11

/// A secure channel to one card, all of it computed in the token: no session key is ever a value in this process.
package struct SecureChannel {
    private enum Kind {
        case scp02(SCP02Channel)
        case scp03(SCP03Channel)
    }

    private var channel: Kind
    private let keys: CardManagementKeys
    /// As the card named it.
    package let keyVersion: UInt8
    /// What protects its messages.
    package let level: SecurityLevel

    /// Verifies the card's answer to INITIALIZE UPDATE.
    /// - Parameters:
    ///   - level: nil takes the strongest that the card offers.
    ///   - keys: of this card; they end with the channel.
    ///   - identifier: AID of what was selected, which a pseudo-random challenge of SCP03 depends on; nil leaves the
    ///     challenge unchecked.
    /// - Throws: `ChannelError`; the keys have ended then.
    package init(
        _ answer: InitializeUpdateAnswer, hostChallenge: [UInt8], level: SecurityLevel?,
        keys: CardManagementKeys, identifier: [UInt8]?, session: inout Session
    ) throws {
        self.keys = keys
        keyVersion = answer.keyVersion
        do {
            if answer.protocolNumber == 2 {
                let level = level ?? [.commandMAC, .commandEncryption]
                self.level = level
                channel = .scp02(
                    try SCP02Channel(
                        answer, hostChallenge: hostChallenge, level: level, keys: keys, session: &session))
            } else {
                let level = level ?? SCP03Channel.strongest(answer.parameter ?? 0)
                self.level = level
                channel = .scp03(
                    try SCP03Channel(
                        answer, hostChallenge: hostChallenge, level: level, keys: keys,
                        identifier: identifier,
                        session: &session))
            }
        } catch {
            keys.end(&session)
            throw error
        }
    }

    /// What proves the host to the card.
    package mutating func externalAuthenticate(_ session: inout Session) throws -> CommandAPDU {
        switch channel {
        case .scp02(var inner):
            let command = try inner.externalAuthenticate(&session)
            channel = .scp02(inner)
            return command
        case .scp03(var inner):
            let command = try inner.externalAuthenticate(&session)
            channel = .scp03(inner)
            return command
        }
    }

    /// A command as the channel sends it.
    package mutating func protect(_ command: CommandAPDU, _ session: inout Session) throws -> CommandAPDU {
        switch channel {
        case .scp02(var inner):
            let wrapped = try inner.protect(command, &session)
            channel = .scp02(inner)
            return wrapped
        case .scp03(var inner):
            let wrapped = try inner.protect(command, &session)
            channel = .scp03(inner)
            return wrapped
        }
    }

    /// An answer as the card meant it.
    /// - Throws: `ChannelError.answerMAC`.
    package mutating func open(_ answer: ResponseAPDU, _ session: inout Session) throws -> ResponseAPDU {
        guard case .scp03(var inner) = channel else { return answer }
        let opened = try inner.open(answer, &session)
        channel = .scp03(inner)
        return opened
    }

    /// Bytes of data that one command takes.
    var dataMax: Int {
        switch channel {
        case .scp02(let inner): inner.dataMax
        case .scp03(let inner): inner.dataMax
        }
    }

    /// The card's DEK.
    package var dataEncryption: CardDataEncryption {
        switch channel {
        case .scp02(let inner): CardDataEncryption(inner.dataEncryption, isAES: false)
        case .scp03: CardDataEncryption(keys.dataEncryption, isAES: true)
        }
    }

    /// Ends the channel's keys and the card's.
    package func end(_ session: inout Session) {
        switch channel {
        case .scp02(let inner): inner.end(&session)
        case .scp03(let inner): inner.end(&session)
        }
        keys.end(&session)
    }
}

/// A card's DEK: triple DES in ECB mode with SCP02, AES in CBC mode with a zero vector with SCP03.
package struct CardDataEncryption: Sendable {
    let handle: ObjectHandle
    let isAES: Bool

    /// - Parameter handle: wraps.
    package init(_ handle: ObjectHandle, isAES: Bool) {
        self.handle = handle
        self.isAES = isAES
    }

    /// The same for private keys.
    package func dataEncryptionKey(_ export: PrivateKeyExport) -> DataEncryptionKey {
        DataEncryptionKey(handle, isAES: isAES, export: export)
    }

    /// Keys one after another as one text.
    /// - Parameter keys: whole blocks each, and extractable.
    package func wrap(_ keys: [ObjectHandle], _ session: inout Session) throws -> [UInt8] {
        var text: [UInt8] = []
        for key in keys {
            let vector = text.isEmpty ? [UInt8](repeating: 0, count: 16) : Array(text.suffix(16))
            text += try session.wrapKey(
                isAES ? .aesCBC(initialVector: vector) : .tripleDESECB, under: handle, object: key)
        }
        return text
    }
}
