package import EMV

/// One version of a range's master keys, and which cards have it.
package struct IssuerKeyVersion: Sendable {
    /// The longest name: so short a string is held in place and copied without counting references.
    package static let nameBytesMax = 15

    /// What journal and traces call it; empty where the range has one version for all cards.
    package let name: String
    /// The derivation key indices of the IAD that select it; empty: any.
    package let derivationKeyIndices: [UInt8]
    /// The expiry dates of the cards that have it; nil: any.
    package let cardExpiries: ClosedRange<ExpiryDate>?
    /// IMK-AC (EMV Book 2 A1.4).
    package let issuerMasterKey: KeyName
    /// IMK-SMI, for the MAC of issuer scripts (EMV Book 2 9.2); nil for a range without scripts.
    package let secureMessagingIntegrityKey: KeyName?
    /// IMK-SMC, for enciphered data of issuer scripts (EMV Book 2 9.3); nil for a range without them.
    package let secureMessagingConfidentialityKey: KeyName?

    package init(
        name: String, derivationKeyIndices: [UInt8] = [], cardExpiries: ClosedRange<ExpiryDate>? = nil,
        issuerMasterKey: KeyName, secureMessagingIntegrityKey: KeyName? = nil,
        secureMessagingConfidentialityKey: KeyName? = nil
    ) {
        self.name = name
        self.derivationKeyIndices = derivationKeyIndices
        self.cardExpiries = cardExpiries
        self.issuerMasterKey = issuerMasterKey
        self.secureMessagingIntegrityKey = secureMessagingIntegrityKey
        self.secureMessagingConfidentialityKey = secureMessagingConfidentialityKey
    }

    /// Whether a card with this index and expiry date has this version. A card whose expiry date is not known
    /// has no version that asks for one.
    package func serves(derivationKeyIndex: UInt8, expiry: ExpiryDate?) -> Bool {
        guard derivationKeyIndices.isEmpty || derivationKeyIndices.contains(derivationKeyIndex) else {
            return false
        }
        guard let cardExpiries else { return true }
        return expiry.map(cardExpiries.contains) ?? false
    }

    /// Whether some card could have both versions.
    package func overlaps(_ other: IssuerKeyVersion) -> Bool {
        let indices =
            derivationKeyIndices.isEmpty || other.derivationKeyIndices.isEmpty
            || derivationKeyIndices.contains(where: other.derivationKeyIndices.contains)
        guard let cardExpiries, let others = other.cardExpiries else { return indices }
        return indices && cardExpiries.overlaps(others)
    }
}

/// The IAD and the card's expiry date lead to no version of the range's keys.
package struct KeyVersionUnknown: Error, Hashable, Sendable, CustomStringConvertible {
    /// The derivation key index that the card named.
    package let derivationKeyIndex: UInt8
    /// Whether the expiry date would have been needed and was not sent.
    package let expiryMissing: Bool

    init(_ derivationKeyIndex: UInt8, _ expiry: ExpiryDate?, among versions: [IssuerKeyVersion]) {
        self.derivationKeyIndex = derivationKeyIndex
        expiryMissing =
            expiry == nil
            && versions.contains {
                $0.serves(derivationKeyIndex: derivationKeyIndex, expiry: $0.cardExpiries?.lowerBound)
            }
    }

    /// One line for the trace.
    package var description: String {
        let digits = String(derivationKeyIndex, radix: 16, uppercase: true)
        let index = digits.count == 1 ? "0" + digits : digits
        return expiryMissing
            ? "no key version for derivation key index \(index) without an expiry date"
            : "no key version for derivation key index \(index)"
    }
}

extension IssuerKeys {
    /// - Parameter versions: at least one. That no two of them can serve one card is for the caller to see to.
    package init(_ versions: [IssuerKeyVersion]) {
        precondition(!versions.isEmpty, "a range needs a key")
        self.versions = versions
        let first = versions[0]
        let servesAll = first.derivationKeyIndices.isEmpty && first.cardExpiries == nil
        only = versions.count == 1 && servesAll ? first : nil
    }

    /// The version with this name, nil where there is none.
    package func version(named name: String) -> IssuerKeyVersion? { versions.first { $0.name == name } }
}

extension IssuerKeys {
    /// The first version that serves the card.
    func chosen(
        _ derivationKeyIndex: UInt8, _ expiry: ExpiryDate?
    ) throws(KeyVersionUnknown) -> IssuerKeyVersion {
        for version in versions where version.serves(derivationKeyIndex: derivationKeyIndex, expiry: expiry) {
            return version
        }
        throw KeyVersionUnknown(derivationKeyIndex, expiry, among: versions)
    }
}
