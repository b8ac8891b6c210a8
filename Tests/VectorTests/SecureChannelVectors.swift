import ByteCoding
import EMV
import Issuance
import LibCrypto
@testable import PKCS11
import VectorSupport
import VirtualCard

/// Secure channels from both sides: the host's in the token, the card's by libcrypto. They share byte encodings alone,
/// so that a case which both get right was computed twice.
enum SecureChannelVectors {
    static let operations: [String: Comparator] = [
        "scp02": { vector, token in try session(vector, &token, number: 2) },
        "scp03": { vector, token in try session(vector, &token, number: 3) },
        "scp-check": { vector, token in
            try check(vector, &token, number: vector.text("protocol") == "03" ? 3 : 2)
        },
        "scp-diversify": { vector, token in try wrapping { try diversify(vector, &token) } },
        "scp-key-wrap": { vector, token in try wrapping { try wrap(vector, &token) } },
    ]

    /// SoftHSM2 wraps no keys under block ciphers, and says so.
    private static func wrapping(_ body: () throws -> Void) throws {
        do { try body() } catch let error as PKCS11Error where error.code == 0x70 {
            throw Refused("the token wraps no keys under block ciphers, or cannot fill them up")
        }
    }

    // MARK: - What a case says

    private static func answer(_ vector: VectorCase, number: Int) throws -> InitializeUpdateAnswer {
        let parameter = vector.optionalText("i").flatMap { UInt8($0, radix: 16) } ?? 0
        let cryptogram =
            try vector.fields["given"] == nil
            ? vector.bytes("card_cryptogram") : vector.inner("given").bytes("card_cryptogram")
        return InitializeUpdateAnswer(
            diversificationData: try vector.optionalText("kdd").map { try Hex.decode($0) }
                ?? [UInt8](repeating: 0, count: 10),
            keyVersion: vector.optionalText("key_version").flatMap { UInt8($0, radix: 16) } ?? 1,
            protocolNumber: UInt8(number), parameter: number == 3 ? parameter : nil,
            sequenceCounter: try vector.optionalText("sequence_counter").map { try Hex.decode($0) }
                ?? (number == 3 && ChannelParameter.isPseudoRandom(parameter) ? [0, 0, 0] : []),
            challenge: try vector.bytes("card_challenge"), cryptogram: cryptogram)
    }

    private static func level(_ vector: VectorCase) throws -> SecurityLevel {
        SecurityLevel(rawValue: try vector.bytes("security_level")[0])
    }

    private static func commands(_ vector: VectorCase) -> [VectorCase] {
        (vector.fields["commands"] as? [[String: Any]] ?? []).map(VectorCase.init(fields:))
    }

    private static func command(_ bytes: [UInt8]) throws -> CommandAPDU {
        guard let command = CommandAPDU(bytes) else { throw Mismatch(step: "form of a command") }
        return command
    }

    private static func staticKeys(
        _ vector: VectorCase, _ token: inout TokenCalculator, number: Int
    ) throws -> CardManagementKeys {
        func key(_ name: String, _ usage: [Attribute]) throws -> ObjectHandle {
            let value = try vector.bytes(name)
            return try number == 2 ? token.key(value, usage) : token.aesKey(value, usage)
        }
        return CardManagementKeys(
            encipherment: try key("k_enc", [.derive]), authentication: try key("k_mac", [.derive]),
            dataEncryption: try key("k_dek", number == 2 ? [.derive] : [.wrap]),
            byteCount: try vector.bytes("k_enc").count)
    }

