internal import Configuration
internal import Foundation

/// The whole configuration of the host, checked for form. Whether keys exist and servers answer is for
/// `issuer-host check` to say.
public struct IssuerConfiguration: Sendable {
    /// What test material is allowed.
    public enum Profile: String, Sendable {
        case demo, production
    }

    /// How to reach the token.
    public struct Token: Sendable {
        /// The shared library.
        public var module: String
        /// What the library wants at initialisation, nil for nothing.
        public var initArguments: String?
        /// The token, as an RFC 7512 URI.
        public var uri: String
        /// File with the user PIN; nil: the environment variable `ISSUER_TOKEN_PIN`.
        public var pinFile: String?
        /// Threads, each with a session of its own. Half of the processors by default: one thread serves tens of
        /// thousands of authorisations a second from a token in the process, and connections and Redis want
        /// the rest. More for a token at the end of a wire.
        public var workers: Int
        /// Jobs that may wait for a worker.
        public var queuedJobsMax: Int
        /// ICC master keys whose handles a worker keeps. None by default: a token in the process derives one faster
        /// than it finds one among thousands. Where a call crosses a wire, keeping them saves one.
        public var masterKeysKept: Int
    }

    /// How to reach the state store: nodes of a cluster, or sentinels, or a Unix socket, or host and port.
    public struct Redis: Sendable, Equatable {
        /// Path of the socket; nil: host and port are used.
        public var unixSocket: String?
        /// Address or name.
        public var host: String
        /// TCP port.
        public var port: Int
        /// Name of the master that the sentinels are asked for; nil: no sentinels.
        public var sentinelMaster: String?
        /// `host:port` of each sentinel.
        public var sentinels: [String]
        /// `host:port` of some nodes of a cluster; empty: no cluster.
        public var cluster: [String]
        /// Replicas that have to have a commit before it is answered.
        public var replicasMin: Int
        /// How long they may take.
        public var replicaTimeoutMilliseconds: Int
        /// Hash slots that cards are spread over.
        public var buckets: Int
    }

    /// What decisions go by.
    public struct Policy: Sendable {
        /// How far an ATC may be ahead of the highest seen.
        public var atcJumpMax: Int
        /// Whether an unseen ATC behind the highest seen may pass.
        public var lateATCAccepted: Bool
        /// Wrong PINs in a row that block the PIN of a card imported from now on.
        public var pinTriesMax: Int
    }

    /// One issuer range.
    public struct Issuer: Sendable {
        /// The name that the operator chose.
        public var name: String
        /// Leading PAN digits.
        public var prefix: String
        /// The master keys, by version; one without a name where the file gives them for the whole range.
        public var keyVersions: [KeyVersion]
        /// `A`, `B` or, for AES cards, `C`.
        public var masterKeyOption: String
        /// `iso2` or `vis`: the clear form of a new PIN in issuer scripts; nil: the one of the card's profile.
        public var scriptPINForm: String?
        /// Names of bits of the TVR on which its transactions are declined; nil: the usual ones.
        public var declineOnTVR: [String]?
        /// The same of the CVR.
        public var declineOnCVR: [String]?
        /// `failed`, `pin-not-seen-by-card`; nil: the latter.
        public var declineOnCVM: [String]?
        /// Names of the cryptogram profiles that are allowed.
        public var profiles: [String]
        /// What it lets pass without a chip; nil: nothing.
        public var nonChip: NonChip?
        /// What its cards may spend; nil: the available amount alone decides.
        public var limits: Limits?
        /// An EMV2000 session key tree, as height, branch factor and IV; known in order to be refused by name.
        public var sessionKeyTree: String?
        /// How online PINs are verified.
        public var pins: IssuerPINs
    }

    /// Bounds on what is spent, amounts in minor units; nil is without bound.
    public struct Limits: Sendable {
        /// Numeric code of the currency of all amounts.
        public var currency: String
        /// Of one transaction.
        public var transactionMax: Int?
        /// Of one contactless transaction.
        public var contactlessMax: Int?
        /// Of one transaction without cardholder verification.
        public var unverifiedMax: Int?
        /// Of one day.
        public var dailyAmount: Int?
        /// Transactions of one day.
        public var dailyCount: Int?
        /// Of the last days.
        public var rollingAmount: Int?
        /// Transactions of the last days.
        public var rollingCount: Int?
        /// How many days `rolling…` means, 1 to 31.
        public var rollingDays: Int
        /// Cash of one day.
        public var cashAmount: Int?
        /// Cash withdrawals of one day.
        public var cashCount: Int?
        /// Merchant category codes that are declined.
        public var blockedMerchantCategories: [String]
        /// Countries that are declined, numeric codes.
        public var blockedCountries: [String]
    }

