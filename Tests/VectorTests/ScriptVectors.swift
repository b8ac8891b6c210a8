@testable import Authorisation
import ByteCoding
@testable import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// Issuer scripts: session keys, encipherment, MAC and whole command, each by the code that serves requests.
enum ScriptVectors {
    static let operations: [String: Comparator] = [
        "script-encrypt": encipherment, "script-mac": command, "script-mac-raw": rawMAC,
        "script-pin-change": pinChange,
    ]

    private static let names = (integrity: KeyName("smi"), confidentiality: KeyName("smc"))

    /// What the product refuses of a PIN change, nil where it does it.
    private static func refusal(_ form: SecureMessaging.PINForm, current: String?) -> Refused? {
        if form == .vis {
            return Refused(
                "VIS PIN block: PKCS#11 XORs a secret with public data only (MAC and keys compared)")
        }
        return current == nil ? nil : Refused("change with the current PIN, which no host has")
    }

    // MARK: - Shared set

    private static func command(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let question = try question(vector, profile(vector).secureMessaging)
        try expectSessionKeys(vector, question, &token)
        let made = try protected(
            vector.bytes("command_header"), vector.bytes("command_data"), question, vector, &token)
        try expect("MAC", made.suffix(8) == vector.bytes("mac"))
        try expect("command", made == vector.bytes("apdu"))
        // The product's own header for the same command.
        let kinds: [String: ScriptCommand.Kind] = [
            "application block": .applicationBlock, "application unblock": .applicationUnblock,
            "card block": .cardBlock, "PIN unblock": .pinUnblock,
        ]
        if let kind = kinds[try vector.text("command")], let own = ScriptCommand(kind) {
            try expect("header", own.header(dataCount: 0) == vector.bytes("command_header"))
        }
    }

    private static func pinChange(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        var messaging = CryptogramProfile.ccd.secureMessaging
        if try vector.text("profile") != "ccd-like" { messaging = try profile(vector).secureMessaging }
        guard let form = SecureMessaging.PINForm(rawValue: try vector.text("pin_block_format")) else {
            throw Mismatch(step: "PIN block format")
        }
        try expect("encipherment", messaging.encipherment.rawValue == vector.text("encryption"))
        let question = try question(vector, messaging, form: form)
        try expectSessionKeys(vector, question, &token)
        let mac = try protected(
            vector.bytes("command_header"), vector.bytes("encrypted_pin_block"), question, vector, &token)
        try expect("MAC", mac.suffix(8) == vector.bytes("mac"))
        try expectEncipherment(
            vector.bytes("clear_pin_block"), messaging.encipherment, vector.bytes("sk_smc"),
            vector.bytes("encrypted_pin_block"), &token)
        if let refused = refusal(form, current: vector.optionalText("current_pin")) {
            try expectRefused(vector, question, &token)
            throw refused
        }
        let made = try served(vector, question, newPIN: vector.text("new_pin"), &token)
        try expect("command", made == vector.bytes("apdu"))
    }

    private static func encipherment(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        guard let kind = SecureMessaging.Encipherment(rawValue: try vector.text("encryption")) else {
            throw Mismatch(step: "encipherment")
        }
        try expectEncipherment(
            vector.bytes("data"), kind, vector.bytes("sk_smc"), vector.bytes("encrypted"), &token)
    }

    private static func rawMAC(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let mac = try token.retailMAC(vector.bytes("sk_smi"), vector.bytes("mac_input"), .method2)
        let expected = try vector.bytes("mac")
        try expect("MAC", Array(KeyVectors.word(mac).prefix(try vector.number("mac_length"))) == expected)
    }

    // MARK: - Published

    static func publishedMAC(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let messaging = try input.text("sk_method") == "visa-sm" ? SecureMessaging.visa : .mChip
        let made = try protected(
            input.bytes("command_header"), input.bytes("command_data"), question(input, messaging), input,
            &token)
        try expect("MAC", made.suffix(8) == output.bytes("mac"))
    }

