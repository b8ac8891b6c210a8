import ByteCoding
import EMV
import Testing
import VectorSupport

@Suite("TLV")
struct TLVTests {
    private func parse(_ hex: String) throws -> ICCData { try ICCData(parsing: Hex.decode(hex)) }

    private func fault(_ hex: String) throws -> TLVError? {
        let bytes = try Hex.decode(hex)
        do {
            _ = try ICCData(parsing: bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("tags of one to four bytes and lengths of all three forms")
    func forms() throws {
        var writer = TLVWriter()
        let short = [UInt8](repeating: 0xA1, count: 0x7F)
        let middle = [UInt8](repeating: 0xB2, count: 0x80)
        let long = [UInt8](repeating: 0xC3, count: 0x100)
        writer.append(EMV.Tag(rawValue: 0x9A), short)
        writer.append(EMV.Tag(rawValue: 0x9F02), middle)
        writer.append(EMV.Tag(rawValue: 0xDF8129), long)
        writer.append(EMV.Tag(rawValue: 0xDF81_8203), [])
        #expect(Hex.encode(writer.bytes.prefix(2)) == "9A7F")
        let data = try ICCData(parsing: writer.bytes)
        #expect(data.tags.map(\.rawValue) == [0x9A, 0x9F02, 0xDF8129, 0xDF81_8203])
        #expect(data[EMV.Tag(rawValue: 0x9A)].map(Array.init) == short)
        #expect(data[EMV.Tag(rawValue: 0x9F02)].map(Array.init) == middle)
        #expect(data[EMV.Tag(rawValue: 0xDF8129)].map(Array.init) == long)
        #expect(data[EMV.Tag(rawValue: 0xDF81_8203)]?.isEmpty == true)
        #expect(data[.transactionType] == nil)
    }

    @Test("malformed data is refused with tag and offset")
    func malformed() throws {
        let type = EMV.Tag.transactionType
        let cases: [(String, TLVError)] = [
            ("9C", .truncatedHeader(offset: 0)),
            ("9C01009F", .truncatedHeader(offset: 3)),
            ("9C01009F37", .truncatedHeader(offset: 3)),
            ("9C0100DF8182", .truncatedHeader(offset: 3)),
            ("9C0200", .truncated(type, offset: 0, missing: 1)),
            ("9C01009F3704AABB", .truncated(.unpredictableNumber, offset: 3, missing: 2)),
            ("9C81", .truncatedHeader(offset: 0)),
            ("9C8201", .truncatedHeader(offset: 0)),
            ("9C82FFFF00", .truncated(type, offset: 0, missing: 65_534)),
            ("9C80000000", .badLength(type, offset: 0)),
            ("9C84FFFFFFFF", .truncated(type, offset: 0, missing: 4_294_967_295)),
            ("9C850000000001AA", .badLength(type, offset: 0)),
            ("9CFF", .badLength(type, offset: 0)),
            ("9C8102AA", .truncated(type, offset: 0, missing: 1)),
            ("FF00", .badTag(offset: 0)),
            ("00FF", .badTag(offset: 1)),
            ("9F8000", .badTag(offset: 0)),
            ("9F8181818101", .badTag(offset: 0)),
            ("9C01009A032601019C0101", .duplicate(type, offset: 8)),
        ]
        for (hex, expected) in cases { #expect(try fault(hex) == expected, "\(hex)") }
        #expect(try fault("") == nil)
    }

    @Test("00 bytes between objects, longer forms of lengths and an object that comes twice cost nothing")
    func whatSendersLeave() throws {
        for hex in [
            "009C0100", "00009C01009A03260101", "9C0100009A03260101", "9C01000000009A03260101", "9C010000",
            "9C8101009A0326010100", "9C820001009A83000003260101", "9C84000000010000",
            "9C01009A032601019C0100", "9C01009C0100",
        ] {
            let data = try parse(hex)
            #expect(data[.transactionType].map(Array.init) == [0], "\(hex)")
            #expect(
                !data.has(.transactionDate) || data[.transactionDate].map(Array.init) == [0x26, 1, 1],
                "\(hex)")
            #expect(Set(data.tags).count == data.tags.count, "\(hex)")
        }
        #expect(try parse("0000").tags.isEmpty)
        // A value's zeros are its own.
        #expect(try parse("9F0306000000000000" + "9C0120")[.amountOther]?.count == 6)
    }

    @Test("bounds: objects and bytes")
    func bounds() throws {
        var writer = TLVWriter()
        for index in 0..<ICCData.objectsMax {
            writer.append(EMV.Tag(rawValue: 0x9F00 + UInt32(index)), [UInt8(index)])
        }
        #expect(try ICCData(parsing: writer.bytes).tags.count == ICCData.objectsMax)
        let full = writer.bytes.count
        writer.append(.transactionType, [0])
        #expect(throws: TLVError.tooManyObjects(offset: full)) { try ICCData(parsing: writer.bytes) }
        let long = [UInt8](repeating: 0, count: ICCData.bytesMax + 1)
        #expect(throws: TLVError.tooLong(count: long.count)) { try ICCData(parsing: long) }
    }

    @Test("a slice of a message is read at its own offsets")
    func slice() throws {
        let message = try Hex.decode("AAAAAA" + "9F36020102" + "9C0120" + "BB")
        let data = try ICCData(parsing: message[3..<11])
        #expect(data.atc == ApplicationTransactionCounter(rawValue: 0x0102))
        #expect(data[.transactionType].map(Array.init) == [0x20])
        #expect(throws: TLVError.badTag(offset: 1)) { try ICCData(parsing: [0x00, 0xFF][...]) }
    }

    @Test("typed values: absent, of the wrong length, not decimal")
    func typedValues() throws {
        let good = try parse(
            "9F0206000000001234" + "5F2A020752" + "9F360200FF" + "9F370411223344" + "9F26080102030405060708"
                + "9F270180" + "5F340105")
        #expect(good.amountAuthorised == 1234)
        #expect(good.transactionCurrencyCode == 752)
        #expect(good.unpredictableNumber?.rawValue == 0x1122_3344)
        #expect(good.cryptogram?.rawValue == 0x0102_0304_0506_0708)
        #expect(good.cryptogramKind == .arqc)
        #expect(good.panSequenceNumber?.rawValue == 5)
        let bad = try parse(
            "9F02060000000012A4" + "5F2A0107" + "9F3603000001" + "9F2701C0" + "5F34010A"
                + "9F260701020304050607")
        #expect(bad.amountAuthorised == nil)
        #expect(bad.transactionCurrencyCode == nil)
        #expect(bad.atc == nil)
        #expect(bad.cryptogramKind == nil)
        #expect(bad.panSequenceNumber == nil)
        #expect(bad.cryptogram == nil)
        #expect(throws: TLVError.missing(.unpredictableNumber)) {
            try bad.value(of: .unpredictableNumber, expectedCount: 4)
        }
        #expect(throws: TLVError.wrongCount(.applicationTransactionCounter, expected: 2, found: 3)) {
            try bad.value(of: .applicationTransactionCounter, expectedCount: 2)
        }
    }

    @Test("what is written is read; what is broken is refused within the data")
    func properties() throws {
        var generator = SeededGenerator(seed: 0x5EED_0001)
        for round in 0..<2_000 {
            var writer = TLVWriter()
            var expected: [UInt32: [UInt8]] = [:]
            for _ in 0..<Int.random(in: 0...24, using: &generator) {
                let tag = randomTag(&generator)
                guard expected[tag] == nil else { continue }
                let count = Int.random(in: 0...40, using: &generator)
                let value = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                expected[tag] = value
                writer.append(EMV.Tag(rawValue: tag), value)
            }
            let data = try ICCData(parsing: writer.bytes)
            #expect(data.tags.count == expected.count, "round \(round)")
            for (tag, value) in expected {
                #expect(data[EMV.Tag(rawValue: tag)].map(Array.init) == value, "round \(round)")
            }
            var broken = writer.bytes
            guard !broken.isEmpty else { continue }
            broken[Int.random(in: 0..<broken.count, using: &generator)] ^=
                1 << UInt8.random(in: 0...7, using: &generator)
            broken.removeLast(Int.random(in: 0...min(3, broken.count), using: &generator))
            if let error = fault(of: broken) { #expect(error <= broken.count, "round \(round)") }
        }
    }

    private func randomTag(_ generator: inout SeededGenerator) -> UInt32 {
        switch Int.random(in: 0...2, using: &generator) {
        case 0: UInt32([0x82, 0x84, 0x8A, 0x91, 0x95, 0x9A, 0x9C].randomElement(using: &generator) ?? 0x82)
        case 1: 0x9F00 | UInt32.random(in: 0...0x7F, using: &generator)
        default: 0xDF_8100 | UInt32.random(in: 0...0x7F, using: &generator)
        }
    }

    /// The offset that the error names, nil where the data is good.
    private func fault(of bytes: [UInt8]) -> Int? {
        do {
            _ = try ICCData(parsing: bytes)
            return nil
        } catch {
            switch error {
            case .truncatedHeader(let offset), .badTag(let offset), .tooManyObjects(let offset),
                .truncated(_, let offset, _), .badLength(_, let offset), .duplicate(_, let offset):
                return offset
            case .tooLong, .wrongCount, .missing: return .max
            }
        }
    }
}
