internal import ByteCoding
internal import EMV
internal import HSM
internal import PKCS11

/// The host's side of SCP02 with i = 15 and 55 (GlobalPlatform Card Specification 2.3.1, E): MACs over the modified
/// command, the vector of the first zero and of all others the MAC before, enciphered.
struct SCP02Channel {
    private let encipherment: ObjectHandle
    private let authentication: ObjectHandle
    /// Twice the left half of the session's MAC key: single DES.
    private let chaining: ObjectHandle
    let dataEncryption: ObjectHandle
    private let level: SecurityLevel
    private let hostCryptogram: [UInt8]
    private var lastMAC: [UInt8]?

    /// Derivation constants (E.4.1).
    private enum Constant {
        static let authentication: [UInt8] = [0x01, 0x01]
        static let dataEncryption: [UInt8] = [0x01, 0x81]
        static let encipherment: [UInt8] = [0x01, 0x82]
    }

    /// Verifies the card.
    init(
        _ answer: InitializeUpdateAnswer, hostChallenge: [UInt8], level: SecurityLevel,
        keys: CardManagementKeys, session: inout Session
    ) throws {
        guard level == [.commandMAC] || level == [.commandMAC, .commandEncryption] else {
            throw ChannelError.unsupported(
                "security level \(Hex.encode([level.rawValue])): SCP02 here has 01 and 03")
        }
        self.level = level
        func data(_ constant: [UInt8]) -> [UInt8] {
            constant + answer.sequenceCounter + [UInt8](repeating: 0, count: 12)
        }
        encipherment = try session.deriveKey(
            from: keys.encipherment, chained: data(Constant.encipherment),
            template: ChannelTemplates.enciphering)
        authentication = try session.deriveKey(
            from: keys.authentication, chained: data(Constant.authentication),
            template: ChannelTemplates.enciphering)
        // The left half is the encipherment of the first block; ECB of that block twice gives it twice.
        let first = Array(data(Constant.authentication)[..<8])
        chaining = try session.deriveKey(
            from: keys.authentication, .tripleDESECB, data: first + first,
            template: ChannelTemplates.enciphering)
        dataEncryption = try session.deriveKey(
            from: keys.dataEncryption, chained: data(Constant.dataEncryption),
            template: ChannelTemplates.wrapping)
        let card = answer.sequenceCounter + answer.challenge
        let zeros = [UInt8](repeating: 0, count: 8)
        let encipherment = encipherment
        func cryptogram(_ message: [UInt8], _ session: inout Session) throws -> [UInt8] {
            let padded = message + [0x80] + [UInt8](repeating: 0, count: 7)
            return Array(
                try session.encipher(.tripleDESCBC(initialVector: zeros), key: encipherment, data: padded)
                    .suffix(8)
            )
        }
        let expected = try cryptogram(hostChallenge + card, &session)
        hostCryptogram = try cryptogram(card + hostChallenge, &session)
        guard expected == answer.cryptogram else {
            end(&session)
            throw ChannelError.cardCryptogram
        }
    }

    /// Bytes of data that one command takes.
    var dataMax: Int { level.contains(.commandEncryption) ? 239 : 247 }

    mutating func externalAuthenticate(_ session: inout Session) throws -> CommandAPDU {
        var command = CommandAPDU(0x84, 0x82, parameter1: level.rawValue, parameter2: 0, data: hostCryptogram)
        command.data += try mac(of: command, &session)
        return command
    }

    /// A command with its MAC over the plain data, which are enciphered afterwards (E.4.4, E.4.6).
    mutating func protect(_ command: CommandAPDU, _ session: inout Session) throws -> CommandAPDU {
        guard command.data.count <= dataMax else {
            throw ChannelError.tooLong(count: command.data.count, max: dataMax)
        }
        var command = command
        command.instructionClass |= 0x04
        let mac = try mac(of: command, &session)
        if level.contains(.commandEncryption), !command.data.isEmpty {
            let zeros = [UInt8](repeating: 0, count: 8)
            command.data = try session.encipher(
                .tripleDESCBC(initialVector: zeros), key: encipherment,
                data: SCP02Channel.padded(command.data))
        }
        command.data += mac
        return command
    }

    private mutating func mac(of command: CommandAPDU, _ session: inout Session) throws -> [UInt8] {
        var vector = [UInt8](repeating: 0, count: 8)
        if let lastMAC {
            vector = try session.encipher(.tripleDESECB, key: chaining, data: lastMAC)
        }
        let message = SCP02Channel.padded(
            command.header + [UInt8(command.data.count + 8)] + command.data)
        if message.count > 8 {
            vector = Array(
                try session.encipher(
                    .tripleDESCBC(initialVector: vector), key: chaining, data: Array(message.dropLast(8))
                ).suffix(8))
        }
        let last = zip(vector, message.suffix(8)).map { $0 ^ $1 }
        let mac = try session.encipher(.tripleDESECB, key: authentication, data: last)
        lastMAC = mac
        return mac
    }

    private static func padded(_ data: [UInt8]) -> [UInt8] {
        data + [0x80] + [UInt8](repeating: 0, count: 7 - data.count % 8)
    }

    func end(_ session: inout Session) {
        for key in [encipherment, authentication, chaining, dataEncryption] { try? session.destroy(key) }
    }
}
