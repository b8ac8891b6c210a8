@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// `published-emv.json`: each operation with its `in` and `out`.
enum PublishedEMVVectors {
    static let operations: [String: Comparator] = [
        "arpc": { try response($0.inner("in"), $0.inner("out"), &$1) },
        "arqc": { try cryptogram($0.inner("in"), $0.inner("out"), &$1) },
        "arqc+arpc": { try cryptogram($0.inner("in"), $0.inner("out"), &$1) },
        "cvn-all": { try ScriptVectors.publishedProfile($0.inner("in"), $0.inner("out"), &$1) },
        "script-mac": { try ScriptVectors.publishedMAC($0.inner("in"), $0.inner("out"), &$1) },
        "script-pin-change": { try ScriptVectors.publishedPINChange($0.inner("in"), $0.inner("out"), &$1) },
        "emv2000-sk": SessionKeyTreeVectors.published,
        "mk": { try masterKey($0.inner("in"), $0.inner("out"), &$1) },
        "mk+csk": { try masterAndSessionKey($0.inner("in"), $0.inner("out"), &$1) },
    ]

    private static func masterKey(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let key = try token.masterKey(input.bytes("imk"), input.masterKeyOption(), input.card())
        try token.expectKey("ICC master key", key.enciphering, output.bytes("icc_mk"))
    }

    private static func masterAndSessionKey(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let master = try token.masterKey(input.bytes("imk"), input.masterKeyOption(), input.card())
        try token.expectCheckValue("ICC master key", master.enciphering, output.text("icc_mk_kcv2"))
        let session = try token.derive(
            from: master.deriving, SessionKeyDerivation.diversifier(from: input.word("r")))
        try token.expectCheckValue("session key", session.enciphering, output.text("sk_kcv2"))
    }

    static func cryptogram(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let isPBOC = try input.text("sk_method") == "pboc"
        let method = isPBOC ? .common : try input.sessionKeyMethod("sk_method")
        let master = try token.masterKey(input.bytes("imk_ac"), input.masterKeyOption(), input.card())
        var (full, chain) = (master.enciphering, master.chaining)
        if method != .none {
            let number = input.optionalText("un") == nil ? 0 : UInt32(try input.word("un"))
            let atc = ApplicationTransactionCounter(rawValue: UInt16(try input.word("atc")))
            let diversifier =
                isPBOC
                ? SessionKeyDerivation.pbocDiversifier(atc: atc)
                : SessionKeyDerivation.diversifier(
                    method, atc: atc, unpredictableNumber: UnpredictableNumber(rawValue: number))
            if let diversifier {
                let session = try token.derive(from: master.deriving, diversifier)
                if isPBOC { try token.expectKey("session key", session.enciphering, input.bytes("sk_ac")) }
                (full, chain) = (session.enciphering, session.chaining)
            }
        }
        let padding = MACPadding(rawValue: try input.number("padding")) ?? .method1
        let found = try token.retailMAC(input.bytes("ac_data"), padding, full: full, chain: chain)
        try expect("ARQC", found == output.word("arqc"))
        let cryptogram = ApplicationCryptogram(rawValue: found)
        // With the Mastercard session key the answer is made under the ICC master key.
        if method == .mastercard { (full, chain) = (master.enciphering, master.chaining) }
        if output.optionalText("arpc_method1") != nil {
            let code = AuthorisationResponseCode(rawValue: UInt16(try input.word("arc")))
            let arpc = try token.session.encryptBlock(
                IssuerAuthentication.block(cryptogram, code: code), key: full)
            try expect("ARPC by method 1", arpc == output.word("arpc_method1"))
        }
        guard output.optionalText("arpc_method2") != nil else { return }
        let update = CardStatusUpdate(rawValue: UInt32(try input.word("csu")))
        let (first, second) = IssuerAuthentication.blocks(cryptogram, statusUpdate: update)
        let chained = try token.session.encryptBlock(first, key: chain)
        let arpc = try token.session.encryptBlock(chained ^ second, key: full) >> 32
        try expect("ARPC by method 2", arpc == output.word("arpc_method2"))
    }

    private static func response(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws {
        let cryptogram = ApplicationCryptogram(rawValue: try input.word("arqc"))
        let key = try input.bytes("key")
        if try input.number("method") == 1 {
            let code = AuthorisationResponseCode(rawValue: UInt16(try input.word("arc_or_csu")))
            let arpc = try token.session.encryptBlock(
                IssuerAuthentication.block(cryptogram, code: code), key: token.key(key, [.encrypt]))
            return try expect("ARPC", arpc == output.word("arpc"))
        }
        let data = try input.bytes("arqc") + input.bytes("arc_or_csu") + input.bytes("prop_auth_data")
        try expect("ARPC", token.retailMAC(key, data, .method2) >> 32 == output.word("arpc"))
    }
}
