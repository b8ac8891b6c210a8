internal import Foundation

/// The whole configuration of the host, checked for form. Whether keys exist and servers answer is for
/// `issuer-host check` to say.
package struct IssuerConfiguration: Sendable {
    /// What test material is allowed.
    package enum Profile: String, Sendable {
        case demo, production
    }

    /// How to reach the token.
    package struct Token: Sendable {
        /// The shared library.
        package var module: String
        /// What the library wants at initialisation, nil for nothing.
        package var initArguments: String?
        /// The library's entry point.
        package var functionList: String
        /// The token, as an RFC 7512 URI; the first of several.
        package var uri: String
        /// Further tokens with the same keys.
        package var otherURIs: [String]
        /// File with the user PIN; nil: the environment variable `ISSUER_TOKEN_PIN`.
        package var pinFile: String?
        /// Where the jobs of requests run: `auto`, `loop` or `workers`.
        package var placement: String
        /// Threads, each with a session of its own. Half of the processors by default: one thread serves tens of
        /// thousands of authorisations a second from a token in the process, and connections and Redis want
        /// the rest. More for a token at the end of a wire.
        package var workers: Int
        /// Jobs that may wait for a worker.
        package var queuedJobsMax: Int
        /// ICC master keys whose handles a worker keeps. None by default: a token in the process derives one faster
        /// than it finds one among thousands. Where a call crosses a wire, keeping them saves one.
        package var masterKeysKept: Int
    }

    /// How to reach the state store: nodes of a cluster, or sentinels, or a Unix socket, or host and port.
    package struct Redis: Sendable, Equatable {
        /// Path of the socket; nil: host and port are used.
        package var unixSocket: String?
        /// Address or name.
        package var host: String
        /// TCP port.
        package var port: Int
        /// Name of the master that the sentinels are asked for; nil: no sentinels.
        package var sentinelMaster: String?
        /// `host:port` of each sentinel.
        package var sentinels: [String]
        /// `host:port` of some nodes of a cluster; empty: no cluster.
        package var cluster: [String]
        /// Replicas that have to have a commit before it is answered.
        package var replicasMin: Int
        /// How long they may take.
        package var replicaTimeoutMilliseconds: Int
        /// How long a primary may be without the replicas that it had.
        package var replicasLostMilliseconds: Int
        /// Hash slots that cards are spread over.
        package var buckets: Int
        /// File in which the host keeps what it knows of the store.
        package var placeFile: String
        /// Whether records of the layout before are taken over.
        package var migration: Bool
    }

    /// What decisions go by.
    package struct Policy: Sendable {
        /// How far an ATC may be ahead of the highest seen.
        package var atcJumpMax: Int
        /// Whether an unseen ATC behind the highest seen may pass.
        package var lateATCAccepted: Bool
        /// Wrong PINs in a row that block the PIN of a card imported from now on.
        package var pinTriesMax: Int
    }

    /// One issuer range.
    package struct Issuer: Sendable {
        /// The name that the operator chose.
        package var name: String
        /// Leading PAN digits.
        package var prefix: String
        /// The master keys, by version; one without a name where the file gives them for the whole range.
        package var keyVersions: [KeyVersion]
        /// `A`, `B` or, for AES cards, `C`.
        package var masterKeyOption: String
        /// `iso2` or `vis`: the clear form of a new PIN in issuer scripts; nil: the one of the card's profile.
        package var scriptPINForm: String?
        /// Names of bits of the TVR on which its transactions are declined; nil: the usual ones.
        package var declineOnTVR: [String]?
        /// The same of the CVR.
        package var declineOnCVR: [String]?
        /// `failed`, `pin-not-seen-by-card`; nil: the latter.
        package var declineOnCVM: [String]?
        /// Names of the cryptogram profiles that are allowed.
        package var profiles: [String]
        /// What it lets pass without a chip; nil: nothing.
        package var nonChip: NonChip?
        /// How it verifies 3-D Secure authentication values; nil: it does not look at them.
        package var authenticationValue: AuthenticationValue?
        /// What its cards may spend; nil: the available amount alone decides.
        package var limits: Limits?
        /// Other currencies than the account's.
        package var abroad: Abroad
        /// Per cent by which completions may come to more than was approved, where no rule fits.
        package var completionExcessPercent: Int
        /// Days that a pre-authorisation holds its amount, where no rule fits.
        package var holdDays: Int
        /// `CATEGORY:PERCENT:DAYS` or `FROM-TO:PERCENT:DAYS`, before the usual ones.
        package var holdRules: [String]
        /// An EMV2000 session key tree, as height, branch factor and IV; known in order to be refused by name.
        package var sessionKeyTree: String?
        /// How online PINs are verified.
        package var pins: IssuerPINs
    }

    /// Bounds on what is spent, amounts in minor units; nil is without bound.
    package struct Limits: Sendable {
        /// Numeric code of the currency of all amounts.
        package var currency: String
        /// Of one transaction.
        package var transactionMax: Int?
        /// Of one contactless transaction.
        package var contactlessMax: Int?
        /// Of one transaction without cardholder verification.
        package var unverifiedMax: Int?
        /// Of one day.
        package var dailyAmount: Int?
        /// Transactions of one day.
        package var dailyCount: Int?
        /// Of the last days.
        package var rollingAmount: Int?
        /// Transactions of the last days.
        package var rollingCount: Int?
        /// How many days `rolling…` means, 1 to 31.
        package var rollingDays: Int
        /// Cash of one day.
        package var cashAmount: Int?
        /// Cash withdrawals of one day.
        package var cashCount: Int?
        /// Merchant category codes that are declined.
        package var blockedMerchantCategories: [String]
        /// Countries that are declined, numeric codes.
        package var blockedCountries: [String]
    }

    /// Everything as it was written, with where it comes from.
    package var settings: Settings
    /// What test material is allowed.
    package var profile: Profile
    /// Folder of the dialect files.
    package var dialects: String
    /// The token.
    package var token: Token
    /// Label of the key that names cards in the state store.
    package var panHashKey: String
    /// Label of the PVK; nil: no PINs on this host.
    package var pinVerificationKey: String?
    /// Label of the key of Visa's PIN verification values; nil: the host has none.
    package var pinVerificationValueKey: String?
    /// The state store.
    package var redis: Redis
    /// What decisions go by.
    package var policy: Policy
    /// At least one.
    package var issuers: [Issuer]
    /// At least one.
    package var links: [Link]
    /// Evidence of what happens to keys.
    package var audit: Audit
    /// For simulators.
    package var demo: Demo
    /// Of the issuer's keys for offline data authentication.
    package var certificates: Certificates
    /// Where the admin port listens.
    package var adminHost: String
    /// Nil: no admin port.
    package var adminPort: Int?
    /// Threads for the links.
    package var eventLoops: Int
    /// How long what is under way may take at the end.
    package var drainTimeoutSeconds: Int
    /// A level of swift-log.
    package var logLevel: String
    /// `text` or `json`.
    package var logFormat: String

    /// Reads a file, with what the environment of this process puts in the place of its values.
    /// - Throws: `ConfigurationError` naming file and line, or variable, and key.
    package init(path: String) throws(ConfigurationError) {
        try self.init(path: path, environment: ProcessInfo.processInfo.environment)
    }

    /// - Parameter environment: variables `ISSUER_…` come before the file.
    package init(path: String, environment: [String: String]) throws(ConfigurationError) {
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
        audit = try Audit(settings.section("audit"), keys: settings.section("keys"), profile: profile)
        demo = try Demo(settings.section("demo"))
        certificates = try Certificates(settings.section("certificates"))
        adminHost = try top.text("admin.host")
        adminPort = top.numberIfThere("admin.port")
        eventLoops =
            top.numberIfThere("server.eventLoops") ?? min(IssuerConfiguration.usableProcessors(), 8)
        drainTimeoutSeconds = try top.number("server.drainTimeoutSeconds")
        logLevel = try top.text("log.level")
        logFormat = try top.text("log.format")
        guard !issuers.isEmpty else { throw top.fault("issuers", "is missing: at least one range is needed") }
        guard !links.isEmpty else { throw top.fault("links", "is missing: at least one link is needed") }
    }
}

