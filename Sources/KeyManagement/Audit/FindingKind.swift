/// What an audit can find. The raw values stand in configurations that accept a finding.
public enum FindingKind: String, CaseIterable, Sendable {
    case purposeUnknown = "purpose-unknown"
    case labelAmbiguous = "label-ambiguous"
    case tooPowerful = "too-powerful"
    case tooWeak = "too-weak"
    case notPrivate = "not-private"
    case notSensitive = "not-sensitive"
    case notAlwaysSensitive = "not-always-sensitive"
    case extractable
    case notNeverExtractable = "not-never-extractable"
    case modifiable
    case probeEncrypt = "probe-encrypt"
    case probeDecrypt = "probe-decrypt"
    case probeSign = "probe-sign"
    case probeVerify = "probe-verify"
    case probeWrap = "probe-wrap"
    case probeUnwrap = "probe-unwrap"
    case probeDerive = "probe-derive"
    case probeRead = "probe-read-value"
    case probeWiden = "probe-widen-usage"
    case probeCopyWider = "probe-copy-with-wider-usage"
    case probeCopyReadable = "probe-copy-readable"
    case testKey = "test-key"
    case originUnrecorded = "origin-unrecorded"
    case trailDamaged = "trail-damaged"
    case trailMissing = "trail-missing"

    /// What it means, for people who read the report.
    public var words: String {
        switch self {
        case .purposeUnknown: "the label says no purpose, so nothing can be held against the key"
        case .labelAmbiguous: "several keys have this label"
        case .tooPowerful: "has a usage that its purpose does not need"
        case .tooWeak: "lacks a usage that its purpose needs"
        case .notPrivate: "is visible without login"
        case .notSensitive: "its value may be shown"
        case .notAlwaysSensitive: "its value was outside the token once, or may have been shown"
        case .extractable: "may leave the token under a wrapping key"
        case .notNeverExtractable: "was extractable once, or came from outside the token"
        case .modifiable: "its attributes may be changed"
        case .probeEncrypt: "the token enciphers with it"
        case .probeDecrypt: "the token deciphers with it"
        case .probeSign: "the token computes MACs with it"
        case .probeVerify: "the token verifies MACs with it"
        case .probeWrap: "the token wraps other keys under it"
        case .probeUnwrap: "the token unwraps other keys under it"
        case .probeDerive: "the token derives from it, though CKA_DERIVE is false"
        case .probeRead: "the token shows its value"
        case .probeWiden: "the token gives it another usage"
        case .probeCopyWider: "the token makes a copy of it with another usage"
        case .probeCopyReadable: "the token makes a copy of it that can be read or extracted"
        case .testKey: "its check value is that of a public test key"
        case .originUnrecorded: "the audit trail does not say where it came from"
        case .trailDamaged: "the audit trail is not whole"
        case .trailMissing: "no audit trail is configured"
        }
    }
}

/// A finding that an operator has accepted: `test-key` for every key, `zpk-acquirer-a/probe-derive` for one.
public struct AcceptedFinding: Hashable, Sendable, CustomStringConvertible {
    /// `CKA_LABEL`; nil: every key.
    public let key: String?
    /// What is accepted.
    public let kind: FindingKind

    /// - Throws: `AcceptedFindingError` naming the nearest finding there is.
    public init(parsing text: String) throws(AcceptedFindingError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), !parts.contains(""), let last = parts.last else {
            throw AcceptedFindingError(
                description: "audit.acceptedFindings: FINDING or KEY/FINDING is needed, not \(text)")
        }
        guard let kind = FindingKind(rawValue: last) else {
            let known = FindingKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw AcceptedFindingError(
                description: "audit.acceptedFindings: \(last) is none of \(known)")
        }
        self.kind = kind
        key = parts.count == 2 ? parts[0] : nil
    }

    /// As the configuration writes it.
    public var description: String { key.map { "\($0)/\(kind.rawValue)" } ?? kind.rawValue }

    func covers(_ finding: AuditFinding) -> Bool {
        kind.rawValue == finding.kind && (key == nil || key == finding.key)
    }
}

/// An entry of `audit.acceptedFindings` that names no finding.
public struct AcceptedFindingError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    public let description: String
}
