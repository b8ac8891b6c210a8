// swift-tools-version: 6.2
import PackageDescription

/// How often each branch is taken under load, as `LoadTests/profile.sh` has counted it: what is taken lies together and is called
/// less. A function that changed since then is compiled as if nothing were known of it. With `ISSUER_HOST_COUNTS=1` in the
/// environment, a host that counts; with 0 neither, for a compiler that cannot read the file.
let counting = Context.environment["ISSUER_HOST_COUNTS"] ?? ""
let counts: [String] =
    switch counting {
    case "0": []
    case "1": ["-Xfrontend", "-ir-profile-generate=default.profraw"]
    default: ["-Xfrontend", "-ir-profile-use=\(Context.packageDirectory)/LoadTests/host.profdata"]
    }

/// Every target of this package is built with the same rules: imports are internal unless they show in the
/// API, an existential says so, a function stays on its caller's executor unless it says otherwise, and a warning is
/// an error.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // Each function by itself, so that the linker can lay them in the order below.
    .unsafeFlags(["-Xfrontend", "-function-sections"] + counts, .when(configuration: .release)),
]

/// What counts, within a program that does.
let counter = counting == "1" ? ["-profile-generate"] : []

/// Swift's libraries within a program: a call goes straight to its function, and a start looks nothing up.
let standalone: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-static-stdlib", "-lCoreFoundation", "-l_FoundationCShims", "-l_FoundationCollections",
            "-l_FoundationICU",
        ] + counter, .when(configuration: .release))
]

/// The functions of a purchase side by side, in the order of a list that `LoadTests/profile.sh` makes. Spread over all of the
/// program they are on twice as many pages, and after each wait the processor has to find most of those again.
let inOrder: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker",
            "--symbol-ordering-file=\(Context.packageDirectory)/LoadTests/hot-functions.txt", "-Xlinker",
            "--no-warn-symbol-ordering",
        ], .when(configuration: .release))
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// A library or executable under `Sources/`, with the rules above.
func target(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target
{
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: rules)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: rules)
}

