internal import ByteCoding
internal import EMV
internal import LibCrypto

/// The card's side of SCP02 with i = 15 or 55 (GlobalPlatform Card Specification 2.3.1, E), by libcrypto.
struct CardSCP02: Sendable {
    private let sessionENC: [UInt8]
    private let sessionMAC: [UInt8]
    let dataEncryption: [UInt8]
    private let hostCryptogram: [UInt8]
    let answer: InitializeUpdateAnswer
    private(set) var level = SecurityLevel()
    private var macBefore: [UInt8]?

    /// - Parameters:
    ///   - sequence: two bytes.
    ///   - given: the challenge; nil draws six bytes, or with i = 55 makes them of the application's AID.
    init(
        _ keys: CardKeySet, parameter: UInt8, hostChallenge: [UInt8], sequence: [UInt8], given: [UInt8]?,
        identifier: [UInt8], serial: [UInt8]
    ) throws(LibCryptoError) {
        let rest = sequence + [UInt8](repeating: 0, count: 12)
        sessionENC = try TDES.encryptCBC(key: keys.encipherment, data: [0x01, 0x82] + rest)
        sessionMAC = try TDES.encryptCBC(key: keys.authentication, data: [0x01, 0x01] + rest)
        dataEncryption = try TDES.encryptCBC(key: keys.dataEncryption, data: [0x01, 0x81] + rest)
        let challenge =
            if let given {
                given
            } else if parameter & 0x40 != 0 {
                Array(try CardSCP02.retail(sessionMAC, MACPadding.method2.pad(identifier)).prefix(6))
            } else {
                try Random.bytes(6)
            }
        hostCryptogram = try CardSCP02.cryptogram(sessionENC, sequence + challenge + hostChallenge)
        answer = InitializeUpdateAnswer(
            diversificationData: serial, keyVersion: keys.version, protocolNumber: 2, parameter: nil,
            sequenceCounter: sequence, challenge: challenge,
            cryptogram: try CardSCP02.cryptogram(sessionENC, hostChallenge + sequence + challenge))
    }

    private static func cryptogram(
        _ key: [UInt8], _ message: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        Array(try TDES.encryptCBC(key: key, data: message + [0x80, 0, 0, 0, 0, 0, 0, 0]).suffix(8))
    }

    /// The retail MAC of whole blocks.
    private static func retail(_ key: [UInt8], _ padded: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard let double = DoubleLengthKey(bytes: key) else {
            throw .wrongCount(what: "session key", found: key.count)
        }
        let mac = try MAC.algorithm3(key: double, padded, padding: .method1)
        return (0..<8).map { UInt8(truncatingIfNeeded: mac >> UInt64(56 - 8 * $0)) }
    }

    /// EXTERNAL AUTHENTICATE.
    /// - Returns: SW1 SW2.
    mutating func authenticate(_ command: CommandAPDU) throws(LibCryptoError) -> UInt16 {
        guard [0x00, 0x01, 0x03].contains(command.parameter1), command.parameter2 == 0 else { return 0x6A86 }
        guard command.data.count == 16 else { return 0x6700 }
        let mac = Array(command.data.suffix(8))
        guard try constantTimeEqual(self.mac(command.header, Array(command.data.prefix(8))), mac) else {
            return 0x6982
        }
        macBefore = mac
        guard constantTimeEqual(Array(command.data.prefix(8)), hostCryptogram) else { return 0x6300 }
        level = SecurityLevel(rawValue: command.parameter1)
        return 0x9000
    }

    /// A command as it was meant; nil where its MAC or its padding is wrong.
    mutating func open(_ command: CommandAPDU) throws(LibCryptoError) -> CommandAPDU? {
        var plain = command
        plain.instructionClass &= ~0x04
        guard level.contains(.commandMAC) else { return plain }
        guard command.instructionClass & 0x04 != 0, command.data.count >= 8 else { return nil }
        let given = Array(command.data.suffix(8))
        plain.data.removeLast(8)
        if level.contains(.commandEncryption), !plain.data.isEmpty {
            guard plain.data.count % 8 == 0 else { return nil }
            let clear = try TDES.decryptCBC(key: sessionENC, data: plain.data)
            guard let end = CardSCP03.endOfPadded(clear) else { return nil }
            plain.data = Array(clear[..<end])
        }
        guard try constantTimeEqual(mac(command.header, plain.data), given) else { return nil }
        macBefore = given
        return plain
    }

    /// Over header, length with the MAC, and the plain data; the MAC before, enciphered by single DES, comes first.
    private func mac(_ header: [UInt8], _ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        let message = header + [UInt8(truncatingIfNeeded: data.count + 8)] + data
        var padded = MACPadding.method2.pad(message)
        if let macBefore {
            // A vector goes into the first block.
            let vector = try TDES.encryptECB(key: Array(sessionMAC.prefix(8)), macBefore)
            for index in 0..<8 { padded[index] ^= vector[index] }
        }
        return try CardSCP02.retail(sessionMAC, padded)
    }
}
