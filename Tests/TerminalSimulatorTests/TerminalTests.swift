import ByteCoding
import EMV
import Foundation
import ISO8583
import LibCrypto
import TerminalSimulator
import Testing
import VirtualCard

@Suite("Terminal")
struct TerminalTests {
    private let issuer: DemoIssuer

    init() throws { issuer = try DemoIssuer(contentsOf: TestData.issuerPath) }

    private func request(
        _ name: String, pin: PINEntry = .right, distortion: Distortion = Distortion(),
        dialect: String = "ascii87-binbitmap"
    ) throws -> PurchaseRequest {
        var card = try VirtualCard(issuer, card: name)
        var terminal = Terminal(surroundings: TestData.stillSurroundings())
        return try terminal.request(
            Purchase(amount: 4_250, pin: pin, distortion: distortion), card: &card,
            zonePINKey: issuer.key("zpk-acquirer-a"), dialect: TestData.codec(dialect).dialect)
    }

    @Test(
        "What the codec writes reads back the same, for every card",
        arguments: ["ascii87-binbitmap", "bcd87-rightF", "ebcdic87", "tpdu-ascii87-binbitmap"])
    func decodesBack(dialect: String) throws {
        let codec = try TestData.codec(dialect)
        for card in issuer.cards {
            let message = try request(card.name, dialect: dialect).message
            let back = try codec.decode(codec.encode(message))
            let same = back == message
            #expect(same, "\(card.name)")
            let elements = Array(back.presentElements.map { Int($0.rawValue) })
            #expect(elements == [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 23, 25, 32, 35, 37, 41, 42, 49, 52, 55])
        }
    }

