import ByteCoding
import EMV
import LibCrypto
import Testing
import VirtualCard
import VectorSupport

/// The card's side of the cryptography against the vectors. Each derivation step is compared by its key check
/// value first, so that a failure names the step and prints no key.
@Suite("Card cryptography vectors")
struct CryptogramVectorTests {
    static func card(_ vector: VectorCase) throws -> CardIdentity {
        let number = vector.optionalText("psn").flatMap { UInt8($0) }
        return CardIdentity(
            pan: try PAN(vector.text("pan")),
            panSequenceNumber: number.flatMap(PANSequenceNumber.init(rawValue:)))
    }

    static func key(_ vector: VectorCase, _ name: String) throws -> DoubleLengthKey {
        try #require(DoubleLengthKey(bytes: vector.bytes(name)))
    }

    private func checkValue(_ key: DoubleLengthKey) throws -> String {
        Hex.encode(try KeyCheckValue.tdes(key))
    }

    private func same(_ left: DoubleLengthKey, _ right: DoubleLengthKey) -> Bool {
        left.left == right.left && left.right == right.right
    }

    @Test("emv-master-keys.json")
    func masterKeys() throws {
        var chip = try ChipCryptography()
        let cases = try VectorCase.all("emv-master-keys.json")
        for vector in cases {
            let option = try #require(MasterKeyOption(rawValue: vector.text("mk_option")))
            let found = try chip.iccMasterKey(
                issuerMasterKey: Self.key(vector, "imk"), option: option, card: Self.card(vector))
            #expect(try checkValue(found) == (try vector.text("icc_mk_kcv")), "\(vector)")
            let equal = same(found, try Self.key(vector, "icc_mk"))
            #expect(equal, "\(vector): parity")
        }
        #expect(cases.count == 48)
    }

    @Test("emv-session-keys.json")
    func sessionKeys() throws {
        var chip = try ChipCryptography()
        let cases = try VectorCase.all("emv-session-keys.json")
        for vector in cases {
            let found = try sessionKey(vector, &chip)
            #expect(try checkValue(found) == (try vector.text("sk_kcv")), "\(vector)")
            let equal = same(found, try Self.key(vector, "sk"))
            #expect(equal, "\(vector): parity")
        }
        #expect(cases.count == 48)
    }

    private func sessionKey(_ vector: VectorCase, _ chip: inout ChipCryptography) throws -> DoubleLengthKey {
        let master = try Self.key(vector, "icc_mk")
        let number = UnpredictableNumber(
            rawValue: vector.fields["un"] == nil ? 0 : UInt32(try vector.word("un")))
        let atc = ApplicationTransactionCounter(
            rawValue: vector.fields["atc"] == nil ? 0 : UInt16(try vector.word("atc")))
        func session(_ method: SessionKeyMethod) throws -> DoubleLengthKey {
            try chip.sessionKey(method, iccMasterKey: master, atc: atc, unpredictableNumber: number)
        }
        switch try vector.text("method") {
        case "none": return try session(.none)
        case "csk-ac": return try session(.common)
        case "mastercard-skd": return try session(.mastercard)
        case "csk-sm": return try chip.sessionKey(iccMasterKey: master, from: vector.word("r"))
        case "visa-sm": return chip.visaSecureMessagingKey(iccMasterKey: master, atc: atc)
        case "emv2000-tree":
            return try chip.sessionKey(tree(vector), iccMasterKey: master, atc: atc)
        case let method: throw VectorFault(id: vector.id, field: method)
        }
    }

