import ByteCoding
import EMV
import LibCrypto
import Testing
import VectorSupport

@testable import VirtualCard

/// Issuer scripts with libcrypto alone: every case of the file, none left out.
@Suite("Issuer script vectors")
struct ScriptVectorTests {
    @Test("issuer-scripts.json: keys, MACs, encipherment, PIN blocks")
    func scripts() throws {
        var compared: [String: Int] = [:]
        for vector in try VectorCase.all("issuer-scripts.json") {
            let operation = try vector.text("op")
            switch operation {
            case "script-mac": try command(vector)
            case "script-pin-change": try pinChange(vector)
            case "script-encrypt": try encipherment(vector)
            case "script-mac-raw":
                let key = try CryptogramVectorTests.key(vector, "sk_smi")
                let mac = try MAC.algorithm3(key: key, try vector.bytes("mac_input"), padding: .method2)
                let bytes = (0..<8).map { UInt8(truncatingIfNeeded: mac >> UInt64(56 - 8 * $0)) }
                #expect(
                    Array(bytes.prefix(try vector.number("mac_length"))) == (try vector.bytes("mac")),
                    "\(vector)")
            default: Issue.record("\(vector): \(operation) is compared by nobody")
            }
            compared[operation, default: 0] += 1
        }
        #expect(compared.values.reduce(0, +) >= 82)
        #expect(compared.count == 4)
    }

    private func messaging(_ vector: VectorCase) throws -> SecureMessaging {
        let name = try vector.text("profile")
        let profile = name == "ccd-like" ? CryptogramProfile.ccd : CryptogramProfile.named(name)
        return try #require(profile, "\(vector)").secureMessaging
    }

    /// ATC, ARQC and both session keys, held against the case's own.
    private func keys(
        _ vector: VectorCase, _ chip: inout ChipCryptography
    ) throws -> (ScriptVerification, integrity: DoubleLengthKey, confidentiality: DoubleLengthKey) {
        let card = try CryptogramVectorTests.card(vector)
        let option = try #require(MasterKeyOption(rawValue: try vector.text("mk_option")))
        let atc = ApplicationTransactionCounter(
            rawValue: vector.optionalText("atc") == nil ? 0 : UInt16(try vector.word("atc")))
        let cryptogram = ApplicationCryptogram(rawValue: try vector.word("arqc"))
        func master(_ name: String) throws -> DoubleLengthKey {
            try chip.iccMasterKey(
                issuerMasterKey: CryptogramVectorTests.key(vector, name), option: option, card: card)
        }
        let cardKeys = CardScriptKeys(
            integrity: try master("imk_smi"), confidentiality: try master("imk_smc"))
        let messaging = try messaging(vector)
        let integrity = try chip.scriptSessionKey(
            messaging, iccMasterKey: cardKeys.integrity, atc: atc, cryptogram: cryptogram)
        let confidentiality = try chip.scriptSessionKey(
            messaging, iccMasterKey: cardKeys.confidentiality, atc: atc, cryptogram: cryptogram)
        for (key, name) in [(integrity, "sk_smi"), (confidentiality, "sk_smc")] {
            let expected = try CryptogramVectorTests.key(vector, name)
            #expect(key.left == expected.left && key.right == expected.right, "\(vector) \(name)")
        }
        let half = vector.optionalText("imk_ac") == nil ? 0 : try master("imk_ac").left
        let verification = ScriptVerification(
            messaging: messaging, keys: cardKeys, keyHalf: half, atc: atc, cryptogram: cryptogram)
        return (verification, integrity, confidentiality)
    }

    private func command(_ vector: VectorCase) throws {
        var chip = try ChipCryptography()
        let (verification, key, _) = try keys(vector, &chip)
        let mac = try chip.scriptMAC(
            verification.messaging, key: key, header: vector.bytes("command_header"),
            data: vector.bytes("command_data"), atc: verification.atc, cryptogram: verification.cryptogram)
        #expect(mac == (try vector.word("mac")), "\(vector)")
        // The card takes the command, and not the one with a bit changed.
        let apdu = try vector.bytes("apdu")
        var memory = CardMemory(pin: try #require(PIN("1234")), pinForm: .iso2)
        let known = try vector.text("command") != "UPDATE RECORD"
        #expect(try memory.perform(apdu, verification, chip: &chip) == (known ? 0x9000 : 0x6D00), "\(vector)")
        var changed = apdu
        changed[apdu.count - 1] ^= 1
        var other = CardMemory(pin: try #require(PIN("1234")), pinForm: .iso2)
        #expect(try other.perform(changed, verification, chip: &chip) == 0x6988, "\(vector)")
        #expect(other.hasFailed && !other.isApplicationBlocked && !other.isCardBlocked)
    }

    private func pinChange(_ vector: VectorCase) throws {
        var chip = try ChipCryptography()
        let (verification, _, key) = try keys(vector, &chip)
        let form = try #require(
            SecureMessaging.PINForm(rawValue: try vector.text("pin_block_format")), "\(vector)")
        let pin = try #require(PIN(try vector.text("new_pin")))
        let current = vector.optionalText("current_pin").flatMap { PIN($0) }
        let block = ClearPINBlock.scriptBlock(pin, form, keyHalf: verification.keyHalf, current: current)
        #expect(block == (try vector.word("clear_pin_block")), "\(vector)")
        let enciphered = try chip.encipherScriptData(
            vector.bytes("clear_pin_block"), verification.messaging.encipherment, key: key)
        #expect(enciphered == (try vector.bytes("encrypted_pin_block")), "\(vector)")
        var memory = CardMemory(pin: try #require(current ?? PIN("0000")), pinForm: form)
        #expect(try memory.perform(vector.bytes("apdu"), verification, chip: &chip) == 0x9000, "\(vector)")
        #expect(memory.pin == pin, "\(vector)")
    }

    private func encipherment(_ vector: VectorCase) throws {
        let chip = try ChipCryptography()
        let kind = try #require(
            SecureMessaging.Encipherment(rawValue: try vector.text("encryption")), "\(vector)")
        let (data, key) = (try vector.bytes("data"), try CryptogramVectorTests.key(vector, "sk_smc"))
        let enciphered = try chip.encipherScriptData(data, kind, key: key)
        #expect(enciphered == (try vector.bytes("encrypted")), "\(vector)")
        #expect(
            try chip.decipherScriptData(enciphered, kind, key: key, count: data.count) == data, "\(vector)")
    }
}
