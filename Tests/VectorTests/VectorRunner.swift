@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport

/// One case through the product. Throws `Unsupported` for what the product does not do yet.
enum VectorRunner {
    /// - Parameter location: the token that does the keyed work.
    static func passes(_ vector: VectorCase, in file: String, on location: TokenLocation) throws -> Bool {
        var token = try TokenCalculator(location)
        switch file {
        case "arqc.json": return try cryptogram(vector, &token)
        case "arpc.json": return try response(vector, &token)
        case "emv-master-keys.json":
            let key = try token.masterKey(vector.bytes("imk"), vector.masterKeyOption(), vector.card())
            return try token.checkValue(key.enciphering) == vector.text("icc_mk_kcv")
                && token.same(key.enciphering, as: vector.bytes("icc_mk"))
        case "emv-session-keys.json": return try sessionKey(vector, file, &token)
        case "kcv.json": return try checkValue(vector, &token)
        case "mac.json": return try mac(vector, &token)
        case "pin-blocks.json": return try translation(vector, file, &token)
        case "published-emv.json": return try published(vector, file, &token)
        case "published-pin-card.json":
            guard try vector.text("op") == "kcv" else {
                throw Unsupported("\(file) \(try vector.text("op"))")
            }
            return try publishedCheckValue(vector, &token)
        default: throw Unsupported(file)
        }
    }

    // MARK: - Cryptograms

    /// Each step by its own, then the whole by the code that serves requests.
    private static func cryptogram(_ vector: VectorCase, _ token: inout TokenCalculator) throws -> Bool {
        let expected = try vector.word("arqc")
        if try vector.text("profile") == "raw" {
            let padding = MACPadding(rawValue: try vector.number("padding")) ?? .method1
            return try token.retailMAC(vector.bytes("sk_ac"), vector.bytes("ac_data"), padding) == expected
        }
        let chip = try ICCData(parsing: try vector.bytes("de55")[...])
        guard let bytes = chip[.issuerApplicationData], let atc = chip.atc,
            let number = chip.unpredictableNumber
        else { return false }
        let iad = try IssuerApplicationData(parsing: bytes)
        let profile = try CryptogramProfile.select(for: iad, among: CryptogramProfile.all)
        guard profile.name == (try vector.text("profile")) else { return false }
        let card = try vector.card()
        let master = try token.masterKey(vector.bytes("imk_ac"), vector.masterKeyOption(), card)
        guard try token.same(master.enciphering, as: vector.bytes("icc_mk_ac")) else { return false }
        if let diversifier = SessionKeyDerivation.diversifier(
            profile.sessionKey, atc: atc, unpredictableNumber: number)
        {
            let session = try token.derive(from: master.deriving, diversifier)
            guard try token.same(session.enciphering, as: vector.bytes("sk_ac")) else { return false }
        }
        let question = CryptogramQuestion(
            issuerMasterKey: KeyName("imk"), masterKeyOption: try vector.masterKeyOption(), profile: profile,
            atc: atc, unpredictableNumber: number, input: try profile.cryptogramInput(from: chip, iad: iad),
            cryptogram: ApplicationCryptogram(rawValue: expected), prepared: [])
        let answer = try token.answer(
            CryptographyQuestion(
                card: card, cryptogram: question, pin: nil, deadline: Deadline(nanoseconds: .max)),
            keys: [KeyName("imk"): try token.key(vector.bytes("imk_ac"), [.derive])])
        guard case .matches = answer.cryptogram else { return false }
        return true
    }

    private static func response(_ vector: VectorCase, _ token: inout TokenCalculator) throws -> Bool {
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
            guard try token.same(derived, as: key) else { return false }
            if let served = try servedResponse(vector, cryptogram, card, &token) { return served }
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
        return found?.bytes == (try vector.bytes("tag91"))
    }

