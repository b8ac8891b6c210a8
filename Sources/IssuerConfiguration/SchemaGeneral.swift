extension ConfigurationSchema {
    static let general: [ConfigurationKey] = [
        .init(
            "profile", .choice(["demo", "production"]), standard: .required, reload: false,
            sentence:
                "`production` refuses test keys, a state store that may lose what it took, and a host without an audit trail."
        ),
        .init("dialects", .file, standard: .required, sentence: "Folder of the dialect files."),
        .init(
            "keys.panHash", .text, standard: .required, reload: false,
            sentence: "Label of the key that names cards in the state store."),
        .init(
            "keys.pinVerification", .text, standard: .absent("no PINs on this host"),
            sentence: "Label of the key that reference PIN blocks are under (PVK)."),
        .init(
            "keys.pinVerificationValue", .text, standard: .absent("no PIN verification values"),
            sentence: "Label of the key of Visa's PIN verification values."),
        .init(
            "keys.dualControl", .flag, standard: .computed("true in a production profile"),
            sentence: "Whether what one person alone must not do with keys needs two."),
        .init(
            "keys.operators", .list, standard: .absent("none"),
            sentence: "People whose signatures count: a name and 64 hex digits of an Ed25519 key each."),
    ]

    static let token: [ConfigurationKey] = [
        .init(
            "token.module", .text, standard: .required, reload: false,
            sentence: "The token's PKCS#11 library."),
        .init(
            "token.initArguments", .text, standard: .absent("none"), reload: false,
            sentence: "What the library wants at initialisation."),
        .init(
            "token.functionList", .text, standard: .value("C_GetFunctionList"), reload: false,
            sentence: "The library's entry point: NSS in FIPS mode is `FC_GetFunctionList`."),
        .init(
            "token.uri", .text, standard: .absent("`token.uris`"), reload: false,
            sentence: "The token, as an RFC 7512 URI."),
        .init(
            "token.uris", .list, standard: .absent("one token, `token.uri`"), reload: false,
            sentence:
                "Several tokens with the same keys (HSMs of one partition): they share the load, and all but one may be gone."
        ),
        .init(
            "token.pinFile", .file, standard: .absent("`ISSUER_TOKEN_PIN` holds the PIN"), reload: false,
            sentence: "File with the token's user PIN, readable by its owner alone."),
        .init(
            "token.placement", .choice(["auto", "loop", "workers"]), standard: .value("auto"),
            sentence:
                "Where its jobs run: on the event loop, on workers, or on the loop where it is a quick library in this process."
        ),
        .init(
            "token.workers", .number(1...256), standard: .computed("half of the processors"), unit: "threads",
            sentence: "Threads that call the token, each with a session of its own."),
        .init(
            "token.queuedJobsMax", .number(1...1_000_000), standard: .value("65536"), unit: "jobs",
            sentence: "Jobs that may wait for such a thread; what comes on top is answered 91."),
        .init(
            "token.masterKeysKept", .number(0...1_000_000), standard: .value("4096"), unit: "keys",
            sentence:
                "ICC master keys that those threads keep in the token, all together, and up to twice as many while newer ones come. Each has a session for it."
        ),
    ]

    static let store: [ConfigurationKey] = [
        .init(
            "redis.unixSocket", .file, standard: .absent("`redis.host` and `redis.port`"), reload: false,
            sentence: "Socket of the state store."),
        .init(
            "redis.host", .text, standard: .value("127.0.0.1"), reload: false,
            sentence: "Address or name of the state store."),
        .init(
            "redis.port", .number(1...65_535), standard: .value("6379"), reload: false,
            sentence: "Its TCP port."),
        .init(
            "redis.sentinelMaster", .text, standard: .absent("no sentinels"), reload: false,
            sentence: "Name of the primary that the sentinels are asked for."),
        .init(
            "redis.sentinels", .list, standard: .absent("none"), reload: false,
            sentence: "`host:port` of each sentinel."),
        .init(
            "redis.cluster", .list, standard: .absent("no cluster"), reload: false,
            sentence: "`host:port` of some nodes of a cluster."),
        .init(
            "redis.replicasMin", .number(0...16), standard: .value("0"), unit: "replicas", reload: false,
            sentence: "Replicas that have to have a decision before it is answered."),
        .init(
            "redis.replicaTimeoutMilliseconds", .number(1...60_000), standard: .value("100"),
            unit: "milliseconds", reload: false, sentence: "How long they may take."),
        .init(
            "redis.replicasLostMilliseconds", .number(1_000...3_600_000), standard: .value("5000"),
            unit: "milliseconds", reload: false,
            sentence:
                "How long a primary that has lost all its replicas is kept without most of the sentinels naming it."
        ),
        .init(
            "redis.buckets", .number(1...16_384), standard: .value("64"), unit: "buckets", reload: false,
            sentence: "Hash slots that cards are spread over; never changes once there are cards."),
        .init(
            "redis.migration", .flag, standard: .value("false"), reload: false,
            sentence:
                "Take over records of the layout before (function library 7) as their cards come; keeps its hosts out."
        ),
        .init(
            "redis.placeFile", .file,
            standard: .computed("the configuration's name with the ending `.place`"),
            reload: false,
            sentence: "File in which this host keeps which store it serves, and how far its journal was seen."
        ),
        .init(
            "policy.atcJumpMax", .number(1...65_535), standard: .value("1000"), unit: "transactions",
            sentence: "How far a card's transaction counter may be ahead of the highest that was seen."),
        .init(
            "policy.lateATCAccepted", .flag, standard: .value("true"),
            sentence: "Whether a transaction counter that was not seen, behind the highest seen, may pass."),
        .init(
            "policy.pinTriesMax", .number(1...15), standard: .value("3"), unit: "tries",
            sentence: "Wrong PINs in a row that block the PIN of a card imported from now on."),
    ]

    static let operation: [ConfigurationKey] = [
        .init(
            "audit.log", .file, standard: .absent("no trail, which a production profile refuses"),
            reload: false,
            sentence: "The sealed trail of what happens to keys."),
        .init(
            "audit.key", .text, standard: .value("audit"), reload: false,
            sentence: "Label of the key that seals it, made in the token when first needed."),
        .init(
            "audit.acceptedFindings", .list, standard: .absent("none"),
            sentence: "Findings that `issuer-keys audit` lets pass: `FINDING` or `KEY/FINDING`."),
        .init(
            "certificates.folder", .file, standard: .absent("no offline data authentication"),
            sentence: "Folder of the issuer's certificates and the counters of their serial numbers."),
        .init(
            "certificates.caKeys", .file, standard: .absent("none"),
            sentence: "File of the CA keys that certificates are checked by."
        ),
        .init(
            "certificates.warningDays", .number(1...3_650), standard: .value("90"), unit: "days",
            sentence: "How long before a certificate's end checks warn."),
        .init(
            "admin.host", .text, standard: .value("127.0.0.1"), reload: false,
            sentence: "Where `/live`, `/ready`, `/links` and `/metrics` are served."),
        .init(
            "admin.port", .number(1...65_535), standard: .absent("no admin port"), reload: false,
            sentence: "Its TCP port."),
        .init(
            "server.eventLoops", .number(1...256),
            standard: .computed("one for each processor that it may use, at most 8"),
            unit: "threads", reload: false,
            sentence:
                "Threads for connections. Connections without TLS are on one of them while that has time, and on all when not."
        ),
        .init(
            "server.drainTimeoutSeconds", .number(1...3_600), standard: .value("10"), unit: "seconds",
            reload: false,
            sentence: "How long what is under way may take at the end."),
        .init(
            "log.level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            standard: .value("notice"),
            reload: false, sentence: "The least that is logged."),
        .init(
            "log.format", .choice(["text", "json"]), standard: .value("text"), reload: false,
            sentence: "Form of the lines of the log."),
    ]

    /// For the simulators, which read the same file.
    static let demo: [ConfigurationKey] = [
        .init(
            "demo.issuer", .file, standard: .absent("no simulators"),
            sentence: "Test keys and cards of the simulators."),
        .init(
            "demo.cardState", .file, standard: .value("card-state"),
            sentence: "Folder in which virtual cards keep their counters."),
        .init(
            "demo.caKeys", .list, standard: .absent("none"),
            sentence: "Files of the CA keys that terminals have."),
        .init(
            "demo.tls.trustedFile", .file, standard: .absent("the system's"),
            sentence: "PEM file of the authorities that simulators trust."),
        .init(
            "demo.tls.certificateFile", .file, standard: .absent("none"),
            sentence: "PEM file of their certificate."),
        .init(
            "demo.tls.privateKeyFile", .file, standard: .absent("none"),
            sentence: "PEM file of its private key."),
        .init(
            "demo.tls.serverName", .text, standard: .absent("the link's address"),
            sentence: "Name that the host's certificate has to bear."),
    ]
}
