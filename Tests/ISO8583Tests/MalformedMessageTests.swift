import ByteCoding
import ISO8583
import Testing

@Suite("Malformed messages")
struct MalformedMessageTests {
    /// One fault each: dialect, bytes, and where and why they are refused.
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var dialect: String
        var hex: String
        var place: MessageDecodingError.Place
        var offset: Int
        var reason: MessageDecodingError.Reason

        var testDescription: String { what }

        init(
            _ what: String, _ dialect: String, _ hex: String, _ place: MessageDecodingError.Place,
            _ offset: Int, _ reason: MessageDecodingError.Reason
        ) {
            self.what = what
            self.dialect = dialect
            self.hex = hex
            self.place = place
            self.offset = offset
            self.reason = reason
        }
    }

    /// `0800` with a packed dialect, one element only.
    private static func packed(_ bitmap: String, _ rest: String) -> String { "0800" + bitmap + rest }
    private static func ascii(_ text: String) -> String { Hex.encode(text.utf8) }

    static let cases: [Case] = [
        Case("nothing", "bcd87-rightF", "", .messageType, 0, .truncated(bytesMissing: 2)),
        Case("version of 1993", "bcd87-rightF", "1800", .messageType, 0, .wrongMessageType),
        Case("class 0", "bcd87-rightF", "0000", .messageType, 0, .wrongMessageType),
        Case("class A", "bcd87-rightF", "0A00", .messageType, 0, .wrongMessageType),
        Case("origin 9", "bcd87-rightF", "0809", .messageType, 0, .wrongMessageType),
        Case("letters", "ascii87-binbitmap", ascii("0x00"), .messageType, 0, .wrongMessageType),
        Case("ASCII for EBCDIC", "ebcdic87", ascii("0800"), .messageType, 0, .wrongMessageType),
        Case("half a TPDU", "tpdu-ascii87-binbitmap", "600001", .header, 3, .truncated(bytesMissing: 2)),
        Case("half a bitmap", "bcd87-rightF", "080022380000", .bitmap, 6, .truncated(bytesMissing: 4)),
        Case(
            "no second bitmap", "bcd87-rightF", packed("8000000000000000", "04"), .bitmap, 11,
            .truncated(bytesMissing: 7)),
        Case(
            "bitmap no hex", "ascii87-hexbitmap", ascii("0800200000G000000000"), .bitmap, 10, .badHexDigit),
        Case(
            "trailing byte", "bcd87-rightF", packed("0020000000000000", "00000100"), .behind(.stan), 13,
            .trailingBytes(count: 1)),
        Case(
            "trailing, no element", "bcd87-rightF", packed("0000000000000000", "0000"), .behind(nil), 10,
            .trailingBytes(count: 2)),
        Case(
            "nibble A", "bcd87-rightF", packed("0020000000000000", "00A001"), .element(.stan), 11, .badNibble),
        Case(
            "nibble F", "bcd87-rightF", packed("0020000000000000", "00000F"), .element(.stan), 12, .badNibble),
        Case(
            "separator in a PAN", "bcd87-rightF", packed("4000000000000000", "0412D4"), .element(.pan), 12,
            .badNibble),
        Case(
            "pad not F", "bcd87-rightF", packed("4000000000000000", "031230"), .element(.pan), 12, .badPad),
        Case(
            "pad not 0 before", "bcd87-leftzero-binlen", packed("4000000000000000", "03F123"), .element(.pan),
            11, .badPad),
        Case(
            "pad not 0 behind", "jpos-iso87b", packed("4000000000000000", "03123F"), .element(.pan), 12,
            .badPad),
        Case(
            "BCD length with a letter", "bcd87-rightF", packed("4000000000000000", "1A12"), .element(.pan),
            10,
            .badLengthDigits),
        Case(
            "ASCII length with a letter", "ascii87-hexbitmap", ascii("080040000000000000001x12"),
            .element(.pan), 20, .badLengthDigits),
        Case(
            "ASCII length with a sign", "ascii87-hexbitmap", ascii("08004000000000000000-112"),
            .element(.pan), 20, .badLengthDigits),
        Case(
            "PAN of 20 digits", "bcd87-rightF", packed("4000000000000000", "2012345678901234567890"),
            .element(.pan), 10, .lengthOverMaximum(length: 20, maximum: 19)),
        Case(
            "binary length 255", "bcd87-leftzero-binlen", packed("4000000000000000", "FF"), .element(.pan),
            10,
            .lengthOverMaximum(length: 255, maximum: 19)),
        Case(
            "DE54 of 241 characters", "ascii87-binbitmap", ascii("0100") + "0000000000000400" + ascii("241"),
            .element(.additionalAmounts), 12, .lengthOverMaximum(length: 241, maximum: 240)),
        Case(
            "odd hex length", "ascii87-hexbitmap", ascii("01000000000000000200003ABC"), .element(.iccData),
            20,
            .oddHexLength(3)),
        Case(
            "PIN data no hex", "ascii87-hexbitmap", ascii("010000000000000010000123456789ABCDEX"),
            .element(.pinData), 35, .badHexDigit),
        Case(
            "letter in digits", "ascii87-hexbitmap", ascii("0100002000000000000012345A"), .element(.stan), 25,
            .notADigit),
        Case(
            "control character", "ascii87-hexbitmap", ascii("01000000000002000000A\u{01}"),
            .element(.responseCode), 21, .badCharacter),
        Case(
            "punctuation in an", "ascii87-hexbitmap", ascii("01000000000002000000A-"),
            .element(.responseCode),
            21, .badCharacter),
        Case(
            "letter in track 2", "ascii87-hexbitmap", ascii("01000000000020000000051234X"), .element(.track2),
            26, .badCharacter),
        Case(
            "DE65", "bcd87-rightF", packed("8000000000000000", "8000000000000000"),
            .element(DataElement(rawValue: 65) ?? .pan), 18, .thirdBitmap),
        Case(
            "unknown element", "jpos-iso93-ebcdic-55", "F1" + "F0F2F0F0F0F0F0F0",
            .element(DataElement(rawValue: 7) ?? .pan), 9, .unknownElement),
        Case(
            "element cut short", "bcd87-rightF", packed("0020000000000000", "0000"), .element(.stan), 12,
            .truncated(bytesMissing: 1)),
        Case(
            "length cut short", "bcd87-rightF", packed("0000000000000200", "01"), .element(.iccData), 11,
            .truncated(bytesMissing: 1)),
    ]

    @Test(arguments: cases)
    func isRefused(_ fault: Case) throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect(fault.dialect))
        let error = #expect(throws: MessageDecodingError.self) {
            try codec.decode(Hex.decode(fault.hex))
        }
        #expect(error?.place == fault.place)
        #expect(error?.offset == fault.offset)
        #expect(error?.reason == fault.reason)
    }

    @Test(arguments: VectorFiles.messages)
    func everyTruncationIsRefused(_ vector: MessageCase) throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect(vector.spec))
        let bytes = try Hex.decode(vector.encoded)
        let whole = try codec.decode(bytes)
        for count in 0..<bytes.count {
            let error = #expect(throws: MessageDecodingError.self) {
                try codec.decode(Array(bytes.prefix(count)))
            }
            guard case .truncated(let missing)? = error?.reason else {
                Issue.record("\(vector.id) cut to \(count) bytes is not called truncated")
                return
            }
            #expect(error?.offset == count && missing > 0)
            guard let partial = error?.partial else { continue }
            #expect(partial.mti == whole.mti)
            let same = partial.presentElements.allSatisfy { partial.bytes($0) == whole.bytes($0) }
            #expect(same, "\(vector.id) cut to \(count) bytes")
            if case .element(let element)? = error?.place {
                #expect(!partial.has(element))
                let before = whole.presentElements.prefix { $0 < element }
                #expect(Array(before) == Array(partial.presentElements), "\(vector.id) \(count)")
            }
        }
    }

    @Test(arguments: VectorFiles.messages)
    func trailingBytesAreRefused(_ vector: MessageCase) throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect(vector.spec))
        let bytes = try Hex.decode(vector.encoded)
        let error = #expect(throws: MessageDecodingError.self) { try codec.decode(bytes + [0x30]) }
        #expect(error?.reason == .trailingBytes(count: 1))
        #expect(error?.offset == bytes.count)
        #expect(error?.dataElement == error?.partial.flatMap { Array($0.presentElements).last })
    }

    @Test func whatWasReadBeforeTheFaultIsThere() throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect("bcd87-rightF"))
        // DE2, DE11, DE55 of 10 bytes of which 2 are there.
        let error = #expect(throws: MessageDecodingError.self) {
            try codec.decode(
                Hex.decode("01004020000000000200" + "164761730000000010" + "654321" + "00109F02"))
        }
        let partial = try #require(error?.partial)
        #expect(error?.dataElement == .iccData)
        #expect(partial.mti == .authorisationRequest)
        #expect(partial.text(.stan) == "654321")
        #expect(!partial.has(.iccData))
        let text = "\(try #require(error))"
        #expect(text == "DE55 at offset 26: the message ends 8 bytes too early")
    }
}
