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
        /// Where the jobs of requests run: `auto`, `loop` or `workers`.
        public var placement: String
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
        /// File in which the host keeps what it knows of the store.
        public var placeFile: String
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
        /// Per cent by which completions may come to more than was approved, where no rule fits.
        public var completionExcessPercent: Int
        /// Days that a pre-authorisation holds its amount, where no rule fits.
        public var holdDays: Int
        /// `CATEGORY:PERCENT:DAYS` or `FROM-TO:PERCENT:DAYS`, before the usual ones.
        public var holdRules: [String]
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

    /// Everything as it was written, with where it comes from.
    public var settings: Settings
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
    /// For simulators.
    public var demo: Demo
    /// Of the issuer's keys for offline data authentication.
    public var certificates: Certificates
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

    /// Reads a file, with what the environment of this process puts in the place of its values.
    /// - Throws: `ConfigurationError` naming file and line, or variable, and key.
    public init(path: String) throws(ConfigurationError) {
        try self.init(path: path, environment: ProcessInfo.processInfo.environment)
    }

    /// - Parameter environment: variables `ISSUER_…` come before the file.
    public init(path: String, environment: [String: String]) throws(ConfigurationError) {
        try self.init(try Settings(path: path, environment: environment))
    }

    private init(_ settings: Settings) throws(ConfigurationError) {
        self.settings = settings
        let top = settings.section()
        profile = Profile(rawValue: try top.text("profile")) ?? .production
        dialects = try top.file("dialects")
        token = try Token(settings.section("token"))
        panHashKey = try top.text("keys.panHash")
        pinVerificationKey = top.textIfThere("keys.pinVerification")
        pinVerificationValueKey = top.textIfThere("keys.pinVerificationValue")
        redis = try Redis(settings.section("redis"))
        policy = Policy(
            atcJumpMax: try top.number("policy.atcJumpMax"),
            lateATCAccepted: try top.flag("policy.lateATCAccepted"),
            pinTriesMax: try top.number("policy.pinTriesMax"))
        var issuers: [Issuer] = []
        for name in settings.names(["issuers"]) {
            issuers.append(try Issuer(settings.section("issuers", name)))
        }
        self.issuers = issuers
        var links: [Link] = []
        for name in settings.names(["links"]) { links.append(try Link(settings.section("links", name))) }
        self.links = links
        audit = try Audit(settings.section("audit"), keys: settings.section("keys"), profile)
        demo = try Demo(settings.section("demo"))
        certificates = try Certificates(settings.section("certificates"))
        adminHost = try top.text("admin.host")
        adminPort = top.numberIfThere("admin.port")
        eventLoops = try top.number("server.eventLoops")
        drainTimeoutSeconds = try top.number("server.drainTimeoutSeconds")
        logLevel = try top.text("log.level")
        logFormat = try top.text("log.format")
        guard !issuers.isEmpty else { throw top.fault("issuers", "is missing: at least one range is needed") }
        guard !links.isEmpty else { throw top.fault("links", "is missing: at least one link is needed") }
    }
}

extension IssuerConfiguration.Token {
    init(_ section: Section) throws(ConfigurationError) {
        module = try section.text("module")
        initArguments = section.textIfThere("initArguments")
        uri = try section.text("uri")
        pinFile = section.fileIfThere("pinFile")
        placement = try section.text("placement")
        workers = section.numberIfThere("workers") ?? max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
        queuedJobsMax = try section.number("queuedJobsMax")
        masterKeysKept = try section.number("masterKeysKept")
        // Neither of the two may be passed over.
        guard pinFile == nil || !section.settings.hasTokenPIN else {
            throw section.fault(
                "pinFile", "and the variable \(EnvironmentOverrides.tokenPIN) exclude each other")
        }
    }
}

extension IssuerConfiguration.Redis {
    init(_ section: Section) throws(ConfigurationError) {
        unixSocket = section.fileIfThere("unixSocket")
        host = try section.text("host")
        port = try section.number("port")
        sentinelMaster = section.textIfThere("sentinelMaster")
        sentinels = try section.list("sentinels")
        cluster = try section.list("cluster")
        replicasMin = try section.number("replicasMin")
        replicaTimeoutMilliseconds = try section.number("replicaTimeoutMilliseconds")
        buckets = try section.number("buckets")
        placeFile = section.fileIfThere("placeFile") ?? section.settings.path(endingWith: "place")
        // Of two ways to the store one would be passed over.
        let ways = [["cluster"], ["sentinels", "sentinelMaster"], ["unixSocket"], ["host", "port"]].compactMap
        {
            $0.first { section.isWritten($0) }
        }
        guard ways.count < 2 else {
            throw section.fault(
                ways[1], "and redis.\(ways[0]) exclude each other: one way to the store is enough")
        }
        guard section.isWritten("sentinels") == section.isWritten("sentinelMaster") else {
            let written = section.isWritten("sentinels") ? "sentinels" : "sentinelMaster"
            throw section.fault(written, "is half of it: sentinels and sentinelMaster belong together")
        }
    }
}

extension IssuerConfiguration.Issuer {
    init(_ section: Section) throws(ConfigurationError) {
        name = section.path[1]
        prefix = try section.text("prefix")
        keyVersions = try IssuerConfiguration.keyVersions(section)
        masterKeyOption = try section.text("masterKeyOption")
        scriptPINForm = section.textIfThere("scriptPINForm")
        declineOnTVR = section.listIfThere("declineOnTVR")
        declineOnCVR = section.listIfThere("declineOnCVR")
        declineOnCVM = section.listIfThere("declineOnCVM")
        profiles = try section.list("profiles")
        let nonChip = section.section("nonChip")
        self.nonChip = nonChip.isThere ? try IssuerConfiguration.NonChip(nonChip) : nil
        let limits = section.section("limits")
        self.limits = limits.isThere ? try IssuerConfiguration.Limits(limits) : nil
        completionExcessPercent = try section.number("completionExcessPercent")
        holdDays = try section.number("holdDays")
        holdRules = try section.list("holdRules")
        sessionKeyTree = section.textIfThere("sessionKeyTree")
        pins = try IssuerConfiguration.IssuerPINs(section.section("pin"))
        guard !profiles.isEmpty else { throw section.fault("profiles", "has to name at least one profile") }
    }
}

extension IssuerConfiguration.Limits {
    init(_ section: Section) throws(ConfigurationError) {
        currency = try section.text("currency")
        transactionMax = section.numberIfThere("transactionMax")
        contactlessMax = section.numberIfThere("contactlessMax")
        unverifiedMax = section.numberIfThere("unverifiedMax")
        dailyAmount = section.numberIfThere("dailyAmount")
        dailyCount = section.numberIfThere("dailyCount")
        rollingAmount = section.numberIfThere("rollingAmount")
        rollingCount = section.numberIfThere("rollingCount")
        rollingDays = try section.number("rollingDays")
        cashAmount = section.numberIfThere("cashAmount")
        cashCount = section.numberIfThere("cashCount")
        blockedMerchantCategories = try section.list("blockedMerchantCategories")
        blockedCountries = try section.list("blockedCountries")
    }
}