let package = Package(
    name: "issuer-host",
    platforms: [.macOS(.v26)],
    products: [
        // A PKCS#11 module: slow, stalled or removed at will.
        .library(name: "FaultyToken", type: .dynamic, targets: ["FaultyToken"]),
        // A wall clock that goes as a file says.
        .library(name: "SkewedClock", type: .dynamic, targets: ["SkewedClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CPKCS11", pkgConfig: "p11-kit-1", providers: [.apt(["libp11-kit-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        target("ByteCoding"),
        target("ISO8583", ["ByteCoding"]),
        target("EMV", ["ByteCoding"]),
        target("DialectTools", ["ISO8583", "EMV"]),
        target("Authorisation", ["EMV", "ByteCoding"]),
        target("IssuerMessages", ["ISO8583", "EMV", "Authorisation", "ByteCoding"]),
        target("LibCrypto", ["CLibcrypto"]),
        target("PKCS11", ["CPKCS11", "ByteCoding"]),
        target("HSM", ["Authorisation", "EMV", "PKCS11", "ByteCoding"]),
        target("AuditTrail", ["HSM", "PKCS11", "ByteCoding"]),
        target("Issuance", ["CardReaders", "HSM", "PKCS11", "EMV", "ByteCoding"]),
        target("KeyManagement", ["AuditTrail", "EMV", "HSM", "PKCS11", "LibCrypto", "ByteCoding"]),
        .target(name: "CPCSC", linkerSettings: [.linkedLibrary("dl")]),
        target("CardReaders", ["CPCSC"]),
        target("EventLoops", [nioCore]),
        target("Redis", ["CHiredis", "EventLoops", nioCore, nioPosix]),
        target(
            "HostServer",
            [
                "EventLoops", "IssuerMessages", "ISO8583", "Authorisation", "ByteCoding", nioCore, nioPosix,
                nioHTTP1,
                nioSSL, nioTLS, x509, asn1,
                logging, lifecycle,
            ]),
        target("IssuerConfiguration", ["ByteCoding", yams]),
        target("ProgramEntry", ["ByteCoding", argumentParser]),
        .plugin(name: "BuildStamp", capability: .buildTool(), path: "Sources/BuildStamp"),
        .target(name: "BuildVersion", swiftSettings: rules, plugins: ["BuildStamp"]),
        .executableTarget(
            name: "issuer-host",
            dependencies: [
                "AuditTrail", "Authorisation", "BuildVersion", "ProgramEntry", "ByteCoding", "CardStateStore",
                "DialectTools",
                "EMV", "EventLoops", "HSM", "HostServer", "ISO8583", "Issuance", "IssuerConfiguration",
                "IssuerMessages",
                "PKCS11",
                "Redis",
                argumentParser,
                lifecycle,
                logging, nioCore, nioPosix, signals,
            ], swiftSettings: rules,
            // An authorisation makes and frees some hundred small blocks: cheaper here than in the C library.
            linkerSettings: [.linkedLibrary("jemalloc")] + standalone + inOrder),
        .executableTarget(
            name: "issuer-keys",
            dependencies: [
                "AuditTrail", "Authorisation", "BuildVersion", "CardReaders", "ProgramEntry", "ByteCoding",
                "EMV", "HSM",
                "Issuance",
                "IssuerConfiguration",
                "KeyManagement",
                "PKCS11",
                argumentParser,
            ],
            swiftSettings: rules, linkerSettings: standalone),
        .target(
            name: "FaultProxy", dependencies: [nioCore, nioPosix], path: "Simulators/FaultProxy",
            swiftSettings: rules),
        .executableTarget(
            name: "fault-proxy",
            dependencies: ["FaultProxy", "BuildVersion", "ProgramEntry", nioCore, nioPosix, argumentParser],
            path: "Simulators/fault-proxy", swiftSettings: rules),
        tests("FaultProxyTests", ["FaultProxy", nioCore, nioPosix]),
        // Somebody with the token's PIN who works on its keys behind the product's back.
        .executableTarget(
            name: "hostile-probe", dependencies: ["CPKCS11"], path: "Tests/HostileProbe",
            linkerSettings: [.linkedLibrary("dl")]),
        .target(name: "FaultyToken", dependencies: ["CPKCS11"], path: "Simulators/FaultyToken"),
        .target(name: "SkewedClock", path: "Simulators/SkewedClock"),
        .target(
            name: "VirtualCard", dependencies: ["EMV", "ByteCoding", "LibCrypto"],
            path: "Simulators/VirtualCard", swiftSettings: rules),
        .target(
            name: "TerminalSimulator",
            dependencies: [
                "VirtualCard", "CardReaders", "IssuerConfiguration", "IssuerMessages", "ISO8583", "EMV",
                "ByteCoding", yams, nioCore, nioPosix,
                nioHTTP1, nioSSL, .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"), "LibCrypto",
            ],
            path: "Simulators/TerminalSimulator", swiftSettings: rules),
        .executableTarget(
            name: "terminal-simulator",
            dependencies: [
                "TerminalSimulator", "CardReaders", "BuildVersion", "ProgramEntry", "VirtualCard", "ISO8583",
                "EMV",
                argumentParser,
            ],
            path: "Simulators/terminal-simulator", swiftSettings: rules),
        .target(
            name: "CardRack", dependencies: ["VirtualCard", "CardReaders"], path: "Simulators/CardRack",
            swiftSettings: rules),
        .executableTarget(
            name: "card-rack",
            dependencies: [
                "CardRack", "CardReaders", "VirtualCard", "BuildVersion", "ProgramEntry", "ByteCoding",
                argumentParser,
            ], path: "Simulators/card-rack", swiftSettings: rules),
        tests(
            "CardRackTests",
            ["CardRack", "card-rack", "CardReaders", "VirtualCard", "EMV", "ByteCoding", "LibCrypto"]),
        tests(
            "TerminalSimulatorTests",
            [
                "TerminalSimulator", "VirtualCard", "LibCrypto", "IssuerMessages", "ISO8583", "EMV",
                "ByteCoding", "VectorSupport",
            ]),
        tests("ByteCodingTests", ["ByteCoding"]),
        tests("ISO8583Tests", ["ISO8583", "ByteCoding"]),
        .target(
            name: "LoadGenerator",
            dependencies: [
                "ByteCoding", "EMV", "ISO8583", "IssuerConfiguration", "IssuerMessages", "LibCrypto",
                "VirtualCard", nioCore, nioPosix, nioSSL, yams,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ], path: "LoadTests/LoadGenerator", swiftSettings: rules),
        .executableTarget(
            name: "load-generator",
            dependencies: ["LoadGenerator", "BuildVersion", "ProgramEntry", "VirtualCard", argumentParser],
            path: "LoadTests/load-generator", swiftSettings: rules),
        tests(
            "LoadGeneratorTests",
            [
                "LoadGenerator", "FaultProxy", "VirtualCard", "EMV", "ISO8583", "IssuerMessages",
                "LibCrypto", "SocketSupport", nioCore, nioPosix,
            ]),
        .target(
            name: "FaultCampaign",
            dependencies: [
                "LoadGenerator", "FaultProxy", "VirtualCard", "EMV", "ISO8583", nioCore, nioPosix,
            ], path: "LoadTests/FaultCampaign", swiftSettings: rules),
        .executableTarget(
            name: "fault-campaign",
            dependencies: ["FaultCampaign", "BuildVersion", "ProgramEntry", argumentParser],
            path: "LoadTests/fault-campaign", swiftSettings: rules),
        // In no product: measures parts that only this package sees.
        .executableTarget(
            name: "benchmarks",
            dependencies: [
                "Authorisation", "ByteCoding", "CardStateStore", "EMV", "EventLoops", "HSM", "HostServer",
                "ISO8583",
                "Issuance", "IssuerMessages", "LibCrypto", "PKCS11", "Redis", "VirtualCard", nioCore,
                nioPosix,
            ], path: "LoadTests/Benchmarks", exclude: ["README.md", "baseline.json"], swiftSettings: rules),
        tests(
            "FaultCampaignTests",
            ["FaultCampaign", "fault-campaign", "issuer-host", "issuer-keys", "FaultyToken", "SkewedClock"]),
        .target(
            name: "VectorSupport", dependencies: ["ByteCoding"], path: "Tests/VectorSupport",
            swiftSettings: rules),
        .target(
            name: "TokenSupport", dependencies: ["PKCS11", "HSM", "ByteCoding"], path: "Tests/TokenSupport",
            swiftSettings: rules),
        .target(
            name: "RedisSupport", dependencies: ["Redis"], path: "Tests/RedisSupport", swiftSettings: rules),
        tests("RedisTests", ["Redis", "RedisSupport", nioCore, nioPosix]),
        tests(
            "CardStateStoreTests",
            [
                "CardStateStore", "Authorisation", "ByteCoding", "EMV", "EventLoops", "Redis", "RedisSupport",
                "VectorSupport", nioCore, nioPosix,
            ]),
        tests("PKCS11Tests", ["PKCS11", "CPKCS11", "HSM", "ByteCoding", "TokenSupport"]),
        tests(
            "HSMTests",
            [
                "HSM", "PKCS11", "Authorisation", "EMV", "ByteCoding", "TokenSupport",
                "VectorSupport",
            ]),
        tests(
            "VectorTests",
            [
                "HSM", "Issuance", "KeyManagement", "PKCS11", "Authorisation", "EMV", "ByteCoding",
                "TokenSupport", "VectorSupport", "VirtualCard", "LibCrypto",
            ]),
        tests(
            "KeyManagementTests",
            [
                "KeyManagement", "AuditTrail", "EMV", "HSM", "PKCS11", "LibCrypto", "ByteCoding",
                "TokenSupport", "VirtualCard",
            ]),
        tests(
            "IssuanceTests",
            ["Issuance", "HSM", "PKCS11", "EMV", "LibCrypto", "ByteCoding", "TokenSupport", "VectorSupport"]),
        tests("AuditTrailTests", ["AuditTrail", "HSM", "PKCS11", "TokenSupport"]),
        tests("EMVTests", ["EMV", "ByteCoding", "VectorSupport"]),
        tests("AuthorisationTests", ["Authorisation", "EMV"]),
        // The auditor: no dependency, so that it judges from outside.
        .target(name: "Books", path: "Tests/Books", swiftSettings: rules),
        .target(
            name: "Simulation", dependencies: ["Authorisation", "Books", "EMV", "VectorSupport"],
            path: "Tests/Simulation", exclude: ["planted-faults.sh", "planted-faults.txt"],
            swiftSettings: rules),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation", "BuildVersion", "ProgramEntry", argumentParser],
            path: "Tests/simulate",
            swiftSettings: rules),
        tests("SimulationTests", ["Simulation"]),
        tests("IssuerMessagesTests", ["IssuerMessages", "ISO8583", "EMV", "Authorisation"]),
        tests("IssuerConfigurationTests", ["IssuerConfiguration", "ByteCoding"]),
        .target(name: "SocketSupport", path: "Tests/SocketSupport", swiftSettings: rules),
        tests(
            "HostServerTests",
            [
                "HostServer", "Authorisation", "ByteCoding", "HSM", "LibCrypto", "TokenSupport", "ISO8583",
                "IssuerMessages", "SocketSupport", nioCore, nioPosix, nioSSL, x509,
                logging, lifecycle,
            ]),
        .target(
            name: "FuzzTargets", dependencies: ["DialectTools", "EMV", "ISO8583"],
            path: "Tests/Fuzz/FuzzTargets", swiftSettings: rules),
        tests("FuzzReplayTests", ["FuzzTargets"]),
        tests("DialectToolsTests", ["DialectTools", "ISO8583", "EMV", "ByteCoding"]),
        tests(
            "EndToEndTests",
            [
                "card-rack", "SocketSupport", "Authorisation", "ISO8583", "EMV",
                "ByteCoding", "LibCrypto", "TerminalSimulator",
                "VirtualCard", "issuer-host", "issuer-keys", "terminal-simulator", "load-generator",
                "fault-proxy", "fault-campaign", "simulate", "hostile-probe",
            ]),
        tests("LibCryptoTests", ["LibCrypto", "ByteCoding", "VectorSupport"]),
        tests("VirtualCardTests", ["VirtualCard", "EMV", "LibCrypto", "ByteCoding", "VectorSupport"]),
        target(
            "CardStateStore", ["Authorisation", "EMV", "EventLoops", "Redis", nioCore],
            resources: [.embedInCode("records.lua"), .embedInCode("migration.lua")]),
    ]
)
