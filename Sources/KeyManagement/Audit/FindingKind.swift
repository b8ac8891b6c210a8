/// What an audit can find. The raw values stand in configurations that accept a finding.
package enum FindingKind: String, CaseIterable, Sendable {
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
    case probeExport = "probe-export"
    case keyUnknown = "key-unknown"
    case keyUnnoted = "key-unnoted"
    case keyMissing = "key-missing"
    case keySwapped = "key-swapped"
    case keyRenamed = "key-renamed"
    case keyCopied = "key-copied"
    case keyChanged = "key-attributes-changed"
    case keyUnverified = "key-unverified"
    case keyUnreadable = "key-unreadable"
    case objectUnknown = "object-unknown"
    case originContradicted = "origin-contradicted"
    case eventUnsigned = "event-unsigned"
    case trailContradictory = "trail-contradictory"
    case testKey = "test-key"
    case originUnrecorded = "origin-unrecorded"
    case trailDamaged = "trail-damaged"
    case trailMissing = "trail-missing"

    /// What it means, for people who read the report.
    package var words: String {
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
        case .probeExport: "the token lets it out under a wrapping key"
        case .keyUnknown: "the audit trail knows no key of this label: somebody put it there"
        case .keyUnnoted: "says in CKA_ID where it came from, and the audit trail knows nothing of it"
        case .keyMissing: "the audit trail says that it is there, and it is not"
        case .keySwapped: "is another key than the one of which the audit trail tells"
        case .keyRenamed: "is a key of the audit trail under another label"
        case .keyCopied: "is a second copy of another key"
        case .keyChanged: "has other attributes, or another CKA_ID, than when it was made"
        case .keyUnverified: "nothing shows that it is the key of which the audit trail tells"
        case .keyUnreadable: "the token does not say what it is"
        case .objectUnknown: "is no key, and nothing of this product: somebody put it there"
        case .originContradicted: "says another origin in CKA_ID than the audit trail"
        case .eventUnsigned: "its line in the audit trail lacks signatures that it has to have"
        case .trailContradictory: "the audit trail tells of it in a way that cannot be"
        case .testKey: "its check value is that of a public test key"
        case .originUnrecorded: "the audit trail does not say where it came from"
        case .trailDamaged: "the audit trail is not whole"
        case .trailMissing: "no audit trail is configured"
        }
    }
}

/// What a finding comes from. The raw values stand in reports.
package enum FindingCause: String, Sendable, CaseIterable {
    /// The token is so: a key that the audit made itself, with the least usage, behaves in the same way.
    case token
    /// Somebody brought it about, in the store or in the trail.
    case store
}

extension FindingKind {
    /// True for what can be either: a token's limit, or a key that somebody made so.
    var hasTwoCauses: Bool {
        switch self {
        case .probeEncrypt, .probeDecrypt, .probeSign, .probeVerify, .probeWrap, .probeUnwrap, .probeDerive,
            .probeRead, .probeWiden, .probeCopyWider, .probeCopyReadable, .probeExport, .notAlwaysSensitive,
            .notNeverExtractable:
            true
        default: false
        }
    }
}

/// A finding that an operator has accepted: `test-key` for every key, `zpk-acquirer-a/modifiable` for one. Of what a
/// token's nature can cause, `probe-derive` accepts that and nothing else; what somebody caused needs a word of its own,
/// `store:zpk-acquirer-a/probe-derive`.
package struct AcceptedFinding: Hashable, Sendable, CustomStringConvertible {
    /// `CKA_LABEL`; nil: every key.
    package let key: String?
    /// What is accepted.
    package let kind: FindingKind
    /// Whose doing is accepted.
    package let cause: FindingCause

    private static let storeMark = "store:"

    /// - Throws: `AcceptedFindingError` naming the nearest finding there is.
    package init(parsing text: String) throws(AcceptedFindingError) {
        let isMarked = text.hasPrefix(Self.storeMark)
        let parts = text.dropFirst(isMarked ? Self.storeMark.count : 0)
            .split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), !parts.contains(""), let last = parts.last else {
            throw AcceptedFindingError(
                description:
                    "audit.acceptedFindings: FINDING or KEY/FINDING is needed, with or without store: before it, "
                    + "not \(text)")
        }
        guard let kind = FindingKind(rawValue: last) else {
            let known = FindingKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw AcceptedFindingError(
                description: "audit.acceptedFindings: \(last) is none of \(known)")
        }
        self.kind = kind
        key = parts.count == 2 ? parts[0] : nil
        cause = isMarked || !kind.hasTwoCauses ? .store : .token
    }

    /// As the configuration writes it.
    package var description: String {
        let words = key.map { "\($0)/\(kind.rawValue)" } ?? kind.rawValue
        return cause == .store && kind.hasTwoCauses ? Self.storeMark + words : words
    }

    func covers(_ finding: AuditFinding) -> Bool {
        kind.rawValue == finding.kind && cause == finding.cause && (key == nil || key == finding.key)
    }
}

/// An entry of `audit.acceptedFindings` that names no finding.
package struct AcceptedFindingError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String
}
