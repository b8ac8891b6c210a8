/// Something that happened to a key, or to a program that holds keys.
package struct AuditEvent: Hashable, Sendable {
    /// What happened. Others may add kinds of their own; the raw value stands in the log and keeps its meaning.
    package struct Kind: RawRepresentable, Hashable, Sendable {
        /// Lower-case words with hyphens.
        package let rawValue: String

        /// - Parameter rawValue: lower-case words with hyphens.
        package init(rawValue: String) { self.rawValue = rawValue }

        /// The first line of a log: its key was made.
        package static let trailBegun = Kind(rawValue: "trail-begun")
        /// `issuer-host` serves.
        package static let hostStarted = Kind(rawValue: "host-started")
        /// `issuer-host` did not start, for the reason given.
        package static let hostRefused = Kind(rawValue: "host-refused")
        /// `issuer-host` has drained and ended.
        package static let hostStopped = Kind(rawValue: "host-stopped")
        /// A command of `issuer-keys` began that takes people and time.
        package static let commandStarted = Kind(rawValue: "command-started")
        /// A command of `issuer-keys` ended without what it was for.
        package static let commandFailed = Kind(rawValue: "command-failed")
        /// The token made a key.
        package static let keyGenerated = Kind(rawValue: "key-generated")
        /// A key came out of a ceremony.
        package static let keyFromCeremony = Kind(rawValue: "key-from-ceremony")
        /// A key came in under another key.
        package static let keyImported = Kind(rawValue: "key-imported")
        /// A public test key was loaded.
        package static let testKeyLoaded = Kind(rawValue: "test-key-loaded")
        /// A key left under another key.
        package static let keyExported = Kind(rawValue: "key-exported")
        /// A key version is not to be used for new cards any more, or was destroyed.
        package static let keyRetired = Kind(rawValue: "key-retired")
        /// Card keys were handed out under a transport key.
        package static let cardsPersonalised = Kind(rawValue: "cards-personalised")
        /// A card's certificate, or a card, was made.
        package static let cardCertified = Kind(rawValue: "card-certified")
        /// A zone key came over a link and is in use.
        package static let zoneKeyChanged = Kind(rawValue: "zone-key-changed")
        /// A zone key that came over a link was not taken.
        package static let zoneKeyRefused = Kind(rawValue: "zone-key-refused")
        /// The ATCs seen of a card were forgotten: cryptograms seen before would verify again.
        package static let atcReset = Kind(rawValue: "atc-reset")
        /// A PIN block became what a card's record keeps, or was refused.
        package static let pinReferenceMade = Kind(rawValue: "pin-reference-made")
        /// People looked at all lines before and signed them.
        package static let trailVouched = Kind(rawValue: "trail-vouched")
        /// A checkpoint left the machine.
        package static let checkpointTaken = Kind(rawValue: "checkpoint-taken")
        /// An audit was run.
        package static let audited = Kind(rawValue: "audited")
    }

    /// What happened.
    package let kind: Kind
    /// `CKA_LABEL` of the key, nil where it was no single key.
    package let key: String?
    /// More about it: names and values for people, never key material.
    package let details: [String: String]

    package init(_ kind: Kind, key: String? = nil, details: [String: String] = [:]) {
        self.kind = kind
        self.key = key
        self.details = details
    }
}

/// A log that cannot be written or read.
package struct AuditTrailError: Error, Sendable, CustomStringConvertible {
    /// One line for people; names the file.
    package let description: String

    init(_ description: String) { self.description = description }
}
