internal import ByteCoding
package import CardReaders
package import EMV
internal import Foundation
internal import HSM
internal import PKCS11

/// Why a card was not personalised.
package enum PersonalisationFault: Error, Sendable, CustomStringConvertible {
    /// The card refused a command.
    case refused(command: String, status: UInt16)
    /// Nothing that can be personalised: it is not fresh, or it is no such card.
    case notFresh
    /// The channel did not come about.
    case channel(ChannelError)
    /// The card was pulled out, or answers rubbish.
    case lost(String)
    /// The same, after the last command was sent: the card may be personalised.
    case inDoubt(CardRecord, String)

    /// One line for people.
    package var description: String {
        switch self {
        case .refused(let command, let status):
            "the card answers \(command) with \(String(status, radix: 16, uppercase: true))"
        case .notFresh: "the card is not fresh, or has no application of this AID"
        case .channel(let error): "\(error)"
        case .lost(let words): words
        case .inDoubt(let record, let words):
            "card \(record.card) in chip \(record.chip) is in doubt: \(words)"
        }
    }
}

/// Brings one order after another into cards. Used by many threads at once, a reader each; the token's jobs take turns.
package struct CardPersonaliser: Sendable {
    private let seat: TokenSeat
    private let pool: CardKeyPool?
    private let products: [CardProductKeys]
    private let transport: CardManagementMaster
    private let replacement: (master: CardManagementMaster, version: UInt8)?
    private let export: PrivateKeyExport
    private let level: SecurityLevel?

    /// - Parameters:
    ///   - transport: what fresh cards' keys follow from.
    ///   - replacement: what they follow from afterwards, and the version by which the card names them; nil leaves them.
    ///   - level: nil takes the strongest that a card offers.
    package init(
        _ seat: TokenSeat, pool: CardKeyPool?, products: [CardProductKeys], transport: CardManagementMaster,
        replacement: (master: CardManagementMaster, version: UInt8)?, level: SecurityLevel?
    ) throws {
        self.seat = seat
        self.pool = pool
        self.products = products
        self.transport = transport
        self.replacement = replacement
        self.level = level
        export = try seat.work { try PrivateKeyExport(&$0.session) }
    }

    /// One card, from SELECT to the last STORE DATA.
    /// - Parameters:
    ///   - begun: called with the chip's serial number before anything is made for it.
    ///   - noted: called with what the card will have, before it gets any of it.
    ///   - finishing: called before the last command.
    /// - Returns: what it has.
    /// - Throws: `PersonalisationFault`; `PKCS11Error` and others where the token fails.
    package func personalise(
        _ order: CardOrder, in reader: any CardReader, begun: (String) throws -> Void,
        noted: (CardRecord) throws -> Void, finishing: (CardRecord) throws -> Void
    ) throws -> CardRecord {
        let (answer, challenge) = try CardPersonaliser.begin(order.identifier, in: reader, seat: seat)
        let chip = Hex.encode(answer.diversificationData)
        try begun(chip)
        var (channel, hasNewKeys) = try open(answer, challenge, order: order)
        defer { seat.work { channel.end(&$0.session) } }
        try send("EXTERNAL AUTHENTICATE", in: reader, channel: &channel) { try $0.externalAuthenticate(&$1) }
        let made = try make(order, answer, channel: channel, replaces: !hasNewKeys)
        try noted(made.record)
        var block: UInt8 = 0
        let dataMax = channel.dataMax
        let enciphered = CardGroupings.commands(made.groupings.enciphered, dataMax: dataMax)
        var clear = CardGroupings.commands(made.groupings.clear, dataMax: dataMax)
        let last = clear.removeLast()
        for (data, parameter) in enciphered.map({ ($0, UInt8(0x60)) }) + clear.map({ ($0, UInt8(0)) }) {
            try store(data, parameter, block: block, in: reader, channel: &channel)
            block &+= 1
        }
        if let putKey = made.putKey {
            let received = try send("PUT KEY", in: reader, channel: &channel) {
                try $0.protect(putKey.command, &$1)
            }
            guard received == putKey.expected else {
                throw PersonalisationFault.lost("the card confirms other keys than PUT KEY gave it")
            }
        }
        try finishing(made.record)
        do { try store(last, 0x80, block: block, in: reader, channel: &channel) } catch let fault
            as PersonalisationFault
        {
            // A refusal bears no MAC: whoever wrote it, the card may have taken the command.
            throw PersonalisationFault.inDoubt(made.record, "\(fault)")
        }
        return made.record
    }

    // MARK: - The channel

    /// SELECT and INITIALIZE UPDATE, with a challenge of 16 bytes where the card wants one.
    static func begin(
        _ identifier: [UInt8], in reader: any CardReader, seat: TokenSeat
    ) throws -> (answer: InitializeUpdateAnswer, challenge: [UInt8]) {
        let selected = try transmit(
            CommandAPDU(0x00, 0xA4, parameter1: 0x04, parameter2: 0x00, data: identifier, expecting: 256),
            reader)
        guard selected.status != 0x6A82 else { throw PersonalisationFault.notFresh }
        try require(selected, "SELECT")
        for count in [8, 16] {
            let challenge = try seat.work { keys in
                var bytes = [UInt8](repeating: 0, count: count)
                try bytes.withUnsafeMutableBytes { try keys.session.generateRandom(into: $0) }
                return bytes
            }
            let answer = try transmit(
                CommandAPDU(0x80, 0x50, parameter1: 0, parameter2: 0, data: challenge, expecting: 256), reader
            )
            if answer.status == 0x6700, count == 8 { continue }
            guard answer.status != 0x6985 else { throw PersonalisationFault.notFresh }
            try require(answer, "INITIALIZE UPDATE")
            guard let read = InitializeUpdateAnswer(answer.data) else {
                throw PersonalisationFault.channel(.malformedAnswer)
            }
            return (read, challenge)
        }
        throw PersonalisationFault.refused(command: "INITIALIZE UPDATE", status: 0x6700)
    }

    /// - Returns: the channel, and whether the card has the new keys already: one that was pulled out after PUT KEY.
    private func open(
        _ answer: InitializeUpdateAnswer, _ challenge: [UInt8], order: CardOrder
    ) throws -> (channel: SecureChannel, hasNewKeys: Bool) {
        guard let replacement, answer.keyVersion == replacement.version else {
            return (try open(answer, challenge, order: order, master: transport), false)
        }
        do {
            return (try open(answer, challenge, order: order, master: replacement.master), true)
        } catch PersonalisationFault.channel {
            // The version alone does not tell: transport keys may have the same number.
            return (try open(answer, challenge, order: order, master: transport), false)
        }
    }

    private func open(
        _ answer: InitializeUpdateAnswer, _ challenge: [UInt8], order: CardOrder,
        master: CardManagementMaster
    ) throws -> SecureChannel {
        let isAES = answer.protocolNumber == 3
        guard master.diversification.isAES == isAES else {
            throw PersonalisationFault.channel(
                .unsupported(
                    "\(master.label): \(master.diversification.isAES ? "an AES" : "a triple DES") key opens no SCP0\(answer.protocolNumber)"
                ))
        }
        do {
            return try seat.work { keys in
                try SecureChannel(
                    answer, hostChallenge: challenge, level: level,
                    keys: master.keys(answer.diversificationData, &keys.session),
                    identifier: order.identifier,
                    session: &keys.session)
            }
        } catch let error as ChannelError { throw PersonalisationFault.channel(error) }
    }

    // MARK: - What the card gets

    private struct Made {
        let record: CardRecord
        let groupings: CardGroupings.Made
        let putKey: PutKey.Made?
    }

    private func make(
        _ order: CardOrder, _ answer: InitializeUpdateAnswer, channel: SecureChannel, replaces: Bool
    ) throws -> Made {
        let product = products[order.product]
        // Numbers and key pairs first: they wait for a disk and for primes, and nobody has to wait with them.
        var pairs: [Int: [KeyPairHandles]] = [:]
        var numbers: [UInt32] = []
        for (bits, count) in product.certifier.keyPairsOfACard {
            for _ in 0..<count {
                numbers.append(try product.serialNumbers.number())
                let pair = try pool?.takeReady(bits: bits)
                pairs[bits, default: []].append(
                    try pair ?? seat.work { try $0.session.generateRSAKeyPair(bits: bits, .leaving) })
            }
        }
        return try seat.work { keys in
            let dataEncryption = channel.dataEncryption
            let application = try product.certifier.certify(
                order.card, signing: product.signer, under: dataEncryption.dataEncryptionKey(export),
                serialNumber: {
                    guard let number = numbers.popLast() else {
                        throw IssuanceError("serial number", "none is left")
                    }
                    return number
                },
                pair: { bits in
                    guard let pair = pairs[bits]?.popLast() else {
                        throw IssuanceError("key pair", "none of \(bits) bits is left")
                    }
                    return pair
                }, session: &keys.session)
            let wrapped = try product.source.wrapped(
                for: order.card.identity, under: dataEncryption, session: &keys.session)
            var putKey: PutKey.Made?
            if let replacement, replaces {
                putKey = try PutKey.command(
                    version: replacement.version, replacing: answer.keyVersion,
                    diversification: replacement.master.diversification, from: replacement.master.handle,
                    byteCount: replacement.master.byteCount, diversificationData: answer.diversificationData,
                    under: dataEncryption, session: &keys.session)
            }
            return Made(
                record: CardRecord(
                    card: order.number, chip: Hex.encode(answer.diversificationData),
                    channel: "scp0\(answer.protocolNumber)",
                    keyVersion: replacement?.version ?? answer.keyVersion,
                    serialNumbers: application.serialNumbers,
                    checkValues: wrapped.checkValues.map { Hex.encode($0) },
                    channelCheckValues: (putKey?.checkValues ?? []).map { Hex.encode($0) }),
                groupings: try CardGroupings.make(
                    application, keys: wrapped.keys, checkValues: wrapped.checkValues,
                    issuerData: order.issuerData, label: order.label),
                putKey: putKey)
        }
    }

    // MARK: - Commands

    private func store(
        _ data: [UInt8], _ parameter: UInt8, block: UInt8, in reader: any CardReader,
        channel: inout SecureChannel
    ) throws {
        try send("STORE DATA", in: reader, channel: &channel) {
            try $0.protect(CommandAPDU(0x80, 0xE2, parameter1: parameter, parameter2: block, data: data), &$1)
        }
    }

    @discardableResult
    private func send(
        _ name: String, in reader: any CardReader, channel: inout SecureChannel,
        command: (inout SecureChannel, inout Session) throws -> CommandAPDU
    ) throws -> [UInt8] {
        let sent = try seat.work { try command(&channel, &$0.session) }
        let answer = try CardPersonaliser.transmit(sent, reader)
        guard answer.isSuccess else {
            throw PersonalisationFault.refused(command: name, status: answer.status)
        }
        // EXTERNAL AUTHENTICATE is answered without a MAC.
        guard name != "EXTERNAL AUTHENTICATE" else {
            try CardPersonaliser.require(answer, name)
            return []
        }
        let opened: ResponseAPDU
        do { opened = try seat.work { try channel.open(answer, &$0.session) } } catch let error
            as ChannelError
        {
            throw PersonalisationFault.channel(error)
        }
        try CardPersonaliser.require(opened, name)
        return opened.data
    }

    static func transmit(_ command: CommandAPDU, _ reader: any CardReader) throws -> ResponseAPDU {
        do throws(CardReaderError) {
            guard let answer = ResponseAPDU(try reader.transmit(command.bytes)) else {
                throw CardReaderError(.gone, "\(reader.name): the answer has no status")
            }
            return answer
        } catch {
            throw PersonalisationFault.lost(error.description)
        }
    }

    private static func require(_ answer: ResponseAPDU, _ command: String) throws {
        guard answer.status == 0x9000 else {
            throw PersonalisationFault.refused(command: command, status: answer.status)
        }
    }
}
