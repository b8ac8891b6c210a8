@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// ICC master keys, session keys and key check values.
enum KeyVectors {
    static func masterKey(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let key = try token.masterKey(vector.bytes("imk"), vector.masterKeyOption(), vector.card())
        try token.expectCheckValue("ICC master key", key.enciphering, vector.text("icc_mk_kcv"))
        try token.expectKey("ICC master key", key.enciphering, vector.bytes("icc_mk"))
    }

    // MARK: - Session keys

    static let sessionKeyMethods: [String: Comparator] = [
        "csk-ac": common, "csk-sm": common, "emv2000-tree": SessionKeyTreeVectors.key,
        "mastercard-skd": mastercard, "none": masterItself, "visa-sm": visaSecureMessaging,
    ]

    private static func masterItself(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let key = try token.key(vector.bytes("icc_mk"), [.encrypt])
        try expectSessionKey(key, vector, &token)
    }

    private static func common(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let master = try token.key(vector.bytes("icc_mk"), [.derive])
        let diversifier = SessionKeyDerivation.diversifier(from: try vector.word("r"))
        try expectSessionKey(token.derive(from: master, diversifier).enciphering, vector, &token)
    }

    private static func visaSecureMessaging(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let master = try token.key(vector.bytes("icc_mk"), [.derive])
        let mask = SessionKeyDerivation.visaSecureMessagingMask(
            atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))))
        let key = try mask.withUnsafeBytes {
            try token.session.xorKey(master, with: $0, template: SessionTemplates.encipheringKey)
        }
        try expectSessionKey(key, vector, &token)
    }

    private static func mastercard(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let master = try token.key(vector.bytes("icc_mk"), [.derive])
        let diversifier = SessionKeyDerivation.diversifier(
            .mastercard, atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))),
            unpredictableNumber: UnpredictableNumber(rawValue: UInt32(try vector.word("un"))))
        guard let diversifier else { throw Mismatch(step: "session key method") }
        try expectSessionKey(token.derive(from: master, diversifier).enciphering, vector, &token)
    }

    private static func expectSessionKey(
        _ key: ObjectHandle, _ vector: VectorCase, _ token: inout TokenCalculator
    ) throws {
        try token.expectCheckValue("session key", key, vector.text("sk_kcv"))
        try token.expectKey("session key", key, vector.bytes("sk"))
    }

    // MARK: - Check values

    static func checkValue(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let found = try checkBlock(
            vector.bytes("key"), vector.text("algorithm"), vector.text("method"), &token)
        try expect(
            "check value",
            Hex.encode(found).hasPrefix(vector.optionalText("kcv_full_block") ?? "")
                && Hex.encode(found.prefix(3)) == vector.text("kcv3"))
    }

    static func publishedCheckValue(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let (input, output) = (try vector.inner("in"), try vector.inner("out"))
        let found = try checkBlock(
            input.bytes("key"), input.text("algorithm"), input.optionalText("method") ?? "ecb", &token)
        try expect("check value", Hex.encode(found).hasPrefix(output.text("kcv")))
    }

    /// TDES enciphers zeros (ANSI X9.24-1:2009), AES is the CMAC of zeros (X9.24-1:2017) or, of old, their
    /// encipherment too.
    static func checkBlock(
        _ key: [UInt8], _ algorithm: String, _ method: String, _ token: inout TokenCalculator
    ) throws -> [UInt8] {
        switch (algorithm, method) {
        case ("TDES", _): word(try token.session.encryptBlock(0, key: token.key(key, [.encrypt])))
        case ("AES", let method) where method.hasPrefix("cmac"):
            try token.aesCMAC(key, [UInt8](repeating: 0, count: 16))
        case ("AES", _): try token.aesEncryptZeros(key)
        default: throw Unsupported("\(algorithm) \(method)")
        }
    }

    /// Eight bytes, big endian.
    static func word(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}
