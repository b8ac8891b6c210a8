@testable import ISO8583
import Testing

/// Every value of a byte, in every element of every shipped dialect that is made of characters or packed digits.
@Suite("Every byte in every element") struct EveryByteTests {
    private static let decides = ElementDefinition.checkedElements.union(
        ElementDefinition.checkedElements1993)

    /// The same dialect without any check of contents, to write what a peer might send.
    private func unchecked(_ dialect: Dialect) -> Dialect {
        var elements = dialect.elements
        for number in elements.indices where elements[number]?.type != .track2 {
            elements[number]?.content = .any
        }
        return Dialect(
            name: dialect.name, description: "", header: dialect.header, messageType: dialect.messageType,
            bitmap: dialect.bitmap, elements: elements, inner: dialect.inner)
    }

    private func message(_ dialect: Dialect) -> Message {
        let type: UInt16 = dialect.messageType.version == 1 ? 0x1100 : 0x0100
        var message = Message(
            mti: MTI(rawValue: type), header: [UInt8](repeating: 0, count: dialect.header.bytes))
        for element in [DataElement.stan, .currency] {
            guard let count = dialect[element]?.max else { continue }
            message.set(element, text: String("000000".prefix(count)))
        }
        return message
    }

    /// The content of an element with one value everywhere but in its first place, which of `x+n` has a letter.
    private func content(_ definition: ElementDefinition, _ value: UInt8) -> [UInt8] {
        let count = definition.length == .fixed ? definition.max : min(definition.max, 4)
        let first: UInt8 = definition.type == .signedDigits ? 0x43 : value
        return [first] + [UInt8](repeating: value, count: count - 1)
    }

    /// All bytes, or what the sixteen nibbles are read as.
    private func values(_ definition: ElementDefinition) -> ClosedRange<UInt8> {
        definition.encoding == .bcd ? 0x30...0x3F : 0...255
    }

    @Test("What decides nothing comes through as it is and goes back so", arguments: VectorFiles.dialectNames)
    func free(name: String) throws {
        let dialect = try VectorFiles.dialect(name)
        guard dialect.messageType.encoding != .none else { return }
        let codec = MessageCodec(dialect: dialect)
        var count = 0
        for element in dialect.definedElements where !Self.decides.contains(Int(element.rawValue)) {
            guard let definition = dialect[element], definition.type != .track2 else { continue }
            #expect(definition.content == .any, "\(name), \(element)")
            for value in values(definition) {
                var message = message(dialect)
                message.set(element, bytes: content(definition, value))
                let bytes = try codec.encode(message)
                let read = try codec.decode(bytes)
                let isSame = try read == message && codec.encode(read) == bytes
                #expect(isSame, "\(name), \(element), \(value)")
                count += 1
            }
        }
        #expect(count > 1_000)
    }

    @Test(
        "A byte that is no digit, in an element of digits that decides, is refused by its name, and the rest is read",
        arguments: VectorFiles.dialectNames)
    func digits(name: String) throws {
        let dialect = try VectorFiles.dialect(name)
        guard dialect.messageType.encoding != .none else { return }
        let codec = MessageCodec(dialect: dialect)
        let sender = MessageCodec(dialect: unchecked(dialect))
        for element in dialect.definedElements where dialect[element]?.content == .type {
            guard let definition = dialect[element], definition.type == .digits else { continue }
            for value in values(definition) where !(0x30...0x39).contains(value) {
                var message = message(dialect)
                message.set(element, bytes: content(definition, value))
                let bytes = try sender.encode(message)
                let error = #expect(throws: MessageDecodingError.self) { try codec.decode(bytes) }
                message.remove(element)
                #expect(error?.dataElement == element, "\(name), \(element), \(value)")
                #expect(error?.partial == message, "\(name), \(element), \(value)")
            }
        }
    }
}
