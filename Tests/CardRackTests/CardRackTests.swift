import ByteCoding
import CardRack
import CardReaders
import EMV
import LibCrypto
import Testing

@testable import VirtualCard

/// A chip behind its contacts and the rack that it is in, asked with bytes alone.
@Suite("Card rack")
struct CardRackTests {
    static let identifier: [UInt8] = [0xA0, 0, 0, 0, 0x03, 0x10, 0x10]
    static let serial: [UInt8] = [0xC0, 0xDE, 1, 2, 3, 4, 5, 6, 7, 8]
    static let master = (0..<16).map { UInt8($0 &* 7) }

    static func card(parameter: UInt8 = 0x70, serial: [UInt8] = serial) throws -> SmartCard {
        SmartCard(
            serial: serial,
            keys: try TransportKeys.scp03(
                master: master, version: 0x30, parameter: parameter, serial: serial),
            identifiers: [identifier])
    }

    static func status(_ card: inout SmartCard, _ hex: String) throws -> String {
        Hex.encode(card.answer(try Hex.decode(hex)).suffix(2))
    }

    @Test("A fresh card is empty, and refuses everything but personalisation")
    func fresh() throws {
        var card = try Self.card()
        let table: KeyValuePairs = [
            "80A80000028300": "6985", "00B2011400": "6985", "80AE80001D": "6985", "8050000008": "6985",
            "00A4040007A000000004101000": "6A82", "00A404000E315041592E5359532E444446303100": "6A82",
            "84820100": "6985", "80E2000003010203": "6982", "84D8008103010203": "6982", "00": "6700",
            "00A404000700": "6700", "80CA9F7F00": "9000", "80CA006600": "6A88", "80FF0000": "6D00",
            "A0A40000": "6E00",
        ]
        for (command, expected) in table {
            #expect(try Self.status(&card, command) == expected, "\(command.prefix(8))")
        }
    }

