import Foundation
import Testing

/// 64 where the words of the command line are wrong, 1 where a command refuses or fails however well it was typed: a script
/// tells by it whether trying again could help.
@Suite("Exit codes", .serialized)
struct ExitCodeTests {
    /// Test reports name a case by its words; card numbers and keys among them are left out.
    private struct Case: CustomStringConvertible, CustomReflectable {
        let command: [String]
        let status: Int32
        let words: String

        init(_ status: Int32, _ words: String, _ command: String...) {
            (self.status, self.words, self.command) = (status, words, command)
        }

        var description: String {
            command.joined(separator: " ").replacingOccurrences(of: ExitCodeTests.pan, with: "…")
                .replacingOccurrences(of: ExitCodeTests.cryptogram, with: "…")
        }
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    private static let pan = "4761739001010119"
    private static let cryptogram = "3D8C52E96B0F94A71B5E70C3F82A964D"

    /// No configuration and no token is there: what is wrong with the words is said before anything is looked for.
    private static let withoutToken: [Case] =
        keyWords + ceremonyWords + certificateWords + serverWords + hostWords

    private static let keyWords: [Case] = [
        .init(64, "a name has letters, digits, - and _ only", "issuer-keys", "generate", "zpk acquirer"),
        .init(64, "a version is written .v2 to .v255", "issuer-keys", "generate", "zpk-a.v1"),
        .init(64, "pkcs11:token=x", "issuer-keys", "generate", "pkcs11:token=x"),
        .init(64, "slot-id", "issuer-keys", "generate", "pkcs11:object=zpk-a;slot-id=1"),
        .init(64, "pin-value", "issuer-keys", "generate", "pkcs11:object=zpk-a?pin-value=1"),
        .init(64, "--algorithm rot13", "issuer-keys", "generate", "zpk-a", "--algorithm", "rot13"),
        .init(1, "nowhere.yaml", "issuer-keys", "generate", "zpk-a"),
        .init(64, "either --block or", "issuer-keys", "import", "zpk-a", "--under", "zmk-a"),
        .init(
            64, "--kcv 12: six hex digits", "issuer-keys", "import", "zpk-a", "--under", "zmk-a", "--block",
            "D",
            "--kcv", "12"),
        .init(
            64, "--cryptogram needs --kcv", "issuer-keys", "import", "zpk-a", "--under", "zmk-a",
            "--cryptogram",
            cryptogram),
        .init(
            64, "32 or 48 hex digits", "issuer-keys", "import", "zpk-a", "--under", "zmk-a", "--cryptogram",
            "5A",
            "--kcv", "123456"),
        .init(
            1, "/nowhere cannot be read", "issuer-keys", "import", "zpk-a", "--under", "kbpk-a", "--block",
            "@/nowhere"),
        .init(64, "--version Q", "issuer-keys", "export", "zpk-a", "--under", "kbpk-a", "--version", "Q"),
        .init(
            64, "one character each", "issuer-keys", "export", "zpk-a", "--under", "kbpk-a", "--mode", "XX"),
        .init(64, "--cards or --without-cards", "issuer-keys", "retire", "imk-ac-1"),
        .init(1, "nowhere.yaml", "issuer-keys", "retire", "zpk-a"),
        .init(
            64, "--format: 0, 1, 3 or 4", "issuer-keys", "pin-reference", "--zone-key", "zpk-a", "--block",
            "00",
            "--pan", pan, "--format", "2"),
        .init(
            64, "16 hex digits", "issuer-keys", "pin-reference", "--zone-key", "zpk-a", "--block", "00",
            "--pan",
            pan),
        .init(
            64, "--pan: ", "issuer-keys", "pin-reference", "--zone-key", "zpk-a", "--block",
            "0011223344556677",
            "--pan", "12"),
        .init(
            64, "--verification", "issuer-keys", "pin-reference", "--zone-key", "zpk-a", "--block",
            "0011223344556677", "--pan", pan, "--verification", "cvv"),
        .init(64, "--under or --to", "issuer-keys", "personalise", "cards.json", "--out", "bureau.json"),
        .init(
            64, "go with --application", "issuer-keys", "personalise", "cards.json", "--out", "bureau.json",
            "--under", "kbpk-a", "--dek", "dek-a"),
        .init(
            64, "go with --to", "issuer-keys", "personalise", "cards.json", "--out", "bureau.json", "--under",
            "kbpk-a", "--readers", "2"),
        .init(
            64, "--application is needed", "issuer-keys", "personalise", "cards.json", "--out", "report.json",
            "--to", "rack"),
        .init(
            64, "rack, tcp:HOST:PORT", "issuer-keys", "personalise", "cards.json", "--out", "report.json",
            "--to", "floppy", "--application", "a.json", "--kmc", "kmc-a"),
        .init(
            64, "--readers has to be 1 to 1000", "issuer-keys", "personalise", "cards.json", "--out",
            "report.json", "--to", "rack", "--application", "a.json", "--kmc", "kmc-a", "--readers", "0"),
        .init(
            1, "cards.json: not a file of cards", "issuer-keys", "personalise", "cards.json", "--out",
            "bureau.json", "--under", "kbpk-a"),
    ]

