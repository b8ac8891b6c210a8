package import EMV
package import LibCrypto

/// A test key that may have made a cryptogram. It describes itself by name only.
package struct NamedKey: Sendable {
    /// As the key file calls it.
    package let name: String
    let key: DoubleLengthKey

    /// - Returns: nil unless the key has sixteen bytes.
    package init?(name: String, bytes: some Collection<UInt8>) {
        guard let key = DoubleLengthKey(bytes: bytes) else { return nil }
        self.name = name
        self.key = key
    }
}

/// All that a request says of the cryptogram in it, and all that may have been mistaken for it.
package struct CryptogramEvidence: Sendable {
    /// DE55.
    package var chip: ICCData
    /// The card as the message names it.
    package var identity: CardIdentity
    /// The account of track 2, where it is another one than DE2's.
    package var trackPAN: PAN?
    /// DE4 in minor units.
    package var amount: UInt64?
    /// DE49.
    package var currency: UInt16?
    /// The first two digits of DE3, as the byte of tag 9C.
    package var transactionType: UInt8?
    /// Cards that the key file knows: the request may have been signed for another one.
    package var otherCards: [CardIdentity] = []

    /// Takes what no cryptogram is without.
    package init(chip: ICCData, identity: CardIdentity) {
        self.chip = chip
        self.identity = identity
    }
}

/// Nothing can be said of a cryptogram that is not there.
package enum CryptogramEvidenceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The tag without which there is no cryptogram to explain.
    case missing(Tag)
    /// The key file has no key for the PAN's prefix.
    case noIssuerMasterKey(name: String)
    /// A computation failed.
    case cryptography(LibCryptoError)

    /// One line for people.
    package var description: String {
        switch self {
        case .missing(let tag): "DE55: tag \(tag) (\(tag.name ?? "?")) is missing or has a wrong length"
        case .noIssuerMasterKey(let name): "the key file has no double-length key \(name)"
        case .cryptography(let error): "cryptography: \(error)"
        }
    }
}
