internal import ByteCoding
package import EMV
internal import HSM
package import PKCS11

/// What the cards of one product have in common, for offline data authentication.
package struct ApplicationProfile: Codable, Hashable, Sendable {
    /// 82, two bytes of hex. Its bits for SDA, DDA and CDA say what each card gets.
    package let aip: String
    /// Objects of the second record, BER-TLV in hex: 8C, 8D, 8E, 9F0D to 9F0F and so on.
    package let objects: String
    /// Of each card's key; nil for cards without one.
    package let iccKeyBits: Int?
    /// Of a second key that only takes PINs; nil where the first one does.
    package let pinKeyBits: Int?
    /// AIDs, hex: a card gets the one whose RID its issuer's certificate has. For personalisation over a channel alone,
    /// as all that follows.
    package var identifiers: [String]?
    /// 50; `CARD` where nothing is said.
    package var label: String?
    /// 9F10 of cards of which the list says nothing else, hex.
    package var issuerApplicationData: String?

    /// True where each card has a private key of its own: for DDA, CDA, or a PIN that comes enciphered.
    var needsPrivateKeys: Bool {
        let bits =
            OfflineAuthenticationMethod.dynamic.rawValue | OfflineAuthenticationMethod.combined.rawValue
        return pinKeyBits != nil || (UInt16(aip, radix: 16) ?? 0) & bits != 0
    }

    package init(aip: String, objects: String, iccKeyBits: Int?, pinKeyBits: Int?) {
        self.aip = aip
        self.objects = objects
        self.iccKeyBits = iccKeyBits
        self.pinKeyBits = pinKeyBits
    }
}

/// One card to be certified.
package struct CardToCertify: Sendable {
    /// PAN and sequence number.
    package let identity: CardIdentity
    /// Last month of the card.
    package let expiry: CertificateMonth

    /// Takes both.
    package init(identity: CardIdentity, expiry: CertificateMonth) {
        self.identity = identity
        self.expiry = expiry
    }
}

