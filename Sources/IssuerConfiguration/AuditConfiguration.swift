internal import Configuration

extension IssuerConfiguration {
    /// Evidence of what happens to keys.
    public struct Audit: Sendable {
        /// The audit trail; nil: none is kept, which a production profile refuses.
        public var log: String?
        /// Label of the HMAC key that seals it, made in the token when first needed.
        public var key: String
        /// Findings that `issuer-keys audit` lets pass: `FINDING` or `KEY/FINDING`.
        public var acceptedFindings: [String]
    }

    static func audit(_ file: ConfigurationFile, _ profile: Profile, _ path: String) throws -> Audit {
        let reader = file.reader
        let log = reader.string(forKey: "audit.log").map(file.absolute)
        guard log != nil || profile != .production else {
            throw ConfigurationError("\(path): audit.log: a production profile needs an audit trail")
        }
        return Audit(
            log: log, key: reader.string(forKey: "audit.key", default: "audit"),
            acceptedFindings: reader.stringArray(forKey: "audit.acceptedFindings", default: []))
    }
}