    private static let ceremonyWords: [Case] = [
        .init(
            64, "--threshold, --custodians: ", "issuer-keys", "ceremony", "generate", "zmk-a", "--folder",
            "f",
            "--threshold", "1"),
        .init(
            64, "--threshold, --custodians: ", "issuer-keys", "ceremony", "generate", "zmk-a", "--folder",
            "f",
            "--custodians", "9"),
        .init(
            64, "--algorithm rot13", "issuer-keys", "ceremony", "generate", "zmk-a", "--folder", "f",
            "--algorithm", "rot13"),
        .init(
            64, "--components 1", "issuer-keys", "ceremony", "enter", "zmk-a", "--folder", "f",
            "--components",
            "1"),
        .init(1, "nowhere.yaml", "issuer-keys", "ceremony", "load", "--folder", "f"),
        .init(1, "is there already", "issuer-keys", "audit-log", "checkpoint", "--out", "/dev/null"),
    ]

    private static let certificateWords: [Case] = [
        .init(
            64, "three to eight digits", "issuer-keys", "certificate", "request", "a", "--identifier", "47",
            "--expires", "2049-12", "--out", "f"),
        .init(
            64, "--expires 2049", "issuer-keys", "certificate", "request", "a", "--identifier", "476173",
            "--expires", "2049", "--out", "f"),
        .init(
            64, "--index has to be", "issuer-keys", "certificate", "request", "a", "--identifier", "476173",
            "--expires", "2049-12", "--out", "f", "--index", "16777216"),
        .init(
            64, "--bits 1000: 1152, 1408, 1984", "issuer-keys", "certificate", "request", "a", "--identifier",
            "476173", "--expires", "2049-12", "--out", "f", "--bits", "1000"),
        .init(
            64, "a name has 1 to 48", "issuer-keys", "certificate", "request", "A B", "--identifier",
            "476173",
            "--expires", "2049-12", "--out", "f"),
        .init(
            1, "is there already", "issuer-keys", "certificate", "request", "a", "--identifier", "476173",
            "--expires", "2049-12", "--out", "/dev/null"),
    ]

    private static let serverWords: [Case] = [
        .init(64, "PS256 or ES256", "issuer-keys", "acs-sign", "generate", "a", "--algorithm", "RS256"),
        .init(64, "--bits 1024", "issuer-keys", "acs-sign", "generate", "a", "--bits", "1024"),
        .init(
            64, "--sessions 0", "issuer-keys", "acs-sign", "sign", "--key", "a", "--chain", "f", "--sessions",
            "0"),
        .init(
            64, "--subject: ", "issuer-keys", "acs-sign", "request", "a", "--subject", "acs", "--out", "f"),
        .init(
            64, "a zone master key is needed", "issuer-keys", "acs-sign", "import", "a", "--under", "kbpk-a",
            "--wrapped", "f", "--public", "f"),
    ]

