import ISO8583
import Testing

/// A generator whose numbers follow from the seed alone (SplitMix64), so that a failure can be seen again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Message properties")
struct MessagePropertyTests {
    /// Content of a random allowed length out of the characters of the element's type.
    private func content(
        for definition: ElementDefinition, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        let longest = min(definition.max, 300)
        let count =
            definition.length == .fixed ? definition.max : Int.random(in: 0...longest, using: &generator)
        let digits = Array("0123456789".utf8)
        let letters = Array(" ABCXYZabcxyz".utf8)
        let pool: [UInt8] =
            switch definition.type {
            case .digits, .signedDigits: digits
            case .track2: digits + [definition.encoding == .bcd ? definition.separator : 0x3D]
            case .letters: letters
            case .alphanumeric: digits + letters
            case .text: Array(0x20...0x7E) + Array(0xA0...0xFF)
            case .binary: Array(0...255)
            }
        var bytes = (0..<count).map { _ in pool.randomElement(using: &generator) ?? 0x30 }
        if definition.type == .signedDigits { bytes[0] = Bool.random(using: &generator) ? 0x43 : 0x44 }
        return bytes
    }

    private func message(in dialect: Dialect, _ generator: inout SeededGenerator) -> Message {
        let type: UInt16 =
            dialect.messageType.encoding == .none ? 0 : UInt16(dialect.messageType.version) << 12 | 0x0100
        let header = (0..<dialect.header.bytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var message = Message(mti: MTI(rawValue: type), header: header)
        for element in dialect.definedElements.shuffled(using: &generator).prefix(40) {
            guard let definition = dialect[element] else { continue }
            message.set(element, bytes: content(for: definition, &generator))
        }
        return message
    }

    @Test(arguments: VectorFiles.dialectNames)
    func encodedAndDecodedIsTheSame(_ name: String) throws {
        let dialect = try VectorFiles.dialect(name)
        let codec = MessageCodec(dialect: dialect)
        var generator = SeededGenerator(state: 8583)
        for round in 0..<100 {
            let message = message(in: dialect, &generator)
            let bytes = try codec.encode(message)
            let decoded = try codec.decode(bytes)
            let same = decoded == message
            #expect(same, "\(name), seed 8583, round \(round)")
            let again = try codec.encode(decoded) == bytes
            #expect(again, "\(name), seed 8583, round \(round), encoded again")
        }
    }

    @Test(arguments: VectorFiles.dialectNames)
    func mutatedBytesAreRefusedOrAreAMessage(_ name: String) throws {
        let dialect = try VectorFiles.dialect(name)
        let codec = MessageCodec(dialect: dialect)
        var generator = SeededGenerator(state: 20_261_123)
        var refused = 0
        for round in 0..<400 {
            var bytes = try codec.encode(message(in: dialect, &generator))
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                mutate(&bytes, &generator)
            }
            do throws(MessageDecodingError) {
                let decoded = try codec.decode(bytes)
                let stable = (try? codec.decode((try? codec.encode(decoded)) ?? [])) == decoded
                #expect(stable, "\(name), seed 20261123, round \(round)")
            } catch {
                refused += 1
                #expect(error.offset >= 0 && error.offset <= bytes.count)
                switch error.place {
                case .header, .messageType: #expect(error.partial == nil)
                case .bitmap, .element: #expect(error.dataElement != nil)
                case .behind: #expect(error.dataElement != nil || error.partial != nil)
                }
            }
        }
        #expect(refused > 0)
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        default: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
    }

    @Test(arguments: VectorFiles.dialectNames)
    func randomBytesNeverCrash(_ name: String) throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect(name))
        var generator = SeededGenerator(state: 1987)
        for _ in 0..<500 {
            let count = Int.random(in: 0...64, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if let message = try? codec.decode(bytes) {
                #expect((try? codec.encode(message)) != nil)
            }
        }
    }
}
