import ByteCoding
import EMV
import HSM
import Issuance
import LibCrypto
import PKCS11
import Testing
import TokenSupport
import VectorSupport

/// An issuer and its CA in real tokens, and cards that they certify. What comes out is opened with libcrypto, which
/// shares no code with the token's side.
@Suite("Issuance", .serialized)
struct IssuanceTests {
    static let rid: [UInt8] = [0xA0, 0, 0, 0, 0x03]
    static let key = (0..<24).map { UInt8(truncatingIfNeeded: 0x31 &+ $0 &* 23) }

    static let libcrypto = PublicKeyArithmetic(
        power: { data, key in
            try? RSAPublicPower.compute(data, exponent: key.exponent, modulus: key.modulus)
        }, sha1: { try? Digest.sha1($0) })

    static func label(_ prefix: String) -> String { "\(prefix)\(UInt32.random(in: .min ... .max))" }

    static func month(_ text: String) throws -> CertificateMonth {
        try #require(CertificateMonth(text: text))
    }

    /// A key as the bureau has it too.
    static func dataEncryptionKey(_ session: inout Session) throws -> DataEncryptionKey {
        let handle = try session.createKey(
            Template(
                keyType: .des3, on: [.sensitive, .isPrivate, .wrap],
                off: [.token, .extractable, .encrypt, .decrypt, .derive, .sign, .unwrap]),
            value: SecretBytes(copying: key))
        return DataEncryptionKey(handle, isAES: false, export: try PrivateKeyExport(&session))
    }

