internal import ByteCoding
internal import EMV
internal import LibCrypto

/// A whole chip behind its contacts: fresh from the factory it takes personalisation over a secure channel and nothing
/// else; afterwards it is locked and pays.
package struct SmartCard: Sendable {
    /// What cards answer beside success (GlobalPlatform 2.3.1 11.1.3, EMV Book 3 6.3.5).
    enum Status {
        static let success: UInt16 = 0x9000
        static let wrongLength: UInt16 = 0x6700
        static let securityNotSatisfied: UInt16 = 0x6982
        static let conditionsNotSatisfied: UInt16 = 0x6985
        static let wrongData: UInt16 = 0x6A80
        static let fileNotFound: UInt16 = 0x6A82
        static let wrongParameters: UInt16 = 0x6A86
        static let dataNotFound: UInt16 = 0x6A88
        static let unknownInstruction: UInt16 = 0x6D00
        static let unknownClass: UInt16 = 0x6E00
        static let broken: UInt16 = 0x6F00
    }

    /// Answer to reset: T=1, no historical bytes that mean anything.
    package static let answerToReset: [UInt8] = [0x3B, 0x80, 0x80, 0x01, 0x01]

    /// Ten bytes that its keys are diversified by.
    package let serial: [UInt8]
    private let identifiers: [[UInt8]]
    var keys: CardKeySet
    /// Of secure channels.
    private var sequence: UInt32
    /// Selected, not yet personalised.
    private(set) var selected: [UInt8]?
    var channel: CardChannel?
    var loading = CardLoading()
    /// Once it is personalised.
    private(set) var payment: PaymentCard?

    /// A card as it comes from the factory.
    /// - Parameters:
    ///   - serial: ten bytes.
    ///   - keys: the bureau's transport keys.
    ///   - identifiers: AIDs of the applications that can be personalised on it, of which one will be.
    package init(serial: [UInt8], keys: CardKeySet, identifiers: [[UInt8]], sequence: UInt32 = 0) {
        self.serial = serial
        self.keys = keys
        self.identifiers = identifiers
        self.sequence = sequence
    }

    /// It pays and takes no more data.
    package var isPersonalised: Bool { payment != nil }

    /// Version of its channel keys, which PUT KEY changes.
    package var keyVersion: UInt8 { keys.version }

    /// Power on, or a reset: whatever was under way is forgotten.
    package mutating func reset() {
        selected = nil
        channel = nil
        loading = CardLoading()
        payment?.reset()
    }

    /// One command and its answer, SW1 SW2 at its end. Garbage gets a status word too.
    package mutating func answer(_ bytes: [UInt8]) -> [UInt8] {
        guard let command = CommandAPDU(bytes) else {
            return ResponseAPDU(status: Status.wrongLength).bytes
        }
        do { return try answer(command).bytes } catch { return ResponseAPDU(status: Status.broken).bytes }
    }

    private mutating func answer(_ command: CommandAPDU) throws -> ResponseAPDU {
        if command.header == [0x00, 0xA4, 0x04, 0x00] { return try select(command.data) }
        if command.header == [0x80, 0xCA, 0x9F, 0x7F] { return productionData() }
        if payment != nil {
            guard let answer = try payment?.answer(command) else {
                return ResponseAPDU(status: Status.broken)
            }
            return answer
        }
        switch (command.instructionClass, command.instruction) {
        case (0x80, 0x50): return try initializeUpdate(command)
        case (0x84, 0x82): return try externalAuthenticate(command)
        case (0x80, 0xCA): return ResponseAPDU(status: Status.dataNotFound)
        case (0x80, 0xE2), (0x84, 0xE2), (0x80, 0xD8), (0x84, 0xD8): return try secured(command)
        case (0x80, 0xA8), (0x80, 0xAE), (0x00, 0xB2), (0x00, 0x88), (0x00, 0x82), (0x00, 0x84), (0x00, 0x20):
            // What it would understand once it is personalised.
            return ResponseAPDU(status: Status.conditionsNotSatisfied)
        case (0x00, _), (0x80, _), (0x84, _): return ResponseAPDU(status: Status.unknownInstruction)
        default: return ResponseAPDU(status: Status.unknownClass)
        }
    }

    private mutating func select(_ name: [UInt8]) throws -> ResponseAPDU {
        channel = nil
        loading = CardLoading()
        if payment != nil { return payment?.select(name) ?? ResponseAPDU(status: Status.broken) }
        selected = nil
        guard identifiers.contains(name) else { return ResponseAPDU(status: Status.fileNotFound) }
        selected = name
        var content = TLVWriter()
        content.append(.dedicatedFileName, name)
        content.append(.proprietaryTemplate, [])
        var whole = TLVWriter()
        whole.append(.fileControlInformation, content.bytes)
        return ResponseAPDU(whole.bytes, status: Status.success)
    }

    // MARK: - The secure channel

    private mutating func initializeUpdate(_ command: CommandAPDU) throws -> ResponseAPDU {
        channel = nil
        loading = CardLoading()
        guard let selected else { return ResponseAPDU(status: Status.conditionsNotSatisfied) }
        guard command.parameter1 == 0 || command.parameter1 == keys.version else {
            return ResponseAPDU(status: Status.dataNotFound)
        }
        var (challengeCount, sequenceMax) = (8, UInt32(0xFF_FFFF))
        switch keys.algorithm {
        case .aes(let parameter): challengeCount = ChannelParameter.size(parameter)
        case .tripleDES: sequenceMax = 0xFFFF
        }
        guard command.data.count == challengeCount else { return ResponseAPDU(status: Status.wrongLength) }
        guard sequence < sequenceMax else { return ResponseAPDU(status: Status.conditionsNotSatisfied) }
        let begun = try CardChannel(
            keys, hostChallenge: command.data, sequence: sequence, identifier: selected, serial: serial)
        channel = begun
        return ResponseAPDU(begun.answer, status: Status.success)
    }

    private mutating func externalAuthenticate(_ command: CommandAPDU) throws -> ResponseAPDU {
        guard var begun = channel, !begun.isOpen else {
            channel = nil
            return ResponseAPDU(status: Status.conditionsNotSatisfied)
        }
        let status = try begun.authenticate(command)
        channel = status == Status.success ? begun : nil
        if status == Status.success { sequence += 1 }
        return ResponseAPDU(status: status)
    }

    private mutating func secured(_ command: CommandAPDU) throws -> ResponseAPDU {
        guard var open = channel, open.isOpen else {
            channel = nil
            return ResponseAPDU(status: Status.securityNotSatisfied)
        }
        guard let plain = try open.open(command) else {
            // A wrong MAC, a replay or a wrong counter: the channel ends, and what came through it is forgotten.
            channel = nil
            loading = CardLoading()
            return ResponseAPDU(status: Status.securityNotSatisfied)
        }
        channel = open
        let answer = try plain.instruction == 0xE2 ? storeData(plain) : putKey(plain)
        guard var still = channel else { return answer }
        let sent = try still.protect(answer)
        channel = isPersonalised ? nil : still
        return sent
    }

    // MARK: - Commands

    /// GET DATA of who the card is: 9F7F, its production life cycle data.
    private func productionData() -> ResponseAPDU {
        // Serial number and batch stand in bytes 13 to 18 (GlobalPlatform H.6); the rest is unknown of such a card.
        var cycle = [UInt8](repeating: 0, count: 42)
        cycle.replaceSubrange(12..<18, with: serial[4..<10])
        return ResponseAPDU([0x9F, 0x7F, 0x2A] + cycle, status: Status.success)
    }

    private mutating func putKey(_ command: CommandAPDU) throws -> ResponseAPDU {
        guard command.parameter1 == 0 || command.parameter1 == keys.version, command.parameter2 == 0x81 else {
            return ResponseAPDU(status: Status.wrongParameters)
        }
        guard let version = command.data.first, (1...0x7F).contains(version), let channel else {
            return ResponseAPDU(status: Status.wrongData)
        }
        var rest = Array(command.data[1...])
        var values: [NewKey] = []
        while !rest.isEmpty {
            guard let key = try NewKey.take(from: &rest, decipher: channel.decipher) else {
                return ResponseAPDU(status: Status.wrongData)
            }
            values.append(key)
        }
        guard values.count == 3,
            values.allSatisfy({ $0.value.count == keys.byteCount && $0.isAES == keys.isAES })
        else {
            return ResponseAPDU(status: Status.wrongData)
        }
        keys = CardKeySet(
            keys.algorithm, version: version, encipherment: values[0].value, authentication: values[1].value,
            dataEncryption: values[2].value)
        return ResponseAPDU([version] + values.flatMap(\.checkValue), status: Status.success)
    }

    private mutating func storeData(_ command: CommandAPDU) throws -> ResponseAPDU {
        guard let channel, let selected else { return ResponseAPDU(status: Status.conditionsNotSatisfied) }
        guard command.parameter2 == loading.blockNumber else {
            return ResponseAPDU(status: Status.wrongParameters)
        }
        let isLast = command.parameter1 & 0x80 != 0
        let status = try loading.take(
            command.data, areEnciphered: command.parameter1 & 0x60 == 0x60, isLast: isLast, channel: channel)
        guard status == Status.success, isLast else { return ResponseAPDU(status: status) }
        guard let made = try loading.card(identifier: selected) else {
            return ResponseAPDU(status: Status.conditionsNotSatisfied)
        }
        payment = made
        return ResponseAPDU(status: Status.success)
    }
}

extension CardKeySet {
    var byteCount: Int { encipherment.count }
    var isAES: Bool { if case .aes = algorithm { true } else { false } }
}
