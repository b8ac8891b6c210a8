import ByteCoding
import EMV
import Foundation
import LibCrypto
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// Every field of every certificate and signature of a card, changed by who has the keys that sign them, with the hash left
/// as it was and with the right one for the changed block; and every byte of what is authenticated with them. The terminal
/// refuses each with its reason.
@Suite("Changed certificates") struct MutatedCertificateTests {
    enum Kind: String, CaseIterable { case issuer, icc, pin, signedStatic }

    /// One field of a recovered block (EMV Book 2 tables 6, 14, 24 and 7).
    struct Field: Sendable {
        let name: String
        let places: Range<Int>
        /// Nil where the terminal has nothing to hold the field against once the hash is right.
        let reason: String?
    }

    private let issuer: DemoIssuer
    private let scheme: TestScheme
    private let caKeys: CAKeys
    private let authority, issuing: RSAPrivateKey
    private let revoked: [UInt8]

    init() throws {
        struct Scheme: Decodable {
            struct Key: Decodable { let prime1, prime2, exponent1, exponent2, coefficient: String }
            let ca, issuer: Key
            let revokedSerial: String
        }
        issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        (scheme, caKeys) = (try TestData.scheme(), try TestData.caKeys())
        let path = TestData.root.appending(path: "Config/demo/test-scheme.json")
        let file = try JSONDecoder().decode(Scheme.self, from: Data(contentsOf: path))
        func key(_ key: Scheme.Key) throws -> RSAPrivateKey {
            try RSAPrivateKey(
                .init(
                    prime1: Hex.decode(key.prime1), prime2: Hex.decode(key.prime2),
                    exponent1: Hex.decode(key.exponent1), exponent2: Hex.decode(key.exponent2),
                    coefficient: Hex.decode(key.coefficient)))
        }
        (authority, issuing) = (try key(file.ca), try key(file.issuer))
        revoked = try Hex.decode(file.revokedSerial)
    }

    // MARK: - A card in parts

    private struct Card {
        var application: ChipApplication
        var card: VirtualCard
        var certificates: ApplicationLayout.Certificates
        var sound: CardAuthentication
        var staticRecords: [[UInt8]]

        var values: [EMV.Tag: [UInt8]] = [:]
    }

