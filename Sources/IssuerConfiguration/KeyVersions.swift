extension IssuerConfiguration {
    /// One version of a range's master keys. Form only; what the values mean is for the host to check.
    package struct KeyVersion: Sendable {
        /// The name that the operator chose; empty where the range has one version for all cards.
        package var name: String
        /// Derivation key indices of the IAD that select it, two hex digits each; empty: any.
        package var derivationKeyIndices: [String]
        /// The first expiry date (YYMM) of the cards that have it, nil: any.
        package var cardExpiryFrom: String?
        /// The last one, nil: any.
        package var cardExpiryUntil: String?
        /// Label of IMK-AC.
        package var issuerMasterKey: String
        /// Label of IMK-SMI; nil: no issuer scripts.
        package var secureMessagingIntegrityKey: String?
        /// Label of IMK-SMC; nil: no issuer scripts with enciphered data.
        package var secureMessagingConfidentialityKey: String?
    }

    /// Either the keys of the whole range or those of its versions, never both: nobody should have to guess
    /// which of them a card gets.
    static func keyVersions(_ section: Section) throws(ConfigurationError) -> [KeyVersion] {
        let names = section.settings.names(section.path + ["keyVersions"])
        guard !names.isEmpty else { return [try KeyVersion(section, name: "")] }
        for key in ["issuerMasterKey", "secureMessagingIntegrityKey", "secureMessagingConfidentialityKey"]
        where section.textIfThere(key) != nil {
            let place = section.path.joined(separator: ".")
            throw section.fault(key, "and \(place).keyVersions exclude each other")
        }
        var versions: [KeyVersion] = []
        for name in names {
            versions.append(try KeyVersion(section.section("keyVersions", name), name: name))
        }
        return versions
    }
}

extension IssuerConfiguration.KeyVersion {
    fileprivate init(_ section: Section, name: String) throws(ConfigurationError) {
        self.name = name
        derivationKeyIndices = name.isEmpty ? [] : try section.list("derivationKeyIndices")
        cardExpiryFrom = name.isEmpty ? nil : section.textIfThere("cardExpiryFrom")
        cardExpiryUntil = name.isEmpty ? nil : section.textIfThere("cardExpiryUntil")
        issuerMasterKey = try section.text("issuerMasterKey")
        secureMessagingIntegrityKey = section.textIfThere("secureMessagingIntegrityKey")
        secureMessagingConfidentialityKey = section.textIfThere("secureMessagingConfidentialityKey")
    }
}