    private static func cardChannel(_ vector: VectorCase, number: Int) throws -> CardChannel {
        let parameter = vector.optionalText("i").flatMap { UInt8($0, radix: 16) } ?? 0
        let counter = try vector.optionalText("sequence_counter").map { try Hex.decode($0) } ?? []
        return try CardChannel(
            CardKeySet(
                number == 2 ? .tripleDES(parameter: parameter) : .aes(parameter: parameter),
                version: vector.optionalText("key_version").flatMap { UInt8($0, radix: 16) } ?? 1,
                encipherment: vector.bytes("k_enc"), authentication: vector.bytes("k_mac"),
                dataEncryption: vector.bytes("k_dek")),
            hostChallenge: vector.bytes("host_challenge"),
            sequence: counter.reduce(0) { $0 << 8 | UInt32($1) },
            // Where the case says what it follows from, the card makes it.
            challenge: counter.isEmpty || vector.optionalText("aid") == nil
                ? vector.bytes("card_challenge") : nil,
            identifier: try vector.optionalText("aid").map { try Hex.decode($0) } ?? [],
            serial: try vector.optionalText("kdd").map { try Hex.decode($0) }
                ?? [UInt8](repeating: 0, count: 10))
    }

    private static func hostChannel(
        _ vector: VectorCase, _ token: inout TokenCalculator, number: Int
    ) throws -> SecureChannel {
        try SecureChannel(
            answer(vector, number: number), hostChallenge: vector.bytes("host_challenge"),
            level: level(vector), keys: staticKeys(vector, &token, number: number),
            identifier: vector.optionalText("aid").map { try Hex.decode($0) }, session: &token.session)
    }

    // MARK: - Sessions

    private static func session(
        _ vector: VectorCase, _ token: inout TokenCalculator, number: Int
    ) throws {
        let said = try answer(vector, number: number)
        if let text = vector.optionalText("initialize_update_response") {
            try expect("answer to INITIALIZE UPDATE", said.bytes == Hex.decode(text))
            try expect("answer read again", InitializeUpdateAnswer(Hex.decode(text)) == said)
        }
        var host = try hostChannel(vector, &token, number: number)
        defer { host.end(&token.session) }
        var card = try cardChannel(vector, number: number)
        try expect("card's answer to INITIALIZE UPDATE", card.answer == said.bytes)
        let authenticate = try host.externalAuthenticate(&token.session)
        try expect(
            "EXTERNAL AUTHENTICATE", authenticate.bytes == vector.bytes("external_authenticate"))
        try expect("card's verdict on the host", card.authenticate(authenticate) == 0x9000)
        for (index, step) in commands(vector).enumerated() {
            let plain = try command(step.bytes("command"))
            let sent = try host.protect(plain, &token.session)
            try expect("command \(index)", sent.bytes == step.bytes("wrapped"))
            try expect("command \(index) in the card", card.open(sent) == plain)
            guard let text = step.optionalText("response_wrapped") else { continue }
            let status = UInt16(try step.text("sw"), radix: 16) ?? 0
            let meant = ResponseAPDU(try step.bytes("response_data"), status: status)
            let received = try card.protect(meant)
            try expect("answer \(index)", received.bytes == Hex.decode(text))
            try expect("answer \(index) at the host", host.open(received, &token.session) == meant)
        }
    }

    /// Each is refused, and at the place that the case names.
    private static func check(_ vector: VectorCase, _ token: inout TokenCalculator, number: Int) throws {
        let (reason, given) = (try vector.text("reason"), try vector.inner("given"))
        var card = try cardChannel(vector, number: number)
        do {
            var host = try hostChannel(vector, &token, number: number)
            try expect("cryptogram of the card", reason != "card-cryptogram")
            _ = try host.externalAuthenticate(&token.session)
            let status = try card.authenticate(command(given.bytes("external_authenticate")))
            if reason == "external-authenticate" {
                return try expect("refusal of the host", status == 0x6300 || status == 0x6982)
            }
            try expect("card's verdict on the host", status == 0x9000)
            try follow(vector, given, reason, &host, &card, &token)
        } catch let error as ChannelError {
            try expect("refusal of the card", reason == "card-cryptogram" && error == .cardCryptogram)
        }
    }

