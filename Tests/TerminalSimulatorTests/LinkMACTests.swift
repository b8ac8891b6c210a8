import EMV
import Foundation
import ISO8583
import LibCrypto
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// MACs, PIN formats and TLS on the terminal's side of a link.
@Suite struct LinkMACTests {
    private let key = Array(UInt8(0x10)..<UInt8(0x20))

    private func form(_ algorithm: LinkMAC.Algorithm) throws -> WireForm {
        let file = TestData.root.appending(path: "Config/iso8583/ascii87-binbitmap.json").path()
        return WireForm(
            codec: MessageCodec(dialect: try Dialect(contentsOf: file)),
            framing: .twoByteBigEndian,
            mac: LinkMAC(algorithm: algorithm, padding: .method2, key: key))
    }

    private func echo(late: Bool = false) -> Message {
        var message = Message(mti: .networkManagementRequest)
        message.set(.transmissionTime, text: "1124120000")
        message.set(.stan, text: "000001")
        if late { message.set(.networkManagementCode, text: "301") }
        return message
    }

    @Test(arguments: LinkMAC.Algorithm.allCases, [false, true])
    func theMACIsOverEverythingBeforeIt(algorithm: LinkMAC.Algorithm, late: Bool) throws {
        let form = try form(algorithm)
        let bytes = try form.encoded(echo(late: late), mac: .right)
        let message = try form.codec.decode(bytes)
        #expect(message.has(late ? .mac2 : .mac) && !message.has(late ? .mac : .mac2))
        // The dialect's MAC is binary or hex; what is before it is what was sealed.
        let isBinary = form.codec.dialect[late ? .mac2 : .mac]?.encoding == .binary
        let sealed = Array(bytes.dropLast(isBinary ? 8 : 16))
        let pair = try #require(DoubleLengthKey(bytes: key))
        let expected: [UInt8] =
            switch algorithm {
            case .algorithm1: try MAC.algorithm1(key: key, sealed, padding: .method2)
            case .algorithm3:
                withUnsafeBytes(of: try MAC.algorithm3(key: pair, sealed, padding: .method2).bigEndian) {
                    Array($0)
                }
            case .tripleDESCMAC: try MAC.cmac(.tdes, key: key, data: sealed)
            case .aesCMAC: Array(try MAC.cmac(.aes, key: key, data: sealed).prefix(8))
            }
        #expect(message.bytes(late ? .mac2 : .mac).map(Array.init) == expected)
        #expect(form.macFault(of: message, bytes) == nil)
    }

    @Test func aWrongOrMissingMACIsNamed() throws {
        let form = try form(.algorithm3)
        let wrong = try form.encoded(echo(), mac: .wrong)
        #expect(form.macFault(of: try form.codec.decode(wrong), wrong) == "the answer's MAC is wrong")
        let missing = try form.encoded(echo(), mac: .missing)
        #expect(form.macFault(of: try form.codec.decode(missing), missing) == nil, "network management may")
        var request = Message(mti: .authorisationRequest)
        request.set(.stan, text: "000001")
        let bytes = try form.encoded(request, mac: .missing)
        #expect(form.macFault(of: try form.codec.decode(bytes), bytes) == "the answer has no MAC")
    }

    @Test(arguments: [PINBlockFormat.iso0, .iso1, .iso3, .iso4])
    func everyPINFormatHoldsThePIN(format: PINBlockFormat) throws {
        let issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        let card = try VirtualCard(issuer, card: "visa-cvn18")
        let pan = card.definition.identity.pan
        let bytes = try card.pinBlockBytes(card.definition.pin, format, key: key)
        let found: PIN
        if format == .iso4 {
            let block = EncipheredPINBlock16(rawValue: bytes.reduce(0) { $0 << 8 | UInt128($1) })
            found = try PINBlockReader.pin(in: block, pan: pan, key: key)
        } else {
            let block = EncipheredPINBlock(rawValue: bytes.reduce(0) { $0 << 8 | UInt64($1) })
            found = try PINBlockReader.pin(in: block, format: format, pan: pan, key: key)
        }
        let isSame = found == card.definition.pin
        #expect(isSame)
    }
}
