import ISO8583
import Testing

@Suite("Message")
struct MessageTests {
    private func element(_ number: UInt8) throws -> DataElement {
        try #require(DataElement(rawValue: number))
    }

    @Test func elementsAreFoundWhateverTheOrderTheyWentIn() throws {
        var message = Message(mti: .authorisationRequest)
        let numbers: [UInt8] = [128, 2, 64, 65, 3, 90, 1, 127, 63]
        for number in numbers { message.set(try element(number), text: "value \(number)") }
        #expect(message.presentElements.map(\.rawValue) == numbers.sorted())
        for number in 1...128 as ClosedRange<UInt8> {
            let wanted = numbers.contains(number) ? "value \(number)" : nil
            #expect(message.text(try element(number)) == wanted)
            #expect(message.has(try element(number)) == (wanted != nil))
            #expect(message.count(of: try element(number)) == wanted?.utf8.count)
        }
    }

    @Test func aNewValueReplacesTheOld() throws {
        var message = Message(mti: .authorisationRequest)
        message.set(.stan, text: "000001")
        message.set(.terminalIdentifier, text: "TERM0001")
        message.set(.stan, text: "12")
        #expect(message.text(.stan) == "12")
        message.set(.stan, text: "1234567890")
        #expect(message.text(.stan) == "1234567890")
        #expect(message.text(.terminalIdentifier) == "TERM0001")
        message.set(.stan, text: "")
        #expect(message.has(.stan) && message.count(of: .stan) == 0)
        message.remove(.stan)
        #expect(!message.has(.stan) && message.bytes(.stan) == nil)
        #expect(message.text(.terminalIdentifier) == "TERM0001")
    }

    @Test func aResponseEchoesByCopying() throws {
        var request = Message(mti: .authorisationRequest)
        request.set(.stan, text: "123456")
        request.set(.iccData, bytes: [0x9F, 0x26] as [UInt8])
        var response = Message(mti: .authorisationResponse)
        for element in [DataElement.pan, .stan, .iccData] { response.copy(element, from: request) }
        #expect(response.presentElements.map(\.rawValue) == [11, 55])
        #expect(response.bytes(.iccData).map(Array.init) == [0x9F, 0x26])
        // The two are independent.
        response.set(.stan, text: "654321")
        #expect(request.text(.stan) == "123456")
    }

    @Test func equalityIsAboutContentNotPlace() {
        var left = Message(mti: .authorisationRequest)
        left.set(.stan, text: "000000000")
        left.set(.responseCode, text: "00")
        left.set(.stan, text: "123456")
        var right = Message(mti: .authorisationRequest)
        right.set(.responseCode, text: "00")
        right.set(.stan, text: "123456")
        let same = left == right
        #expect(same)
        right.set(.stan, text: "123457")
        let different = left != right
        #expect(different)
    }

