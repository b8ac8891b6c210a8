internal import ByteCoding
internal import EMV
internal import HSM
internal import PKCS11

/// The host's side of SCP03 (GlobalPlatform Card Specification, Amendment D). Session keys are derived in the token, and
/// MACs and encipherment are done there.
struct SCP03Channel {
    private let encipherment: ObjectHandle
    private let authentication: ObjectHandle
    private let answerAuthentication: ObjectHandle
    private let size: Int
    private let level: SecurityLevel
    private let hostCryptogram: [UInt8]
    private var chain = [UInt8](repeating: 0, count: 16)
    private var counter: UInt64 = 0

    /// Derivation constants (Amendment D 4.1.5).
    private enum Constant {
        static let cardCryptogram: UInt8 = 0
        static let hostCryptogram: UInt8 = 1
        static let cardChallenge: UInt8 = 2
        static let encipherment: UInt8 = 4
        static let authentication: UInt8 = 6
        static let answerAuthentication: UInt8 = 7
    }

    /// Verifies the card.
    /// - Parameter identifier: AID of what was selected, which a pseudo-random challenge depends on.
    init(
        _ answer: InitializeUpdateAnswer, hostChallenge: [UInt8], level: SecurityLevel,
        keys: CardManagementKeys, identifier: [UInt8]?, session: inout Session
    ) throws {
        let parameter = answer.parameter ?? 0
        size = ChannelParameter.size(parameter)
        try SCP03Channel.require(level, parameter)
        self.level = level
        if ChannelParameter.isPseudoRandom(parameter), let identifier {
            let expected = try DerivingCMAC.value(
                of: SCP03Channel.message(
                    Constant.cardChallenge, bits: size * 8, counter: 1,
                    context: answer.sequenceCounter + identifier),
                under: keys.encipherment, session: &session)
            guard Array(expected[..<size]) == answer.challenge else { throw ChannelError.cardChallenge }
        }
        let context = hostChallenge + answer.challenge
        func key(
            _ constant: UInt8, _ base: ObjectHandle, usage: [Attribute], session: inout Session
        ) throws -> ObjectHandle {
            let messages = (1...(keys.byteCount > 16 ? 2 : 1)).map {
                SCP03Channel.message(constant, bits: keys.byteCount * 8, counter: UInt8($0), context: context)
            }
            return try DerivingCMAC.derive(
                messages, from: base, template: ChannelTemplates.aes(keys.byteCount, usage), session: &session
            )
        }
        encipherment = try key(
            Constant.encipherment, keys.encipherment, usage: [.encrypt, .decrypt], session: &session)
        authentication = try key(
            Constant.authentication, keys.authentication, usage: [.sign], session: &session)
        answerAuthentication = try key(
            Constant.answerAuthentication, keys.authentication, usage: [.sign], session: &session)
        let (macKey, size) = (authentication, size)
        func cryptogram(_ constant: UInt8, _ session: inout Session) throws -> [UInt8] {
            Array(
                try session.mac(
                    .aesCMAC, key: macKey,
                    data: SCP03Channel.message(constant, bits: size * 8, counter: 1, context: context))[
                        ..<size])
        }
        let expected = try cryptogram(Constant.cardCryptogram, &session)
        hostCryptogram = try cryptogram(Constant.hostCryptogram, &session)
        guard expected == answer.cryptogram else {
            end(&session)
            throw ChannelError.cardCryptogram
        }
    }

    /// The strongest level that a card with this `i` knows.
    static func strongest(_ parameter: UInt8) -> SecurityLevel {
        let commands: SecurityLevel = [.commandMAC, .commandEncryption]
        if ChannelParameter.answersAreEnciphered(parameter) {
            return commands.union([.answerMAC, .answerEncryption])
        }
        return ChannelParameter.answersBearMACs(parameter) ? commands.union(.answerMAC) : commands
    }

