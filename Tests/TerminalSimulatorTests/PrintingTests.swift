import ByteCoding
import EMV
import ISO8583
import TerminalSimulator
import Testing

@Suite("Printing")
struct PrintingTests {
    @Test("Chip data is opened tag by tag, templates too")
    func chipData() throws {
        let data = try Hex.decode("9F3602012C8A0230309F270180710A9F1804010203048601AA9F7F0155")
        let lines = try ChipDataListing.lines(data[...])
        #expect(lines.map(\.tag.description) == ["9F36", "8A", "9F27", "71", "9F18", "86", "9F7F"])
        #expect(lines.map(\.depth) == [0, 0, 0, 0, 1, 1, 0])
        #expect(lines[0].name == "Application Transaction Counter")
        #expect(lines[0].value == "012C  = 300")
        #expect(lines[1].value == "3030  = 00")
        #expect(lines[2].value == "80  = ARQC")
        #expect(lines[3].value == "")
        #expect(lines[6].name == "(not in the table)")
    }

    @Test("What bears the account, a track or a name is masked, inside of templates too")
    func masking() throws {
        let account = "5A084761739001010010"
        let track = "57114761739001010010D29122010000000000"
        let name = "5F2003444F45"
        for data in [account + track + name, "701D" + account + track + "9C0100"] {
            let values = try ChipDataListing.lines(Hex.decode(data)[...]).map(\.value)
            #expect(values.contains("476173******0010"))
            #expect(values.contains("(17 bytes, not shown)"))
            let leaked = values.contains { $0.contains("4761739001010010") || $0.contains("444F45") }
            #expect(!leaked)
        }
        let short = try ChipDataListing.lines(Hex.decode("5A0412345678")[...])
        #expect(short.map(\.value) == ["********"])
        let padded = try ChipDataListing.lines(Hex.decode("5A0A6399990000001234568F")[...])
        #expect(padded.map(\.value) == ["639999*********4568"])
    }

    @Test("Malformed chip data is said to be so, and the rest is still shown")
    func malformed() throws {
        let dialect = try TestData.codec("ascii87-binbitmap").dialect
        var message = Message(mti: .authorisationResponse)
        message.set(.stan, text: "000007")
        message.set(.responseCode, text: "30")
        message.set(.iccData, bytes: [0x9F, 0x36, 0x05, 0x01])
        let text = Printing.message(message, title: "Response", dialect: dialect)
        #expect(text.contains("0110"))
        #expect(text.contains("30 = format error"))
        #expect(text.contains("not readable: tag 9F36 at offset 0 is cut short by 4 bytes"))
    }

    @Test("Milliseconds to hundredths")
    func milliseconds() {
        #expect(Printing.milliseconds(.microseconds(1_834)) == "1.83")
        #expect(Printing.milliseconds(.microseconds(5)) == "0.01")
        #expect(Printing.milliseconds(.seconds(2)) == "2000.00")
    }

    @Test(
        "Amounts in major units",
        arguments: [
            ("42.50", 4_250), ("42.5", 4_250), ("42", 4_200), ("0.01", 1), ("9999999999.99", 999_999_999_999),
            ("", nil), (".5", nil), ("1.", nil), ("1.234", nil), ("-1", nil), ("+1", nil), ("1,5", nil),
            ("1.2.3", nil), ("10000000000", nil), ("٤", nil),
        ] as [(String, UInt64?)])
    func amounts(text: String, minorUnits: UInt64?) {
        #expect(MoneyText.minorUnits(text) == minorUnits)
    }

    @Test("Amounts with their currency")
    func moneyText() {
        #expect(MoneyText.text(4_250, currency: 752) == "42.50 SEK")
        #expect(MoneyText.text(5, currency: 36) == "0.05 AUD")
        #expect(MoneyText.text(1_500, currency: 392) == "1500 JPY")
        #expect(MoneyText.text(1_250, currency: 414) == "1.250 KWD")
    }
}
