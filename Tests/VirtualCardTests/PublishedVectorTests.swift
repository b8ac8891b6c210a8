import ByteCoding
import EMV
import LibCrypto
import Testing
import VirtualCard
import VectorSupport

/// Results that others have published.
@Suite("Published card vectors")
struct PublishedVectorTests {
    private static let methods: [String: SessionKeyMethod] = [
        "none": .none, "csk": .common, "mastercard-skd": .mastercard,
    ]

    @Test("published-emv.json: cryptograms and answers")
    func cryptograms() throws {
        var chip = try ChipCryptography()
        var compared = 0
        for vector in try VectorCase.all("published-emv.json") {
            let operation = try vector.text("op")
            guard ["arqc", "arqc+arpc", "cvn-all"].contains(operation) else { continue }
            let given = try vector.inner("in")
            let out = try vector.inner("out")
            let padding: CryptogramPadding = try given.number("padding") == 1 ? .method1 : .method2
            let input = try #require(CryptogramInput(given.bytes("ac_data"), padding: padding), "\(vector)")
            let (signing, answering) = try keys(given, &chip)
            let found = try chip.mac(input, key: signing)
            #expect(found == (try out.word("arqc")), "\(vector)")
            try checkAnswers(given, out, answering, &chip)
            compared += 1
        }
        #expect(compared == 25)
    }

    /// The keys of cryptogram and answer.
    private func keys(
        _ given: VectorCase, _ chip: inout ChipCryptography
    ) throws -> (DoubleLengthKey, DoubleLengthKey) {
        // PBOC's own session key is no method of ours; the vector gives the key.
        if given.fields["sk_ac"] != nil {
            let key = try CryptogramVectorTests.key(given, "sk_ac")
            return (key, key)
        }
        // "A/B (same, 16 digits)" is A.
        let option = MasterKeyOption(rawValue: given.optionalText("mk_option") ?? "A") ?? .a
        let master = try chip.iccMasterKey(
            issuerMasterKey: CryptogramVectorTests.key(given, "imk_ac"), option: option,
            card: CryptogramVectorTests.card(given))
        let tags = given.fields["tags"] == nil ? nil : try given.inner("tags")
        func word(_ tag: String, _ name: String) throws -> UInt64 {
            try tags?.word(tag) ?? (given.fields[name] == nil ? 0 : given.word(name))
        }
        let atc = ApplicationTransactionCounter(rawValue: UInt16(try word("9F36", "atc")))
        let number = UnpredictableNumber(rawValue: UInt32(try word("9F37", "un")))
        let name = try given.text("sk_method")
        // Where nothing is said, the answer to Mastercard's session key is made with the ICC master key.
        let answer = name == "mastercard-skd" ? "none" : name
        let signing = try chip.sessionKey(
            #require(Self.methods[name]), iccMasterKey: master, atc: atc, unpredictableNumber: number)
        let answering = try chip.sessionKey(
            #require(Self.methods[given.optionalText("arpc_sk_method") ?? answer]), iccMasterKey: master,
            atc: atc,
            unpredictableNumber: number)
        return (signing, answering)
    }

    private func checkAnswers(
        _ given: VectorCase, _ out: VectorCase, _ key: DoubleLengthKey, _ chip: inout ChipCryptography
    ) throws {
        let cryptogram = ApplicationCryptogram(rawValue: try out.word("arqc"))
        let method = given.fields["arpc_method"] as? Int
        if let expected = out.optionalText("arpc_method1") ?? (method == 1 ? out.optionalText("arpc") : nil) {
            let code = try given.word(given.fields["arc"] == nil ? "arc_or_csu" : "arc")
            let found = try chip.responseMethod1(
                key: key, cryptogram, code: AuthorisationResponseCode(rawValue: UInt16(code)))
            #expect(found == UInt64(expected, radix: 16), "\(given)")
        }
        if let expected = out.optionalText("arpc_method2") ?? (method == 2 ? out.optionalText("arpc") : nil) {
            let update = try given.word(given.fields["csu"] == nil ? "arc_or_csu" : "csu")
            let found = try chip.responseMethod2(
                key: key, cryptogram, statusUpdate: CardStatusUpdate(rawValue: UInt32(update)),
                proprietary: [])
            #expect(found == UInt32(expected, radix: 16), "\(given)")
        }
    }

    @Test("published-emv.json: master keys, session keys and the EMV2000 tree")
    func derivations() throws {
        var chip = try ChipCryptography()
        var compared = 0
        for vector in try VectorCase.all("published-emv.json") {
            let given = try vector.inner("in")
            let out = try vector.inner("out")
            switch try vector.text("op") {
            case "mk":
                let key = try masterKey(given, &chip)
                #expect(Hex.encode(try KeyCheckValue.tdes(key)) == (try out.text("kcv")), "\(vector)")
            case "mk+csk":
                let key = try masterKey(given, &chip)
                let check = Hex.encode(try KeyCheckValue.tdes(key).prefix(2))
                #expect(check == (try out.text("icc_mk_kcv2")), "\(vector): master key")
                let session = try chip.sessionKey(iccMasterKey: key, from: given.word("r"))
                let sessionCheck = Hex.encode(try KeyCheckValue.tdes(session).prefix(2))
                #expect(sessionCheck == (try out.text("sk_kcv2")), "\(vector): session key")
            case "emv2000-sk":
                let start = try CryptogramVectorTests.key(given, "iv")
                let tree = try #require(
                    SessionKeyTree(
                        height: given.number("height"), branchFactor: given.number("branch"),
                        initialVector: Diversifier(left: start.left, right: start.right)))
                let session = try chip.sessionKey(
                    tree, iccMasterKey: CryptogramVectorTests.key(given, "icc_mk"),
                    atc: ApplicationTransactionCounter(rawValue: UInt16(given.word("atc"))))
                let expected = try CryptogramVectorTests.key(out, "sk")
                let same = session.left == expected.left && session.right == expected.right
                #expect(same, "\(vector)")
            default: continue
            }
            compared += 1
        }
        #expect(compared == 20)
    }

    private func masterKey(
        _ given: VectorCase, _ chip: inout ChipCryptography
    ) throws -> DoubleLengthKey {
        try chip.iccMasterKey(
            issuerMasterKey: CryptogramVectorTests.key(given, "imk"),
            option: #require(MasterKeyOption(rawValue: given.text("mk_option"))),
            card: CryptogramVectorTests.card(given))
    }
}