    private static func follow(
        _ vector: VectorCase, _ given: VectorCase, _ reason: String, _ host: inout SecureChannel,
        _ card: inout CardChannel, _ token: inout TokenCalculator
    ) throws {
        let last = try vector.number("index")
        let sent = (given.fields["wrapped"] as? [String] ?? [])
        let received = (given.fields["responses"] as? [String] ?? [])
        for (index, step) in commands(vector).enumerated() where index <= last {
            _ = try host.protect(command(step.bytes("command")), &token.session)
            let opened = try card.open(command(Hex.decode(sent[index])))
            if reason == "c-mac", index == last { return try expect("refusal", opened == nil) }
            try expect("command \(index) in the card", opened != nil)
            guard index < received.count, let answer = ResponseAPDU(try Hex.decode(received[index])) else {
                continue
            }
            do {
                _ = try host.open(answer, &token.session)
                try expect("refusal of answer \(index)", reason != "r-mac" || index != last)
            } catch ChannelError.answerMAC {
                return try expect("answer \(index)", reason == "r-mac" && index == last)
            }
        }
        throw Mismatch(step: "refusal")
    }

    // MARK: - Static keys

    private static func diversify(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let form = try vector.text("form")
        guard let diversification = KeyDiversification(rawValue: form) else { throw Unsupported(form) }
        let master = try vector.bytes("master")
        let base =
            try diversification.isAES ? token.aesKey(master, [.derive]) : token.key(master, [.derive])
        let dek =
            try diversification.isAES
            ? token.aesKey(master, [.wrap]) : token.key(master, [.wrap])
        let made = try PutKey.command(
            version: 1, replacing: 0, diversification: diversification, from: base, byteCount: master.count,
            diversificationData: vector.bytes("kdd"),
            under: CardDataEncryption(dek, isAES: diversification.isAES), session: &token.session)
        // The card takes the keys out again: their values, not their check values alone.
        var data = Array(made.command.data[1...])
        for name in ["enc", "mac", "dek"] {
            let key = try NewKey.take(from: &data) { text throws(LibCryptoError) in
                try diversification.isAES
                    ? AES.decryptCBC(key: master, data: text) : TDES.decryptECB(key: master, text)
            }
            // A token may give a triple DES key odd parity; the cipher does not see it.
            let mask: UInt8 = diversification.isAES ? 0xFF : 0xFE
            try expect(
                "key \(name)", key?.value.map { $0 & mask } == vector.bytes("k_\(name)").map { $0 & mask })
            try expect("check value of \(name)", key?.checkValue == vector.bytes("kcv_\(name)"))
        }
        try expect("end of the command", data.isEmpty)
        let keys = try diversification.keys(
            from: base, byteCount: master.count, data: vector.bytes("kdd"), session: &token.session)
        keys.end(&token.session)
    }

    private static func wrap(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let isAES = try vector.text("protocol") == "03"
        let (dek, value) = (try vector.bytes("dek"), try vector.bytes("key"))
        var data = try vector.bytes("put_key_data")
        guard value.count > 8 else { throw Refused("single DES keys") }
        let under = try isAES ? token.aesKey(dek, [.wrap]) : token.key(dek, [.wrap])
        let key = try token.leavingKey(value, isAES: isAES)
        let field = try PutKey.field(
            key, isAES: isAES, byteCount: value.count,
            dataEncryption: CardDataEncryption(under, isAES: isAES), session: &token.session
        )
        try expect("data of PUT KEY", field == data)
        let taken = try NewKey.take(from: &data) { text throws(LibCryptoError) in
            try isAES ? AES.decryptCBC(key: dek, data: text) : TDES.decryptECB(key: dek, text)
        }
        try expect("key in the card", taken?.value == value)
    }
}

extension TokenCalculator {
    fileprivate mutating func leavingKey(_ value: [UInt8], isAES: Bool) throws -> ObjectHandle {
        try session.createKey(
            Template(
                keyType: isAES ? .aes : value.count == 24 ? .des3 : .des2,
                on: [.sensitive, .isPrivate, .extractable, .derive], off: [.token]),
            value: SecretBytes(copying: value))
    }
}