    private func card(_ profile: UInt16) throws -> Card {
        let virtual = try VirtualCard(issuer, card: "visa-cvn18")
        var application = ChipApplication(for: virtual.definition.product)
        application.interchangeProfile = profile | 0x1C00
        let sound = try scheme.authentication(of: virtual.definition, application, pinKey: true)
        var values: [EMV.Tag: [UInt8]] = [:]
        for record in sound.certificateRecords {
            for (_, template) in try TLVReader.objects(in: record[...]) {
                for (tag, value) in try TLVReader.objects(in: template) { values[tag] = Array(value) }
            }
        }
        func objects(
            _ certificate: EMV.Tag, _ remainder: EMV.Tag, _ exponent: EMV.Tag
        ) throws -> KeyCertificate.Objects {
            KeyCertificate.Objects(
                certificate: try #require(values[certificate]), remainder: values[remainder] ?? [],
                exponent: try #require(values[exponent]))
        }
        var certificates = ApplicationLayout.Certificates(
            caIndex: scheme.caIndex,
            issuer: try objects(.issuerCertificate, .issuerRemainder, .issuerExponent))
        certificates.signedStatic = values[.signedStaticData]
        if values[.iccCertificate] != nil {
            certificates.icc = try objects(.iccCertificate, .iccRemainder, .iccExponent)
        }
        certificates.pin = try objects(.pinCertificate, .pinRemainder, .pinExponent)
        return Card(
            application: application, card: virtual, certificates: certificates, sound: sound,
            staticRecords: application.staticRecords(of: virtual.definition), values: values)
    }

    /// Why the terminal refuses it; nil where it does not.
    private func reason(_ card: Card, pin: Bool = false) throws -> String? {
        var made = card.sound
        made.certificateRecords = ApplicationLayout.records(card.certificates)
        made.staticRecords = card.staticRecords
        made.locator = ApplicationLayout.locator(
            staticRecords: card.staticRecords.count, certificateRecords: made.certificateRecords.count)
        var application = card.application
        application.authentication = made
        var risk = TerminalRisk()
        risk.caKeys = caKeys
        risk.month = ExpiryDate(ascii: Array("2611".utf8))
        var conversation = CardConversation(card.card, application: application, risk: risk)
        try conversation.authenticate(
            TerminalTransaction(
                amount: 1, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
                unpredictableNumber: UnpredictableNumber(rawValue: 7)))
        guard pin else { return conversation.authenticationFault?.reason }
        do throws(CertificateFault) {
            _ = try conversation.pinKey()
            return nil
        } catch { return error.reason }
    }

    // MARK: - Blocks

    private static func fields(_ kind: Kind, _ count: Int) -> [Field] {
        let ends = [
            Field(name: "hash", places: count - 21..<count - 1, reason: "hash"),
            Field(name: "trailer", places: count - 1..<count, reason: "trailer"),
        ]
        let begin = [
            Field(name: "header", places: 0..<1, reason: "header"),
            Field(name: "format", places: 1..<2, reason: "format"),
        ]
        if kind == .signedStatic {
            return begin + [
                Field(name: "hash algorithm", places: 2..<3, reason: "algorithm"),
                Field(name: "data authentication code", places: 3..<5, reason: nil),
                Field(name: "filler", places: 5..<8, reason: nil),
            ] + ends
        }
        let (start, owner) = kind == .issuer ? (6, "issuer-identifier") : (12, "pan")
        // Under another modulus nothing of the next step opens; a PIN goes under whatever key was signed.
        let modulus = kind == .pin ? nil : "trailer"
        return begin + [
            Field(name: "identifier", places: 2..<start, reason: owner),
            Field(name: "expiry", places: start..<start + 2, reason: "expired"),
            Field(name: "serial number", places: start + 2..<start + 5, reason: nil),
            Field(name: "hash algorithm", places: start + 5..<start + 6, reason: "algorithm"),
            Field(name: "key algorithm", places: start + 6..<start + 7, reason: "algorithm"),
            Field(name: "key length", places: start + 7..<start + 8, reason: "length"),
            Field(name: "exponent length", places: start + 8..<start + 9, reason: "length"),
            Field(name: "modulus", places: start + 9..<start + 12, reason: modulus),
        ] + ends
    }

    /// The certificate of a kind with one byte of its block changed, or a serial number that the CA took back.
    private func change(
        _ card: inout Card, _ kind: Kind, at place: Int, to byte: UInt8?, rehash: Bool
    ) throws {
        let signer = kind == .issuer ? authority : issuing
        let modulus = try RSAPublicKey(modulus: signer.modulus, exponent: [3])
        var objects = KeyCertificate.Objects(certificate: [], remainder: [], exponent: [])
        var tail: [UInt8] = []
        switch kind {
        case .issuer: objects = card.certificates.issuer
        case .icc: objects = try #require(card.certificates.icc)
        case .pin: objects = try #require(card.certificates.pin)
        case .signedStatic: objects.certificate = try #require(card.certificates.signedStatic)
        }
        if kind == .icc || kind == .signedStatic { tail = try staticData(card) }
        let opened = PublicKeyArithmetic.libcrypto.power(objects.certificate, modulus)
        var block = try #require(opened)
        block[place] = byte ?? block[place] ^ 0x01
        let isOfHash = (block.count - 21..<block.count - 1).contains(place)
        if rehash, !isOfHash {
            let contents = Array(block[1..<block.count - 21])
            let hash = try Digest.sha1(contents + objects.remainder + objects.exponent + tail)
            block.replaceSubrange(block.count - 21..<block.count - 1, with: hash)
        }
        objects.certificate = try signer.power(block)
        switch kind {
        case .issuer: card.certificates.issuer = objects
        case .icc: card.certificates.icc = objects
        case .pin: card.certificates.pin = objects
        case .signedStatic: card.certificates.signedStatic = objects.certificate
        }
    }

    private func staticData(_ card: Card) throws -> [UInt8] {
        let contents = try card.staticRecords.flatMap { record in
            try TLVReader.objects(in: record[...]).first.map { Array($0.1) } ?? []
        }
        let profile = card.application.interchangeProfile
        return contents + [UInt8(profile >> 8), UInt8(profile & 0xFF)]
    }

    @Test("One field of a block, with and without the right hash", arguments: Kind.allCases)
    func fields(kind: Kind) throws {
        let sound = try card(kind == .signedStatic ? 0x4000 : 0x2000)
        let before = try reason(sound, pin: kind == .pin)
        try #require(before == nil)
        let count = kind == .issuer ? authority.modulus.count : issuing.modulus.count
        var changes = 0
        for field in Self.fields(kind, count) {
            for place in field.places {
                for rehash in [false, true] {
                    // What stands outside the hash, or before it in the book's order, has its own reason either way.
                    let isChecked = ["header", "format", "hash algorithm", "trailer"].contains(field.name)
                    guard let expected = isChecked || rehash ? field.reason : "hash" else { continue }
                    var changed = sound
                    // The year 2020 has passed; a thirteenth month has none.
                    let isYear = field.name == "expiry" && place == field.places.upperBound - 1
                    try change(&changed, kind, at: place, to: isYear ? 0x20 : nil, rehash: rehash)
                    let found = try reason(changed, pin: kind == .pin)
                    #expect(found == expected, "\(kind), \(field.name), byte \(place), rehashed: \(rehash)")
                    changes += 1
                }
            }
        }
        #expect(changes >= (kind == .signedStatic ? 30 : 60))
    }

    @Test("A serial number that the CA took back") func revokedSerial() throws {
        var changed = try card(0x2000)
        for (place, byte) in zip(8..., revoked) {
            try change(&changed, .issuer, at: place, to: byte, rehash: true)
        }
        let found = try reason(changed)
        #expect(found == "revoked")
    }

    @Test("Any byte of what is authenticated", arguments: [UInt16(0x4000), 0x2000, 0x0100])
    func everyStaticByte(profile: UInt16) throws {
        let sound = try card(profile)
        var changes = 0
        for (number, record) in sound.staticRecords.enumerated() {
            let template = try #require(try TLVReader.objects(in: record[...]).first)
            for (tag, value) in try TLVReader.objects(in: template.1) {
                for place in value.indices {
                    var changed = sound
                    changed.staticRecords[number][place] ^= 0x01
                    let isIssuerDigits = tag == EMV.Tag(rawValue: 0x5A) && place < value.startIndex + 3
                    let expected =
                        tag == .staticDataTagList
                        ? "static-tag-list" : isIssuerDigits ? "issuer-identifier" : "hash"
                    let found = try reason(changed)
                    #expect(found == expected, "tag \(tag), byte \(place - value.startIndex)")
                    changes += 1
                }
            }
        }
        #expect(changes > 50)
        for bit in [UInt16(0x1000), 0x0800, 0x0400, 0x0080] {
            var changed = sound
            changed.application.interchangeProfile ^= bit
            let found = try reason(changed)
            #expect(found == "hash", "AIP \(bit)")
        }
    }

    @Test("Objects too long, too short, not there, or of another signer") func objects() throws {
        let sound = try card(0x2000)
        let fixed = try card(0x4000)
        typealias Change = (inout ApplicationLayout.Certificates) throws -> Void
        let changes: [(String, String, Change)] = [
            ("90 short", "length", { $0.issuer.certificate.removeLast() }),
            ("90 long", "length", { $0.issuer.certificate.append(0) }),
            (
                "90 all zero", "trailer",
                { $0.issuer.certificate = [UInt8](repeating: 0, count: $0.issuer.certificate.count) }
            ),
            (
                "90 above the modulus", "trailer",
                { $0.issuer.certificate = [UInt8](repeating: 0xFF, count: $0.issuer.certificate.count) }
            ),
            ("9F32 other", "hash", { $0.issuer.exponent = [0x01, 0x00, 0x01] }),
            ("92 more", "hash", { $0.issuer.remainder.append(0) }),
            ("9F46 short", "length", { $0.icc?.certificate.removeLast() }),
            ("9F46 long", "length", { $0.icc?.certificate.append(0) }),
            ("9F47 other", "hash", { $0.icc?.exponent = [0x01, 0x00, 0x01] }),
            ("9F48 more", "hash", { $0.icc?.remainder.append(0) }),
            ("9F46 not there", "missing", { $0.icc = nil }),
            ("9F2D in place of 9F46", "hash", { $0.icc = $0.pin }),
            ("8F unknown", "unknown-ca-key", { $0.caIndex ^= 0x01 }),
        ]
        for (name, expected, change) in changes {
            var changed = sound
            try change(&changed.certificates)
            let found = try reason(changed)
            #expect(found == expected, "\(name)")
        }
        let signed: [(String, String, Change)] = [
            ("93 short", "length", { $0.signedStatic?.removeLast() }),
            ("93 long", "length", { $0.signedStatic?.append(0) }),
            ("93 not there", "missing", { $0.signedStatic = nil }),
            ("93 is another certificate", "format", { $0.signedStatic = $0.pin?.certificate }),
        ]
        for (name, expected, change) in signed {
            var changed = fixed
            try change(&changed.certificates)
            let found = try reason(changed)
            #expect(found == expected, "\(name)")
        }
    }
}
