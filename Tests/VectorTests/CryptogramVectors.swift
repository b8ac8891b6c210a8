@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// ARQC and ARPC: each step by itself, then the whole by the code that serves requests.
enum CryptogramVectors {
    static func cryptogram(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let expected = try vector.word("arqc")
        if try vector.text("profile") == "raw" {
            let padding = MACPadding(rawValue: try vector.number("padding")) ?? .method1
            let found = try token.retailMAC(vector.bytes("sk_ac"), vector.bytes("ac_data"), padding)
            return try expect("ARQC", found == expected)
        }
        let chip = try ICCData(parsing: try vector.bytes("de55")[...])
        guard let bytes = chip[.issuerApplicationData], let atc = chip.atc,
            let number = chip.unpredictableNumber
        else { throw VectorFault(id: vector.id, field: "de55") }
        let iad = try IssuerApplicationData(parsing: bytes)
        let profile = try CryptogramProfile.select(for: iad, among: CryptogramProfile.all)
        try expect("profile", profile.name == vector.text("profile"))
        let card = try vector.card()
        let master = try token.masterKey(vector.bytes("imk_ac"), vector.masterKeyOption(), card)
        try token.expectKey("ICC master key", master.enciphering, vector.bytes("icc_mk_ac"))
        if let diversifier = SessionKeyDerivation.diversifier(
            profile.sessionKey, atc: atc, unpredictableNumber: number)
        {
            let session = try token.derive(from: master.deriving, diversifier)
            try token.expectKey("session key", session.enciphering, vector.bytes("sk_ac"))
        }
        let question = CryptogramQuestion(
            issuerMasterKey: KeyName("imk"), masterKeyOption: try vector.masterKeyOption(), profile: profile,
            atc: atc, unpredictableNumber: number, input: try profile.cryptogramInput(from: chip, iad: iad),
            cryptogram: ApplicationCryptogram(rawValue: expected), prepared: [])
        let answer = try token.answer(
            CryptographyQuestion(
                card: card, cryptogram: question, pin: nil, deadline: Deadline(nanoseconds: .max)),
            keys: [KeyName("imk"): try token.key(vector.bytes("imk_ac"), [.derive])])
        guard case .matches = answer.cryptogram else { throw Mismatch(step: "ARQC") }
    }

    static func response(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let cryptogram = ApplicationCryptogram(rawValue: try vector.word("arqc"))
        let key = try vector.bytes("arpc_key")
        if try vector.text("profile") != "raw" {
            let card = try vector.card()
            let master = try token.masterKey(vector.bytes("imk_ac"), vector.masterKeyOption(), card)
            var derived = master.enciphering
            if let diversifier = SessionKeyDerivation.diversifier(
                try vector.sessionKeyMethod("arpc_sk_method"),
                atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))),
                unpredictableNumber: UnpredictableNumber(rawValue: UInt32(try vector.word("un"))))
            {
                derived = try token.derive(from: master.deriving, diversifier).enciphering
            }
            try token.expectKey("ARPC key", derived, key)
            if try servedResponse(vector, cryptogram, card, &token) { return }
        }
        let found: IssuerAuthenticationData?
        if try vector.number("method") == 1 {
            let code = AuthorisationResponseCode(rawValue: UInt16(try vector.word("arc")))
            let arpc = try token.session.encryptBlock(
                IssuerAuthentication.block(cryptogram, code: code), key: token.key(key, [.encrypt]))
            found = IssuerAuthenticationData(arpc: arpc, code: code)
        } else {
            found = try method2(vector, cryptogram, key, &token)
        }
        try expect("tag 91", found?.bytes == vector.bytes("tag91"))
    }

    /// The case by the code that serves requests, which chooses key and method from the profile; false for answers
    /// with proprietary data, which this host does not send.
    private static func servedResponse(
        _ vector: VectorCase, _ cryptogram: ApplicationCryptogram, _ card: CardIdentity,
        _ token: inout TokenCalculator
    ) throws -> Bool {
        guard let profile = CryptogramProfile.named(try vector.text("profile")),
            let input = CryptogramInput([0], padding: .method2)
        else { throw VectorFault(id: vector.id, field: "profile") }
        let verdict: IssuerVerdict
        switch profile.responseMethod {
        case .method1:
            try expect("ARPC method", vector.number("method") == 1)
            verdict = .responseCode(AuthorisationResponseCode(rawValue: UInt16(try vector.word("arc"))))
        case .method2:
            try expect("ARPC method", vector.number("method") == 2)
            guard try vector.bytes("prop_auth_data").isEmpty else { return false }
            verdict = .statusUpdate(CardStatusUpdate(rawValue: UInt32(try vector.word("csu"))))
        }
        let question = CryptogramQuestion(
            issuerMasterKey: KeyName("imk"), masterKeyOption: try vector.masterKeyOption(), profile: profile,
            atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))),
            unpredictableNumber: UnpredictableNumber(rawValue: UInt32(try vector.word("un"))), input: input,
            cryptogram: cryptogram, prepared: [])
        let data = try token.issuerAuthenticationData(
            for: question, card: card, verdict: verdict,
            keys: [KeyName("imk"): try token.key(vector.bytes("imk_ac"), [.derive])])
        try expect("tag 91", data.bytes == vector.bytes("tag91"))
        return true
    }

    private static func method2(
        _ vector: VectorCase, _ cryptogram: ApplicationCryptogram, _ key: [UInt8],
        _ token: inout TokenCalculator
    ) throws -> IssuerAuthenticationData? {
        let update = CardStatusUpdate(rawValue: UInt32(try vector.word("csu")))
        let proprietary = try vector.bytes("prop_auth_data")
        let (first, second) = (cryptogram.rawValue, UInt64(update.rawValue) << 32)
        var data = [first, second].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        data = Array(data.prefix(12)) + proprietary
        let mac = try token.retailMAC(key, data, .method2)
        return IssuerAuthenticationData(
            arpc: UInt32(truncatingIfNeeded: mac >> 32), statusUpdate: update, proprietary: proprietary)
    }
}
