/// Something that happened to a key, or to a program that holds keys.
public struct AuditEvent: Hashable, Sendable {
    /// What happened. Others may add kinds of their own; the raw value stands in the log and keeps its meaning.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// Lower-case words with hyphens.
        public let rawValue: String

        /// - Parameter rawValue: lower-case words with hyphens.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The first line of a log: its key was made.
        public static let trailBegun = Kind(rawValue: "trail-begun")
        /// `issuer-host` serves.
        public static let hostStarted = Kind(rawValue: "host-started")
        /// `issuer-host` did not start, for the reason given.
        public static let hostRefused = Kind(rawValue: "host-refused")
        /// `issuer-host` has drained and ended.
        public static let hostStopped = Kind(rawValue: "host-stopped")
        /// A command of `issuer-keys` began that takes people and time.
        public static let commandStarted = Kind(rawValue: "command-started")
        /// A command of `issuer-keys` ended without what it was for.
        public static let commandFailed = Kind(rawValue: "command-failed")
        /// The token made a key.
        public static let keyGenerated = Kind(rawValue: "key-generated")
        /// A key came out of a ceremony.
        public static let keyFromCeremony = Kind(rawValue: "key-from-ceremony")
        /// A key came in under another key.
        public static let keyImported = Kind(rawValue: "key-imported")
        /// A public test key was loaded.
        public static let testKeyLoaded = Kind(rawValue: "test-key-loaded")
        /// A key left under another key.
        public static let keyExported = Kind(rawValue: "key-exported")
        /// A key version is not to be used for new cards any more, or was destroyed.
        public static let keyRetired = Kind(rawValue: "key-retired")
        /// Card keys were handed out under a transport key.
        public static let cardsPersonalised = Kind(rawValue: "cards-personalised")
        /// A zone key came over a link and is in use.
        public static let zoneKeyChanged = Kind(rawValue: "zone-key-changed")
        /// A zone key that came over a link was not taken.
        public static let zoneKeyRefused = Kind(rawValue: "zone-key-refused")
        /// The ATCs seen of a card were forgotten: cryptograms seen before would verify again.
        public static let atcReset = Kind(rawValue: "atc-reset")
        /// A PIN block became what a card's record keeps, or was refused.
        public static let pinReferenceMade = Kind(rawValue: "pin-reference-made")
        /// People looked at all lines before and signed them.
        public static let trailVouched = Kind(rawValue: "trail-vouched")
        /// A checkpoint left the machine.
        public static let checkpointTaken = Kind(rawValue: "checkpoint-taken")
        /// An audit was run.
        public static let audited = Kind(rawValue: "audited")
    }

    /// What happened.
    public let kind: Kind
    /// `CKA_LABEL` of the key, nil where it was no single key.
    public let key: String?
    /// More about it: names and values for people, never key material.
    public let details: [String: String]

    /// Takes the parts; see each property.
    public init(_ kind: Kind, key: String? = nil, details: [String: String] = [:]) {
        self.kind = kind
        self.key = key
        self.details = details
    }
}

/// A log that cannot be written or read.
public struct AuditTrailError: Error, Sendable, CustomStringConvertible {
    /// One line for people; names the file.
    public let description: String

    init(_ description: String) { self.description = description }
}