    static func publishedPINChange(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let method = try input.text("sk_method")
        let isVisa = method.hasPrefix("visa")
        var fields = input.fields
        if let r = input.optionalText("r_or_atc") {
            fields["atc"] = isVisa ? r : "0000"
            fields["arqc"] = isVisa ? "0000000000000000" : r
        }
        fields["mk_option"] = "A"
        let vector = VectorCase(fields: fields)
        let encrypted = try output.bytes(
            output.optionalText("encrypted") == nil ? "encrypted_pin_block" : "encrypted")
        let named = input.optionalText("encryption").flatMap(SecureMessaging.Encipherment.init(rawValue:))
        let form = input.optionalText("pin_block_format").flatMap(SecureMessaging.PINForm.init(rawValue:))
        let messaging = SecureMessaging(
            sessionKey: isVisa ? .visa : .commonFromCryptogram,
            encipherment: named ?? (isVisa ? .visa : encrypted.count == 8 ? .mastercard : .emv),
            pinForm: form ?? (isVisa ? .vis : .iso2),
            coversTransaction: fields["mac_includes_atc_arqc"] as? Bool ?? true)
        let question = try question(vector, messaging)
        let made = try protected(vector.bytes("command_header"), encrypted, question, vector, &token)
        try expect("MAC", made.suffix(8) == output.bytes("mac"))
        if let refused = refusal(messaging.pinForm, current: vector.optionalText("current_pin")) {
            try expectRefused(vector, question, &token)
            throw refused
        }
        let command = try served(vector, question, newPIN: vector.text("new_pin"), &token)
        try expect("enciphered PIN", Array(command.dropFirst(5).dropLast(8)) == encrypted)
    }

    /// Everything that a profile computes, from one published test.
    static func publishedProfile(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let tags = try input.inner("tags")
        var fields = input.fields
        fields["atc"] = try tags.text("9F36")
        fields["un"] = try tags.text("9F37")
        fields["arqc"] = try output.text("arqc")
        fields[try input.number("arpc_method") == 1 ? "arc" : "csu"] = try input.text("arc_or_csu")
        let vector = VectorCase(fields: fields)
        var expected: [String: Any] = ["id": output.id, "arqc": try output.text("arqc")]
        // The answer is compared where its key is the cryptogram's or the one that Mastercard's method implies.
        if try input.text("sk_method") == input.text("arpc_sk_method")
            || input.text("arpc_sk_method") == "none",
            try input.text("sk_method") != "mastercard-skd" || input.text("arpc_sk_method") == "none"
        {
            expected["arpc_method\(try input.number("arpc_method"))"] = try output.text("arpc")
        }
        try PublishedEMVVectors.cryptogram(vector, VectorCase(fields: expected), &token)
        let isVisa = try input.text("sm_sk_method") == "visa-sm"
        let covers = fields["mac_includes_atc_arqc"] as? Bool ?? true
        let isVisaCard = input.optionalText("current_pin") != nil
        let messaging = SecureMessaging(
            sessionKey: isVisa ? .visa : .commonFromCryptogram,
            encipherment: isVisaCard ? .visa : .mastercard, pinForm: isVisaCard ? .vis : .iso2,
            coversTransaction: covers)
        let question = try question(vector, messaging)
        let made = try protected(vector.bytes("mac_command_header"), [], question, vector, &token)
        try expect("MAC", made.suffix(8) == output.bytes("mac"))
        let change = try output.bytes("pin_change_command")
        let again = try protected(
            Array(change.prefix(5)), Array(change.dropFirst(5).dropLast(8)), question, vector, &token)
        try expect("MAC of the PIN change", again == change)
        if let refused = refusal(messaging.pinForm, current: nil) { throw refused }
        try expect("PIN change", served(vector, question, newPIN: vector.text("new_pin"), &token) == change)
    }

    // MARK: - Steps

    private static func profile(_ vector: VectorCase) throws -> CryptogramProfile {
        guard let profile = CryptogramProfile.named(try vector.text("profile")) else {
            throw Mismatch(step: "profile")
        }
        return profile
    }

    private static func question(
        _ vector: VectorCase, _ messaging: SecureMessaging, form: SecureMessaging.PINForm? = nil,
        command: ScriptCommand? = ScriptCommand(.pinChange), newPIN: NewPIN? = nil
    ) throws -> IssuerScriptQuestion {
        guard let command else { throw Mismatch(step: "command") }
        let atc = vector.optionalText("atc") == nil ? 0 : UInt16(try vector.word("atc"))
        return IssuerScriptQuestion(
            policy: IssuerScriptPolicy(
                integrityKey: names.integrity, confidentialityKey: names.confidentiality, pinForm: form),
            masterKeyOption: try vector.masterKeyOption(), messaging: messaging, card: try vector.card(),
            atc: ApplicationTransactionCounter(rawValue: atc),
            cryptogram: ApplicationCryptogram(rawValue: try vector.word("arqc")), command: command,
            newPIN: newPIN)
    }