    @Test func nothingSensitiveIsPrinted() throws {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761730000000119")
        message.set(.stan, text: "123456")
        message.set(.track1, text: "B4761730000000119^DOE/JANE")
        message.set(.track2, text: "4761730000000119=28122011")
        message.set(.track3, text: "4761730000000119=3")
        message.set(.additionalData, text: "CVV2 987")
        message.set(.pinData, bytes: [0xDE, 0xAD, 0xBE, 0xEF] as [UInt8])
        message.set(.iccData, bytes: [0x5A, 0x47, 0x61] as [UInt8])
        message.set(.mac, bytes: [0x01, 0xAB] as [UInt8])
        message.set(.accountIdentification1, text: "12345678")
        let description = "\(message)"
        #expect(
            description == "0100 DE2=476173******0119 DE11=123456 DE35=(25 bytes, not shown) "
                + "DE36=(18 bytes, not shown) DE45=(26 bytes, not shown) DE48=(8 bytes, not shown) "
                + "DE52=(4 bytes, not shown) DE55=(3 bytes, not shown) DE64=01AB DE102=********")
        let table = message.describe(dialect: try VectorFiles.dialect("ascii87-binbitmap"))
        #expect(table.map(\.element) == Array(message.presentElements))
        let values = table.map(\.value).joined(separator: "|")
        for secret in ["4761730000000119", "28122011", "987", "DEADBEEF", "5A4761", "12345678"] {
            #expect(!values.contains(secret) && !description.contains(secret))
        }
        #expect(table.first?.name == "Primary account number (PAN)")
        var dumped = ""
        dump(message, to: &dumped)
        #expect(!dumped.contains("0000000119"))
    }

    @Test func controlCharactersAreNotPrinted() {
        var message = Message(mti: .authorisationRequest)
        message.set(.terminalIdentifier, text: "A\u{1B}[31m\nB")
        #expect("\(message)" == "0100 DE41=A\\x1B[31m\\x0AB")
    }

    @Test func valuesOutsideOfTheDialectAreNotEncoded() throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect("bcd87-rightF"))
        let faults: [(DataElement, String, MessageEncodingError.Reason)] = [
            (.stan, "12345", .wrongLength(length: 5, expected: 6)),
            (.stan, "12345X", .badCharacter(index: 5)),
            (.pan, "12345678901234567890", .lengthOverMaximum(length: 20, maximum: 19)),
            (.responseCode, "\u{7}0", .badCharacter(index: 0)),
            (.secondaryBitmap, "00000000", .unknownElement),
        ]
        for (element, text, reason) in faults {
            var message = Message(mti: .authorisationResponse)
            message.set(element, text: text)
            var bytes: [UInt8] = [1, 2, 3]
            let error = #expect(throws: MessageEncodingError.self) { try codec.encode(message, into: &bytes) }
            #expect(error?.dataElement == element && error?.reason == reason)
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test func headAndTypeHaveToBeTheDialects() throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect("bcd87-rightF"))
        let type = #expect(throws: MessageEncodingError.self) {
            try codec.encode(Message(mti: MTI(rawValue: 0x1100)))
        }
        #expect(type?.dataElement == nil && type?.reason == .wrongMessageType)
        let header = #expect(throws: MessageEncodingError.self) {
            try codec.encode(Message(mti: .authorisationResponse, header: [0x60]))
        }
        #expect(header?.reason == .wrongHeaderLength(length: 1, expected: 0))
    }

    @Test func longContentIsEncodedAndDecoded() throws {
        let codec = MessageCodec(dialect: try VectorFiles.dialect("jpos-post"))
        var message = Message(mti: .authorisationRequest)
        message.set(try element(127), bytes: [UInt8](repeating: 0xA5, count: 999_999))
        let bytes = try codec.encode(message)
        let same = try codec.decode(bytes) == message
        #expect(same)
    }
}

@Suite("MTI")
struct MTITests {
    @Test(
        arguments: [
            (0x0100, 0x0110), (0x0101, 0x0110), (0x0120, 0x0130), (0x0121, 0x0130), (0x0200, 0x0210),
            (0x0220, 0x0230), (0x0400, 0x0410), (0x0401, 0x0410), (0x0420, 0x0430), (0x0421, 0x0430),
            (0x0800, 0x0810), (0x1804, 0x1814),
        ] as [(UInt16, UInt16)])
    func isAnsweredBy(_ request: UInt16, _ response: UInt16) {
        #expect(MTI(rawValue: request).isRequest)
        #expect(MTI(rawValue: request).response == MTI(rawValue: response))
        #expect(MTI(rawValue: response).response == nil)
    }

    @Test func hasParts() {
        let mti = MTI.reversalAdviceRepeat
        #expect(mti.version == 0 && mti.messageClass == .reversal && mti.function == 2 && mti.origin == 1)
        #expect(mti.isRepeat && !MTI.reversalAdvice.isRepeat)
        #expect(mti.description == "0421" && MTI(rawValue: 0x1804).description == "1804")
    }

    @Test(arguments: [0x0000, 0x0900, 0x0A00, 0x0160, 0x010A, 0x0106, 0xF100] as [UInt16])
    func isNotWellFormed(_ value: UInt16) {
        #expect(!MTI(rawValue: value).isWellFormed)
    }
}