    private static let hostWords: [Case] = [
        .init(64, "PAN", "issuer-host", "cards", "show", "123"),
        .init(64, "--reason is needed", "issuer-host", "cards", "unblock-pin", pan),
        .init(64, "one of active, lost", "issuer-host", "cards", "status", pan, "gone", "--reason", "x"),
        .init(64, "the new PAN is the old one", "issuer-host", "cards", "replace", pan, pan, "--reason", "x"),
        .init(64, "dance: none of", "issuer-host", "cards", "script", pan, "dance", "--reason", "x"),
        .init(64, "--tag: two or four", "issuer-host", "cards", "script", pan, "put-data", "--reason", "x"),
        .init(
            64, "--pin-block: 16 hex", "issuer-host", "cards", "script", pan, "pin-change", "--reason", "x",
            "--pin-block", "12"),
        .init(
            64, "--zone-key is needed", "issuer-host", "cards", "script", pan, "pin-change", "--reason", "x",
            "--pin-block", "0011223344556677"),
        .init(64, "yesterday: not a time", "issuer-host", "journal", "export", "--since", "yesterday"),
        .init(64, "without blanks", "issuer-host", "journal", "follow", "--group", "a b"),
        .init(1, "nowhere.yaml", "issuer-host", "journal", "export"),
    ]

    /// Commands without a configuration.
    private static let alone: [Case] = [
        .init(1, "dialect nope cannot be read", "issuer-host", "decode", "--dialect", "nope", "00"),
        .init(64, "a message needs --dialect", "issuer-host", "decode", "00"),
        .init(64, "the message: ", "issuer-host", "decode", "--dialect", "ascii87-binbitmap", "0x"),
        .init(64, "1 to 64 printable characters", "issuer-keys", "operator", "enrol", "", "--out", "f"),
        .init(1, "a terminal", "issuer-keys", "operator", "enrol", "Ann", "--out", "/dev/null"),
        .init(1, "ends 4 bytes too early", "issuer-host", "decode", "--dialect", "ascii87-binbitmap", "-"),
        .init(64, "the message: ", "issuer-host", "decode", "--records", "7"),
        .init(1, "the records: ", "issuer-host", "decode", "--records", "7081"),
        .init(
            64, "--aid 12: 5 to 16 bytes", "issuer-host", "decode", "--records", "7000", "--ca-keys",
            "/nowhere",
            "--aid", "12"),
        .init(1, "/nowhere", "issuer-host", "decode", "--records", "7000", "--ca-keys", "/nowhere"),
        .init(1, "/nowhere", "issuer-host", "decode", "--dialect", "auto", "--dialects", "/nowhere", "00"),
        .init(1, "/nowhere", "issuer-host", "dialect", "import", "/nowhere"),
        .init(1, "nope", "issuer-host", "dialect", "describe", "nope"),
        .init(64, "has no subcommand", "issuer-keys", "generat"),
        .init(64, "--under", "issuer-keys", "export", "zpk-a", "--config", "nowhere.yaml"),
        .init(
            64, "--rid 12", "issuer-keys", "test-ca", "key", "--rid", "12", "--module", "m", "--uri", "u",
            "--pin-file", "/nowhere", "--ca-keys", "/nowhere"),
        .init(
            64, "--bits 1000", "issuer-keys", "test-ca", "key", "--rid", "A000000003", "--bits", "1000",
            "--module", "m", "--uri", "u", "--pin-file", "/nowhere", "--ca-keys", "/nowhere"),
        .init(
            1, "is no file of CA keys", "issuer-keys", "test-ca", "key", "--rid", "A000000003", "--module",
            "m",
            "--uri", "u", "--pin-file", "/nowhere", "--ca-keys", "Package.swift"),
    ]

    /// Runs a program whose standard input is empty.
    private func run(
        _ command: [String], in folder: URL, variables: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: DemoEnvironment.executable(command[0]))
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardInput = FileHandle.nullDevice
        return try DemoEnvironment.result(of: process)
    }

    private func expect(_ one: Case, _ more: [String] = [], in folder: URL) throws {
        let (status, output) = try run(one.command + more, in: folder)
        #expect(status == one.status && output.contains(one.words), "\(one): \(status), \(output)")
    }