    /// What test material is allowed.
    public var profile: Profile
    /// Folder of the dialect files.
    public var dialects: String
    /// The token.
    public var token: Token
    /// Label of the key that names cards in the state store.
    public var panHashKey: String
    /// Label of the PVK; nil: no PINs on this host.
    public var pinVerificationKey: String?
    /// Label of the key of Visa's PIN verification values; nil: the host has none.
    public var pinVerificationValueKey: String?
    /// The state store.
    public var redis: Redis
    /// What decisions go by.
    public var policy: Policy
    /// At least one.
    public var issuers: [Issuer]
    /// At least one.
    public var links: [Link]
    /// Evidence of what happens to keys.
    public var audit: Audit
    /// Where the admin port listens.
    public var adminHost: String
    /// Nil: no admin port.
    public var adminPort: Int?
    /// Threads for the links.
    public var eventLoops: Int
    /// How long what is under way may take at the end.
    public var drainTimeoutSeconds: Int
    /// A level of swift-log.
    public var logLevel: String
    /// `text` or `json`.
    public var logFormat: String

    /// Reads a file.
    /// - Throws: `ConfigurationError` naming file, line and key.
    public init(path: String) throws(ConfigurationError) {
        let file = try ConfigurationFile(path: path)
        do { self = try IssuerConfiguration(file, path) } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError("\(path): \(error)")
        }
    }

    private init(_ file: ConfigurationFile, _ path: String) throws {
        let reader = file.reader
        let profileName = try reader.requiredString(forKey: "profile")
        guard let profile = Profile(rawValue: profileName) else {
            throw ConfigurationError("\(path): profile has to be demo or production, not \(profileName)")
        }
        self.profile = profile
        dialects = file.absolute(try reader.requiredString(forKey: "dialects"))
        token = Token(
            module: try reader.requiredString(forKey: "token.module"),
            initArguments: reader.string(forKey: "token.initArguments"),
            uri: try reader.requiredString(forKey: "token.uri"),
            pinFile: reader.string(forKey: "token.pinFile").map(file.absolute),
            workers: try IssuerConfiguration.positive(
                reader, "token.workers", max(1, ProcessInfo.processInfo.activeProcessorCount / 2), path),
            queuedJobsMax: try IssuerConfiguration.positive(reader, "token.queuedJobsMax", 4_096, path),
            masterKeysKept: reader.int(forKey: "token.masterKeysKept", default: 0))
        panHashKey = try reader.requiredString(forKey: "keys.panHash")
        pinVerificationKey = reader.string(forKey: "keys.pinVerification")
        pinVerificationValueKey = reader.string(forKey: "keys.pinVerificationValue")
        redis = Redis(
            unixSocket: reader.string(forKey: "redis.unixSocket").map(file.absolute),
            host: reader.string(forKey: "redis.host", default: "127.0.0.1"),
            port: reader.int(forKey: "redis.port", default: 6_379),
            sentinelMaster: reader.string(forKey: "redis.sentinelMaster"),
            sentinels: reader.stringArray(forKey: "redis.sentinels", default: []),
            cluster: reader.stringArray(forKey: "redis.cluster", default: []),
            replicasMin: reader.int(forKey: "redis.replicasMin", default: 0),
            replicaTimeoutMilliseconds: try IssuerConfiguration.positive(
                reader, "redis.replicaTimeoutMilliseconds", 100, path),
            buckets: try IssuerConfiguration.positive(reader, "redis.buckets", 64, path))
        policy = Policy(
            atcJumpMax: try IssuerConfiguration.positive(reader, "policy.atcJumpMax", 1_000, path),
            lateATCAccepted: reader.bool(forKey: "policy.lateATCAccepted", default: true),
            pinTriesMax: try IssuerConfiguration.positive(reader, "policy.pinTriesMax", 3, path))
        issuers = try file.names(in: "issuers").map { name in
            try IssuerConfiguration.issuer(
                reader, name, keyVersions: try IssuerConfiguration.keyVersions(file, issuer: name, path),
                hasLimits: !file.names(in: "issuers.\(name).limits").isEmpty, path)
        }
        links = try file.names(in: "links").map { name in
            try Link(
                reader, name, hasTLS: !file.names(in: "links.\(name).tls").isEmpty,
                hasMAC: !file.names(in: "links.\(name).mac").isEmpty,
                hasKeyChange: !file.names(in: "links.\(name).keyChange").isEmpty, path,
                absolute: file.absolute)
        }
        audit = try IssuerConfiguration.audit(file, profile, path)
        adminHost = reader.string(forKey: "admin.host", default: "127.0.0.1")
        adminPort = reader.int(forKey: "admin.port")
        eventLoops = try IssuerConfiguration.positive(reader, "server.eventLoops", 1, path)
        drainTimeoutSeconds = try IssuerConfiguration.positive(reader, "server.drainTimeoutSeconds", 10, path)
        logLevel = reader.string(forKey: "log.level", default: "notice")
        logFormat = reader.string(forKey: "log.format", default: "text")
        guard !issuers.isEmpty else { throw ConfigurationError("\(path): issuers: at least one is needed") }
        guard !links.isEmpty else { throw ConfigurationError("\(path): links: at least one is needed") }
    }

    private static func issuer(
        _ reader: ConfigReader, _ name: String, keyVersions: [KeyVersion], hasLimits: Bool, _ path: String
    ) throws -> Issuer {
        let reader = reader.scoped(to: ConfigKey(["issuers", name]))
        return Issuer(
            name: name, prefix: try reader.requiredString(forKey: "prefix"), keyVersions: keyVersions,
            masterKeyOption: reader.string(forKey: "masterKeyOption", default: "A"),
            scriptPINForm: reader.string(forKey: "scriptPINForm"),
            declineOnTVR: reader.stringArray(forKey: "declineOnTVR"),
            declineOnCVR: reader.stringArray(forKey: "declineOnCVR"),
            declineOnCVM: reader.stringArray(forKey: "declineOnCVM"),
            profiles: try reader.requiredStringArray(forKey: "profiles"),
            nonChip: NonChip(reader),
            limits: hasLimits ? try limits(reader.scoped(to: "limits"), name, path) : nil,
            sessionKeyTree: reader.string(forKey: "sessionKeyTree"),
            pins: IssuerPINs(reader.scoped(to: "pin")))
    }

    private static func limits(_ reader: ConfigReader, _ issuer: String, _ path: String) throws -> Limits {
        let days = reader.int(forKey: "rollingDays", default: 30)
        guard (1...31).contains(days) else {
            throw ConfigurationError("\(path): issuers.\(issuer).limits.rollingDays has to be 1 to 31")
        }
        return Limits(
            currency: try reader.requiredString(forKey: "currency"),
            transactionMax: reader.int(forKey: "transactionMax"),
            contactlessMax: reader.int(forKey: "contactlessMax"),
            unverifiedMax: reader.int(forKey: "unverifiedMax"),
            dailyAmount: reader.int(forKey: "dailyAmount"), dailyCount: reader.int(forKey: "dailyCount"),
            rollingAmount: reader.int(forKey: "rollingAmount"),
            rollingCount: reader.int(forKey: "rollingCount"), rollingDays: days,
            cashAmount: reader.int(forKey: "cashAmount"), cashCount: reader.int(forKey: "cashCount"),
            blockedMerchantCategories: reader.stringArray(forKey: "blockedMerchantCategories", default: []),
            blockedCountries: reader.stringArray(forKey: "blockedCountries", default: []))
    }

    /// Zero never means without bound.
    static func positive(
        _ reader: ConfigReader, _ key: ConfigKey, _ standard: Int, _ path: String
    ) throws -> Int {
        let value = reader.int(forKey: key, default: standard)
        guard value > 0 else {
            throw ConfigurationError("\(path): \(key.components.joined(separator: ".")) has to be over zero")
        }
        return value
    }
}