/// Makes the certificates of cards with an issuer's key inside a token.
package struct CardCertifier {
    /// Label of the issuer's key.
    package let issuerKey: String
    private let issuer: KeyCertificate
    private let file: IssuerCertificateFile
    private let profile: ApplicationProfile
    private let interchangeProfile: UInt16
    private let commonObjects: [UInt8]

    private var needsKey: Bool {
        interchangeProfile
            & (OfflineAuthenticationMethod.dynamic.rawValue | OfflineAuthenticationMethod.combined.rawValue)
            != 0
    }

    /// Key pairs that one card needs, by bits of their modulus.
    package var keyPairsOfACard: [Int: Int] {
        var counts: [Int: Int] = [:]
        if needsKey, let bits = profile.iccKeyBits { counts[bits, default: 0] += 1 }
        if let bits = profile.pinKeyBits { counts[bits, default: 0] += 1 }
        return counts
    }

    /// - Parameters:
    ///   - file: the issuer's certificate, verified.
    ///   - certificate: what stands in it.
    ///   - key: the token's key, which has to be the certified one.
    package init(
        _ file: IssuerCertificateFile, _ certificate: KeyCertificate, key: SigningKey,
        profile: ApplicationProfile
    ) throws {
        guard key.key == certificate.key else {
            throw IssuanceError(key.label, "the certificate is of another key than the token's")
        }
        let aip = try? Hex.decode(profile.aip)
        guard let aip, aip.count == 2 else {
            throw IssuanceError("profile", "aip has to be two bytes of hex")
        }
        guard let objects = try? Hex.decode(profile.objects),
            (try? TLVReader.objects(in: objects[...])) != nil
        else { throw IssuanceError("profile", "objects has to be BER-TLV in hex") }
        issuerKey = key.label
        issuer = certificate
        self.file = file
        self.profile = profile
        interchangeProfile = UInt16(aip[0]) << 8 | UInt16(aip[1])
        commonObjects = objects
        guard interchangeProfile & OfflineAuthenticationMethod.mask != 0 else {
            throw IssuanceError("profile", "aip names none of SDA, DDA and CDA")
        }
        for bits in [profile.iccKeyBits, profile.pinKeyBits] {
            guard let bits else { continue }
            guard bits.isMultiple(of: 16), (512...certificate.key.byteCount * 8).contains(bits) else {
                throw IssuanceError(
                    "profile",
                    "a card's key of \(bits) bits: it has to be a multiple of 16, not longer than the issuer's"
                )
            }
        }
        guard !needsKey || profile.iccKeyBits != nil else {
            throw IssuanceError("profile", "aip says DDA or CDA, which need iccKeyBits")
        }
    }

    /// Everything of one card that terminals check.
    /// - Parameters:
    ///   - signing: session copy of the issuer's key.
    ///   - serialNumber: the next one of this issuer key, each time.
    ///   - pair: gives a key pair of so many bits; nil has each made when it is needed.
    package func certify(
        _ card: CardToCertify, signing: ObjectHandle, under dataEncryptionKey: DataEncryptionKey?,
        serialNumber: () throws -> UInt32, pair: ((Int) throws -> KeyPairHandles)? = nil,
        session: inout Session
    ) throws -> PersonalisedApplication {
        let records = try staticRecords(card)
        // By the book: what the marked records contain, then the AIP, since 9F4A lists it.
        var data = records.flatMap { record in
            (try? TLVReader.objects(in: record[...]).first.map { Array($0.1) }) ?? []
        }
        data += [UInt8(interchangeProfile >> 8), UInt8(interchangeProfile & 0xFF)]
        var certificates = ApplicationLayout.Certificates(caIndex: file.caIndex, issuer: file.objects)
        var serials: [UInt32] = []
        if interchangeProfile & OfflineAuthenticationMethod.static.rawValue != 0 {
            let block = try SignedData.staticBlock(
                code: UInt16.random(in: .min ... .max), signerByteCount: issuer.key.byteCount,
                staticData: data,
                arithmetic: .portable)
            certificates.signedStatic = try SigningKeys.sign(
                block, signing, key: issuer.key, session: &session)
        }
        func keyPair(_ kind: KeyCertificate.Kind, bits: Int) throws -> (
            KeyCertificate.Objects, PersonalisedApplication.PrivateKey
        ) {
            guard let dataEncryptionKey else {
                throw IssuanceError("data encryption key", "cards with a key need one to wrap it under")
            }
            let serial = try serialNumber()
            serials.append(serial)
            return try self.keyPair(
                kind, bits: bits, card: card, staticData: data, signing: signing, serialNumber: serial,
                dataEncryptionKey: dataEncryptionKey, pair: pair,
                session: &session)
        }
        var privateKey, pinPrivateKey: PersonalisedApplication.PrivateKey?
        if needsKey, let bits = profile.iccKeyBits {
            (certificates.icc, privateKey) = try keyPair(.icc, bits: bits)
        }
        if let bits = profile.pinKeyBits {
            (certificates.pin, pinPrivateKey) = try keyPair(.pinEncipherment, bits: bits)
        }
        return application(
            records, ApplicationLayout.records(certificates), serials: serials, privateKey: privateKey,
            pinPrivateKey: pinPrivateKey)
    }

    private func application(
        _ staticRecords: [[UInt8]], _ certificateRecords: [[UInt8]], serials: [UInt32],
        privateKey: PersonalisedApplication.PrivateKey?,
        pinPrivateKey: PersonalisedApplication.PrivateKey?
    ) -> PersonalisedApplication {
        func records(_ file: UInt8, _ contents: [[UInt8]]) -> [PersonalisedApplication.Record] {
            contents.enumerated().map { index, data in
                .init(file: file, number: UInt8(index + 1), data: Hex.encode(data))
            }
        }
        return PersonalisedApplication(
            interchangeProfile: profile.aip.uppercased(),
            locator: Hex.encode(
                ApplicationLayout.locator(
                    staticRecords: staticRecords.count, certificateRecords: certificateRecords.count)),
            records: records(ApplicationLayout.staticFile, staticRecords)
                + records(ApplicationLayout.certificateFile, certificateRecords),
            serialNumbers: serials.map { serial in
                Hex.encode([16, 8, 0].map { UInt8(truncatingIfNeeded: serial >> UInt32($0)) })
            }, privateKey: privateKey, pinPrivateKey: pinPrivateKey)
    }

    /// A card's key pair: made, certified, taken out, ended.
    private func keyPair(
        _ kind: KeyCertificate.Kind, bits: Int, card: CardToCertify, staticData: [UInt8],
        signing: ObjectHandle, serialNumber: UInt32, dataEncryptionKey: DataEncryptionKey,
        pair given: ((Int) throws -> KeyPairHandles)?, session: inout Session
    ) throws -> (KeyCertificate.Objects, PersonalisedApplication.PrivateKey) {
        let pair = try given?(bits) ?? session.generateRSAKeyPair(bits: bits, .leaving)
        defer {
            try? session.destroy(pair.privateKey)
            try? session.destroy(pair.publicKey)
        }
        let numbers = try session.publicNumbers(of: pair.publicKey)
        let key = try RSAPublicKey(modulus: numbers.modulus, exponent: numbers.exponent)
        let pan = card.identity.pan
        // Not past the issuer's own: a card outlives no key that vouches for it.
        let certificate = KeyCertificate(
            kind, identifierDigits: (0..<pan.digitCount).map { pan.digit(at: $0) },
            expiry: min(card.expiry, issuer.expiry), serialNumber: serialNumber, key: key)
        let (block, remainder) = try certificate.block(
            signerByteCount: issuer.key.byteCount, staticData: staticData, arithmetic: .portable)
        let objects = KeyCertificate.Objects(
            certificate: try SigningKeys.sign(block, signing, key: issuer.key, session: &session),
            remainder: remainder,
            exponent: key.exponent)
        let exported = try dataEncryptionKey.export.export(
            pair.privateKey, modulusCount: key.byteCount, exponentCount: key.exponent.count,
            under: dataEncryptionKey.handle, mechanism: dataEncryptionKey.mechanism, session: &session)
        let components = Dictionary(
            uniqueKeysWithValues: exported.components.map {
                (String($0.key, radix: 16, uppercase: true), Hex.encode($0.value))
            })
        return (objects, .init(bits: key.byteCount * 8, components: components))
    }

    private func staticRecords(_ card: CardToCertify) throws -> [[UInt8]] {
        let records = [
            ApplicationLayout.record(ApplicationLayout.identity(card.identity, expiry: card.expiry)),
            ApplicationLayout.record(
                try TLVReader.objects(in: commonObjects[...]).map { ($0.0, Array($0.1)) }
                    + [(.staticDataTagList, [0x82])]),
        ]
        guard records.allSatisfy({ $0.count <= ApplicationLayout.recordMax }) else {
            throw IssuanceError("profile", "objects are too long for one record")
        }
        return records
    }
}

/// The key that card keys leave under.
package struct DataEncryptionKey {
    let handle: ObjectHandle
    let mechanism: WrappingMechanism
    let export: PrivateKeyExport

    /// - Parameters:
    ///   - handle: session copy of a key that wraps.
    ///   - isAES: in CBC mode with a zero vector (SCP03); else triple DES in ECB mode (SCP02).
    package init(_ handle: ObjectHandle, isAES: Bool, export: PrivateKeyExport) {
        self.handle = handle
        mechanism = isAES ? .aesCBC(initialVector: [UInt8](repeating: 0, count: 16)) : .tripleDESECB
        self.export = export
    }
}