    /// A library of a Debian package.
    private func library(_ end: String, of package: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/dpkg")
        process.arguments = ["-L", package]
        let files = try DemoEnvironment.result(of: process).output.split(separator: "\n").map(String.init)
        return try #require(files.first { $0.hasSuffix(end) }, "no \(end): is \(package) installed?")
    }

    @Test("Words that are wrong are 64 before anything is looked for; what is not there is 1")
    func words() throws {
        let folder = FileManager.default.temporaryDirectory
        for one in Self.withoutToken { try expect(one, ["--config", "nowhere.yaml"], in: folder) }
        for one in Self.alone { try expect(one, in: DemoEnvironment.root) }
    }

    @Test("What token, files and policy refuse is 1")
    func refusals() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        let (prepared, output) = environment.finish()
        defer { environment.stop() }
        #expect(prepared == 0, "\(output)")
        let folder = environment.directory
        func write(_ name: String, _ text: String) throws {
            try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
        try write("empty", "")
        try write("cards.json", #"{"cards":[{"pan":"9999990000000018","panSequenceNumber":"00"}]}"#)
        try write("own.json", #"{"cards":[{"pan":"4761739001010119","panSequenceNumber":"00"}]}"#)
        try write("twice.json", #"{"cards":[{"pan":"4761739001010119","panSequenceNumber":"777"}]}"#)
        let damaged = "D0112P0TB01N0000" + String(repeating: "0", count: 96)
        let cases: [Case] = [
            .init(1, "is in the token already", "issuer-keys", "generate", "zpk-acquirer-a"),
            .init(1, "the name says no purpose", "issuer-keys", "generate", "something"),
            .init(
                1, "cannot be hmac-256", "issuer-keys", "generate", "zpk-a", "--algorithm", "hmac-256"),
            .init(
                1, "the configured token is", "issuer-keys", "generate", "pkcs11:token=other;object=zpk-a"),
            .init(
                1, "MAC", "issuer-keys", "import", "zpk-a", "--under", "kbpk-bureau", "--block", damaged),
            .init(
                1, "not in the token", "issuer-keys", "import", "zpk-a", "--under", "kbpk-nobody", "--block",
                damaged),
            .init(
                1, "KCV", "issuer-keys", "import", "zpk-a", "--under", "zmk-acquirer-a", "--cryptogram",
                Self.cryptogram, "--kcv", "000000"),
            .init(
                1, "transfer-zpk-acquirer-a", "issuer-keys", "export", "zpk-acquirer-a", "--under",
                "kbpk-bureau"),
            .init(1, "still names it", "issuer-keys", "retire", "zpk-acquirer-a", "--yes"),
            .init(1, "not in the token", "issuer-keys", "retire", "zpk-nobody", "--yes"),
            .init(
                1, "is no list of cards by key", "issuer-keys", "retire", "imk-ac-990001", "--cards",
                "/nowhere", "--yes"),
            .init(1, "asks at a terminal", "issuer-keys", "retire", "kbpk-bureau"),
            .init(1, "cannot be written", "issuer-keys", "audit", "--json", "/nowhere/report.json"),
            .init(1, "/nowhere: cannot be read", "issuer-keys", "audit", "--journal", "/nowhere"),
            .init(1, "no checkpoint's file", "issuer-keys", "audit", "--against", "empty"),
            .init(1, "no checkpoint's file", "issuer-keys", "audit-log", "verify", "--against", "/nowhere"),
            .init(1, "cannot be written", "issuer-keys", "audit-log", "checkpoint", "--out", "/nowhere/c"),
            .init(1, "names nobody who could sign", "issuer-keys", "audit-log", "vouch"),
            .init(1, "cannot be read", "issuer-keys", "certificate", "import", "/nowhere", "--as", "a"),
            .init(
                1, "no such RSA key", "issuer-keys", "certificate", "request", "a", "--existing-key",
                "--identifier", "476173", "--expires", "2049-12", "--out", "f"),
            .init(
                1, "is there already", "issuer-keys", "personalise", "own.json", "--under", "kbpk-bureau",
                "--out", "empty"),
            .init(
                1, "its folder is not there", "issuer-keys", "personalise", "own.json", "--under",
                "kbpk-bureau", "--out", "/nowhere/f"),
            .init(
                1, "empty: not a file of cards", "issuer-keys", "personalise", "empty", "--under",
                "kbpk-bureau", "--out", "f"),
            .init(
                1, "has its PAN", "issuer-keys", "personalise", "cards.json", "--under", "kbpk-bureau",
                "--out",
                "f"),
            .init(
                1, "has to be 00 to 99", "issuer-keys", "personalise", "twice.json", "--under", "kbpk-bureau",
                "--out", "f"),
            .init(
                1, "has no key version v9", "issuer-keys", "personalise", "own.json", "--under",
                "kbpk-bureau",
                "--out", "f", "--key-version", "v9"),
            .init(
                1, "not in the token", "issuer-keys", "personalise", "own.json", "--under", "kbpk-nobody",
                "--out", "f"),
            .init(1, "not a file of test keys", "issuer-keys", "load-test-keys", "empty"),
            .init(1, "a terminal", "issuer-keys", "ceremony", "load", "--folder", "f"),
            .init(1, "cannot be read", "issuer-keys", "ceremony", "minutes", "/nowhere"),
            .init(1, "no such", "issuer-keys", "acs-sign", "sign", "--key", "nobody", "--chain", "empty"),
        ]
        let made = try run(
            ["issuer-keys", "generate", "imk-ac-990001", "--config", environment.configuration], in: folder)
        #expect(made.status == 0, "\(made.output)")
        for one in cases { try expect(one, ["--config", environment.configuration], in: folder) }

        // The wrong PIN, no PIN, no library, and libraries whose service does not run.
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        try write("wrong.pin", "not-the-pin-at-all")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: folder.appendingPathComponent("wrong.pin").path)
        try write(
            "wrong-pin.yaml", text.replacingOccurrences(of: "pinFile: token.pin", with: "pinFile: wrong.pin"))
        try write(
            "no-pin.yaml", text.replacingOccurrences(of: "pinFile: token.pin", with: "pinFile: no.pin"))
        let module = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("  module: ") }.map(String.init))
        try write(
            "no-library.yaml", text.replacingOccurrences(of: module, with: "  module: /nowhere/library.so"))
        // No init arguments: those are NSS's.
        let bare = text.split(separator: "\n", omittingEmptySubsequences: false).filter {
            !$0.hasPrefix("  initArguments: ")
        }.joined(separator: "\n")
        for (name, package, file) in [
            ("no-daemon.yaml", "opencryptoki", "/PKCS11_API.so"),
            ("no-server.yaml", "p11-kit-modules", "/p11-kit-client.so"),
        ] {
            try write(
                name,
                bare.replacingOccurrences(of: module, with: "  module: \(try library(file, of: package))"))
        }
        let services = [
            ("no-daemon.yaml", ["C_Initialize: CKR_", "pkcsslotd", "start it"]),
            ("no-server.yaml", ["C_GetSlotList", "p11-kit's client", "start it"]),
        ]
        for (name, words) in services {
            for command in [["list"], ["audit"], ["generate", "zpk-a"], ["token"]] {
                let result = try run(
                    ["issuer-keys"] + command + ["--config", name], in: folder,
                    variables: ["P11_KIT_SERVER_ADDRESS": "unix:path=/nowhere/socket"])
                #expect(result.status == 1, "\(name): \(result)")
                for word in words { #expect(result.output.contains(word), "\(name): \(result)") }
            }
        }
        for name in ["wrong-pin.yaml", "no-pin.yaml", "no-library.yaml"] {
            for command in [["list"], ["audit"], ["generate", "zpk-a"], ["audit-log", "show"]] {
                let result = try run(["issuer-keys"] + command + ["--config", name], in: folder)
                #expect(result.status == 1 && !result.output.contains("Usage"), "\(name): \(result)")
            }
        }
    }
}
