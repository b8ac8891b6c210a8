import Authorisation
import EMV
import ISO8583
import IssuerMessages
import Testing

/// Where a link's PIN blocks come from, and in which format.
@Suite struct LinkPINTests {
    private static let place = DataElement(rawValue: 110)!

    private func pin(
        _ pins: PINArrangement, _ change: (inout Message) -> Void
    ) throws -> PINQuestion? {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.transactionAmount, text: "000000004250")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: "000123")
        message.set(.currency, text: "752")
        change(&message)
        let mapping = RequestMapping(link: LinkProfile(name: "a", pins: pins))
        let found = try mapping.interpret(message, receivedAt: 7, answerBy: 9)
        guard case .authorise(let request) = found else { return nil }
        return request.pin
    }

    private var both: PINArrangement {
        var pins = PINArrangement(zonePINKey: KeyName("zpk"))
        pins.aesZonePINKey = KeyName("zpk-aes")
        pins.format4Element = Self.place
        return pins
    }

    @Test func theLinkNamesTheFormat() throws {
        var pins = both
        pins.format = .iso3
        let question = try pin(pins) { $0.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8]) }
        #expect(question?.format == .iso3 && question?.zonePINKey == KeyName("zpk"))
        #expect(question?.block.rawValue == 0x0102_0304_0506_0708)
    }

    @Test func DE53NamesTheFormatWhereTheLinkSaysSo() throws {
        var pins = both
        pins.formatCodes = [0x01: .iso0, 0x03: .iso3, 0x04: .iso4]
        for (code, format) in [("01", PINBlockFormat.iso0), ("03", .iso3)] {
            let question = try pin(pins) {
                $0.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
                $0.set(.securityControl, text: "2001\(code)0100000000")
            }
            #expect(question?.format == format)
        }
        let error = #expect(throws: MappingError.self) {
            try pin(pins) {
                $0.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
                $0.set(.securityControl, text: "2001090100000000")
            }
        }
        #expect(error?.element == .securityControl)
        let silent = try pin(pins) { $0.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8]) }
        #expect(silent?.format == .iso0)
    }

    @Test func aFormat4BlockTravelsWhereTheDialectSays() throws {
        var pins = both
        pins.format = .iso4
        let bytes = [UInt8](1...16)
        let text = bytes.map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
        let found = [
            try pin(pins) { $0.set(Self.place, bytes: bytes) },
            try pin(pins) { $0.set(Self.place, text: text.uppercased()) },
            try pin(pins) { $0.set(.pinData, bytes: bytes) },
        ]
        for question in found {
            #expect(question?.format == .iso4 && question?.zonePINKey == KeyName("zpk-aes"))
            #expect(question?.block.rawValue == 0x0102_0304_0506_0708)
            #expect(question?.secondHalf == 0x090A_0B0C_0D0E_0F10)
        }
        let error = #expect(throws: MappingError.self) {
            try pin(pins) { $0.set(Self.place, text: "not a block") }
        }
        #expect(error?.element == Self.place)
    }

    @Test func aFormat4BlockThatNothingAnnouncesIsAPINAllTheSame() throws {
        var pins = both
        pins.formatCodes = [0x01: .iso0, 0x04: .iso4]
        let question = try pin(pins) { $0.set(Self.place, bytes: [UInt8](1...16)) }
        #expect(question?.format == .iso4 && question?.zonePINKey == KeyName("zpk-aes"))
        #expect(try pin(pins) { $0.set(Self.place, text: "something else") } == nil)
        let announced = try pin(pins) {
            $0.set(Self.place, bytes: [UInt8](1...16))
            $0.set(.securityControl, text: "2001010100000000")
        }
        #expect(announced == nil)
    }

    @Test func aBlockWithoutAKeyForItsFormatIsAFormatError() throws {
        var pins = PINArrangement(zonePINKey: KeyName("zpk"))
        pins.format = .iso4
        #expect(throws: MappingError.self) {
            try pin(pins) { $0.set(.pinData, bytes: [UInt8](1...16)) }
        }
    }
}
