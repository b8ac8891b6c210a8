extension ConfigurationSchema {
    static let general: [ConfigurationKey] = [
        .init(
            "profile", .choice(["demo", "production"]), .required, reload: false,
            "`production` refuses test keys, a state store that may lose what it took, and a host without an audit trail."
        ),
        .init("dialects", .file, .required, "Folder of the dialect files."),
        .init(
            "keys.panHash", .text, .required, reload: false,
            "Label of the key that names cards in the state store."),
        .init(
            "keys.pinVerification", .text, .absent("no PINs on this host"),
            "Label of the key that reference PIN blocks are under (PVK)."),
        .init(
            "keys.pinVerificationValue", .text, .absent("no PIN verification values"),
            "Label of the key of Visa's PIN verification values."),
        .init(
            "keys.dualControl", .flag, .computed("true in a production profile"),
            "Whether what one person alone must not do with keys needs two."),
        .init(
            "keys.operators", .list, .absent("none"),
            "People whose signatures count: a name and 64 hex digits of an Ed25519 key each."),
    ]

    static let token: [ConfigurationKey] = [
        .init("token.module", .text, .required, reload: false, "The token's PKCS#11 library."),
        .init(
            "token.initArguments", .text, .absent("none"), reload: false,
            "What the library wants at initialisation."),
        .init(
            "token.functionList", .text, .value("C_GetFunctionList"), reload: false,
            "The library's entry point: NSS in FIPS mode is `FC_GetFunctionList`."),
        .init("token.uri", .text, .required, reload: false, "The token, as an RFC 7512 URI."),
        .init(
            "token.pinFile", .file, .absent("`ISSUER_TOKEN_PIN` holds the PIN"), reload: false,
            "File with the token's user PIN, readable by its owner alone."),
        .init(
            "token.placement", .choice(["auto", "loop", "workers"]), .value("auto"),
            "Where its jobs run: on the event loop, on workers, or on the loop where it is a quick library in this process."
        ),
        .init(
            "token.workers", .number(1...256), .computed("half of the processors"), unit: "threads",
            "Threads that call the token, each with a session of its own."),
        .init(
            "token.queuedJobsMax", .number(1...1_000_000), .value("65536"), unit: "jobs",
            "Jobs that may wait for such a thread; what comes on top is answered 91."),
        .init(
            "token.masterKeysKept", .number(0...1_000_000), .value("0"), unit: "keys",
            "ICC master keys whose handles each of them keeps: for tokens at the end of a wire."),
    ]

    static let store: [ConfigurationKey] = [
        .init(
            "redis.unixSocket", .file, .absent("`redis.host` and `redis.port`"), reload: false,
            "Socket of the state store."),
        .init("redis.host", .text, .value("127.0.0.1"), reload: false, "Address or name of the state store."),
        .init("redis.port", .number(1...65_535), .value("6379"), reload: false, "Its TCP port."),
        .init(
            "redis.sentinelMaster", .text, .absent("no sentinels"), reload: false,
            "Name of the primary that the sentinels are asked for."),
        .init("redis.sentinels", .list, .absent("none"), reload: false, "`host:port` of each sentinel."),
        .init(
            "redis.cluster", .list, .absent("no cluster"), reload: false,
            "`host:port` of some nodes of a cluster."),
        .init(
            "redis.replicasMin", .number(0...16), .value("0"), unit: "replicas", reload: false,
            "Replicas that have to have a decision before it is answered."),
        .init(
            "redis.replicaTimeoutMilliseconds", .number(1...60_000), .value("100"), unit: "milliseconds",
            reload: false, "How long they may take."),
        .init(
            "redis.replicasLostMilliseconds", .number(1_000...3_600_000), .value("5000"),
            unit: "milliseconds", reload: false,
            "How long a primary that has lost all its replicas is kept without most of the sentinels naming it."
        ),
        .init(
            "redis.buckets", .number(1...16_384), .value("64"), unit: "buckets", reload: false,
            "Hash slots that cards are spread over; never changes once there are cards."),
        .init(
            "redis.migration", .flag, .value("false"), reload: false,
            "Take over records of the layout before (function library 7) as their cards come; keeps its hosts out."
        ),
        .init(
            "redis.placeFile", .file, .computed("the configuration's name with the ending `.place`"),
            reload: false,
            "File in which this host keeps which store it serves, and how far its journal was seen."),
        .init(
            "policy.atcJumpMax", .number(1...65_535), .value("1000"), unit: "transactions",
            "How far a card's transaction counter may be ahead of the highest that was seen."),
        .init(
            "policy.lateATCAccepted", .flag, .value("true"),
            "Whether a transaction counter that was not seen, behind the highest seen, may pass."),
        .init(
            "policy.pinTriesMax", .number(1...15), .value("3"), unit: "tries",
            "Wrong PINs in a row that block the PIN of a card imported from now on."),
    ]

    static let operation: [ConfigurationKey] = [
        .init(
            "audit.log", .file, .absent("no trail, which a production profile refuses"), reload: false,
            "The sealed trail of what happens to keys."),
        .init(
            "audit.key", .text, .value("audit"), reload: false,
            "Label of the key that seals it, made in the token when first needed."),
        .init(
            "audit.acceptedFindings", .list, .absent("none"),
            "Findings that `issuer-keys audit` lets pass: `FINDING` or `KEY/FINDING`."),
        .init(
            "certificates.folder", .file, .absent("no offline data authentication"),
            "Folder of the issuer's certificates and the counters of their serial numbers."),
        .init(
            "certificates.caKeys", .file, .absent("none"),
            "File of the CA keys that certificates are checked by."
        ),
        .init(
            "certificates.warningDays", .number(1...3_650), .value("90"), unit: "days",
            "How long before a certificate's end checks warn."),
        .init(
            "admin.host", .text, .value("127.0.0.1"), reload: false,
            "Where `/live`, `/ready`, `/links` and `/metrics` are served."),
        .init(
            "admin.port", .number(1...65_535), .absent("no admin port"), reload: false, "Its TCP port."),
        .init(
            "server.eventLoops", .number(1...256), .value("1"), unit: "threads", reload: false,
            "Threads for connections."),
        .init(
            "server.drainTimeoutSeconds", .number(1...3_600), .value("10"), unit: "seconds", reload: false,
            "How long what is under way may take at the end."),
        .init(
            "log.level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), .value("notice"),
            reload: false, "The least that is logged."),
        .init(
            "log.format", .choice(["text", "json"]), .value("text"), reload: false,
            "Form of the lines of the log."),
    ]

    /// For the simulators, which read the same file.
    static let demo: [ConfigurationKey] = [
        .init("demo.issuer", .file, .absent("no simulators"), "Test keys and cards of the simulators."),
        .init(
            "demo.cardState", .file, .value("card-state"),
            "Folder in which virtual cards keep their counters."),
        .init("demo.caKeys", .list, .absent("none"), "Files of the CA keys that terminals have."),
        .init(
            "demo.tls.trustedFile", .file, .absent("the system's"),
            "PEM file of the authorities that simulators trust."),
        .init("demo.tls.certificateFile", .file, .absent("none"), "PEM file of their certificate."),
        .init("demo.tls.privateKeyFile", .file, .absent("none"), "PEM file of its private key."),
        .init(
            "demo.tls.serverName", .text, .absent("the link's address"),
            "Name that the host's certificate has to bear."),
    ]
}
