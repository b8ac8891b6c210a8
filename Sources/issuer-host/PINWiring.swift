internal import Authorisation
internal import EMV
internal import HSM
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

/// PINs: from configuration to parts.
extension IssuerConfiguration {
    /// A link's name and how its PIN blocks come.
    func linkProfile(_ link: Link, _ dialect: Dialect) throws -> LinkProfile {
        var pins = try arrangement(link)
        pins.format4Element = dialect.element(holding: .format4PINBlock)
        if pins.formats.contains(.iso4), pins.format4Element == nil, dialect[.pinData]?.max != 16 {
            throw WiringError(
                "links.\(link.name).pin: dialect \(link.dialect) has no place for a format 4 block: one element "
                    + "has to hold format4PINBlock, or DE52 to be of 16 bytes")
        }
        guard let partialApproval = PartialApprovalIndicator(rawValue: link.partialApproval) else {
            let known = PartialApprovalIndicator.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError(
                "links.\(link.name).partialApproval: \(link.partialApproval) is none of \(known)")
        }
        return LinkProfile(name: link.name, pins: pins, partialApproval: partialApproval)
    }

    /// Keys and formats, without the dialect.
    private func arrangement(_ link: Link) throws -> PINArrangement {
        let place = "links.\(link.name).pin"
        var pins = PINArrangement(zonePINKey: link.zonePINKey.map { KeyName($0) })
        pins.aesZonePINKey = link.pins.aesKey.map { KeyName($0) }
        pins.format = try format("\(link.pins.format)", "\(place).format")
        for entry in link.pins.formatCodes {
            let parts = entry.split(separator: ":")
            guard parts.count == 2, parts[0].count == 2, let code = UInt8(parts[0], radix: 16),
                parts[0].allSatisfy(\.isNumber)
            else { throw WiringError("\(place).formatCodes: two digits of DE53 and a format, as 01:0") }
            pins.formatCodes[code] = try format(String(parts[1]), "\(place).formatCodes")
        }
        guard link.zonePINKey != nil || link.pins.aesKey != nil else { return pins }
        if pins.formats.contains(.iso4), pins.aesZonePINKey == nil {
            throw WiringError("\(place).aesKey: format 4 needs an AES zone PIN key")
        }
        if pins.formats != [.iso4], pins.zonePINKey == nil {
            throw WiringError("links.\(link.name).zonePINKey: formats 0, 1 and 3 need a TDES zone PIN key")
        }
        return pins
    }

    private func format(_ text: String, _ key: String) throws -> PINBlockFormat {
        guard let format = UInt8(text).flatMap(PINBlockFormat.init(rawValue:)) else {
            throw WiringError("\(key): PIN block format 0, 1, 3 or 4, not \(text)")
        }
        return format
    }

    /// How a range's PINs are verified.
    func pinVerification(_ issuer: Issuer) throws -> PINVerification {
        let place = "issuers.\(issuer.name).pin"
        switch issuer.pins.verification {
        case "reference": return .reference
        case "pvv":
            guard (0...9).contains(issuer.pins.keyIndex) else {
                throw WiringError("\(place).keyIndex: one digit, not \(issuer.pins.keyIndex)")
            }
            guard pinVerificationValueKey != nil else {
                throw WiringError("\(place).verification: pvv needs keys.pinVerificationValue")
            }
            return .verificationValue(keyIndex: UInt8(issuer.pins.keyIndex))
        case "ibm3624":
            throw WiringError(
                "\(place).verification: ibm3624 is refused: no token decimalises a natural PIN and keeps it "
                    + "inside, and outside it would be a clear PIN")
        case let other: throw WiringError("\(place).verification: reference or pvv, not \(other)")
        }
    }

    /// What the token has to be able to do with PINs.
    func addPINs(to configuration: inout HSMConfiguration) throws {
        configuration.pinVerificationValueKey = pinVerificationValueKey.map { KeyName($0) }
        configuration.pinFormats = []
        for link in links where link.zonePINKey != nil || link.pins.aesKey != nil {
            configuration.pinFormats.formUnion(try arrangement(link).formats)
            if let key = link.pins.aesKey { configuration.zonePINKeys.insert(KeyName(key)) }
        }
        for issuer in issuers { _ = try pinVerification(issuer) }
    }
}
