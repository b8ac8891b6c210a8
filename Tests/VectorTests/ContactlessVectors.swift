@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// Contactless magnetic stripe and CVN 17 by the code that serves requests. What no public source fixes the files call
/// unconfirmed: these computations agree with two programs, and not with a card.
enum ContactlessVectors {
    static let operations: [String: Comparator] = [
        "cvc3": cvc3, "cvc3-track": track, "dcvv": dcvv, "cvn17": cvn17,
    ]

    private static func card(_ vector: VectorCase) throws -> CardIdentity {
        guard try vector.text("mk_option") != "B-hash" else {
            throw Refused(
                "Option B that hashes PANs of sixteen digits and fewer; EMV Book 2 takes Option A for them")
        }
        return try vector.card()
    }

    private static func answer(
        _ form: DynamicCardValue.Form, _ value: UInt32, _ vector: VectorCase, key: String,
        _ token: inout TokenCalculator
    ) throws -> CardValueAnswer {
        let card = try card(vector)
        let dynamic = DynamicCardValue(
            issuerMasterKey: KeyName("imk"), masterKeyOption: try vector.masterKeyOption(), form: form,
            value: value)
        let question = CryptographyQuestion(
            card: card, cryptogram: nil, pin: nil, cardValue: CardValueQuestion(dynamic: dynamic),
            deadline: Deadline(nanoseconds: .max))
        return try token.answer(
            question, keys: [KeyName("imk"): try token.key(vector.bytes(key), [.derive])]
        ).cardValue
    }

    private static func cvc3(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let card = try card(vector)
        let master = try token.masterKey(vector.bytes("imk_cvc3"), vector.masterKeyOption(), card)
        try token.expectKey("ICC master key", master.enciphering, vector.bytes("icc_cvc3"))
        let number = UInt32(try vector.word("un"))
        let atc = UInt16(try vector.word("atc"))
        guard let value = UInt32(try vector.text("cvc3")) else {
            throw VectorFault(id: vector.id, field: "cvc3")
        }
        guard vector.optionalText("track_template") != nil else {
            let block = UInt64(try vector.word("ivcvc3")) << 48 | UInt64(number) << 16 | UInt64(atc)
            let found = try token.session.encryptBlock(block, key: master.enciphering) & 0xFFFF
            return try expect("CVC3", found == UInt64(value))
        }
        guard let track = CryptogramInput(try vector.bytes("track_template"), padding: .method2) else {
            throw VectorFault(id: vector.id, field: "track_template")
        }
        for digits in 3...5 {
            let modulus: UInt32 = [1_000, 10_000, 100_000][digits - 3]
            let form = DynamicCardValue.Form.cvc3(
                track: track, unpredictableNumber: number, atcs: [atc ^ 1, atc], digits: digits)
            let right = try answer(form, value % modulus, vector, key: "imk_cvc3", &token)
            // The other counter may end with the same digits by chance, of three once in a thousand.
            try expect("CVC3", right == .matches(1) || digits == 3 && right == .matches(0))
            let wrong = try answer(form, (value + 1) % modulus, vector, key: "imk_cvc3", &token)
            try expect("refusal of another value", wrong != .matches(1))
        }
    }

    private static func track(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        func discretionary(_ field: String) throws -> [UInt8] {
            let parts = try vector.text(field).split(separator: "D")
            return parts[1].dropFirst(7).utf8.map { $0 - 0x30 }
        }
        guard
            let track = ContactlessTrack(
                valuePositions: UInt16(try vector.word("pcvc3")),
                numberPositions: UInt16(try vector.word("punatc")), atcDigits: try vector.number("natc"))
        else { throw VectorFault(id: vector.id, field: "punatc") }
        guard let content = track.content(of: try discretionary("track2_sent")) else {
            throw Mismatch(step: "track that can be read")
        }
        let all = UInt32(try vector.text("cvc3")) ?? 0
        let modulus = (0..<track.valueDigits).reduce(UInt32(1)) { value, _ in value * 10 }
        try expect("CVC3 on the track", content.value == all % modulus)
        try expect("track as issued", content.issued == discretionary("track2_template"))
        try expect("unpredictable number", content.unpredictableNumber == UInt32(try vector.word("un")))
        let atc = UInt16(try vector.word("atc"))
        if track.atcDigits > 0 { try expect("ATC", track.atcs(endingWith: content.atc).contains(atc)) }
    }

    private static func dcvv(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let card = try card(vector)
        let master = try token.masterKey(vector.bytes("imk_ac"), vector.masterKeyOption(), card)
        try token.expectKey("key of dCVV", master.enciphering, vector.bytes("dcvk"))
        guard let expiry = UInt16(try vector.text("expiry"), radix: 16),
            let code = UInt16(try vector.text("service_code"), radix: 16),
            let atc = UInt16(try vector.text("atc"), radix: 16),
            let input = CardValueInput(expiry: expiry, serviceCode: code),
            let value = UInt32(try vector.text("dcvv"), radix: 16)
        else { throw VectorFault(id: vector.id, field: "digits") }
        let form = DynamicCardValue.Form.dcvv(input, atc: atc)
        try expect("dCVV", answer(form, value, vector, key: "imk_ac", &token) == .matches(0))
        try expect("refusal", answer(form, value ^ 1, vector, key: "imk_ac", &token) == .differs)
    }

    private static func cvn17(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let tags = vector.fields["tags"] as? [String: String] ?? [:]
        let iadBytes = try vector.bytes("9F10")
        var writer = TLVWriter()
        for (tag, name) in [
            (Tag.amountAuthorised, "9F02"), (.unpredictableNumber, "9F37"),
            (.applicationTransactionCounter, "9F36"),
        ] { writer.append(tag, try Hex.decode(tags[name] ?? "")) }
        let chip = try ICCData(parsing: writer.bytes)
        let iad = try IssuerApplicationData(parsing: iadBytes[...])
        let profile = try CryptogramProfile.select(for: iad, among: CryptogramProfile.all)
        try expect("profile", profile.name == "visa-cvn17")
        let input = try profile.cryptogramInput(from: chip, iad: iad)
        let data = try vector.bytes("ac_data")
        try expect("data", Array(input.bytes.prefix(data.count)) == data)
        guard let atc = chip.atc, let number = chip.unpredictableNumber else {
            throw VectorFault(id: vector.id, field: "tags")
        }
        let question = CryptogramQuestion(
            issuerMasterKey: KeyName("imk"), masterKeyOption: try vector.masterKeyOption(), profile: profile,
            atc: atc, unpredictableNumber: number, input: input,
            cryptogram: ApplicationCryptogram(rawValue: try vector.word("arqc")), prepared: [])
        let answer = try token.answer(
            CryptographyQuestion(
                card: card(vector), cryptogram: question, pin: nil, deadline: Deadline(nanoseconds: .max)),
            keys: [KeyName("imk"): try token.key(vector.bytes("imk_ac"), [.derive])])
        guard case .matches = answer.cryptogram else { throw Mismatch(step: "ARQC") }
    }
}
