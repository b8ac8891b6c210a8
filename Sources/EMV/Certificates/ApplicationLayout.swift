/// How the records of an application are laid out for offline data authentication: file 2 holds what is authenticated,
/// file 1 the certificates, each record short enough for one answer (EMV Book 3 5.3, 7.1).
package enum ApplicationLayout {
    /// File of authenticated records.
    package static let staticFile: UInt8 = 2
    /// File of certificates.
    package static let certificateFile: UInt8 = 1
    /// A record's bytes, template included.
    package static let recordMax = 254

    /// The certificates and signatures of one card.
    package struct Certificates: Sendable {
        /// 8F.
        package var caIndex: UInt8
        /// 90, 92, 9F32.
        package var issuer: KeyCertificate.Objects
        /// 93, for SDA.
        package var signedStatic: [UInt8]?
        /// 9F46, 9F48, 9F47, for DDA and CDA.
        package var icc: KeyCertificate.Objects?
        /// 9F2D, 9F2F, 9F2E, where PINs have a key of their own.
        package var pin: KeyCertificate.Objects?

        /// Takes what every card has.
        package init(caIndex: UInt8, issuer: KeyCertificate.Objects) {
            self.caIndex = caIndex
            self.issuer = issuer
        }
    }

    /// The Dynamic Data Authentication Data Object List: the terminal's unpredictable number (9F37) alone.
    package static let dynamicObjects: [UInt8] = [0x9F, 0x37, 0x04]

    /// One record.
    package static func record(_ objects: [(tag: Tag, value: [UInt8])]) -> [UInt8] {
        var content = TLVWriter()
        for (tag, value) in objects { content.append(tag, value) }
        var whole = TLVWriter()
        whole.append(Tag(rawValue: 0x70), content.bytes)
        return whole.bytes
    }

    /// The records of the certificate file, in order.
    package static func records(_ certificates: Certificates) -> [[UInt8]] {
        func small(_ objects: KeyCertificate.Objects, _ exponent: Tag, remainder: Tag) -> [(
            tag: Tag, value: [UInt8]
        )] {
            [(exponent, objects.exponent)]
                + (objects.remainder.isEmpty ? [] : [(remainder, objects.remainder)])
        }
        var records = [
            record(
                [(.caKeyIndex, [certificates.caIndex])]
                    + small(certificates.issuer, .issuerExponent, remainder: .issuerRemainder)),
            record([(.issuerCertificate, certificates.issuer.certificate)]),
        ]
        if let signature = certificates.signedStatic {
            records.append(record([(.signedStaticData, signature)]))
        }
        if let icc = certificates.icc {
            records.append(record([(.iccCertificate, icc.certificate)]))
            records.append(
                record(
                    small(icc, .iccExponent, remainder: .iccRemainder) + [
                        (.dynamicDataObjects, dynamicObjects)
                    ]))
        }
        if let pin = certificates.pin {
            records.append(record([(.pinCertificate, pin.certificate)]))
            records.append(record(small(pin, .pinExponent, remainder: .pinRemainder)))
        }
        return records
    }

    /// 94 for records of both files, all of the first authenticated.
    package static func locator(staticRecords: Int, certificateRecords: Int) -> [UInt8] {
        var bytes = [staticFile << 3, 1, UInt8(staticRecords), UInt8(staticRecords)]
        if certificateRecords > 0 { bytes += [certificateFile << 3, 1, UInt8(certificateRecords), 0] }
        return bytes
    }
}

/// What AIP byte 1 says of offline data authentication (EMV Book 3 annex C1).
package enum OfflineAuthenticationMethod: UInt16, Sendable, CaseIterable, CustomStringConvertible {
    case combined = 0x0100
    case dynamic = 0x2000
    case `static` = 0x4000

    /// SDA, DDA or CDA.
    package var description: String {
        switch self {
        case .static: "SDA"
        case .dynamic: "DDA"
        case .combined: "CDA"
        }
    }

    /// All three bits.
    package static let mask: UInt16 = 0x6100

    /// The best method that card and terminal both know (EMV Book 3 10.3).
    /// - Parameter capabilities: 9F33; byte 3 has SDA, DDA and CDA.
    package static func best(interchangeProfile: UInt16, capabilities: UInt32) -> OfflineAuthenticationMethod?
    {
        let bits: [OfflineAuthenticationMethod: UInt32] = [.combined: 0x08, .dynamic: 0x40, .static: 0x80]
        return allCases.first { method in
            interchangeProfile & method.rawValue != 0 && capabilities & (bits[method] ?? 0) != 0
        }
    }
}

/// A card's application as a bureau gets it. Hex where not said otherwise; nothing in clear that is secret.
package struct PersonalisedApplication: Codable, Hashable, Sendable {
    /// One record, template 70 included.
    package struct Record: Codable, Hashable, Sendable {
        /// Short file identifier.
        package let file: UInt8
        /// From 1.
        package let number: UInt8
        /// Hex.
        package let data: String

        package init(file: UInt8, number: UInt8, data: String) {
            self.file = file
            self.number = number
            self.data = data
        }
    }

    /// A private key, each component under the data encryption key.
    package struct PrivateKey: Codable, Hashable, Sendable {
        /// Of the modulus.
        package let bits: Int
        /// By DGI: `8201` to `8205` (EMV CPS).
        package let components: [String: String]

        /// Takes both.
        package init(bits: Int, components: [String: String]) {
            self.bits = bits
            self.components = components
        }
    }

    /// 82.
    package let interchangeProfile: String
    /// 94.
    package let locator: String
    /// All of them.
    package let records: [Record]
    /// Serial numbers of the card's certificates, six digits of hex.
    package let serialNumbers: [String]
    /// For DDA and CDA.
    package let privateKey: PrivateKey?
    /// For PINs, where they have a key of their own.
    package let pinPrivateKey: PrivateKey?

    package init(
        interchangeProfile: String, locator: String, records: [Record], serialNumbers: [String],
        privateKey: PrivateKey?, pinPrivateKey: PrivateKey?
    ) {
        self.interchangeProfile = interchangeProfile
        self.locator = locator
        self.records = records
        self.serialNumbers = serialNumbers
        self.privateKey = privateKey
        self.pinPrivateKey = pinPrivateKey
    }
}

extension ApplicationLayout {
    /// Objects of the first static record: 5A, 5F24, 5F34. The day is the 28th, which every month has.
    package static func identity(
        _ card: CardIdentity, expiry: CertificateMonth
    ) -> [(tag: Tag, value: [UInt8])] {
        var digits = (0..<card.pan.digitCount).map { card.pan.digit(at: $0) }
        if !digits.count.isMultiple(of: 2) { digits.append(0xF) }
        let account = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        func bcd(_ value: Int) -> UInt8 { UInt8((value / 10) << 4 | value % 10) }
        var objects: [(tag: Tag, value: [UInt8])] = [
            (Tag(rawValue: 0x5A), account),
            (Tag(rawValue: 0x5F24), [bcd(expiry.year % 100), bcd(expiry.month), 0x28]),
        ]
        if let number = card.panSequenceNumber { objects.append((.panSequenceNumber, [number.packed])) }
        return objects
    }
}
