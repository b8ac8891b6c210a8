extension IssuerConfiguration {
    /// Evidence of what happens to keys.
    package struct Audit: Sendable {
        /// The audit trail; nil: none is kept, which a production profile refuses.
        package var log: String?
        /// Label of the HMAC key that seals it, made in the token when first needed.
        package var key: String
        /// Findings that `issuer-keys audit` lets pass: `FINDING` or `KEY/FINDING`.
        package var acceptedFindings: [String]
        /// People whose signatures count: a name and 64 hex digits of an Ed25519 key each.
        package var operators: [String]
        /// Whether what one person alone must not do needs two. A production profile has it.
        package var dualControl: Bool

        init(_ section: Section, keys: Section, profile: Profile) throws(ConfigurationError) {
            log = section.fileIfThere("log")
            key = try section.text("key")
            acceptedFindings = try section.list("acceptedFindings")
            guard log != nil || profile != .production else {
                throw section.fault("log", "is missing: a production profile needs an audit trail")
            }
            operators = try keys.list("operators")
            dualControl =
                keys.isWritten("dualControl") ? try keys.flag("dualControl") : profile == .production
            guard dualControl || profile != .production else {
                throw keys.fault("dualControl", "is false: a production profile needs two people")
            }
        }
    }
}
