internal import Authorisation
internal import ByteCoding
internal import EMV
internal import IssuerConfiguration

extension IssuerKeys {
    /// The versions of one range. Each card must have at most one: two that could serve the same card are
    /// refused, since the first would hide the second.
    ///
    /// - Parameter place: the range in the configuration, `issuers.NAME`.
    init(_ versions: [IssuerConfiguration.KeyVersion], place: String) throws {
        let read = try versions.map { version in
            try IssuerKeyVersion(
                version, place: version.name.isEmpty ? place : "\(place).keyVersions.\(version.name)")
        }
        for (index, version) in read.enumerated() {
            if let other = read[..<index].first(where: version.overlaps) {
                throw WiringError(
                    "\(place).keyVersions: \(other.name) and \(version.name) would serve the same cards; "
                        + "derivationKeyIndices or the card expiry dates have to keep them apart")
            }
        }
        self.init(read)
    }
}

extension IssuerKeyVersion {
    fileprivate init(_ version: IssuerConfiguration.KeyVersion, place: String) throws {
        let plain = version.name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
        }
        guard plain, version.name.utf8.count <= IssuerKeyVersion.nameBytesMax else {
            throw WiringError(
                "\(place): a version's name is letters, digits, '-', '.' and '_', at most "
                    + "\(IssuerKeyVersion.nameBytesMax)")
        }
        let indices = try version.derivationKeyIndices.map { text in
            guard text.utf8.count == 2, let bytes = try? Hex.decode(text) else {
                throw WiringError("\(place).derivationKeyIndices: two hex digits are needed, not \(text)")
            }
            return bytes[0]
        }
        var expiries: ClosedRange<ExpiryDate>?
        if version.cardExpiryFrom != nil || version.cardExpiryUntil != nil {
            let from = try expiry(version.cardExpiryFrom ?? "0001", "\(place).cardExpiryFrom")
            let until = try expiry(version.cardExpiryUntil ?? "9912", "\(place).cardExpiryUntil")
            guard from <= until else {
                throw WiringError("\(place).cardExpiryFrom: \(from) is after cardExpiryUntil \(until)")
            }
            expiries = from...until
        }
        self.init(
            name: version.name, derivationKeyIndices: indices, cardExpiries: expiries,
            issuerMasterKey: KeyName(version.issuerMasterKey),
            secureMessagingIntegrityKey: version.secureMessagingIntegrityKey.map { KeyName($0) },
            secureMessagingConfidentialityKey: version.secureMessagingConfidentialityKey.map { KeyName($0) })
    }
}

private func expiry(_ text: String, _ place: String) throws -> ExpiryDate {
    guard let date = ExpiryDate(ascii: Array(text.utf8)) else {
        throw WiringError("\(place): a card's expiry date YYMM is needed, not \(text)")
    }
    return date
}
