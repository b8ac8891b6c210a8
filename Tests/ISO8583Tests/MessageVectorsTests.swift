import ByteCoding
import Foundation
import ISO8583
import Testing

@Suite("Message vectors")
struct MessageVectorsTests {
    @Test func thereAreCases() {
        #expect(!VectorFiles.messages.isEmpty)
        print("message vectors: \(VectorFiles.messages.count) cases")
    }

    /// A file of messages that has not quite the form must fail here rather than be left out.
    @Test func noFileOfMessagesIsLeftOut() throws {
        let read = Set(
            VectorFiles.all(MessageFile.self).map(\.file) + VectorFiles.all(DumpFile.self).map(\.file))
        for file in try FileManager.default.contentsOfDirectory(atPath: VectorFiles.folder.path())
        where file.hasSuffix(".json") {
            let data = try Data(contentsOf: VectorFiles.folder.appending(path: file))
            let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            guard let cases = object?["cases"] as? [[String: Any]],
                cases.contains(where: { $0["encoded"] is String && $0["fields"] is [String: Any] })
            else { continue }
            #expect(read.contains(file), "\(file) holds messages that cannot be read as vectors")
        }
    }

    @Test(arguments: VectorFiles.messages)
    func decodesToTheGivenFields(_ vector: MessageCase) throws {
        let dialect = try VectorFiles.dialect(vector.spec)
        let message = try MessageCodec(dialect: dialect).decode(try Hex.decode(vector.encoded))
        #expect(message.mti.description == vector.fields["t"])
        #expect(Hex.encode(message.header) == vector.fields["h"] ?? "")
        let expected = vector.fields.keys.compactMap { UInt8($0) }.filter { $0 > 1 }.sorted()
        #expect(message.presentElements.map(\.rawValue) == expected)
        for element in message.presentElements {
            let same = message.vectorValue(element, in: dialect) == vector.fields["\(element.rawValue)"]
            #expect(same, "\(vector.id) \(element)")
        }
    }

    @Test(arguments: VectorFiles.messages)
    func encodesToTheGivenBytes(_ vector: MessageCase) throws {
        let dialect = try VectorFiles.dialect(vector.spec)
        let codec = MessageCodec(dialect: dialect)
        let message = try message(of: vector, dialect)
        let wanted = try Hex.decode(vector.encoded)
        let same = try codec.encode(message) == wanted
        #expect(same, "\(vector.id)")
        var appended: [UInt8] = [0xEE]
        try codec.encode(message, into: &appended)
        let appendedSame = appended == [0xEE] + wanted
        #expect(appendedSame, "\(vector.id), appended")
        let fromDecoded = try codec.encode(try codec.decode(wanted)) == wanted
        #expect(fromDecoded, "\(vector.id), decoded and encoded")
    }

    /// Elements are put in backwards, so that the order on the wire is the codec's doing.
    private func message(of vector: MessageCase, _ dialect: Dialect) throws -> Message {
        let type = try #require(UInt16(vector.fields["t"] ?? "", radix: 16))
        var message = Message(
            mti: MTI(rawValue: type), header: try Hex.decode(vector.fields["h"] ?? ""))
        for number in vector.fields.keys.compactMap({ UInt8($0) }).sorted(by: >) where number > 1 {
            let element = try #require(DataElement(rawValue: number))
            try message.setVectorValue(vector.fields["\(number)"] ?? "", element, in: dialect)
        }
        return message
    }

    @Test(arguments: VectorFiles.messages)
    func isFramed(_ vector: MessageCase) throws {
        let message = try Hex.decode(vector.encoded)
        for (framing, framed) in [
            (Framing.twoByteBigEndian, vector.framed_2byte_be), (.fourASCII, vector.framed_4ascii),
        ] {
            let wanted = try Hex.decode(framed)
            var frame: [UInt8] = []
            try framing.appendFrame(of: message, into: &frame)
            let same = frame == wanted
            #expect(same, "\(vector.id) \(framing.lengthForm)")
            var decoder = FrameDecoder(framing: framing)
            let outcome = wanted.withUnsafeBytes { decoder.nextFrame(in: $0) }
            let prefix = framing.lengthForm.byteCount
            #expect(outcome == .frame(payload: prefix..<wanted.count, consumed: wanted.count))
        }
    }
}
