import ISO8583
import IssuerMessages
import Testing

@Suite("Key changes as messages")
struct KeyChangeRequestTests {
    private static let key = "00112233445566778899AABBCCDDEEFF"

    private func message(_ data: String?, control: String? = nil, code: String = "161") -> Message {
        var message = Message(mti: .networkManagementRequest)
        if let data { message.set(.additionalData, text: data) }
        if let control { message.set(.securityControl, text: control) }
        message.set(.networkManagementCode, text: code)
        return message
    }

    @Test("Double and triple length, with check values of 2 to 8 bytes, in text and in bytes")
    func plain() throws {
        let arrangement = KeyChangeArrangement()
        let short = try KeyChangeRequest(message(Self.key + "ab12  "), arrangement)
        #expect(short.kind == .pinKey && short.wrapped.count == 16 && short.checkValue == "AB12")
        #expect(short.wrapped.prefix(3) == [0x00, 0x11, 0x22])
        let long = try KeyChangeRequest(
            message(Self.key + "0123456789ABCDEF" + "AB12CD", control: "0200000000000000"), arrangement)
        #expect(long.kind == .macKey && long.wrapped.count == 24 && long.checkValue == "AB12CD")
        var binary = message(nil)
        binary.set(.additionalData, bytes: Array(0..<16) + [0xAB, 0x12, 0xCD])
        let bytes = try KeyChangeRequest(binary, arrangement)
        #expect(bytes.wrapped == Array(0..<16) && bytes.checkValue == "AB12CD")
    }

    @Test func aSubelementSaysWhatTheKeyIsFor() throws {
        let arrangement = KeyChangeArrangement(form: .subelement11)
        for (keyClass, kind) in [("PK", KeyChangeRequest.Kind.pinKey), ("MK", .macKey)] {
            let block = "1142\(keyClass)0001\(Self.key)AB12"
            let request = try KeyChangeRequest(message(block + "420700000"), arrangement)
            #expect(request.kind == kind && request.wrapped.count == 16 && request.checkValue == "AB12")
        }
    }

    @Test(
        "What is wrong is said, with the element",
        arguments: [
            (nil, nil, "DE48: missing"),
            ("", nil, "DE48: 32 or 48 hex digits of key are needed"),
            (key, nil, "DE48: 4 to 16 hex digits of check value are needed"),
            (key + "AB1", nil, "DE48: 4 to 16 hex digits of check value are needed"),
            (key.replacing("FF", with: "XX") + "AB12", nil, "DE48: 32 or 48 hex digits of key are needed"),
            (key + "AB12", "0300000000000000", "DE53: 01 or 02 is needed at its beginning"),
        ])
    func faults(data: String?, control: String?, words: String) {
        #expect {
            try KeyChangeRequest(message(data, control: control), KeyChangeArrangement())
        } throws: { "\($0)" == words }
    }

    @Test(arguments: ["11", "1199PK0001", "1142XX0001\(key)AB12", "0142PK0001\(key)AB12"])
    func aSubelementThatIsNone(block: String) {
        #expect(throws: KeyChangeFault.self) {
            try KeyChangeRequest(message(block), KeyChangeArrangement(form: .subelement11))
        }
    }

    @Test func onlyRequestsOfTheCodeAreKeyChanges() {
        #expect(KeyChangeRequest.isOne(message("x"), nil))
        #expect(KeyChangeRequest.isOne(message("x", code: "101"), nil))
        #expect(!KeyChangeRequest.isOne(message("x", code: "301"), nil))
        #expect(!KeyChangeRequest.isOne(message("x"), KeyChangeArrangement(codes: ["162"])))
        var answer = Message(mti: .networkManagementResponse)
        answer.set(.networkManagementCode, text: "161")
        #expect(!KeyChangeRequest.isOne(answer, nil))
    }
}