    private static func keys(
        _ vector: VectorCase, _ token: inout TokenCalculator
    ) throws -> [KeyName: ObjectHandle] {
        var keys = [names.integrity: try token.key(vector.bytes("imk_smi"), [.derive])]
        if vector.optionalText("imk_smc") != nil {
            keys[names.confidentiality] = try token.key(vector.bytes("imk_smc"), [.derive])
        }
        return keys
    }

    private static func protected(
        _ header: [UInt8], _ data: [UInt8], _ question: IssuerScriptQuestion, _ vector: VectorCase,
        _ token: inout TokenCalculator
    ) throws -> [UInt8] {
        var serving = try token.serving(keys(vector, &token))
        var made: [ObjectHandle] = []
        return try serving.protected(header, data, question: question, made: &made)
    }

    /// The whole PIN change, from a format 0 block under a zone key.
    private static func served(
        _ vector: VectorCase, _ question: IssuerScriptQuestion, newPIN digits: String,
        _ token: inout TokenCalculator
    ) throws -> [UInt8] {
        let zoneKey = (0..<16).map { UInt8(0x31 + $0) }
        let field = "0\(String(digits.count, radix: 16))\(digits)".padding(with: "F", to: 16)
        let clear = try Hex.decode(field).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let block = try token.session.encryptBlock(
            clear ^ PINBlock.panField(for: question.card.pan), key: token.key(zoneKey, [.encrypt]))
        var keys = try keys(vector, &token)
        keys[KeyName("zpk")] = try token.key(zoneKey, [.unwrap])
        var serving = try token.serving(keys)
        return try serving.protectedCommand(
            IssuerScriptQuestion(
                policy: question.policy, masterKeyOption: question.masterKeyOption,
                messaging: question.messaging, card: question.card, atc: question.atc,
                cryptogram: question.cryptogram, command: question.command,
                newPIN: NewPIN(zonePINKey: KeyName("zpk"), block: EncipheredPINBlock(rawValue: block))))
    }

    /// What is refused by design is refused in words, not done otherwise.
    private static func expectRefused(
        _ vector: VectorCase, _ question: IssuerScriptQuestion, _ token: inout TokenCalculator
    ) throws {
        // A current PIN is no part of any question: there is nothing to refuse.
        guard (question.policy.pinForm ?? question.messaging.pinForm) == .vis else { return }
        do {
            _ = try served(vector, question, newPIN: "1234", &token)
        } catch JobError.refused {
            return
        }
        throw Mismatch(step: "refusal")
    }

    private static func expectSessionKeys(
        _ vector: VectorCase, _ question: IssuerScriptQuestion, _ token: inout TokenCalculator
    ) throws {
        var serving = try token.serving(keys(vector, &token))
        var made: [ObjectHandle] = []
        let integrity = try serving.messagingKeys(
            names.integrity, question, template: SessionTemplates.encipheringKey, made: &made)
        try token.expectKey("session key for integrity", integrity.full, vector.bytes("sk_smi"))
        let confidentiality = try serving.messagingKeys(
            names.confidentiality, question, template: SessionTemplates.encipheringKey, made: &made)
        try token.expectKey("session key for confidentiality", confidentiality.full, vector.bytes("sk_smc"))
    }

    private static func expectEncipherment(
        _ clear: [UInt8], _ encipherment: SecureMessaging.Encipherment, _ key: [UInt8],
        _ expected: [UInt8], _ token: inout TokenCalculator
    ) throws {
        let object = try token.session.createKey(
            SessionTemplates.pinMaterial, value: SecretBytes(copying: clear))
        let wrapping = try token.key(key, [.wrap])
        var serving = try token.serving([:])
        var made: [ObjectHandle] = []
        let found = try serving.encipher(
            object, count: clear.count, encipherment: encipherment, under: wrapping, made: &made)
        try expect("enciphered data", found == expected)
    }
}

extension String {
    fileprivate func padding(with character: Character, to count: Int) -> String {
        self + String(repeating: character, count: max(0, count - self.count))
    }
}