    @Test("The elements agree with each other and with the card")
    func contents() throws {
        let card = try issuer.card("ccd-19-digits")
        let message = try request("ccd-19-digits").message
        #expect(message.mti == .authorisationRequest)
        #expect(message.text(.transactionAmount) == "000000004250")
        #expect(message.text(.currency) == "752")
        #expect(message.text(.expirationDate) == "2912")
        #expect(message.text(.panSequenceNumber) == "005")
        let digits = TestData.digits(of: card.identity.pan)
        let panIsRight = message.text(.pan) == digits
        #expect(panIsRight)
        let trackIsRight = message.text(.track2) == digits + "=291220110000"
        #expect(trackIsRight)
        let chip = try ICCData(parsing: Array(try #require(message.bytes(.iccData))))
        #expect(chip.amountAuthorised == 4_250)
        #expect(chip.transactionCurrencyCode == 752)
        #expect(chip.atc == ApplicationTransactionCounter(rawValue: 1))
        #expect(message.text(.retrievalReferenceNumber)?.suffix(6).description == message.text(.stan))
        // 2026-11-24 06:00:00 UTC, day 328 of the year.
        #expect(message.text(.transmissionTime) == "1124060000")
        #expect(message.text(.retrievalReferenceNumber)?.prefix(6) == "632806")
    }

    @Test(
        "Track 2 of the chip holds the chip's value, that of the stripe the stripe's; CVV2 goes where the link has it"
    )
    func withoutChip() throws {
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        func message(
            _ presentation: CardPresentation, _ change: (inout StripeSettings) -> Void = { _ in }
        ) throws -> Message {
            var terminal = Terminal(surroundings: TestData.stillSurroundings())
            var purchase = Purchase(amount: 4_250, pin: .none)
            purchase.presentation = presentation
            change(&purchase.stripe)
            return try terminal.request(
                withoutChip: purchase, card: &card, zonePINKey: nil,
                dialect: TestData.codec("ascii87-binbitmap").dialect,
                printedValue: DataElement(rawValue: 126).map { PrintedValuePosition(element: $0, offset: 2) })
        }
        func value(_ message: Message) -> Substring? { message.text(.track2)?.suffix(3) }
        let chip = try request("visa-cvn18", pin: .none).message
        let stripe = try message(.stripe)
        let copied = try message(.fallback) { $0.cvv = .chip }
        let (values, entries) = (
            [value(chip) == value(copied), value(stripe) != value(chip)],
            [chip, stripe, copied].map { $0.text(.pointOfServiceEntryMode) }
        )
        #expect(values == [true, true])
        #expect(entries == ["051", "901", "801"])
        #expect(!stripe.has(.iccData) && stripe.has(.panSequenceNumber))
        let shop = try message(.eCommerce)
        let place = try #require(DataElement(rawValue: 126))
        #expect(shop.text(place)?.count == 5 && shop.text(place)?.hasPrefix("  ") == true)
        #expect(!shop.has(.track2) && shop.text(.pointOfServiceConditionCode) == "59")
        #expect(try !message(.keyed) { $0.cvv2 = .none }.has(place))
    }

    @Test("A PIN block of sixteen bytes goes where the dialect has its place, and DE53 says its format")
    func format4() throws {
        let state = TestData.temporaryFolder()
        let links = """
              a: {port: 1, dialect: ascii87-binbitmap, zonePINKey: zpk-acquirer-a,
                pin: {format: 0, aesKey: zpk-aes, formatCodes: ["01:0", "04:4"]}}
            """
        let bench = try Bench(TestData.configuration(links: links, state: state))
        let link = try bench.link(bench.configuration.links[0])
        let dialect = link.form.codec.dialect
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        var terminal = Terminal(surroundings: TestData.stillSurroundings())
        var purchase = Purchase(amount: 4_250, pin: .right)
        purchase.setPINFormat(.iso4, of: link)
        let message = try terminal.request(
            purchase, card: &card, zonePINKey: link.zonePINKey(for: .iso4), dialect: dialect
        ).message
        let element = try #require(dialect.element(holding: .format4PINBlock))
        let digits = try #require(message.text(element))
        let block = try EncipheredPINBlock16(rawValue: #require(UInt128(digits, radix: 16)))
        let pin = try PINBlockReader.pin(
            in: block, pan: card.definition.identity.pan, key: issuer.key("zpk-aes"))
        let isRight = pin == card.definition.pin
        #expect(isRight && !message.has(.pinData))
        #expect(message.text(.securityControl) == "2001040100000000")
        purchase.setPINFormat(of: link)
        let usual = try terminal.request(
            purchase, card: &card, zonePINKey: link.zonePINKey(for: .iso0), dialect: dialect
        ).message
        #expect(usual.has(.pinData) && !usual.has(element) && !usual.has(.securityControl))
    }

    @Test("No PIN, no DE52; a PIN without a key is refused")
    func pinEntries() throws {
        #expect(try !request("visa-cvn18", pin: .none).message.has(.pinData))
        let right = try request("visa-cvn18", pin: .right).message.bytes(.pinData)
        let typed = try request("visa-cvn18", pin: .typed(#require(PIN("4321")))).message.bytes(.pinData)
        let wrong = try request("visa-cvn18", pin: .wrong).message.bytes(.pinData)
        let typedIsRight = right == typed
        let wrongIsOther = right != wrong
        #expect(typedIsRight && wrongIsOther)
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        var terminal = Terminal()
        let dialect = try TestData.codec("ascii87-binbitmap").dialect
        #expect(throws: TerminalError.noZonePINKey) {
            _ = try terminal.request(
                Purchase(amount: 1, pin: .right), card: &card, zonePINKey: nil, dialect: dialect)
        }
        #expect(throws: TerminalError.amountTooLarge) {
            _ = try terminal.request(
                Purchase(amount: 1_000_000_000_000, pin: .none), card: &card, zonePINKey: nil,
                dialect: dialect)
        }
    }

    @Test("DE52 is the vectors' enciphered block of format 0")
    func pinBlockVectors() throws {
        let folder =
            ProcessInfo.processInfo.environment["VECTORS_DIR"].map { URL(filePath: $0) }
            ?? TestData.root.appending(path: "Tests/Vectors")
        let file = try JSONSerialization.jsonObject(
            with: Data(contentsOf: folder.appending(path: "pin-blocks.json")))
        let cases = ((file as? [String: Any])?["cases"] as? [[String: Any]] ?? []).filter {
            $0["op"] as? String == "pinblock" && $0["format"] as? Int == 0 && $0["zpk"] is String
        }
        #expect(cases.count >= 5)
        for vector in cases {
            func text(_ key: String) throws -> String { try #require(vector[key] as? String, "\(key)") }
            let pan = try text("pan")
            let zpk = try text("zpk")
            let kcv = try Hex.encode(KeyCheckValue.tdes(Hex.decode(zpk)).prefix(3))
            let json = """
                {"keys": {"zpk": {"value": "\(zpk)", "kcv": "\(kcv)"}, "imk-ac-\(pan.prefix(6))":
                 {"value": "0123456789ABCDEFFEDCBA9876543210", "kcv": "08D7B4"}},
                 "cards": [{"name": "card", "pan": "\(pan)", "expiry": "2912", "cryptogramProfile":
                 "visa-cvn18", "pin": "\(try text("pin"))", "issuerApplicationData": "06011203A0B800",
                 "status": "active", "availableMinorUnits": 1, "currency": "752"}]}
                """
            let issuer = try DemoIssuer(json: Array(json.utf8))
            var card = try VirtualCard(issuer, card: "card")
            var terminal = Terminal(surroundings: TestData.stillSurroundings())
            let request = try terminal.request(
                Purchase(amount: 1, pin: .right), card: &card, zonePINKey: issuer.key("zpk"),
                dialect: TestData.codec("ascii87-binbitmap").dialect)
            let expected = try Hex.decode(text("encrypted_block"))
            let same = request.message.bytes(.pinData).map(Array.init) == expected
            let id = try text("id")
            #expect(same, "\(id)")
        }
    }

    @Test("Distortions reach the message and nothing else")
    func distortions() throws {
        var distortion = Distortion()
        distortion.fields = [(.transactionAmount, "000000104250")]
        distortion.chip = .changed(.amountAuthorised, to: [0, 0, 0, 0x10, 0x42, 0x50])
        distortion.bytesCut = 7
        let distorted = try request("visa-cvn10", distortion: distortion)
        let plain = try request("visa-cvn10")
        #expect(distorted.bytesCut == 7)
        #expect(distorted.message.text(.transactionAmount) == "000000104250")
        let chip = try ICCData(parsing: Array(try #require(distorted.message.bytes(.iccData))))
        #expect(chip.amountAuthorised == 104_250)
        #expect(chip.cryptogram == plain.cardAnswer.signed.cryptogram)
    }

    @Test("Trace numbers go from 999,999 to 1")
    func traceNumbers() throws {
        let surroundings = TerminalSurroundings(unixSeconds: { 1_795_500_000 }, random: { 999_998 })
        var terminal = Terminal(surroundings: surroundings)
        let dialect = try TestData.codec("ascii87-binbitmap").dialect
        let first = terminal.echoRequest(dialect: dialect)
        let second = terminal.echoRequest(dialect: dialect)
        #expect(first.text(.stan) == "999999")
        #expect(second.text(.stan) == "000001")
        #expect(first.text(.networkManagementCode) == "301")
        #expect(first.mti == .networkManagementRequest)
    }
}