    /// What a card makes of its DGIs.
    static func open(_ key: PersonalisedApplication.PrivateKey) throws -> RSAPrivateKey {
        func component(_ identifier: String) throws -> [UInt8] {
            let enciphered = try Hex.decode(#require(key.components[identifier]))
            var cipher = try KeyedCipher(.tdes, .ecb, direction: .decrypt, key: Self.key)
            let clear = try cipher.process(enciphered)
            let end = try #require(clear.lastIndex(of: 0x80))
            let isPadding = clear[(end + 1)...].allSatisfy { $0 == 0 }
            try #require(isPadding && end == key.bits / 16)
            return Array(clear[..<end])
        }
        return try RSAPrivateKey(
            .init(
                prime1: component("8205"), prime2: component("8204"), exponent1: component("8203"),
                exponent2: component("8202"), coefficient: component("8201")))
    }

    /// An issuer with its certificate, as `certificate request`, `test-ca sign` and `certificate import` make one.
    static func issuer(
        _ keys: inout SigningKeys, bits: Int = 1_152, authorityBits: Int = 1_408, prefix: String = "476173",
        index: UInt8 = .random(in: 1...0xFE)
    ) throws -> (key: SigningKey, file: IssuerCertificateFile, authority: CAPublicKey) {
        let issuer = try keys.generate(label: label(SigningKeys.issuerPrefix), bits: bits)
        let rid = [0xA0, 0, 0] + (0..<2).map { _ in UInt8.random(in: 0...255) }
        let request = try IssuerKeyRequest(
            identifierDigits: prefix.compactMap { $0.wholeNumberValue.map(UInt8.init) },
            expiry: month("2033-04"), index: 7, key: issuer.key)
        let sent = request.encode(signature: try keys.sign(try request.block(), label: issuer.label))
        var authority = TestCA(try SigningKeys(at: TestTokens.nss.get()))
        let made = try authority.makeKey(rid: rid, index: index, bits: authorityBits)
        let file = try authority.certify(
            IssuerKeyRequest(file: sent), rid: rid, index: index, serialNumber: 0x00_1234)
        return (
            issuer, file,
            CAPublicKey(rid: rid, index: index, key: made.key, expiry: try month("2035-12"), isTest: true)
        )
    }

    static func card(_ pan: String = "4761739001010010") throws -> CardToCertify {
        CardToCertify(
            identity: CardIdentity(pan: try PAN(pan), panSequenceNumber: PANSequenceNumber(rawValue: 1)),
            expiry: try month("2029-12"))
    }

    static let profile = ApplicationProfile(
        aip: "7D00", objects: "8E0E00000000000000004203" + "1E031F038C039F3704", iccKeyBits: 768,
        pinKeyBits: 768)

    // MARK: - The private key

    @Test("A card's private key leaves enciphered, whatever its numbers begin with", arguments: [768, 1_152])
    func privateKeys(bits: Int) throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try Self.issuer(&keys)
        let certificate = try issuer.file.verify(CAKeys([issuer.authority]), month: nil).certificate
        let profile = ApplicationProfile(
            aip: "2000", objects: "8C039F3704", iccKeyBits: bits, pinKeyBits: nil)
        let certifier = try CardCertifier(issuer.file, certificate, key: issuer.key, profile: profile)
        let pairs = bits == 768 ? 24 : 4
        let card = try Self.card()
        try keys.signing(issuer.key.label) { signing, session in
            let key = try Self.dataEncryptionKey(&session)
            var serial: UInt32 = 0
            for round in 0..<pairs {
                let made = try certifier.certify(
                    card, signing: signing, under: key,
                    serialNumber: {
                        serial += 1
                        return serial
                    }, session: &session)
                let opened = try Self.open(#require(made.privateKey))
                let objects = try Self.objects(made)
                let icc = try Self.icc(objects, issuer: certificate.key, made, nil)
                let isSame = opened.modulus == icc.key.modulus
                #expect(isSame, "round \(round)")
                let block = [0x6A] + (1..<bits / 8).map { UInt8(truncatingIfNeeded: $0 &* 37) }
                let back = Self.libcrypto.power(try opened.power(block), icc.key)
                let isBack = back == block
                #expect(isBack, "round \(round)")
                #expect(made.serialNumbers == [Hex.encode([0, 0, UInt8(round + 1)])])
            }
        }
    }

    static func objects(_ made: PersonalisedApplication) throws -> [EMV.Tag: [UInt8]] {
        var objects: [EMV.Tag: [UInt8]] = [:]
        for record in made.records {
            let bytes = try Hex.decode(record.data)
            let template = try #require(try TLVReader.objects(in: bytes[...]).first)
            for (tag, value) in try TLVReader.objects(in: template.1) { objects[tag] = Array(value) }
        }
        return objects
    }

    static func staticData(_ made: PersonalisedApplication) throws -> [UInt8] {
        let entries = try #require(FileLocatorEntry.entries(Hex.decode(made.locator)))
        let profile = try #require(UInt16(made.interchangeProfile, radix: 16))
        return try StaticData.assemble(entries, tagList: [0x82], interchangeProfile: profile) {
            file, number in
            made.records.first { $0.file == file && $0.number == number }.flatMap { try? Hex.decode($0.data) }
        }
    }

    static func icc(
        _ objects: [EMV.Tag: [UInt8]], issuer: RSAPublicKey, _ made: PersonalisedApplication,
        _ digits: [UInt8]?, month: CertificateMonth? = nil
    ) throws -> KeyCertificate {
        try KeyCertificate.recover(
            .icc,
            .init(
                certificate: #require(objects[.iccCertificate]), remainder: objects[.iccRemainder] ?? [],
                exponent: #require(objects[.iccExponent])), signedUnder: issuer,
            staticData: staticData(made), circumstances: .init(accountDigits: digits, month: month),
            arithmetic: libcrypto)
    }

    // MARK: - Issuer and CA

    @Test("An issuer's request is taken as it was made, and not with any byte changed")
    func request() throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try keys.generate(label: Self.label(SigningKeys.issuerPrefix), bits: 1_408)
        let request = try IssuerKeyRequest(
            identifierDigits: [4, 7, 6, 1, 7, 3], expiry: Self.month("2031-09"), index: 0x01_0203,
            key: issuer.key)
        let sent = request.encode(signature: try keys.sign(try request.block(), label: issuer.label))
        let received = try IssuerKeyRequest(file: sent)
        #expect(received == request)
        var generator = SeededGenerator(seed: 0x5EED_0023)
        for _ in 0..<60 {
            var changed = sent
            let place = Int.random(in: 0..<sent.count, using: &generator)
            changed[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            #expect(throws: (any Error).self, "byte \(place)") { try IssuerKeyRequest(file: changed) }
        }
        for count in [0, 1, 9, 10, sent.count - 1] {
            #expect(throws: IssuanceError.self) { try IssuerKeyRequest(file: Array(sent.prefix(count))) }
        }
        #expect(throws: IssuanceError.self) { try IssuerKeyRequest(file: sent + [0]) }
    }

    @Test("A CA's certificate is kept only if it verifies")
    func certificate() throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try Self.issuer(&keys, bits: 1_408, authorityBits: 1_984)
        let read = try IssuerCertificateFile(file: issuer.file.encoded)
        #expect(read == issuer.file)
        let known = CAKeys([issuer.authority])
        let made = try read.verify(known, month: Self.month("2033-04")).certificate
        #expect(made.key == issuer.key.key && made.identifierDigits == [4, 7, 6, 1, 7, 3])
        #expect(throws: CertificateFault.expired) { try read.verify(known, month: Self.month("2033-05")) }
        #expect(throws: CertificateFault.expiredCAKey(index: issuer.authority.index)) {
            try read.verify(known, month: Self.month("2036-01"))
        }
        #expect(throws: CertificateFault.unknownCAKey(index: issuer.authority.index)) {
            try read.verify(CAKeys([]), month: nil)
        }
        let revoking = CAPublicKey(
            rid: issuer.authority.rid, index: issuer.authority.index, key: issuer.authority.key, expiry: nil,
            revoked: [0x00_1234], isTest: true)
        #expect(throws: CertificateFault.revoked) { try read.verify(CAKeys([revoking]), month: nil) }
        #expect(throws: IssuanceError.self) {
            try IssuerCertificateFile(file: issuer.file.encoded + [0x90, 1, 0])
        }
        #expect(throws: IssuanceError.self) { try IssuerCertificateFile(file: [0x9F]) }
    }

    @Test(
        "A key that stays can neither be read nor taken out, on either token", arguments: ["NSS", "SoftHSM2"])
    func kept(name: String) throws {
        var keys = try SigningKeys(at: name == "NSS" ? TestTokens.nss.get() : TestTokens.softHSM.get())
        let made = try keys.generate(label: Self.label(SigningKeys.issuerPrefix), bits: 1_152)
        // NSS makes none with 3.
        #expect(made.key.exponent == (name == "NSS" ? [1, 0, 1] : [3]))
        #expect(throws: IssuanceError.self) { try keys.generate(label: made.label, bits: 1_152) }
        #expect(throws: IssuanceError.self) { try keys.generate(label: made.label + "-x", bits: 1_024) }
        let handle = try #require(try keys.session.findPrivateKeys(label: made.label).first)
        #expect(try keys.session.attribute(.sensitive, of: handle) == true)
        #expect(try keys.session.attribute(.extractable, of: handle) == false)
        #expect(try keys.session.attribute(.decrypt, of: handle) == false)
        let wrapping = try keys.session.generateKey(
            .aes,
            Template(keyType: .aes, valueCount: 32, on: [.sensitive, .wrap], off: [.token, .extractable]))
        // NSS wraps private keys whatever CKA_EXTRACTABLE says: docs/certificates.md.
        if name != "NSS" {
            #expect(throws: PKCS11Error.self) { try keys.session.wrapPrivateKey(handle, under: wrapping) }
        }
        #expect(try keys.list().contains(made))
    }

    // MARK: - Cards

    @Test("Cards are certified for SDA, DDA, CDA and enciphered PINs")
    func cards() throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try Self.issuer(&keys)
        let certificate = try issuer.file.verify(CAKeys([issuer.authority]), month: nil).certificate
        let certifier = try CardCertifier(issuer.file, certificate, key: issuer.key, profile: Self.profile)
        let cards = try ["4761739001010010", "4761739001010028"].map { try Self.card($0) }
        try keys.signing(issuer.key.label) { signing, session in
            let key = try Self.dataEncryptionKey(&session)
            var serial: UInt32 = 0xFF
            for card in cards {
                let made = try certifier.certify(
                    card, signing: signing, under: key,
                    serialNumber: {
                        serial += 1
                        return serial
                    }, session: &session)
                let objects = try Self.objects(made)
                let pan = card.identity.pan
                let digits = (0..<pan.digitCount).map { pan.digit(at: $0) }
                _ = try SignedData.recoverStatic(
                    #require(objects[.signedStaticData]), under: certificate.key,
                    staticData: Self.staticData(made), arithmetic: Self.libcrypto)
                let icc = try Self.icc(objects, issuer: certificate.key, made, digits, month: card.expiry)
                #expect(icc.expiry == card.expiry)
                let pin = try KeyCertificate.recover(
                    .pinEncipherment,
                    .init(
                        certificate: #require(objects[.pinCertificate]),
                        remainder: objects[.pinRemainder] ?? [], exponent: #require(objects[.pinExponent])),
                    signedUnder: certificate.key, circumstances: .init(accountDigits: digits, month: nil),
                    arithmetic: Self.libcrypto)
                let opened = try Self.open(#require(made.pinPrivateKey))
                let isSame = opened.modulus == pin.key.modulus && pin.key != icc.key
                #expect(isSame)
                #expect(made.records.allSatisfy { $0.data.count <= 2 * ApplicationLayout.recordMax })
            }
            #expect(serial == 0x103)
        }
    }

    @Test("A card's certificate does not outlive its issuer's")
    func expiry() throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try Self.issuer(&keys)
        let certificate = try issuer.file.verify(CAKeys([issuer.authority]), month: nil).certificate
        let certifier = try CardCertifier(
            issuer.file, certificate, key: issuer.key,
            profile: .init(aip: "2000", objects: "8C039F3704", iccKeyBits: 768, pinKeyBits: nil))
        let late = CardToCertify(
            identity: try Self.card().identity, expiry: try Self.month("2040-01"))
        try keys.signing(issuer.key.label) { signing, session in
            let key = try Self.dataEncryptionKey(&session)
            let made = try certifier.certify(
                late, signing: signing, under: key, serialNumber: { 1 }, session: &session)
            let icc = try Self.icc(Self.objects(made), issuer: certificate.key, made, nil)
            #expect(icc.expiry == certificate.expiry)
        }
    }

    @Test("A token that cannot let keys out in parts says so, and makes cards with SDA")
    func softHSM() throws {
        var keys = try SigningKeys(at: TestTokens.softHSM.get())
        let issuer = try keys.generate(label: Self.label(SigningKeys.issuerPrefix), bits: 1_152)
        let request = try IssuerKeyRequest(
            identifierDigits: [4, 7, 6, 1, 7, 3], expiry: Self.month("2033-04"), index: 1, key: issuer.key)
        let sent = request.encode(signature: try keys.sign(try request.block(), label: issuer.label))
        var authority = TestCA(try SigningKeys(at: TestTokens.nss.get()))
        let rid = [0xB0] + (0..<4).map { _ in UInt8.random(in: 0...255) }
        let made = try authority.makeKey(rid: rid, index: 1, bits: 1_152)
        let file = try authority.certify(IssuerKeyRequest(file: sent), rid: rid, index: 1, serialNumber: 1)
        let known = CAKeys([CAPublicKey(rid: rid, index: 1, key: made.key, expiry: nil, isTest: true)])
        let certificate = try file.verify(known, month: nil).certificate
        let card = try Self.card()
        func certify(_ aip: String, _ bits: Int?, _ keys: inout SigningKeys) throws -> PersonalisedApplication
        {
            let certifier = try CardCertifier(
                file, certificate, key: issuer,
                profile: .init(aip: aip, objects: "8C039F3704", iccKeyBits: bits, pinKeyBits: nil))
            return try keys.signing(issuer.label) { signing, session in
                let key = try bits.map { _ in try Self.dataEncryptionKey(&session) }
                return try certifier.certify(
                    card, signing: signing, under: key, serialNumber: { 1 }, session: &session)
            }
        }
        let simple = try certify("4000", nil, &keys)
        _ = try SignedData.recoverStatic(
            #require(Self.objects(simple)[.signedStaticData]), under: certificate.key,
            staticData: Self.staticData(simple), arithmetic: Self.libcrypto)
        #expect(throws: IssuanceError.self) { try certify("2000", 768, &keys) }
    }

    @Test("A profile at fault is refused in words")
    func profiles() throws {
        var keys = try SigningKeys(at: TestTokens.nss.get())
        let issuer = try Self.issuer(&keys)
        let certificate = try issuer.file.verify(CAKeys([issuer.authority]), month: nil).certificate
        let bad: [ApplicationProfile] = [
            .init(aip: "3", objects: "", iccKeyBits: 768, pinKeyBits: nil),
            .init(aip: "1000", objects: "", iccKeyBits: 768, pinKeyBits: nil),
            .init(aip: "2000", objects: "8C05", iccKeyBits: 768, pinKeyBits: nil),
            .init(aip: "2000", objects: "", iccKeyBits: nil, pinKeyBits: nil),
            .init(aip: "2000", objects: "", iccKeyBits: 760, pinKeyBits: nil),
            .init(aip: "2000", objects: "", iccKeyBits: 1_408, pinKeyBits: nil),
            .init(aip: "2000", objects: "", iccKeyBits: 768, pinKeyBits: 100),
        ]
        for profile in bad {
            #expect(throws: IssuanceError.self, "\(profile)") {
                try CardCertifier(issuer.file, certificate, key: issuer.key, profile: profile)
            }
        }
        let other = try keys.generate(label: Self.label(SigningKeys.issuerPrefix), bits: 1_152)
        #expect(throws: IssuanceError.self) {
            try CardCertifier(issuer.file, certificate, key: other, profile: Self.profile)
        }
    }
}
