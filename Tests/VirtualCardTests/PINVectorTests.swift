import ByteCoding
import EMV
import LibCrypto
import Testing
import VirtualCard
import VectorSupport

/// PIN blocks against the vectors. Format 2 is for the card alone and no part of this module.
@Suite("PIN block vectors")
struct PINVectorTests {
    private func pan(_ vector: VectorCase) throws -> PAN {
        // Format 1 has no account; any will do.
        try PAN(vector.optionalText("pan") ?? "4761739001010010")
    }

    private func word(_ text: String?) -> UInt64 { text.flatMap { UInt64($0, radix: 16) } ?? 0 }

    /// The enciphered block in hex.
    private func block(
        _ pin: PIN, pan: PAN, format: PINBlockFormat, key: [UInt8], fill: UInt64
    ) throws -> String {
        if format == .iso4 {
            var pad = try AESPINPad(zonePINKey: key)
            return Hex.encode(try pad.block(pin, pan: pan, fill: fill).bytes)
        }
        var pad = try PINPad(zonePINKey: key)
        let word = try pad.block(pin, pan: pan, format: format, fill: fill).rawValue
        let digits = String(word, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func read(_ hex: String, format: PINBlockFormat, pan: PAN, key: [UInt8]) throws -> PIN {
        if format == .iso4 {
            let value = try #require(UInt128(hex, radix: 16))
            return try PINBlockReader.pin(in: EncipheredPINBlock16(rawValue: value), pan: pan, key: key)
        }
        return try PINBlockReader.pin(
            in: EncipheredPINBlock(rawValue: word(hex)), format: format, pan: pan, key: key)
    }

    @Test("pin-blocks.json: blocks made and read")
    func blocks() throws {
        var compared = 0
        for vector in try VectorCase.all("pin-blocks.json") where try vector.text("op") == "pinblock" {
            guard let format = PINBlockFormat(rawValue: UInt8(try vector.number("format"))) else { continue }
            let key = try vector.bytes(format == .iso4 ? "aes_key" : "zpk")
            let check = Hex.encode(
                try (format == .iso4 ? KeyCheckValue.aes(key) : KeyCheckValue.tdes(key)).prefix(3))
            #expect(
                check == (try vector.text(format == .iso4 ? "aes_key_kcv_cmac" : "zpk_kcv")), "\(vector): key"
            )
            let pin = try #require(PIN(vector.text("pin")))
            let pan = try pan(vector)
            let fill = word(vector.optionalText("fill"))
            let expected = try vector.text("encrypted_block")
            let made = try block(pin, pan: pan, format: format, key: key, fill: fill) == expected
            #expect(made, "\(vector)")
            let found = try read(expected, format: format, pan: pan, key: key) == pin
            #expect(found, "\(vector): read back")
            if format == .iso4 {
                let field = PINBlock.format4PANField(for: pan)
                let same = try field == UInt128(vector.text("pan_field"), radix: 16)
                #expect(same, "\(vector): account field")
            } else {
                let clear =
                    try ClearPINBlock.pin(of: vector.word("clear_block"), format: format, pan: pan) == pin
                #expect(clear, "\(vector): clear block")
            }
            compared += 1
        }
        #expect(compared == 35)
    }

    @Test("pin-blocks.json: the PIN survives translation between any two formats")
    func translations() throws {
        var compared = 0
        for vector in try VectorCase.all("pin-blocks.json") where try vector.text("op") == "pin-translate" {
            let from = try #require(PINBlockFormat(rawValue: UInt8(try vector.number("in_format"))))
            let to = try #require(PINBlockFormat(rawValue: UInt8(try vector.number("out_format"))))
            let pan = try pan(vector)
            let pin = try read(vector.text("in_block"), format: from, pan: pan, key: vector.bytes("in_key"))
            let readGood = pin == PIN(try vector.text("pin"))
            #expect(readGood, "\(vector): read")
            let out = try block(
                pin, pan: pan, format: to, key: vector.bytes("out_key"),
                fill: word(vector.optionalText("out_fill")))
            let madeGood = out == (try vector.text("out_block"))
            #expect(madeGood, "\(vector): made")
            compared += 1
        }
        #expect(compared == 24)
    }

    @Test("pin-blocks.json: blocks that are none are refused")
    func invalid() throws {
        var compared = 0
        for vector in try VectorCase.all("pin-blocks.json") where try vector.text("op") == "pinblock-invalid"
        {
            guard let format = PINBlockFormat(rawValue: UInt8(try vector.number("format"))) else { continue }
            let clear = try vector.word("clear_block")
            let account = try pan(vector)
            #expect(throws: PINBlockError.self, "\(vector)") {
                _ = try ClearPINBlock.pin(of: clear, format: format, pan: account)
            }
            compared += 1
        }
        #expect(compared == 8)
    }

    @Test("published-pin-card.json: PIN blocks")
    func published() throws {
        var compared = 0
        for vector in try VectorCase.all("published-pin-card.json") {
            let given = try vector.inner("in")
            let out = try vector.inner("out")
            switch try vector.text("op") {
            case "pinblock":
                let pin = try #require(PIN(given.text("pin")))
                let clear = ClearPINBlock.format0(pin, pan: try PAN(given.text("pan")))
                let same = try clear == out.word("clear_block")
                #expect(same, "\(vector)")
            case "pinblock-encrypted":
                // One vector has an account of a single digit, which is no PAN.
                guard let pan = try? PAN(given.text("pan")) else { continue }
                let format = try #require(PINBlockFormat(rawValue: UInt8(try given.number("format"))))
                let key = try given.bytes(format == .iso4 ? "key" : "zpk")
                let pin = try read(given.text("encrypted_block"), format: format, pan: pan, key: key)
                let same = pin == PIN(try out.text("pin"))
                #expect(same, "\(vector)")
            default: continue
            }
            compared += 1
        }
        #expect(compared == 8)
    }

    @Test("PINs: 4 to 12 digits, silent about themselves")
    func pins() throws {
        for count in 0...14 {
            #expect((PIN(String(repeating: "7", count: count)) != nil) == (4...12).contains(count))
        }
        #expect(PIN("12a4") == nil && PIN("123=") == nil)
        let pin = try #require(PIN("864213"))
        var dumped = ""
        dump(pin, to: &dumped)
        for text in ["\(pin)", String(reflecting: pin), dumped] {
            let silent = !text.contains("864213") && !text.contains("864")
            #expect(silent)
        }
        let other = try #require(PIN("8642130"))
        let different = pin != other && pin == PIN("864213")
        #expect(different)
    }

    @Test("random fill never leaves A to F in format 3")
    func fill() throws {
        var generator = SeededGenerator(seed: 0x5EED_0004)
        let pan = try PAN("4761739001010010")
        for _ in 0..<200 {
            let digits = (0..<Int.random(in: 4...12, using: &generator))
                .map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
            let pin = try #require(PIN(digits))
            let clear = ClearPINBlock.format3(pin, pan: pan, fill: generator.next())
            let same = try ClearPINBlock.pin(of: clear, format: .iso3, pan: pan) == pin
            #expect(same)
        }
    }
}
