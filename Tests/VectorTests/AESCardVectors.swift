@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
import LibCrypto
@testable import PKCS11
import VectorSupport
import VirtualCard

/// AES cards: a computation of one origin only, so the token's and the virtual card's are both held against it.
enum AESCardVectors {
    static func cryptogram(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let card = try vector.card()
        let issuerMasterKey = try vector.bytes("imk_ac")
        let atc = ApplicationTransactionCounter(rawValue: UInt16(try vector.inner("tags").word("9F36")))
        let chip = try AESChip.iccMasterKey(issuerMasterKey: issuerMasterKey, card: card)
        try expect("ICC master key of the chip", chip == vector.bytes("icc_mk_ac"))
        let session = try AESChip.sessionKey(iccMasterKey: chip, atc: atc)
        try expect("session key of the chip", session == vector.bytes("sk_ac"))
        guard let input = CryptogramInput(try vector.bytes("ac_data"), padding: .none) else {
            throw VectorFault(id: vector.id, field: "ac_data")
        }
        let expected = ApplicationCryptogram(rawValue: try vector.word("arqc"))
        try expect(
            "ARQC of the chip", AESChip.mac(input, sessionKey: session) == expected.rawValue)
        try derivedKeys(vector, card, atc, &token)
        try served(vector, card, atc, input, expected, &token)
        try response(vector, expected, session, &token)
    }

    /// In the token, by check value: the CMAC of zeros under a key that may sign.
    private static func derivedKeys(
        _ vector: VectorCase, _ card: CardIdentity, _ atc: ApplicationTransactionCounter,
        _ token: inout TokenCalculator
    ) throws {
        let value = try vector.bytes("imk_ac")
        let base = try token.aesKey(value, [.derive])
        for (step, data, expected) in [
            (
                "ICC master key", AESKeyDerivation.masterKeyData(for: card, keyByteCount: value.count),
                try vector.bytes("icc_mk_ac")
            )
        ] {
            let derived = try token.session.deriveKey(
                from: base, .aesECB, data: data,
                template: SessionTemplates.aesKey(.sign, byteCount: value.count))
            let zeros = [UInt8](repeating: 0, count: 16)
            try expect(
                "check value of the \(step)",
                token.session.aesCMAC(zeros, key: derived) == token.aesCMAC(expected, zeros))
        }
    }

    /// The whole by the code that serves requests: the right cryptogram, and one bit off.
    private static func served(
        _ vector: VectorCase, _ card: CardIdentity, _ atc: ApplicationTransactionCounter,
        _ input: CryptogramInput, _ expected: ApplicationCryptogram, _ token: inout TokenCalculator
    ) throws {
        let keys = [KeyName("imk"): try token.aesKey(vector.bytes("imk_ac"), [.derive])]
        for flipped in [UInt64(0), 1] {
            let question = CryptogramQuestion(
                issuerMasterKey: KeyName("imk"), masterKeyOption: .c, profile: .ccdAES, atc: atc,
                unpredictableNumber: UnpredictableNumber(rawValue: 0), input: input,
                cryptogram: ApplicationCryptogram(rawValue: expected.rawValue ^ flipped),
                prepared: [.statusUpdate(CardStatusUpdate(rawValue: UInt32(try vector.word("csu"))))])
            let answer = try token.answer(
                CryptographyQuestion(
                    card: card, cryptogram: question, pin: nil, deadline: Deadline(nanoseconds: .max)),
                keys: keys)
            guard case .matches = answer.cryptogram else {
                try expect("ARQC", flipped != 0)
                continue
            }
            try expect("refusal of another ARQC", flipped == 0)
        }
    }

    private static func response(
        _ vector: VectorCase, _ cryptogram: ApplicationCryptogram, _ sessionKey: [UInt8],
        _ token: inout TokenCalculator
    ) throws {
        guard
            let input = IssuerAuthentication.aesInput(
                cryptogram, statusUpdate: CardStatusUpdate(rawValue: UInt32(try vector.word("csu"))),
                proprietary: try vector.bytes("prop_auth_data"))
        else { throw VectorFault(id: vector.id, field: "prop_auth_data") }
        let arpc = try vector.word("arpc_method2")
        try expect("ARPC of the chip", AESChip.mac(input, sessionKey: sessionKey) >> 32 == arpc)
        let mac = try token.aesCMAC(sessionKey, input.bytes)
        try expect("ARPC", mac.prefix(4).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == arpc)
    }
}

/// EMV2000 session keys by the virtual card. The host refuses such cards by name: the token cannot encipher one of its
/// keys under another and keep the result.
enum SessionKeyTreeVectors {
    static func key(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        try compare(vector, vector.bytes("sk"))
    }

    static func published(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        try compare(vector.inner("in"), vector.inner("out").bytes("sk"))
    }

    private static func compare(_ input: VectorCase, _ expected: [UInt8]) throws {
        let vector = try input.bytes("iv")
        let halves = [0, 8].map { vector[$0..<$0 + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        guard
            let tree = SessionKeyTree(
                height: try input.number("height"), branchFactor: try input.number("branch"),
                initialVector: Diversifier(left: halves[0], right: halves[1])),
            let master = DoubleLengthKey(bytes: try input.bytes("icc_mk")),
            let sought = DoubleLengthKey(bytes: expected)
        else { throw VectorFault(id: input.id, field: "height") }
        var chip = try ChipCryptography()
        let found = try chip.sessionKey(
            tree, iccMasterKey: master,
            atc: ApplicationTransactionCounter(rawValue: UInt16(try input.word("atc"))))
        try expect("session key", found.left == sought.left && found.right == sought.right)
        let checkValue = input.optionalText("sk_kcv")
        try expect("check value", checkValue == nil || Hex.encode(KeyCheckValue.tdes(found)) == checkValue)
    }
}
