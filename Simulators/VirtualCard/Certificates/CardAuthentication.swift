package import EMV
package import LibCrypto

extension PublicKeyArithmetic {
    /// The terminal's, computed by libcrypto.
    package static let libcrypto = PublicKeyArithmetic(
        power: { data, key in
            try? RSAPublicPower.compute(data, exponent: key.exponent, modulus: key.modulus)
        }, sha1: { try? Digest.sha1($0) })
}

/// What is wrong with a card's offline data authentication, for trying out what terminals make of it.
package enum AuthenticationFault: String, Sendable, CaseIterable {
    /// The issuer's certificate is past its month.
    case issuerExpired = "issuer-expired"
    /// The card's is.
    case expired
    /// Static data were changed after they had been signed.
    case hash
    /// The block of the card's certificate (or 93) does not end with BC.
    case trailer
    /// It does not begin with 6A.
    case header
    /// It says another format.
    case format
    /// The issuer's certificate is for other PANs.
    case issuerIdentifier = "issuer-identifier"
    /// The card's certificate is another card's.
    case pan
    /// The issuer certificate's serial number is on the CA's list.
    case revoked
    /// The AFL leaves out a record that was signed.
    case recordMissing = "record-missing"
    /// The AFL names a record that the card does not have.
    case recordAbsent = "record-absent"
    /// The card signs other data than the terminal's.
    case dynamicSignature = "dynamic-signature"
    /// CDA's signature belongs to another cryptogram.
    case cryptogram
    /// CDA's signature says another kind of cryptogram.
    case cryptogramInformation = "cid"
    /// A CA key that no terminal has.
    case unknownCA = "unknown-ca"
    /// The card's own certificate is not there.
    case missing
}

/// The part of a chip that proves to terminals that it is genuine: its certificates, and its private key.
package struct CardAuthentication: Sendable {
    /// Records of the certificate file, in order.
    package var certificateRecords: [[UInt8]]
    /// Records of the static file as the bureau made them; nil takes those of the application.
    package var staticRecords: [[UInt8]]?
    /// 94.
    package var locator: [UInt8]
    /// Signs; nil for a card with SDA alone.
    package var key: RSAPrivateKey?
    /// Deciphers PINs where they have a key of their own.
    package var pinKey: RSAPrivateKey?
    /// Nil for a sound card.
    package var fault: AuthenticationFault?

    /// Takes what every such card has.
    package init(certificateRecords: [[UInt8]], locator: [UInt8]) {
        self.certificateRecords = certificateRecords
        self.locator = locator
    }
}

extension ChipApplication {
    /// The records that offline data authentication covers, as READ RECORD gives them.
    func staticRecords(of card: CardDefinition) -> [[UInt8]] {
        if let records = authentication?.staticRecords { return records }
        let expiry = CertificateMonth(
            year: 2000 + card.expiry.months / 12, month: card.expiry.months % 12 + 1)
        var identity = TLVWriter()
        if let expiry {
            for (tag, value) in ApplicationLayout.identity(card.identity, expiry: expiry) {
                identity.append(tag, value)
            }
        }
        var rules = TLVWriter()
        rules.append(.riskObjects1, ChipApplet.list(firstObjects))
        rules.append(.riskObjects2, ChipApplet.list(secondObjects))
        rules.append(.verificationMethodList, verificationMethods)
        rules.append(.actionCodeDefault, number: actionDefault, count: 5)
        rules.append(.actionCodeDenial, number: actionDenial, count: 5)
        rules.append(.actionCodeOnline, number: actionOnline, count: 5)
        if let limits = consecutiveOffline {
            rules.append(.lowerConsecutiveLimit, [UInt8(clamping: limits.lower)])
            rules.append(.upperConsecutiveLimit, [UInt8(clamping: limits.upper)])
        }
        rules.append(.staticDataTagList, [0x82])
        return [identity.bytes, rules.bytes].map { content in
            var whole = TLVWriter()
            whole.append(.recordTemplate, content)
            return whole.bytes
        }
    }
}
