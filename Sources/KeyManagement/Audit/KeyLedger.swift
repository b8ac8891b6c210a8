internal import AuditTrail
internal import HSM
internal import PKCS11

/// The keys that should be in a token, as an audit trail tells: every key that was made or came in, less those that
/// were ended. What a key says of itself counts for nothing here: whoever has the token's PIN can write it.
struct KeyLedger: Sendable {
    /// A label means one key of each class.
    struct Name: Hashable, Codable, Sendable {
        let label: String
        let keyClass: KeyClass
    }

    /// One key.
    struct Entry: Codable, Sendable {
        /// As reports say it.
        let origin: String
        let time: String
        let sequence: UInt64
        let checkValue: String?
        let attributes: String?
        /// Of `KeyDescription`; nil in lines of before these were noted.
        let flags: String?
        let identifier: String?
        let digest: String?
        /// Type and length.
        let algorithm: String?
        /// As the token said when the key was made; nil in lines of before that was noted.
        let type: String?
        /// True where the value was put together inside the token or came in: such keys have another history there.
        let isFromOutside: Bool
        /// Key block header that it may leave under.
        let header: String?
    }

    private(set) var entries: [Name: Entry] = [:]
    /// Labels, each with what cannot be.
    private(set) var contradictions: [(label: String, words: String)] = []

    /// - Parameter lines: those whose seal is right, in the order of the log.
    init(_ lines: [AuditLine]) {
        for line in lines {
            guard let label = line.event.key else { continue }
            if line.event.kind == .trailBegun, line.sequence != 1 {
                // Needs nobody's signature, so it may explain one key alone: that of the seals.
                contradictions.append(
                    (label, "line \(line.sequence) begins a trail that has lines before it"))
            } else if line.event.kind == .keyRetired {
                for keyClass in Self.classes(line.event) {
                    if entries.removeValue(forKey: Name(label: label, keyClass: keyClass)) == nil {
                        contradictions.append(
                            (label, "line \(line.sequence) ends a key that no line before tells of"))
                    }
                }
            } else if let origin = Self.origin(of: line.event) {
                add(line, label, origin: origin)
            }
        }
    }

    /// Entries that were read from a trail before.
    init(_ entries: [Name: Entry]) { self.entries = entries }

    private mutating func add(_ line: AuditLine, _ label: String, origin: String) {
        let details = line.event.details
        for keyClass in Self.classes(line.event) {
            let name = Name(label: label, keyClass: keyClass)
            if let before = entries[name] {
                contradictions.append(
                    (label, "line \(line.sequence) makes it a second time, after line \(before.sequence)"))
            }
            entries[name] = Entry(
                origin: origin, time: line.time, sequence: line.sequence, checkValue: details["kcv"],
                attributes: details["attributes"], flags: details["flags"], identifier: details["id"],
                digest: details["digest"], algorithm: details["algorithm"],
                type: details["type"],
                isFromOutside: ![.keyGenerated, .trailBegun].contains(line.event.kind)
                    || details["exportable"] == "true",
                header: details["header"])
        }
    }

    private static func classes(_ event: AuditEvent) -> [KeyClass] {
        if event.details["class"] == "key-pair" { return [.privateKey, .publicKey] }
        return [event.details["class"].flatMap(KeyClass.init(rawValue:)) ?? .secret]
    }

    /// Nil for an event that brings no key. A link changes keys of its own two purposes and no others.
    private static func origin(of event: AuditEvent) -> String? {
        switch event.kind {
        case .keyFromCeremony: return "ceremony"
        case .keyGenerated, .trailBegun: return "generated"
        case .keyImported: return "imported"
        case .testKeyLoaded: return "test key"
        case .zoneKeyChanged:
            let purpose = event.key.flatMap(KeyPurpose.named)
            guard purpose == .zonePINKey || purpose == .zoneAuthenticationKey else { return nil }
            return "link \(event.details["link"] ?? "?")"
        default: return nil
        }
    }
}

extension KeyProvenance.Origin {
    /// Whether a key that says this of itself can be one that the trail tells of so.
    func agrees(with origin: String) -> Bool {
        switch self {
        case .ceremony: origin == "ceremony"
        case .generated: origin == "generated"
        case .imported: origin == "imported" || origin.hasPrefix("link ")
        case .test: origin == "test key"
        }
    }
}
