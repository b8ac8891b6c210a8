internal import ByteCoding
package import Foundation
internal import LibCrypto

/// What an audit saw. Encoded as it is for the JSON form; no value in it is secret.
package struct AuditReport: Codable, Sendable {
    /// The token and its library.
    package struct Token: Codable, Sendable {
        /// `CKA_LABEL`.
        package var label: String
        /// The shared library.
        package var module: String
        /// RFC 7512.
        package var uri: String
    }

    /// What the audit trail said.
    package struct Trail: Codable, Sendable {
        /// The file.
        package var path: String
        /// Lines that the token counted.
        package var counted: UInt64
        /// What is wrong with it, one line each; empty: whole.
        package var faults: [String]
    }

    /// UTC, ISO 8601.
    package var time: String
    /// `demo` or `production`.
    package var profile: String
    /// Where the keys are.
    package var token: Token
    /// Nil where none is configured.
    package var trail: Trail?
    /// Whether two people are asked for where one alone must not act.
    package var dualControl: Bool
    /// What somebody with the token's PIN alone could forge of it, and what not.
    package var trust: [String]
    /// Where this token does not enforce what it reports: the first lines of the report.
    package var tokenLimits: [String]
    /// Every key of the token, by label.
    package var keys: [AuditedKey]
    /// What is wrong, accepted or not.
    package var findings: [AuditFinding]
    /// Batches of cards that were begun and have not ended, a line each: no findings.
    package var unfinished: [String]
    /// Accepted findings that nothing in this token matches any more.
    package var acceptedInVain: [String]

    /// True where nothing is wrong that was not accepted.
    package var passed: Bool { findings.allSatisfy(\.accepted) }

    /// As a file, and its SHA-256 in hex, which the trail keeps: a report that is shown later is the one that was made if
    /// the two agree.
    package func encoded() throws -> (data: Data, digest: String) {
        let data = try Self.json(self)
        let digest: [UInt8] = try Digest.sha256(Array(data))
        return (data, Hex.encode(digest))
    }

    /// JSON with its keys in order.
    package static func json(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}

/// One key.
package struct AuditedKey: Codable, Sendable {
    /// `CKA_LABEL`.
    package var label: String
    /// RFC 7512.
    package var uri: String
    /// The name that all versions of the key share.
    package var name: String
    /// 1 for the first.
    package var version: Int
    /// `secret-key`, `private-key` or `public-key`.
    package var keyClass: String
    /// Nil where the label says none.
    package var purpose: String?
    /// `des2`, `des3`, `aes`, `genericSecret`; nil for a type that this product does not use.
    package var type: String?
    /// Six hex digits; nil where the token gives no way to it.
    package var checkValue: String?
    /// Ceremony, generated, imported … as the audit trail has it; nil where nobody wrote it down.
    package var origin: String?
    /// When, as the audit trail has it.
    package var since: String?
    /// The last time that something says it was used.
    package var lastUse: String?
    /// The attributes by their standard names; one that the token does not know is left out.
    package var attributes: [String: Bool]
    /// What was tried and what the token answered.
    package var probes: [Probe]

    /// One try.
    package struct Probe: Codable, Sendable {
        /// A verb phrase.
        package var tried: String
        /// True where the token let it happen.
        package var accepted: Bool
        /// The token's answer.
        package var answer: String
    }
}

/// One thing that is wrong.
package struct AuditFinding: Codable, Hashable, Sendable {
    /// A raw value of `FindingKind`.
    package var kind: String
    /// `CKA_LABEL`, nil where it is about no key.
    package var key: String?
    /// `token` where the token's nature is the cause, `store` where somebody is.
    package var causedBy: String
    /// What exactly.
    package var detail: String
    /// Whether the configuration accepts it.
    package var accepted: Bool

    /// Nil for a word that this version does not know.
    package var cause: FindingCause? { FindingCause(rawValue: causedBy) }
}
