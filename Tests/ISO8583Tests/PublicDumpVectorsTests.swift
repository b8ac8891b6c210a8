import ByteCoding
import Foundation
import ISO8583
import Testing

@Suite("Public message dump vectors")
struct PublicDumpVectorsTests {
    @Test func thereAreCases() {
        #expect(!VectorFiles.dumps.isEmpty)
        print("public message dump vectors: \(VectorFiles.dumps.count) cases")
    }

    /// Dumps whose file names no specification.
    private static let dialectByID = [
        "jpos-ISO93BPackager": "jpos-iso93b", "jpos-post": "jpos-post",
        "jpos-ISO93ebcdic-Custom-Img": "jpos-iso93-ebcdic",
    ]

    /// The file of the dump says EFGH for a numeric element of packed digits; the bytes are 56 78, since the
    /// packer took the low half of each letter.
    private static let notation = ["jpos-ISO93BPackager DE56": "5678"]

    @Test(arguments: VectorFiles.dumps)
    func decodesToTheGivenFields(_ dump: DumpCase) throws {
        let named = dump.spec?.split(separator: " ").first.map(String.init) ?? Self.dialectByID[dump.id]
        let name = try #require(named, "\(dump.id) has no dialect")
        if let standard = dump.encoded_standard {
            // The dump itself has both bitmaps whatever bit 1 says; the standard form of it has what bit 1
            // says.
            try check(dump, encoded: standard, dialect: name)
            #expect(throws: MessageDecodingError.self) {
                try MessageCodec(dialect: VectorFiles.dialect(name)).decode(Hex.decode(dump.encoded))
            }
            try check(dump, encoded: dump.encoded, dialect: "ascii87-hexbitmap16-bin")
        } else {
            try check(dump, encoded: dump.encoded, dialect: name)
        }
    }

    private func check(_ dump: DumpCase, encoded: String, dialect name: String) throws {
        let dialect = try VectorFiles.dialect(name)
        let codec = MessageCodec(dialect: dialect)
        let bytes = try Hex.decode(encoded)
        let message = try codec.decode(bytes)
        guard case .text(let type)? = dump.fields["0"] else {
            Issue.record("\(dump.id) has no message type")
            return
        }
        #expect(message.mti.description == type)
        var expected = Set(dump.fields.keys.compactMap { UInt8($0) }).subtracting([0])
        if dump.binary_fields?.isEmpty == false { expected.insert(55) }
        #expect(Set(message.presentElements.map(\.rawValue)) == expected, "\(dump.id)")
        for (number, value) in dump.fields {
            guard let element = UInt8(number).flatMap({ DataElement(rawValue: $0) }) else { continue }
            switch value {
            case .text(let text):
                let wanted = Self.notation["\(dump.id) \(element)"] ?? text
                let same = message.vectorValue(element, in: dialect) == wanted
                #expect(same, "\(dump.id) \(element)")
            case .inside(let fields):
                try checkInside(dump, message, element, fields, dialect)
            }
        }
        if let tags = dump.binary_fields, !tags.isEmpty { try checkTags(dump, message, tags) }
        let again = try codec.decode(codec.encode(message)) == message
        #expect(again, "\(dump.id), encoded and decoded again")
        // A second bitmap without any bit in it is read but never written.
        guard dump.encoded_standard == nil || dialect.bitmap.secondary == .always || expected.max() ?? 0 > 64
        else { return }
        let same = try codec.encode(message) == bytes
        #expect(same, "\(dump.id), encoded again")
    }

    private func checkInside(
        _ dump: DumpCase, _ message: Message, _ element: DataElement, _ fields: [String: String],
        _ dialect: Dialect
    ) throws {
        let inside = try #require(dialect.inside(element), "\(dump.id) \(element)")
        let codec = MessageCodec(dialect: inside)
        let content = Array(try #require(message.bytes(element)))
        let part = try codec.decode(content)
        #expect(Set(part.presentElements.map { "\($0.rawValue)" }) == Set(fields.keys))
        for inner in part.presentElements {
            let same = part.vectorValue(inner, in: inside) == fields["\(inner.rawValue)"]
            #expect(same, "\(dump.id) \(element).\(inner.rawValue)")
        }
        let again = try codec.encode(part) == content
        #expect(again, "\(dump.id) \(element), encoded again")
    }

    /// DE55 holds exactly these tags; every one of them is of at most 127 bytes.
    private func checkTags(_ dump: DumpCase, _ message: Message, _ tags: [String: String]) throws {
        var rest = try #require(message.bytes(.iccData))
        var found = 0
        while let first = rest.popFirst() {
            var tag = [first]
            if first & 0x1F == 0x1F {
                repeat { tag.append(rest.popFirst() ?? 0) } while tag.last ?? 0 >= 0x80
            }
            let count = Int(rest.popFirst() ?? 0xFF)
            try #require(count < 0x80 && rest.count >= count)
            let same = tags["55." + Hex.encode(tag)] == Hex.encode(rest.prefix(count))
            #expect(same, "\(dump.id) tag \(Hex.encode(tag))")
            rest = rest.dropFirst(count)
            found += 1
        }
        #expect(found == tags.count)
    }
}
