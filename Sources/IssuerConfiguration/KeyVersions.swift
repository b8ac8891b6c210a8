internal import Configuration

extension IssuerConfiguration {
    /// One version of a range's master keys. Form only; what the values mean is for the host to check.
    public struct KeyVersion: Sendable {
        /// The name that the operator chose; empty where the range has one version for all cards.
        public var name: String
        /// Derivation key indices of the IAD that select it, two hex digits each; empty: any.
        public var derivationKeyIndices: [String]
        /// The first expiry date (YYMM) of the cards that have it, nil: any.
        public var cardExpiryFrom: String?
        /// The last one, nil: any.
        public var cardExpiryUntil: String?
        /// Label of IMK-AC.
        public var issuerMasterKey: String
        /// Label of IMK-SMI; nil: no issuer scripts.
        public var secureMessagingIntegrityKey: String?
        /// Label of IMK-SMC; nil: no issuer scripts with enciphered data.
        public var secureMessagingConfidentialityKey: String?
    }

    /// Either the keys of the whole range or those of its versions, never both: nobody should have to guess
    /// which of them a card gets.
    static func keyVersions(
        _ file: ConfigurationFile, issuer: String, _ path: String
    ) throws -> [KeyVersion] {
        let place = "issuers.\(issuer)"
        let reader = file.reader.scoped(to: ConfigKey(["issuers", issuer]))
        let names = file.names(in: "\(place).keyVersions")
        guard !names.isEmpty else { return [try keyVersion(reader, name: "")] }
        let whole = ["issuerMasterKey", "secureMessagingIntegrityKey", "secureMessagingConfidentialityKey"]
        for key in whole where reader.string(forKey: ConfigKey([key])) != nil {
            throw ConfigurationError("\(path): \(place).\(key) and \(place).keyVersions exclude each other")
        }
        return try names.map {
            try keyVersion(reader.scoped(to: ConfigKey(["keyVersions", $0])), name: $0)
        }
    }

    private static func keyVersion(_ reader: ConfigReader, name: String) throws -> KeyVersion {
        KeyVersion(
            name: name, derivationKeyIndices: reader.stringArray(forKey: "derivationKeyIndices", default: []),
            cardExpiryFrom: reader.string(forKey: "cardExpiryFrom"),
            cardExpiryUntil: reader.string(forKey: "cardExpiryUntil"),
            issuerMasterKey: try reader.requiredString(forKey: "issuerMasterKey"),
            secureMessagingIntegrityKey: reader.string(forKey: "secureMessagingIntegrityKey"),
            secureMessagingConfidentialityKey: reader.string(forKey: "secureMessagingConfidentialityKey"))
    }
}
