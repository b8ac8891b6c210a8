import EMV
import Foundation
import ISO8583
import LibCrypto
import SocketSupport
import Testing
import VirtualCard

/// Requests without a chip, with values computed by libcrypto.
@Suite("Without a chip", .serialized)
struct NonChipTests {
    private let codec: MessageCodec
    private let issuer: DemoIssuer
    private let pan = "4761739001010028"

    init() throws {
        func place(_ path: String) -> String { DemoEnvironment.root.appendingPathComponent(path).path }
        codec = MessageCodec(dialect: try Dialect(contentsOf: place("Config/iso8583/ascii87-binbitmap.json")))
        issuer = try DemoIssuer(contentsOf: place("Config/demo/demo-issuer.json"))
    }

    private func value(expiry: UInt16, serviceCode: UInt16) throws -> String {
        let key = try issuer.key("cvk-476173")
        let input = try #require(CardValueInput(expiry: expiry, serviceCode: serviceCode))
        let (first, second) = input.blocks(for: try PAN(pan))
        func word(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        func bytes(_ word: UInt64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        let left = Array(key.prefix(8)) + Array(key.prefix(8))
        let chained = word(try TDES.encryptECB(key: left, bytes(first))) ^ second
        let block = word(try TDES.encryptECB(key: key, bytes(chained)))
        let digits = Decimalisation.digits(block, count: 3)
        return String(String(0x1000 | UInt32(digits), radix: 16).suffix(3))
    }

    private func request(stan: Int, entryMode: String, track2: String? = nil, cvv2: String? = nil) -> Message
    {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: pan)
        message.set(.processingCode, text: "000000")
        message.set(.transactionAmount, text: "000000001000")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: String(String(1_000_000 + stan).dropFirst()))
        message.set(.expirationDate, text: "2912")
        message.set(.pointOfServiceEntryMode, text: entryMode)
        message.set(.panSequenceNumber, text: "001")
        message.set(.retrievalReferenceNumber, text: "777000" + String(String(1_000_000 + stan).dropFirst()))
        message.set(.currency, text: "752")
        if let track2 { message.set(.track2, text: track2) }
        if let cvv2, let element = DataElement(rawValue: 126) { message.set(element, text: cvv2) }
        return message
    }

    @Test(
        "Stripe, fallback, cloned chip, card not present: each by its rule, with no value in journal or log")
    func rules() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let socket = try Socket(port: environment.portA)
        let stripe = try value(expiry: 0x2912, serviceCode: 0x101)
        let chipStripe = try value(expiry: 0x2912, serviceCode: 0x201)
        let chip = try value(expiry: 0x2912, serviceCode: 0x999)
        let printed = try value(expiry: 0x2912, serviceCode: 0x000)
        func wrong(_ value: String) -> String { (value.hasPrefix("0") ? "1" : "0") + value.dropFirst() }
        func track(_ serviceCode: String, _ value: String) -> String {
            "\(pan)=2912\(serviceCode)11234\(value)"
        }
        let cases: [(Message, String, String)] = [
            (request(stan: 1, entryMode: "901", track2: track("101", stripe)), "00", "CVV right"),
            (request(stan: 2, entryMode: "901", track2: track("101", wrong(stripe))), "82", "CVV wrong"),
            (request(stan: 3, entryMode: "901", track2: track("101", chip)), "59", "cloned chip"),
            (
                request(stan: 4, entryMode: "801", track2: track("201", chipStripe)), "57",
                "stripe of a card with a chip"
            ),
            (
                request(stan: 5, entryMode: "901", track2: track("201", chipStripe)), "57",
                "stripe of a card with a chip"
            ),
            (request(stan: 6, entryMode: "901", track2: "\(pan)=2912101"), "82", "no service code or CVV"),
            (request(stan: 7, entryMode: "812", cvv2: printed), "00", "CVV2 right"),
            (request(stan: 8, entryMode: "812", cvv2: wrong(printed)), "N7", "CVV2 wrong"),
            (request(stan: 9, entryMode: "012"), "N7", "no CVV2"),
            (request(stan: 10, entryMode: "051"), "30", "no DE55"),
            (
                request(stan: 11, entryMode: "911", track2: track("101", stripe)), "82",
                "no value, number or counter"
            ),
        ]
        for (message, code, reason) in cases {
            socket.sendFrame(try codec.encode(message))
            let answer = try codec.decode(try #require(socket.receiveFrame()))
            #expect(answer.text(.responseCode) == code, "\(reason)")
            let rrn = try #require(message.text(.retrievalReferenceNumber))
            let explained = try DemoEnvironment.run(
                "issuer-host", ["explain", rrn, "--config", environment.configuration])
            #expect(explained.output.contains(reason), "\(explained.output)")
            #expect(!explained.output.contains("11234"), "discretionary data in the journal")
        }
    }
}
