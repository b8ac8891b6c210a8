@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// 3-D Secure authentication values by the code that serves requests.
enum AuthenticationValueVectors {
    static let operations: [String: Comparator] = ["cavv": trackingNumber, "aav": holder]

    private static func trackingNumber(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let digits = try vector.text("pan")
        guard (12...19).contains(digits.utf8.count) else {
            throw Refused("a PAN of \(digits.utf8.count) digits")
        }
        let pan = try PAN(digits)
        let keys = [KeyName("av"): try token.key(vector.bytes("cvk"), [.encrypt])]
        guard vector.optionalText("cavv") != nil else { return try output(vector, pan, keys, &token) }
        let bytes = try vector.bytes("cavv")
        try compare(.cvvWithTrackingNumber, bytes, pan, keys, &token)
        guard try vector.text("version_action") == "00", vector.optionalText("ip") == nil else { return }
        guard let number = UInt64(try vector.text("atn")),
            let method = UInt8(try vector.text("second_factor")),
            let selector = UInt16(try vector.text("key_indicator"), radix: 16),
            let parsed = AuthenticationValue(.cvvWithTrackingNumber, bytes)
        else { throw VectorFault(id: vector.id, field: "digits") }
        // A draft has the results codes of a transaction status alone.
        guard ["0", "7", "9"].contains(try vector.text("auth_result")) else { return }
        var draft = AuthenticationValueDraft(.cvvWithTrackingNumber, number: number)
        (draft.method, draft.keySelector, draft.status) = (method, selector, parsed.status)
        try expect("value made", draft.value(proof: parsed.proof)?.encoded == bytes)
    }

    /// Three digits alone, over a PAN as it is.
    private static func output(
        _ vector: VectorCase, _ pan: PAN, _ keys: [KeyName: ObjectHandle], _ token: inout TokenCalculator
    ) throws {
        let code = try vector.text("auth_result") + vector.text("second_factor")
        guard let number = UInt16(try vector.text("un"), radix: 16), let code = UInt16(code, radix: 16),
            let input = CardValueInput(expiry: number, serviceCode: code),
            let value = UInt16(try vector.text("cavv_output"), radix: 16)
        else { throw VectorFault(id: vector.id, field: "digits") }
        let question = CryptographyQuestion(
            card: CardIdentity(pan: pan, panSequenceNumber: nil), cryptogram: nil, pin: nil,
            cardValue: CardValueQuestion(
                cardVerificationKey: KeyName("av"), candidates: [input], value: value),
            deadline: Deadline(nanoseconds: .max))
        try expect("output", token.answer(question, keys: keys).cardValue == .matches(0))
    }

    private static func holder(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let pan = try PAN(vector.text("pan"))
        let isFirst = try vector.text("form") == "spa1"
        let form: AuthenticationValueForm = isFirst ? .hmacSHA1 : .hmacSHA256
        let number = try vector.word(isFirst ? "tsn" : "ds_reference")
        var draft = AuthenticationValueDraft(form, number: number)
        draft.merchant = Array(try vector.text("merchant").utf8)
        let proof: UInt64
        if isFirst {
            draft.status = try vector.text("control_byte") == "8C" ? .authenticated : .attempted
            guard let method = UInt8(try vector.text("auth_method")),
                let key = UInt16(try vector.text("acs_id") + vector.text("bin_key_id"), radix: 16)
            else { throw VectorFault(id: vector.id, field: "acs_id") }
            (draft.method, draft.keySelector) = (method, key)
            proof = try vector.word(of: "mac", count: 5)
        } else {
            draft.minorUnits = Int64(try vector.text("amount")) ?? -1
            draft.currency = UInt16(try vector.text("currency")) ?? 1_000
            proof = try vector.word("iav")
        }
        guard let value = draft.value(proof: proof) else { throw Mismatch(step: "value: it has no place") }
        try expect("MAC input", value.input(for: pan) == vector.bytes("mac_input"))
        if isFirst { try expect("value", value.encoded == vector.bytes("aav")) }
        let template = Template(
            keyType: .genericSecret, on: [.sensitive, .isPrivate, .sign],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .sign })
        let key = try token.session.createKey(template, value: SecretBytes(copying: vector.bytes("key")))
        try compare(form, value.encoded, pan, [KeyName("av"): key], &token)
    }

    /// The value is the issuer's own, and with a bit of its proof changed it is not.
    private static func compare(
        _ form: AuthenticationValueForm, _ bytes: [UInt8], _ pan: PAN, _ keys: [KeyName: ObjectHandle],
        _ token: inout TokenCalculator
    ) throws {
        func answer(_ bytes: [UInt8]) throws -> AuthenticationAnswer {
            guard let value = AuthenticationValue(form, bytes) else { throw Mismatch(step: "form") }
            var question = CryptographyQuestion(
                card: CardIdentity(pan: pan, panSequenceNumber: nil), cryptogram: nil, pin: nil,
                deadline: Deadline(nanoseconds: .max))
            question.authentication = AuthenticationQuestion(key: KeyName("av"), value: value)
            return try token.answer(question, keys: keys).authentication
        }
        try expect("verdict", answer(bytes) == .matches)
        var changed = bytes
        let place = form == .hmacSHA1 ? 19 : 4
        changed[place] = changed[place] & 0xF0 | (changed[place] & 0x0F == 1 ? 2 : 1)
        try expect("verdict on another value", answer(changed) == .differs)
    }
}

extension VectorCase {
    /// The first bytes of a field of hex.
    fileprivate func word(of field: String, count: Int) throws -> UInt64 {
        try bytes(field).prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
