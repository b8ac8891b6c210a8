import ByteCoding
import ISO8583
import Testing

/// What plays no part in a decision must not cost one: contents that no standard allows and senders send.
@Suite("What senders send") struct ToleranceTests {
    private func codec(_ name: String) throws -> MessageCodec {
        MessageCodec(dialect: try VectorFiles.dialect(name))
    }

    private func codec(json: String) throws -> MessageCodec {
        MessageCodec(dialect: try Dialect(json: Array(json.utf8), name: "own"))
    }

    private func request() -> Message {
        var message = Message(mti: .authorisationRequest)
        message.set(.processingCode, text: "310020")
        message.set(.transactionAmount, text: "000000001000")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: "000123")
        message.set(.currency, text: "752")
        return message
    }

    /// Length 40: DE43 is fixed.
    private static let names: [[UInt8]] =
        ["Ångström Öl & Mat", "Ærø’s Æbler, Ærøskøbing", "Crème brûlée €", "Große Straße œuvre"].map {
            Array($0.utf8)
        } + [
            Array("SHOP".utf8) + [0, 0, 0], [0x0D, 0x0A, 0x1B, 0x5B, 0x32, 0x4A], Array(0x80...0x9F), [0x7F],
        ]

    @Test("Every byte of a merchant's name comes through, in every dialect with such elements")
    func names() throws {
        for name in [
            "ascii87-binbitmap", "ascii87-hexbitmap", "ebcdic87", "bcd87-rightF", "bcd87-leftzero-binlen",
        ] {
            let codec = try codec(name)
            for text in Self.names {
                var message = request()
                message.set(
                    .merchantNameAndLocation, bytes: text + [UInt8](repeating: 0, count: 40 - text.count))
                message.set(.terminalIdentifier, bytes: [UInt8](repeating: 0, count: 8))
                message.set(.merchantIdentifier, bytes: [UInt8](repeating: 0xFF, count: 15))
                message.set(.retrievalReferenceNumber, text: "1-2-3-4-5-6-")
                for element in [DataElement.additionalData, .privateData60, .privateData62, .privateData63] {
                    message.set(element, bytes: Array(0...255))
                }
                let bytes = try codec.encode(message)
                let read = try codec.decode(bytes)
                #expect(read == message, "\(name)")
            }
        }
    }

    @Test("A message with what decides is refused for what decides only", arguments: [3, 4, 7, 11, 49])
    func whatDecidesIsChecked(number: UInt8) throws {
        let codec = try codec("ascii87-binbitmap")
        let element = try #require(DataElement(rawValue: number))
        let bytes = try codec.encode(request())
        let content = try #require(request().bytes(element))
        let place = try #require(bytes.indices.last { bytes[$0...].starts(with: content) })
        var broken = bytes
        broken[place] = UInt8(ascii: "*")
        let error = #expect(throws: MessageDecodingError.self) { try codec.decode(broken) }
        // What could be read: everything else.
        var rest = request()
        rest.remove(element)
        #expect(error?.dataElement == element && error?.partial == rest)
    }

    @Test("Nibbles that are no digits come through where they decide nothing, and are sent back")
    func nibbles() throws {
        let codec = try codec("bcd87-rightF")
        // DE11, DE15 of FFFF, DE26 of 1A.
        let bytes = try Hex.decode("0800" + "0022004000000000" + "000123" + "FFFF" + "1A")
        let message = try codec.decode(bytes)
        #expect(try codec.encode(message) == bytes)
        #expect(message.text(.stan) == "000123")
        let faulty = try Hex.decode("0800" + "0022004000000000" + "00012F" + "FFFF" + "1A")
        let error = #expect(throws: MessageDecodingError.self) { try codec.decode(faulty) }
        #expect(error?.dataElement == .stan && error?.partial?.has(.settlementDate) == true)
    }

    @Test(
        "Packed track 2 is read with either filling on either side",
        arguments: [
            ("bcd87-rightF", "37", "", "F"), ("bcd87-rightF", "37", "", "0"), ("bcd87-rightF", "38", "", "F"),
            ("bcd87-rightF", "37", "0", ""), ("bcd87-leftzero-binlen", "25", "0", ""),
            ("bcd87-leftzero-binlen", "25", "", "F"), ("bcd87-leftzero-binlen", "25", "", "0"),
            // As the stripe has it: sentinels B and F, and a check digit.
            ("bcd87-rightF", "38", "B", ""), ("bcd87-rightF", "40", "B", "F9"),
            ("bcd87-rightF", "39", "B", "F0"),
            ("bcd87-leftzero-binlen", "28", "B", "F9"), ("bcd87-leftzero-binlen", "27", "0B", "F"),
        ])
    func packedTrack(dialect: String, length: String, before: String, behind: String) throws {
        let wanted = "4761739001010010D29122010000000000001"
        let digits = before + wanted + behind
        let codec = try codec(dialect)
        let message = try codec.decode(Hex.decode("0100" + "0000000020000000" + length + digits))
        let text = message.text(.track2) ?? ""
        let start = text.drop { $0 == ";" }
        let plain = String(start.prefix { $0 != "F" })
        let same = plain.replacing("=", with: "D") == wanted
        #expect(same)
    }

    @Test("A track with sentinels and check digit is longer than 37 characters, and still one")
    func sentinels() throws {
        let codec = try codec("ascii87-binbitmap")
        for track in [
            ";4761739001010010=29122010000000000000?9", "4761739001010010d2912201000000000000F",
            "4761739001010010=29122010000000000000F",
        ] {
            let head = Array("0100".utf8) + (try Hex.decode("0000000020000000"))
            let bytes = head + Array("\(track.utf8.count)".utf8) + Array(track.utf8)
            let message = try codec.decode(bytes)
            let same = message.text(.track2) == track
            #expect(same)
            #expect(try codec.encode(message) == bytes)
        }
        let tooLong = Array("0100".utf8) + (try Hex.decode("0000000020000000")) + Array("41".utf8)
        let error = #expect(throws: MessageDecodingError.self) {
            try codec.decode(tooLong + [UInt8](repeating: 0x34, count: 41))
        }
        #expect(error?.reason == .lengthOverMaximum(length: 41, maximum: 40))
    }

    @Test("A third bitmap is named as what it is, and the trace number read on either side of it")
    func thirdBitmap() throws {
        for (name, bitmap) in [("ascii87-binbitmap", 8), ("ascii87-hexbitmap", 16)] {
            let codec = try codec(name)
            let plain = try codec.encode(request())
            let zeros = [UInt8](repeating: bitmap == 8 ? 0 : 0x30, count: bitmap)
            let (start, end) = (4 + bitmap, plain.count)
            var second = zeros
            second[0] = bitmap == 8 ? 0x80 : 0x38
            var first = Array(plain[4..<start])
            first[0] = bitmap == 8 ? first[0] | 0x80 : UInt8(ascii: "B")
            let head = Array(plain[..<4]) + first + second
            var messages = [head + zeros + plain[start..<end]]
            // In hex digits nothing tells a bitmap of zeros from the amounts before it: the usual place counts.
            if bitmap == 8 { messages.append(head + plain[start..<end] + zeros) }
            for message in messages {
                let error = #expect(throws: MessageDecodingError.self) { try codec.decode(message) }
                #expect(error?.dataElement?.rawValue == 65 && error?.reason == .thirdBitmap, "\(name)")
                #expect(error?.partial?.text(.stan) == "000123", "\(name)")
                #expect(error?.partial?.text(.currency) == "752", "\(name)")
            }
        }
    }

    @Test("Chip data in data set 01 is read and written without it, in bytes and in hex")
    func dataSet() throws {
        let objects = try Hex.decode("9F3602000A9C0100")
        for name in ["ascii87-binbitmap", "ascii87-hexbitmap", "bcd87-rightF", "ebcdic87"] {
            let plain = try VectorFiles.dialect(name)
            let codec = MessageCodec(dialect: try plain.withChipData(.dataSet01))
            var message = request()
            message.set(.iccData, bytes: objects)
            let bytes = try codec.encode(message)
            #expect(try codec.decode(bytes) == message, "\(name)")
            // A dialect without data sets sees what is on the wire.
            let raw = try MessageCodec(dialect: plain).decode(bytes)
            #expect(raw.bytes(.iccData).map(Array.init) == [0x01, 0x00, 0x08] + objects, "\(name)")
            let set = [0x01, 0x00, 0x08] + objects
            for sent in [
                set + [0x02, 0x00, 0x03, 0x01, 0x00, 0x01], [0x71, 0x00, 0x00] + set, set + [0, 0, 0],
                [0, 0] + set,
                [0x03, 0x00, 0x01, 0xFF] + set + [0, 0, 0x04, 0x00, 0x02, 0xAA, 0xBB, 0],
            ] {
                message.set(.iccData, bytes: sent)
                let read = try codec.decode(MessageCodec(dialect: plain).encode(message))
                #expect(read.bytes(.iccData).map(Array.init) == objects, "\(name): \(sent)")
                #expect(read.text(.stan) == "000123" && read.text(.currency) == "752")
            }
            for wrong in [set + set, set + [0x02], set + [0x02, 0x00, 0x02, 0xFF], [0, 0, 0]] {
                message.set(.iccData, bytes: wrong)
                let sent = try MessageCodec(dialect: plain).encode(message)
                let error = #expect(throws: MessageDecodingError.self) { try codec.decode(sent) }
                #expect(error?.dataElement == .iccData && error?.reason == .badDataSet, "\(name)")
            }
            for wrong in [objects, [0x01, 0x00, 0x09] + objects, [0x02, 0x00, 0x08] + objects, []] {
                message.set(.iccData, bytes: wrong)
                let sent = try MessageCodec(dialect: plain).encode(message)
                let error = #expect(throws: MessageDecodingError.self) { try codec.decode(sent) }
                #expect(error?.dataElement == .iccData && error?.reason == .badDataSet, "\(name)")
                #expect(error?.partial?.text(.stan) == "000123", "\(name)")
            }
            message.set(.iccData, bytes: [UInt8](repeating: 0, count: 999))
            #expect(throws: MessageEncodingError.self) { try codec.encode(message) }
        }
    }

    @Test("Chip data may be as long as its length indicator can say")
    func longChipData() throws {
        for (name, most) in [("ascii87-binbitmap", 999), ("bcd87-rightF", 999), ("ascii87-hexbitmap", 499)] {
            let codec = try codec(name)
            var message = request()
            message.set(.iccData, bytes: (0..<most).map { UInt8($0 & 0xFF) })
            #expect(try codec.decode(codec.encode(message)) == message, "\(name)")
        }
    }

    @Test("What a file says of an element's content is what is checked")
    func contentKeys() throws {
        func dialect(_ content: String) throws -> MessageCodec {
            try codec(
                json: """
                    {"bitmap":{"encoding":"binary"},"encodings":{"binary":"binary"},"elements":{
                    "43":{"name":"Name","type":"a","length":"llvar","max":9,"content":"\(content)"}}}
                    """)
        }
        let head = Array("0100".utf8) + (try Hex.decode("0000000000200000")) + Array("03".utf8)
        for (content, passes) in [
            ("any", [true, true, true]), ("printable", [true, true, false]), ("type", [true, false, false]),
        ] {
            let codec = try dialect(content)
            let texts: [[UInt8]] = [Array("AB ".utf8), Array("A-1".utf8), [0x41, 0x00, 0x9F]]
            #expect(texts.map { (try? codec.decode(head + $0)) != nil } == passes, "\(content)")
        }
        #expect(throws: DialectError.self) { try dialect("none") }
    }

    @Test("A second bitmap in every message is announced where the dialect says so")
    func alwaysAnnounced() throws {
        let codec = try codec(
            json: """
                {"bitmap":{"encoding":"binary","secondary":"alwaysAnnounced"},"elements":{
                "11":{"name":"STAN","type":"n","max":6}}}
                """)
        var message = Message(mti: .networkManagementRequest)
        message.set(.stan, text: "000001")
        let bytes = try codec.encode(message)
        #expect(Hex.encode(bytes) == "30383030" + "8020000000000000" + "0000000000000000" + "303030303031")
        #expect(try codec.decode(bytes) == message)
    }

    @Test("Filled elements take their greatest length, whatever they hold")
    func filled() throws {
        let codec = try codec(
            json: """
                {"bitmap":{"encoding":"binary"},"elements":{
                "2":{"name":"PAN","type":"n","length":"llvar","max":19,"filled":true},
                "11":{"name":"STAN","type":"n","max":6}}}
                """)
        var message = Message(mti: .networkManagementRequest)
        message.set(.pan, text: "47617390")
        message.set(.stan, text: "000001")
        let bytes = try codec.encode(message)
        #expect(bytes.dropFirst(12).elementsEqual(Array("0847617390           000001".utf8)))
        #expect(try codec.decode(bytes) == message)
        let error = #expect(throws: MessageDecodingError.self) { try codec.decode(Array(bytes.prefix(30))) }
        #expect(error?.dataElement == .pan)
    }

    @Test("A header of any length goes back as it came, or with its addresses exchanged")
    func headers() throws {
        let plain = try VectorFiles.dialect("ascii87-binbitmap")
        for (bytes, answer, wanted) in [
            (5, Dialect.Header.Answer.kept, [1, 2, 3, 4, 5]), (5, .exchanged, [1, 4, 5, 2, 3]),
            (4, .exchanged, [3, 4, 1, 2]), (12, .kept, Array(1...12)), (0, .exchanged, []),
        ] as [(Int, Dialect.Header.Answer, [UInt8])] {
            let codec = MessageCodec(dialect: plain.withHeader(bytes: bytes, answer: answer))
            var message = request()
            message.header = Array((1...12).prefix(bytes))
            let read = try codec.decode(codec.encode(message))
            #expect(codec.responseHeader(for: read) == wanted)
        }
    }

    @Test("What is shown is escaped, and what looks like a PAN in free text is masked")
    func shown() throws {
        let dialect = try VectorFiles.dialect("ascii87-binbitmap")
        func shown(_ text: [UInt8], _ element: DataElement = .merchantNameAndLocation) -> String {
            var message = request()
            message.set(element, bytes: text)
            return message.describe(dialect: dialect).first { $0.element == element }?.value ?? ""
        }
        #expect(shown([0x41, 0x0A, 0x1B, 0xC3, 0x85, 0x5C]) == #"A\x0A\x1B\xC3\x85\\"#)
        let masked = shown(Array("CARD 4761739001010010 PAID".utf8))
        #expect(masked == "CARD 476173******0010 PAID")
        for text in [
            "4761 7390 0101 0010", "12 4761-7390-0101-0010 34", "X4761739001010010", "4761.7390.0101.0010",
            "4761  7390  0101  0010", "47617390010100102912", "00004761739001010010", "1/4761739001010010/2",
            "4761739001010010 4761739001010010", "12347617390010100109", "4761739001010010;2912",
            "47\t61\t73\t90\t01\t01\t00\t10", "4:7:6:1:7:3:9:0:0:1:0:1:0:0:1:0",
            Array("4761739001010010").map(String.init).joined(separator: "\0"),
        ] {
            let clear = shown(Array(text.utf8)).replacing(#"\x00"#, with: "").replacing(#"\x09"#, with: "")
            #expect(!clear.filter(\.isNumber).contains("4761739001010010"), "an account number is shown")
            #expect(clear.contains("*"), "an account number is shown")
        }
        // Amounts, dates and shops among words are none.
        for text in ["SHOP 12 2026-11-29 09:08", "1234567890123", "AB 100000 200000 3"] {
            #expect(shown(Array(text.utf8)) == text)
        }
        // Numbers of shops and amounts stay what they are.
        #expect(shown(Array("000000000123456".utf8), .merchantIdentifier) == "000000000123456")
        var message = request()
        message.set(.retrievalReferenceNumber, bytes: Array("12\n4".utf8))
        #expect(message.shown(.retrievalReferenceNumber) == #"12\x0A4"#)
        #expect(message.description.contains(#"DE37=12\x0A4"#))
    }
}
