internal import ByteCoding
internal import EMV
internal import LibCrypto

/// The card's side of SCP03 (GlobalPlatform Card Specification, Amendment D), by libcrypto.
struct CardSCP03: Sendable {
    private let sessionENC: [UInt8]
    private let sessionMAC: [UInt8]
    private let sessionRMAC: [UInt8]
    let dataEncryption: [UInt8]
    private let length: Int
    private let parameter: UInt8
    private let hostCryptogram: [UInt8]
    let answer: InitializeUpdateAnswer
    private(set) var level = SecurityLevel()
    private var macChaining = [UInt8](repeating: 0, count: 16)
    private var commandCount: UInt32 = 0

    /// - Parameters:
    ///   - sequence: three bytes, of which a pseudo-random challenge is made.
    ///   - given: the challenge; nil makes or draws it.
    ///   - identifier: AID of the application.
    init(
        _ keys: CardKeySet, parameter: UInt8, hostChallenge: [UInt8], sequence: [UInt8], given: [UInt8]?,
        identifier: [UInt8], serial: [UInt8]
    ) throws(LibCryptoError) {
        length = parameter & 0x01 == 0 ? 8 : 16
        self.parameter = parameter
        let isPseudoRandom = parameter & 0x10 != 0
        let challenge =
            if let given {
                given
            } else if isPseudoRandom {
                try CardSCP03.derive(keys.encipherment, 0x02, bytes: length, context: sequence + identifier)
            } else {
                try Random.bytes(length)
            }
        let both = hostChallenge + challenge
        let count = keys.encipherment.count
        sessionENC = try CardSCP03.derive(keys.encipherment, 0x04, bytes: count, context: both)
        sessionMAC = try CardSCP03.derive(keys.authentication, 0x06, bytes: count, context: both)
        sessionRMAC = try CardSCP03.derive(keys.authentication, 0x07, bytes: count, context: both)
        dataEncryption = keys.dataEncryption
        hostCryptogram = try CardSCP03.derive(sessionMAC, 0x01, bytes: length, context: both)
        answer = InitializeUpdateAnswer(
            diversificationData: serial, keyVersion: keys.version, protocolNumber: 3, parameter: parameter,
            sequenceCounter: isPseudoRandom ? sequence : [], challenge: challenge,
            cryptogram: try CardSCP03.derive(sessionMAC, 0x00, bytes: length, context: both))
    }

    /// The key derivation function (NIST SP 800-108 in counter mode with CMAC).
    private static func derive(
        _ key: [UInt8], _ constant: UInt8, bytes: Int, context: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        var output: [UInt8] = []
        var round: UInt8 = 1
        while output.count < bytes {
            var input = [UInt8](repeating: 0, count: 16)
            input[11] = constant
            let bits = bytes * 8
            input[13] = UInt8(bits >> 8)
            input[14] = UInt8(bits & 0xFF)
            input[15] = round
            output += try MAC.cmac(.aes, key: key, data: input + context)
            round += 1
        }
        return Array(output.prefix(bytes))
    }

    /// EXTERNAL AUTHENTICATE.
    /// - Returns: SW1 SW2.
    mutating func authenticate(_ command: CommandAPDU) throws(LibCryptoError) -> UInt16 {
        let wanted = SecurityLevel(rawValue: command.parameter1)
        guard wanted.isDefined, command.parameter2 == 0,
            !wanted.contains(.answerMAC) || parameter & 0x20 != 0,
            !wanted.contains(.answerEncryption) || parameter & 0x40 != 0
        else { return 0x6A86 }
        guard command.data.count == 2 * length else { return 0x6700 }
        guard try checkMAC(command) else { return 0x6982 }
        guard constantTimeEqual(Array(command.data.prefix(length)), hostCryptogram) else { return 0x6300 }
        level = wanted
        return 0x9000
    }

    /// A command as it was meant; nil where its MAC or its padding is wrong.
    mutating func open(_ command: CommandAPDU) throws(LibCryptoError) -> CommandAPDU? {
        commandCount += 1
        var plain = command
        plain.instructionClass &= ~0x04
        guard level.contains(.commandMAC) else { return plain }
        guard command.instructionClass & 0x04 != 0, command.data.count >= length, try checkMAC(command)
        else { return nil }
        plain.data.removeLast(length)
        guard level.contains(.commandEncryption), !plain.data.isEmpty else { return plain }
        guard plain.data.count % 16 == 0 else { return nil }
        let clear = try AES.decryptCBC(
            key: sessionENC, initialVector: counterBlock(isAnswer: false), data: plain.data)
        guard let end = CardSCP03.endOfPadded(clear) else { return nil }
        plain.data = Array(clear[..<end])
        return plain
    }

    /// An answer as the channel sends it.
    mutating func protect(_ answer: ResponseAPDU) throws(LibCryptoError) -> ResponseAPDU {
        guard level.contains(.answerMAC), answer.isSuccess else { return answer }
        var answer = answer
        if level.contains(.answerEncryption), !answer.data.isEmpty {
            let missing = 16 - answer.data.count % 16
            let padded = answer.data + [0x80] + [UInt8](repeating: 0, count: missing - 1)
            answer.data = try AES.encryptCBC(
                key: sessionENC, initialVector: counterBlock(isAnswer: true), data: padded)
        }
        let mac = try MAC.cmac(.aes, key: sessionRMAC, data: macChaining + answer.bytes)
        answer.data += mac.prefix(length)
        return answer
    }

    private mutating func checkMAC(_ command: CommandAPDU) throws(LibCryptoError) -> Bool {
        let covered = command.data.dropLast(length)
        let mac = try MAC.cmac(
            .aes, key: sessionMAC,
            data: macChaining + command.header + [UInt8(truncatingIfNeeded: command.data.count)] + covered)
        guard constantTimeEqual(Array(mac.prefix(length)), Array(command.data.suffix(length))) else {
            return false
        }
        macChaining = mac
        return true
    }

    private func counterBlock(isAnswer: Bool) throws(LibCryptoError) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 16)
        if isAnswer { block[0] = 0x80 }
        for index in 0..<4 {
            block[15 - index] = UInt8(truncatingIfNeeded: commandCount >> UInt32(8 * index))
        }
        return try AES.encryptECB(key: sessionENC, block)
    }

    /// Where `80 00 …` begins; nil where there is no such end.
    static func endOfPadded(_ bytes: [UInt8]) -> Int? {
        var index = bytes.count - 1
        while index >= 0, bytes[index] == 0 { index -= 1 }
        return index >= 0 && bytes[index] == 0x80 ? index : nil
    }
}
