/// What an audit saw. Encoded as it is for the JSON form; no value in it is secret.
public struct AuditReport: Codable, Sendable {
    /// The token and its library.
    public struct Token: Codable, Sendable {
        /// `CKA_LABEL`.
        public var label: String
        /// The shared library.
        public var module: String
        /// RFC 7512.
        public var uri: String
    }

    /// What the audit trail said.
    public struct Trail: Codable, Sendable {
        /// The file.
        public var path: String
        /// Lines that the token counted.
        public var counted: UInt64
        /// What is wrong with it, one line each; empty: whole.
        public var faults: [String]
    }

    /// UTC, ISO 8601.
    public var time: String
    /// `demo` or `production`.
    public var profile: String
    /// Where the keys are.
    public var token: Token
    /// Nil where none is configured.
    public var trail: Trail?
    /// Whether two people are asked for where one alone must not act.
    public var dualControl: Bool
    /// What somebody with the token's PIN alone could forge of it, and what not.
    public var trust: [String]
    /// Where this token does not enforce what it reports: the first lines of the report.
    public var tokenLimits: [String]
    /// Every key of the token, by label.
    public var keys: [AuditedKey]
    /// What is wrong, accepted or not.
    public var findings: [AuditFinding]
    /// Accepted findings that nothing in this token matches any more.
    public var acceptedInVain: [String]

    /// True where nothing is wrong that was not accepted.
    public var passed: Bool { findings.allSatisfy(\.accepted) }
}

/// One key.
public struct AuditedKey: Codable, Sendable {
    /// `CKA_LABEL`.
    public var label: String
    /// RFC 7512.
    public var uri: String
    /// The name that all versions of the key share.
    public var name: String
    /// 1 for the first.
    public var version: Int
    /// `secret-key`, `private-key` or `public-key`.
    public var keyClass: String
    /// Nil where the label says none.
    public var purpose: String?
    /// `des2`, `des3`, `aes`, `genericSecret`; nil for a type that this product does not use.
    public var type: String?
    /// Six hex digits; nil where the token gives no way to it.
    public var checkValue: String?
    /// Ceremony, generated, imported … as the audit trail has it; nil where nobody wrote it down.
    public var origin: String?
    /// When, as the audit trail has it.
    public var since: String?
    /// The last time that something says it was used.
    public var lastUse: String?
    /// The attributes by their standard names; one that the token does not know is left out.
    public var attributes: [String: Bool]
    /// What was tried and what the token answered.
    public var probes: [Probe]

    /// One try.
    public struct Probe: Codable, Sendable {
        /// A verb phrase.
        public var tried: String
        /// True where the token let it happen.
        public var accepted: Bool
        /// The token's answer.
        public var answer: String
    }
}

/// One thing that is wrong.
public struct AuditFinding: Codable, Hashable, Sendable {
    /// A raw value of `FindingKind`.
    public var kind: String
    /// `CKA_LABEL`, nil where it is about no key.
    public var key: String?
    /// `token` where the token's nature is the cause, `store` where somebody is.
    public var causedBy: String
    /// What exactly.
    public var detail: String
    /// Whether the configuration accepts it.
    public var accepted: Bool

    /// Nil for a word that this version does not know.
    public var cause: FindingCause? { FindingCause(rawValue: causedBy) }
}