    /// The host's side by libcrypto, since the token's own tests are elsewhere: a session by the card's own keys.
    private func open(_ card: inout SmartCard, level: UInt8 = 0x01) throws -> (mac: [UInt8], chain: [UInt8]) {
        _ = card.answer(
            CommandAPDU(0x00, 0xA4, parameter1: 0x04, parameter2: 0, data: Self.identifier, expecting: 256)
                .bytes)
        let challenge = [UInt8](repeating: 0x11, count: 8)
        let answer = try #require(
            InitializeUpdateAnswer(
                Array(
                    card.answer(CommandAPDU(0x80, 0x50, parameter1: 0, parameter2: 0, data: challenge).bytes)
                        .dropLast(2))))
        let keys = try TransportKeys.scp03(
            master: Self.master, version: 0x30, parameter: 0x70, serial: Self.serial)
        func derive(_ constant: UInt8, bits: UInt8, _ key: [UInt8]) throws -> [UInt8] {
            try MAC.cmac(
                .aes, key: key,
                data: [UInt8](repeating: 0, count: 11) + [constant, 0, 0, bits, 1] + challenge
                    + answer.challenge)
        }
        let mac = try derive(6, bits: 128, keys.authentication)
        var command = CommandAPDU(
            0x84, 0x82, parameter1: level, parameter2: 0, data: Array(try derive(1, bits: 64, mac).prefix(8)))
        let chain = try MAC.cmac(
            .aes, key: mac, data: [UInt8](repeating: 0, count: 16) + command.header + [16] + command.data)
        command.data += chain.prefix(8)
        #expect(Hex.encode(card.answer(command.bytes)) == "9000")
        return (mac, chain)
    }

    private func protected(_ command: CommandAPDU, _ mac: [UInt8], _ chain: inout [UInt8]) throws -> [UInt8] {
        var command = command
        command.instructionClass = 0x84
        chain = try MAC.cmac(
            .aes, key: mac, data: chain + command.header + [UInt8(command.data.count + 8)] + command.data)
        command.data += chain.prefix(8)
        return command.bytes
    }

    @Test("Wrong MACs, replays, a wrong counter and keys in clear are refused")
    func misuse() throws {
        var card = try Self.card()
        var (mac, chain) = try open(&card)
        let grouping = DataGrouping(0x9200, try Hex.decode("06010A03A0A000")).bytes
        let first = try protected(
            CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 0, data: grouping), mac, &chain)
        #expect(Hex.encode(card.answer(first)) == "9000")
        // The same again ends the channel.
        #expect(Hex.encode(card.answer(first)) == "6982")
        #expect(Hex.encode(card.answer(first)) == "6982")

        (mac, chain) = try open(&card)
        var broken = try protected(
            CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 0, data: grouping), mac, &chain)
        broken[broken.count - 1] ^= 1
        #expect(Hex.encode(card.answer(broken)) == "6982")

        (mac, chain) = try open(&card)
        let skipped = try protected(
            CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 1, data: grouping), mac, &chain)
        #expect(Hex.encode(card.answer(skipped)) == "6A86")
        // Without protection within a channel.
        (mac, chain) = try open(&card)
        #expect(
            Hex.encode(
                card.answer(CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 0, data: grouping).bytes))
                == "6982")

        (mac, chain) = try open(&card)
        let key = DataGrouping(0x8000, [UInt8](repeating: 0x11, count: 48)).bytes
        #expect(
            Hex.encode(
                card.answer(
                    try protected(
                        CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 0, data: key), mac, &chain)))
                == "6A80")
        let unknown = DataGrouping(0x7777, [1]).bytes
        (mac, chain) = try open(&card)
        #expect(
            Hex.encode(
                card.answer(
                    try protected(
                        CommandAPDU(0x80, 0xE2, parameter1: 0x00, parameter2: 0, data: unknown), mac, &chain))
            )
                == "6A88")
        (mac, chain) = try open(&card)
        // A card with half of its data is none.
        let last = try protected(
            CommandAPDU(0x80, 0xE2, parameter1: 0x80, parameter2: 0, data: grouping), mac, &chain)
        #expect(Hex.encode(card.answer(last)) == "6985")
        #expect(!card.isPersonalised)
    }

    @Test("A stranger's cryptogram is refused, and its challenge is good once")
    func strangers() throws {
        var card = try Self.card()
        _ = card.answer(
            CommandAPDU(0x00, 0xA4, parameter1: 0x04, parameter2: 0, data: Self.identifier, expecting: 256)
                .bytes)
        let update = CommandAPDU(
            0x80, 0x50, parameter1: 0, parameter2: 0, data: [UInt8](repeating: 0x11, count: 8)
        ).bytes
        #expect(Hex.encode(card.answer(update).suffix(2)) == "9000")
        let guess = CommandAPDU(
            0x84, 0x82, parameter1: 0x01, parameter2: 0, data: [UInt8](repeating: 0, count: 16)
        ).bytes
        #expect(Hex.encode(card.answer(guess)) == "6982")
        #expect(Hex.encode(card.answer(guess)) == "6985")
        #expect(
            Hex.encode(
                card.answer(
                    CommandAPDU(
                        0x80, 0x50, parameter1: 0x20, parameter2: 0, data: [UInt8](repeating: 0, count: 8)
                    ).bytes))
                == "6A88", "another key version")
    }

    @Test("Any garbage gets a status word")
    func garbage() throws {
        var generator = SystemRandomNumberGenerator()
        var card = try Self.card()
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            if bytes.count > 4, Bool.random() {
                bytes[0] = [0x00, 0x80, 0x84].randomElement() ?? 0
                bytes[4] = UInt8(bytes.count - 5)
            }
            let answer = card.answer(bytes)
            #expect(answer.count >= 2)
        }
        #expect(!card.isPersonalised)
    }

    @Test("A rack gives each connection a card, a pulled card again, and none more than it has")
    func connections() throws {
        let rack = CardRack(try (0..<3).map { try Self.card(serial: Self.serial.dropLast() + [UInt8($0)]) })
        let server = try RackServer(rack, host: "127.0.0.1", port: 0)
        server.start()
        defer { server.stop() }
        func reader() throws -> TCPCardReader {
            try TCPCardReader(host: "127.0.0.1", port: server.port, seconds: 10)
        }
        func serial(_ reader: TCPCardReader) throws -> String {
            Hex.encode(try reader.transmit([0x80, 0xCA, 0x9F, 0x7F, 0x00]).dropLast(2))
        }
        let readers = try (0..<3).map { _ in try reader() }
        let serials = try readers.map(serial)
        #expect(Set(serials).count == 3)
        #expect(throws: CardReaderError.self) { try serial(reader()) }
        readers[1].close()
        // The rack notices the end of a connection when it gets round to it.
        var again: String?
        for _ in 0..<200 where again == nil { again = try? serial(reader()) }
        #expect(again == serials[1])
        // What is no frame's content ends no other reader.
        #expect(Hex.encode(try readers[0].transmit([0x01, 0x02])) == "6700")
        #expect(Hex.encode(try readers[2].transmit([UInt8](repeating: 0xFF, count: 300))).hasSuffix("6700"))
        #expect(Hex.encode(try readers[2].transmit([0x04])) == Hex.encode(SmartCard.answerToReset))
    }

    @Test("The same seed pulls the same cards")
    func faults() {
        var (first, second) = (FaultPlan(seed: 7), FaultPlan(seed: 7))
        let faults = (0..<2_000).map { _ in first.next() }
        #expect(faults == (0..<2_000).map { _ in second.next() })
        #expect(faults.contains(.pulledBefore) && faults.contains(.pulledAfter))
        #expect((20...100).contains(faults.count { $0 != nil }))
    }
}