    private static func require(_ level: SecurityLevel, _ parameter: UInt8) throws {
        guard level.isDefined, level.contains(.commandMAC),
            !level.contains(.answerMAC) || ChannelParameter.answersBearMACs(parameter),
            !level.contains(.answerEncryption) || ChannelParameter.answersAreEnciphered(parameter)
        else {
            throw ChannelError.unsupported(
                "security level \(Hex.encode([level.rawValue])): the card's SCP03 with i = \(Hex.encode([parameter])) does not offer it"
            )
        }
    }

    /// Label, separator, length, counter and context (4.1.5).
    private static func message(
        _ constant: UInt8, bits: Int, counter: UInt8, context: [UInt8]
    ) -> [UInt8] {
        [UInt8](repeating: 0, count: 11) + [constant, 0, UInt8(bits >> 8), UInt8(bits & 0xFF), counter]
            + context
    }

    /// Bytes of data that one command takes.
    var dataMax: Int {
        let room = 255 - size
        return level.contains(.commandEncryption) ? room / 16 * 16 - 1 : room
    }

    mutating func externalAuthenticate(_ session: inout Session) throws -> CommandAPDU {
        var command = CommandAPDU(0x84, 0x82, parameter1: level.rawValue, parameter2: 0, data: hostCryptogram)
        command.data += try mac(of: command, &session)
        return command
    }

    /// A command with its data enciphered and its MAC, as the level says (6.2.4, 6.2.6).
    mutating func protect(_ command: CommandAPDU, _ session: inout Session) throws -> CommandAPDU {
        guard command.data.count <= dataMax else {
            throw ChannelError.tooLong(count: command.data.count, max: dataMax)
        }
        counter += 1
        var command = command
        command.instructionClass |= 0x04
        if level.contains(.commandEncryption), !command.data.isEmpty {
            command.data = try session.encipher(
                .aesCBC(initialVector: vector(0, &session)), key: encipherment,
                data: SCP03Channel.padded(command.data))
        }
        command.data += try mac(of: command, &session)
        return command
    }

    /// The answer in clear (6.2.5, 6.2.7).
    mutating func open(_ answer: ResponseAPDU, _ session: inout Session) throws -> ResponseAPDU {
        guard level.contains(.answerMAC), answer.isSuccess else { return answer }
        guard answer.data.count >= size else { throw ChannelError.answerMAC }
        var data = Array(answer.data.dropLast(size))
        let status = [UInt8(answer.status >> 8), UInt8(answer.status & 0xFF)]
        let expected = try session.mac(.aesCMAC, key: answerAuthentication, data: chain + data + status)
        guard Array(expected[..<size]) == Array(answer.data.suffix(size)) else {
            throw ChannelError.answerMAC
        }
        if level.contains(.answerEncryption), !data.isEmpty {
            guard data.count.isMultiple(of: 16) else { throw ChannelError.answerMAC }
            data = try session.decipher(
                .aesCBC(initialVector: vector(0x80, &session)), key: encipherment, data: data)
            guard let end = data.lastIndex(where: { $0 != 0 }), data[end] == 0x80 else {
                throw ChannelError.answerMAC
            }
            data.removeSubrange(end...)
        }
        return ResponseAPDU(data, status: answer.status)
    }

    private mutating func mac(of command: CommandAPDU, _ session: inout Session) throws -> [UInt8] {
        let count = command.data.count + size
        chain = try session.mac(
            .aesCMAC, key: authentication, data: chain + command.header + [UInt8(count)] + command.data)
        return Array(chain[..<size])
    }

    /// The counter, enciphered; answers set its leading bit.
    private func vector(_ first: UInt8, _ session: inout Session) throws -> [UInt8] {
        let block =
            [first] + [UInt8](repeating: 0, count: 7)
            + (0..<8).map { UInt8(truncatingIfNeeded: counter >> UInt64(56 - 8 * $0)) }
        return try session.encipher(.aesECB, key: encipherment, data: block)
    }

    private static func padded(_ data: [UInt8]) -> [UInt8] {
        data + [0x80] + [UInt8](repeating: 0, count: 15 - data.count % 16)
    }

    func end(_ session: inout Session) {
        for key in [encipherment, authentication, answerAuthentication] { try? session.destroy(key) }
    }
}