extension IssuerConfiguration {
    /// Those that this process may run on: fewer than the machine has where whoever starts it says so (taskset, a container's
    /// set of processors).
    static func usableProcessors(
        status: String? = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    ) -> Int {
        let mask = status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        let count = mask?.dropFirst("Cpus_allowed:".count).reduce(0) { count, digit in
            count + (digit.hexDigitValue?.nonzeroBitCount ?? 0)
        }
        return count.flatMap { $0 > 0 ? $0 : nil } ?? ProcessInfo.processInfo.activeProcessorCount
    }
}

extension IssuerConfiguration.Token {
    init(_ section: Section) throws(ConfigurationError) {
        module = try section.text("module")
        initArguments = section.textIfThere("initArguments")
        functionList = try section.text("functionList")
        let uris = try Self.uris(section)
        (uri, otherURIs) = (uris[0], Array(uris.dropFirst()))
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

    /// At least one.
    private static func uris(_ section: Section) throws(ConfigurationError) -> [String] {
        guard let several = section.listIfThere("uris") else { return [try section.text("uri")] }
        guard !section.isWritten("uri") else {
            throw section.fault("uris", "and token.uri exclude each other")
        }
        guard !several.isEmpty, Set(several).count == several.count else {
            throw section.fault("uris", "needs at least one token, and each once")
        }
        return several
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
        replicasLostMilliseconds = try section.number("replicasLostMilliseconds")
        buckets = try section.number("buckets")
        migration = try section.flag("migration")
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
        abroad = try IssuerConfiguration.Abroad(section.section("abroad"))
        let authentication = section.section("authenticationValue")
        authenticationValue =
            authentication.isThere ? try IssuerConfiguration.AuthenticationValue(authentication) : nil
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