    private func tree(_ vector: VectorCase) throws -> SessionKeyTree {
        let vectorKey = try Self.key(vector, "iv")
        return try #require(
            SessionKeyTree(
                height: vector.number("height"), branchFactor: vector.number("branch"),
                initialVector: Diversifier(left: vectorKey.left, right: vectorKey.right)))
    }

    @Test("arqc.json: from the issuer's key to the cryptogram")
    func cryptograms() throws {
        var chip = try ChipCryptography()
        let cases = try VectorCase.all("arqc.json")
        for vector in cases {
            let expected = try vector.word("arqc")
            if try vector.text("profile") == "raw" {
                let padding: CryptogramPadding = try vector.number("padding") == 1 ? .method1 : .method2
                let input = try #require(CryptogramInput(vector.bytes("ac_data"), padding: padding))
                #expect(try chip.mac(input, key: Self.key(vector, "sk_ac")) == expected, "\(vector)")
                continue
            }
            let data = try ICCData(parsing: vector.bytes("de55"))
            let iad = try IssuerApplicationData(parsing: data[.issuerApplicationData] ?? [])
            let profile = try CryptogramProfile.select(for: iad, among: CryptogramProfile.all)
            let option = try #require(MasterKeyOption(rawValue: vector.text("mk_option")))
            let master = try chip.iccMasterKey(
                issuerMasterKey: Self.key(vector, "imk_ac"), option: option, card: Self.card(vector))
            let masterGood = try checkValue(master) == checkValue(Self.key(vector, "icc_mk_ac"))
            #expect(masterGood, "\(vector): ICC master key")
            let (atc, number) = (try #require(data.atc), try #require(data.unpredictableNumber))
            let session = try chip.sessionKey(
                profile.sessionKey, iccMasterKey: master, atc: atc, unpredictableNumber: number)
            let sessionGood = try checkValue(session) == checkValue(Self.key(vector, "sk_ac"))
            #expect(sessionGood, "\(vector): session key")
            let signed = try chip.sign(
                profile.cryptogramInput(from: data, iad: iad), profile: profile, iccMasterKey: master,
                atc: atc,
                unpredictableNumber: number)
            #expect(signed.cryptogram.rawValue == expected, "\(vector): cryptogram")
        }
        #expect(cases.count == 76)
    }

    @Test("arpc.json: the answer is computed and verified; touched anywhere, it is refused")
    func responses() throws {
        var chip = try ChipCryptography()
        let cases = try VectorCase.all("arpc.json")
        for vector in cases {
            let key = try Self.key(vector, "arpc_key")
            let cryptogram = ApplicationCryptogram(rawValue: try vector.word("arqc"))
            let method1 = try vector.number("method") == 1
            // Any profile of the method will do: only its method counts here.
            let profile: CryptogramProfile = method1 ? .visaCVN10 : .visaCVN18
            if let named = CryptogramProfile.named(try vector.text("profile")) {
                try checkResponseKey(vector, named, key, &chip)
            }
            let signed = SignedCryptogram(cryptogram: cryptogram, responseKey: key)
            let good = try vector.bytes("tag91")
            let verdict = try chip.verify(IssuerAuthenticationData(bytes: good), signed, profile: profile)
            if method1 {
                let code = AuthorisationResponseCode(rawValue: UInt16(try vector.word("arc")))
                #expect(verdict == .responseCode(code), "\(vector)")
            } else {
                let update = CardStatusUpdate(rawValue: UInt32(try vector.word("csu")))
                #expect(
                    verdict == .statusUpdate(update, proprietary: try vector.bytes("prop_auth_data")),
                    "\(vector)")
            }
            for index in good.indices {
                var touched = good
                touched[index] ^= 0x40
                let verdict = try chip.verify(
                    IssuerAuthenticationData(bytes: touched), signed, profile: profile)
                #expect(verdict == .wrong, "\(vector) byte \(index)")
            }
        }
        #expect(cases.count == 74)
    }

    private func checkResponseKey(
        _ vector: VectorCase, _ profile: CryptogramProfile, _ expected: DoubleLengthKey,
        _ chip: inout ChipCryptography
    ) throws {
        let option = try #require(MasterKeyOption(rawValue: vector.text("mk_option")))
        let master = try chip.iccMasterKey(
            issuerMasterKey: Self.key(vector, "imk_ac"), option: option, card: Self.card(vector))
        let key = try chip.sessionKey(
            profile.responseKey, iccMasterKey: master,
            atc: ApplicationTransactionCounter(rawValue: UInt16(try vector.word("atc"))),
            unpredictableNumber: UnpredictableNumber(rawValue: UInt32(try vector.word("un"))))
        let good = try checkValue(key) == checkValue(expected)
        #expect(good, "\(vector): response key")
    }
}