    /// The case by the code that serves requests, which chooses key and method from the profile; nil for answers
    /// with proprietary data, which this host does not send.
    private static func servedResponse(
        _ vector: VectorCase, _ cryptogram: ApplicationCryptogram, _ card: CardIdentity,
        _ token: inout TokenCalculator
    ) throws -> Bool? {
        guard let profile = CryptogramProfile.named(try vector.text("profile")),
            let input = CryptogramInput([0], padding: .method2)
        else { return false }
        let verdict: IssuerVerdict
        switch profile.responseMethod {
        case .method1:
            guard try vector.number("method") == 1 else { return false }
            verdict = .responseCode(AuthorisationResponseCode(rawValue: UInt16(try vector.word("arc"))))
        case .method2:
            guard try vector.number("method") == 2 else { return false }
            guard try vector.bytes("prop_auth_data").isEmpty else { return nil }
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
        return data.bytes == (try vector.bytes("tag91"))
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

    private static func sessionKey(
        _ vector: VectorCase, _ file: String, _ token: inout TokenCalculator
    ) throws -> Bool {
        let master = try vector.bytes("icc_mk")
        let base = try token.key(master, [.derive])
        let diversifier: Diversifier
        switch try vector.text("method") {
        case "none": return try token.same(try token.key(master, [.encrypt]), as: vector.bytes("sk"))
        case "csk-ac", "csk-sm": diversifier = SessionKeyDerivation.diversifier(from: try vector.word("r"))
        case "mastercard-skd":
            guard
                let found = SessionKeyDerivation.diversifier(
                    .mastercard, atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))),
                    unpredictableNumber: UnpredictableNumber(rawValue: UInt32(try vector.word("un"))))
            else { return false }
            diversifier = found
        case let method: throw Unsupported("\(file) \(method)")
        }
        let key = try token.derive(from: base, diversifier)
        return try token.checkValue(key.enciphering) == vector.text("sk_kcv")
            && token.same(key.enciphering, as: vector.bytes("sk"))
    }

    // MARK: - Published cases

    private static func published(
        _ vector: VectorCase, _ file: String, _ token: inout TokenCalculator
    ) throws -> Bool {
        let (input, output) = (try vector.inner("in"), try vector.inner("out"))
        switch try vector.text("op") {
        case "arqc", "arqc+arpc": return try publishedCryptogram(input, output, file, &token)
        case "arpc": return try publishedResponse(input, output, &token)
        case "mk":
            let key = try token.masterKey(input.bytes("imk"), input.masterKeyOption(), input.card())
            return try token.same(key.enciphering, as: output.bytes("icc_mk"))
        case "mk+csk":
            let master = try token.masterKey(input.bytes("imk"), input.masterKeyOption(), input.card())
            let session = try token.derive(
                from: master.deriving, SessionKeyDerivation.diversifier(from: input.word("r")))
            return try token.checkValue(master.enciphering).hasPrefix(output.text("icc_mk_kcv2"))
                && token.checkValue(session.enciphering).hasPrefix(output.text("sk_kcv2"))
        case let operation: throw Unsupported("\(file) \(operation)")
        }
    }

    private static func publishedCryptogram(
        _ input: VectorCase, _ output: VectorCase, _ file: String, _ token: inout TokenCalculator
    ) throws -> Bool {
        guard let method = try? input.sessionKeyMethod("sk_method") else {
            throw Unsupported("\(file) session key \(try input.text("sk_method"))")
        }
        let master = try token.masterKey(input.bytes("imk_ac"), input.masterKeyOption(), input.card())
        var (full, chain) = (master.enciphering, master.chaining)
        if method != .none {
            let number = input.optionalText("un") == nil ? 0 : UInt32(try input.word("un"))
            if let diversifier = SessionKeyDerivation.diversifier(
                method, atc: ApplicationTransactionCounter(rawValue: UInt16(try input.word("atc"))),
                unpredictableNumber: UnpredictableNumber(rawValue: number))
            {
                let session = try token.derive(from: master.deriving, diversifier)
                (full, chain) = (session.enciphering, session.chaining)
            }
        }
        let padding = MACPadding(rawValue: try input.number("padding")) ?? .method1
        let found = try token.session.retailMAC(
            padding.pad(input.bytes("ac_data")), key: full, leftHalf: chain, token.chaining)
        guard try found == output.word("arqc") else { return false }
        let cryptogram = ApplicationCryptogram(rawValue: found)
        // With the Mastercard session key the answer is made under the ICC master key.
        if method == .mastercard { (full, chain) = (master.enciphering, master.chaining) }
        if output.optionalText("arpc_method1") != nil {
            let code = AuthorisationResponseCode(rawValue: UInt16(try input.word("arc")))
            let arpc = try token.session.encryptBlock(
                IssuerAuthentication.block(cryptogram, code: code), key: full)
            guard try arpc == output.word("arpc_method1") else { return false }
        }
        guard output.optionalText("arpc_method2") != nil else { return true }
        let update = CardStatusUpdate(rawValue: UInt32(try input.word("csu")))
        let (first, second) = IssuerAuthentication.blocks(cryptogram, statusUpdate: update)
        let chained = try token.session.encryptBlock(first, key: chain)
        return try token.session.encryptBlock(chained ^ second, key: full) >> 32
            == output.word("arpc_method2")
    }

    private static func publishedResponse(
        _ input: VectorCase, _ output: VectorCase, _ token: inout TokenCalculator
    ) throws -> Bool {
        let cryptogram = ApplicationCryptogram(rawValue: try input.word("arqc"))
        let key = try input.bytes("key")
        if try input.number("method") == 1 {
            let code = AuthorisationResponseCode(rawValue: UInt16(try input.word("arc_or_csu")))
            let arpc = try token.session.encryptBlock(
                IssuerAuthentication.block(cryptogram, code: code), key: token.key(key, [.encrypt]))
            return try arpc == output.word("arpc")
        }
        let data = try input.bytes("arqc") + input.bytes("arc_or_csu") + input.bytes("prop_auth_data")
        return try token.retailMAC(key, data, .method2) >> 32 == output.word("arpc")
    }

    // MARK: - Check values, MACs, PIN blocks

    private static func checkValue(_ vector: VectorCase, _ token: inout TokenCalculator) throws -> Bool {
        let key = try vector.bytes("key")
        let found: [UInt8]
        switch (try vector.text("algorithm"), try vector.text("method")) {
        case ("TDES", "ecb-zeros"):
            let block = try token.session.encryptBlock(0, key: token.key(key, [.encrypt]))
            found = (0..<8).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) }
        case ("AES", "cmac-zeros"): found = try token.aesCMAC(key, [UInt8](repeating: 0, count: 16))
        case ("AES", "ecb-zeros-legacy"): found = try token.aesEncryptZeros(key)
        case (let algorithm, let method): throw Unsupported("kcv.json \(algorithm) \(method)")
        }
        return try Hex.encode(found).hasPrefix(vector.optionalText("kcv_full_block") ?? "")
            && Hex.encode(found.prefix(3)) == (try vector.text("kcv3"))
    }

    private static func publishedCheckValue(_ vector: VectorCase, _ token: inout TokenCalculator) throws
        -> Bool
    {
        let (input, output) = (try vector.inner("in"), try vector.inner("out"))
        let key = try input.bytes("key")
        let found: [UInt8]
        switch (try input.text("algorithm"), input.optionalText("method") ?? "") {
        case ("TDES", _):
            let block = try token.session.encryptBlock(0, key: token.key(key, [.encrypt]))
            found = (0..<8).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) }
        case ("AES", let method) where method.hasPrefix("cmac"):
            found = try token.aesCMAC(key, [UInt8](repeating: 0, count: 16))
        case ("AES", _): found = try token.aesEncryptZeros(key)
        case (let algorithm, _): throw Unsupported("published-pin-card.json kcv \(algorithm)")
        }
        return Hex.encode(found).hasPrefix(try output.text("kcv"))
    }

    private static func mac(_ vector: VectorCase, _ token: inout TokenCalculator) throws -> Bool {
        let (key, data) = (try vector.bytes("key"), try vector.bytes("data"))
        let padding = (vector.fields["padding"] as? Int).flatMap(MACPadding.init(rawValue:)) ?? .method1
        let found: UInt64
        switch try vector.text("algorithm") {
        case "ISO 9797-1 alg 1 (CBC, TDES)":
            found = try token.session.cbcMAC(
                padding.pad(data), key: token.key(key, [.encrypt, .sign]), token.chaining)
        case "ISO 9797-1 alg 3 (retail)": found = try token.retailMAC(key, data, padding)
        case "TDES CMAC":
            found = try token.session.tripleDESCMAC(
                data, key: token.key(key, [.encrypt, .sign]), token.chaining)
        case "AES CMAC": return Hex.encode(try token.aesCMAC(key, data)).hasPrefix(try vector.text("mac"))
        case let algorithm: throw Unsupported("mac.json \(algorithm)")
        }
        return Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: found >> UInt64(56 - 8 * $0)) })
            .hasPrefix(try vector.text("mac"))
    }

    private static func translation(
        _ vector: VectorCase, _ file: String, _ token: inout TokenCalculator
    ) throws -> Bool {
        guard try vector.text("op") == "pin-translate", try vector.number("in_format") == 0,
            try vector.number("out_format") == 0
        else { throw Unsupported(file) }
        let keys = [
            KeyName("zpk"): try token.key(vector.bytes("in_key"), [.unwrap]),
            KeyName("pvk"): try token.key(vector.bytes("out_key"), [.wrap]),
        ]
        let question = CryptographyQuestion(
            card: try vector.card(), cryptogram: nil,
            pin: PINQuestion(
                zonePINKey: KeyName("zpk"), format: .iso0,
                block: EncipheredPINBlock(rawValue: try vector.word("in_block"))),
            deadline: Deadline(nanoseconds: .max))
        guard case .translated(let block) = try token.answer(question, keys: keys).pin else { return false }
        return try block.rawValue == vector.word("out_block")
    }
}
