import Foundation
import SocketSupport
import Testing

/// Words and exit codes of all programs: 0, 1 (refused or failed), 64 (usage).
@Suite struct CommandLineTests {
    @Test(
        "An unknown subcommand is 64 and names those there are",
        arguments: [
            (["issuer-host", "srve"], ["has no subcommand 'srve'", "cards", "check", "serve"]),
            (
                ["issuer-host", "cards", "shwo"],
                ["issuer-host cards has no subcommand 'shwo'", "import", "show"]
            ),
            (["issuer-keys", "generat"], ["has no subcommand", "ceremony", "generate"]),
            (["terminal-simulator", "pay"], ["has no subcommand", "purchase", "run"]),
            (["load-generator", "rnu"], ["has no subcommand", "capacity", "run"]),
            (["issuer-host", "help", "srve"], ["has no subcommand 'srve'", "serve"]),
            (
                ["issuer-host", "help", "cards", "shwo"],
                ["issuer-host cards has no subcommand 'shwo'", "show"]
            ),
        ])
    func unknown(command: [String], words: [String]) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status == 64)
        for word in words { #expect(result.output.contains(word), "\(result.output)") }
    }

    @Test("Help is no error", arguments: [["cards", "script", "--help"], ["help", "cards"], ["--help"]])
    func help(arguments: [String]) throws {
        let result = try DemoEnvironment.run("issuer-host", arguments)
        #expect(result.status == 0 && result.output.hasPrefix("OVERVIEW: "), "\(result.output)")
    }

    @Test(
        "An error names what is wrong, without the root's usage behind it",
        arguments: [
            (["issuer-host", "serve", "--config", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
            (
                [
                    "issuer-host", "cards", "status", "4761739001010119", "gone", "--reason", "x", "--config",
                    "x.yaml",
                ],
                64, "one of active, lost, stolen, restricted"
            ),
            (["issuer-host", "decode", "--dialect", "nope", "00"], 1, "dialect nope cannot be read"),
            (["issuer-keys", "list", "--config", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
            (["terminal-simulator", "cards", "--config", "nowhere.yaml"], 1, "nowhere.yaml"),
            (["load-generator", "compare", "one.json", "two.json"], 1, "one.json"),
            (["issuer-host", "cards", "show", "123", "--config", "x.yaml"], 64, "PAN of 3 digits"),
        ])
    func words(command: [String], status: Int, text: String) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status == Int32(status))
        #expect(result.output.contains(text), "\(result.output)")
        #expect(!result.output.contains("<subcommand>"), "\(result.output)")
    }

    /// What follows `terminal-simulator purchase`, of a host that is not there.
    private static func purchase(_ words: String) -> [String] {
        ["terminal-simulator", "purchase", "--target", "127.0.0.1:1"] + split(words)
    }

    private static func split(_ words: String) -> [String] { words.split(separator: " ").map(String.init) }

    /// Words of the command line that cannot be, or do not go together: 64. What they name, and what is not there: 1.
    private static let terminal: [(String, Int32, String)] = [
        ("--card nope --amount 1.00", 1, "there is no card nope; choose one of: visa-cvn10"),
        ("--card visa-cvn18 --amount=-1", 64, "--amount has to be a number such as 42.50"),
        ("--card visa-cvn18 --amount 1.234", 64, "--amount has to be a number such as 42.50"),
        ("--card visa-cvn18 --amount 1.00 --pin 12", 64, "--pin has to be 4 to 12 digits"),
        ("--card visa-cvn18 --amount 1.00 --pin 12x4", 64, "--pin has to be 4 to 12 digits"),
        ("--card visa-cvn18 --amount 1.00", 1, "connection to 127.0.0.1:1 refused"),
        (
            "--card visa-cvn18 --amount 1.00 --record /nowhere/x.yaml", 1,
            "/nowhere/x.yaml cannot be written: folder /nowhere: No such file"
        ),
        ("--card visa-cvn18 --amount 1.00 --record /tmp", 1, "/tmp cannot be written: it is a folder"),
        (
            "--card visa-cvn18 --amount 1.00 --pcap /nowhere/x", 1,
            "/nowhere/x cannot be written: No such file"
        ),
        (
            "--card visa-cvn18 --amount 1.00 --dialect nope", 1,
            "there is no dialect nope; choose one of: ascii87"
        ),
        ("--card visa-cvn18 --amount 1.00 --framing nope", 64, "--framing nope is none of 2be, 2be-incl"),
        ("--card visa-cvn18 --amount 1.00 --pin 4321 --zpk nope", 1, "there is no key nope; choose one of: "),
        ("--card visa-cvn18 --amount 1.00 --issuer /nowhere", 1, "demo issuer file: cannot read /nowhere"),
        (
            "--card visa-cvn18 --amount 1.00 --issuer README.md", 1,
            "demo issuer file: README.md: it is no JSON of the form of Config/demo/demo-issuer.json"
        ),
        ("--card visa-cvn18 --amount 1.00 --dialects x", 64, "--dialects needs --issuer"),
        ("--card visa-cvn18 --amount 1.00 --link a", 64, "--link and --target exclude each other"),
        ("--card visa-cvn18 --amount 1.00 --cvv2-element 1", 64, "--cvv2-element has to be 2 to 128"),
        ("--card visa-cvn18 --amount 1.00 --pin-format 2", 64, "--pin-format has to be 0, 1, 3 or 4"),
        ("--card visa-cvn18 --amount 1.00 --zak nope", 1, "there is no key nope"),
        (
            "--card visa-cvn18 --amount 1.00 --zak a --mac-algorithm b", 64,
            "--mac-algorithm b is none of iso9797-1, iso9797-3"
        ),
        ("--card visa-cvn18 --amount 1.00 --zak a --mac-padding 9", 64, "--mac-padding has to be 1, 2 or 3"),
        (
            "--card visa-cvn18 --amount 1.00 --mac-padding 2", 64,
            "--mac-algorithm and --mac-padding need --zak"
        ),
        ("--card visa-cvn18 --amount 1.00 --tls-ca x", 64, "need --tls"),
        (
            "--card visa-cvn18 --amount 1.00 --tls --tls-key x", 64,
            "--tls-certificate and --tls-key go together"
        ),
        ("--card visa-cvn18 --amount 1.00 --tls --tls-ca /nowhere", 1, "/nowhere cannot be read"),
        (
            "--card visa-cvn18 --amount 1.00 --tls --tls-ca README.md", 1,
            "README.md has to hold PEM certificates of authorities"
        ),
        (
            "--card visa-cvn18 --amount 1.00 --tls --tls-certificate README.md --tls-key x", 1,
            "README.md has to hold a PEM certificate"
        ),
        ("--card visa-cvn18 --amount 1.00 --bureau /nowhere", 1, "/nowhere cannot be read"),
        ("--card visa-cvn18 --amount 1.00 --bureau README.md", 1, "README.md is no personalisation file"),
        ("--card visa-cvn18 --amount 1.00 --bureau-key x", 64, "--bureau-key and --bureau-dek need --bureau"),
        ("--card visa-cvn18 --amount 1.00 --reader tcp:127.0.0.1:1", 1, "127.0.0.1:1 cannot be reached"),
        ("--card visa-cvn18 --amount 1.00 --reader tcp:127.0.0.1", 64, "tcp:HOST:PORT is needed"),
        ("--card visa-cvn18 --amount 1.00 --timeout 0", 64, "--timeout has to be above 0"),
        ("--card visa-cvn18", 64, "Missing expected argument '--amount <amount>'"),
    ]

    private static let others: [(String, Int32, String)] = [
        ("terminal-simulator purchase --card a --amount 1 --config /nowhere", 1, "/nowhere: cannot be read"),
        ("terminal-simulator purchase --card a --amount 1 --framing 2be", 64, "need --target"),
        (
            "terminal-simulator purchase --card a --amount 1 --target here", 64,
            "--target here is no HOST:PORT"
        ),
        ("terminal-simulator run /nowhere", 1, "there is no file or folder /nowhere"),
        ("terminal-simulator run README.md", 1, "README.md:"),
        ("terminal-simulator run Config/scenarios --repeat 0", 64, "--repeat has to be 1 to 100000"),
        ("terminal-simulator run Config/scenarios --terminals 0", 64, "--terminals has to be 1 to 256"),
        ("terminal-simulator run Config/scenarios --hex", 64, "--hex needs --trace or --report"),
        (
            "terminal-simulator run Config/scenarios --report-everything", 64,
            "--report-everything needs --report"
        ),
        ("terminal-simulator run Config/scenarios --only no-such --list", 64, "no scenario is left to run"),
        ("terminal-simulator run Config/scenarios --issuer-program /nowhere", 64, "is no program"),
        ("terminal-simulator send --target 127.0.0.1:1 --hex /nowhere", 1, "cannot read /nowhere"),
        (
            "terminal-simulator send --target 127.0.0.1:1 --hex README.md", 1,
            "README.md: hex digits are expected"
        ),
        ("terminal-simulator send --target 127.0.0.1:1", 64, "exactly one of --hex and --yaml"),
        ("terminal-simulator send --target 127.0.0.1:1 --yaml README.md", 1, "README.md:"),
        ("terminal-simulator web --port 99999", 64, "--port has to be 0 to 65535"),
        ("terminal-simulator web --target 127.0.0.1:1 --scenarios /nowhere", 1, "no file or folder /nowhere"),
        ("load-generator run", 64, "exactly one of --profile, --rate and --outstanding"),
        ("load-generator run --rate 0", 64, "--rate has to be above 0"),
        ("load-generator run --rate nan", 64, "--rate has to be above 0"),
        ("load-generator run --rate 1 --duration x", 64, "--duration has to be a time such as 30s"),
        ("load-generator run --rate 1 --target here", 64, "--target here is no HOST:PORT"),
        (
            "load-generator run --rate 1 --target 127.0.0.1:1 --framing x", 64,
            "--framing x is none of 2be, 2be-incl"
        ),
        // A right one: what is wrong is found later.
        (
            "load-generator run --rate 1 --target 127.0.0.1:1 --framing 2bcd-incl --dialect x", 1,
            "no readable file Config/iso8583/x.json"
        ),
        (
            "load-generator run --rate 1 --target 127.0.0.1:1 --dialect x", 1,
            "no readable file Config/iso8583/x.json"
        ),
        (
            "load-generator run --rate 1 --target 127.0.0.1:1 --results /proc/x", 1,
            "--results /proc/x: the folder"
        ),
        ("load-generator run --find-knee --knee-start 0", 64, "--knee-start has to be above 0"),
        ("load-generator run --find-knee --knee-p99 nan", 64, "--knee-p99 above 0"),
        (
            "load-generator run --profile README.md --config /nowhere", 1,
            "README.md: The given data was not valid YAML"
        ),
        ("load-generator capacity --config /nowhere --seconds 1e300", 64, "--seconds has to be above 0"),
        ("load-generator cards --config /nowhere --out x --count=-3", 64, "--count has to be 1 to 1,000,000"),
        ("load-generator cards --config /nowhere --out x", 1, "/nowhere: cannot be read"),
        ("load-generator echo-server --config /nowhere --port 99999", 64, "--port has to be 0 to 65535"),
        ("load-generator medians --name x README.md", 1, "README.md: The given data was not valid JSON"),
        ("card-rack --cards 0", 64, "--cards has to be 1 to 10000"),
        ("card-rack --listen here", 64, "--listen here: host:port is needed"),
        ("card-rack --listen 192.0.2.1:8590", 1, "192.0.2.1:8590 cannot be listened on"),
        ("card-rack --vpcd 127.0.0.1:1", 1, "127.0.0.1:1 cannot be reached"),
        ("card-rack --issuer /nowhere", 1, "cannot read /nowhere"),
        ("card-rack --master nope", 1, "no key nope"),
        ("card-rack --key-version 0", 64, "--key-version has to be 1 to 127"),
        ("card-rack --aid zz", 64, "--aid zz: 5 to 16 bytes of hex are needed"),
        ("card-rack --fault-every 5", 64, "--fault-every needs --faults"),
        ("card-rack --faults 1 --fault-every 0", 64, "--fault-every has to be 1 or more"),
        ("fault-proxy", 64, "Missing expected argument '--target <target>'"),
        ("fault-proxy --target 127.0.0.1:99999", 64, "--target: host:port"),
        ("fault-proxy --target 127.0.0.1:1 --port 99999", 64, "--port: 0 to 65535"),
        ("fault-proxy --target 127.0.0.1:1 --delay 1e300", 64, "0 to 3,600,000 milliseconds"),
        ("fault-proxy --target 127.0.0.1:1 --hold nan", 64, "0 to 3,600,000 milliseconds"),
        ("fault-proxy --target 127.0.0.1:1 --every 0", 64, "--every: above 0"),
        ("fault-proxy --target 127.0.0.1:1 --cuts 1000001", 64, "--cuts: 0 to 1,000,000"),
        ("fault-campaign --faults=-2", 64, "--faults: 1 to 100,000"),
        ("fault-campaign --terminals 0", 64, "--terminals: 1 to 1,000"),
        ("fault-campaign --kinds x", 64, "--kinds: x is none of host killed"),
        ("fault-campaign --root /nowhere", 1, "--root /nowhere: is no folder of this project"),
        ("fault-campaign --results /proc/x", 1, "--results /proc/x: the folder cannot be made"),
    ]

    @Test("Every program says of a wrong option which it is and what it may be, and ends with 64 or 1")
    func wrongOptions() throws {
        let rows =
            Self.terminal.map { (Self.purchase($0.0), $0.1, $0.2) }
            + Self.others.map { (Self.split($0.0), $0.1, $0.2) }
        for (command, status, text) in rows {
            let result = try DemoEnvironment.run(
                command[0], Array(command.dropFirst()), folder: DemoEnvironment.root)
            #expect(result.status == status, "\(command): \(result.output)")
            #expect(result.output.contains(text), "\(command): \(result.output)")
            for words in ["Fatal error", "NSCocoa", "OPENSSL_internal", "OVERVIEW", "<subcommand>"] {
                #expect(!result.output.contains(words), "\(command): \(result.output)")
            }
        }
    }

    @Test("Every option behind a command in the documents is one of that command")
    func documents() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", DemoEnvironment.root.appendingPathComponent("Tests/House/documents.py").path, "--bin",
            DemoEnvironment.binaryFolder,
        ]
        let result = try DemoEnvironment.result(of: process)
        #expect(result.status == 0, "\(result.output)")
    }

    @Test("A port that another program has is named, and how to take another")
    func portInUse() throws {
        let port = try freePort()
        let holder = try Listener(port: port)
        defer { withExtendedLifetime(holder) {} }
        for command in [
            "terminal-simulator web --target 127.0.0.1:1 --port \(port)",
            "fault-proxy --target 127.0.0.1:1 --port \(port)", "card-rack --listen 127.0.0.1:\(port)",
        ] {
            let words = Self.split(command)
            let result = try DemoEnvironment.run(
                words[0], Array(words.dropFirst()), folder: DemoEnvironment.root)
            #expect(result.status == 1, "\(command): \(result.output)")
            #expect(
                result.output.contains("127.0.0.1:\(port) cannot be listened on: Address already in use"),
                "\(command): \(result.output)")
        }
    }

    @Test(
        "What was typed comes back without what would colour the screen or move its cursor",
        arguments: [
            ["issuer-keys", "generate", "imk-ac-\u{1B}[31mred\u{7}", "--config", "nowhere.yaml"],
            ["issuer-keys", "gener\u{1B}[2Jate"], ["issuer-keys", "list", "--conf\u{1B}[2Jig", "x"],
            ["issuer-host", "serve", "--config", "no\u{1B}[31m\u{202E}where.yaml"],
            [
                "terminal-simulator", "purchase", "--reader", "rack\u{1B}[31m", "--config",
                "nowhere\u{9B}31m.yaml",
            ],
            ["card-rack", "--listen", "here\u{1B}[31m"], ["card-rack", "--parameter", "\u{1B}[31m"],
        ])
    func controlCharacters(command: [String]) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status != 0)
        let isClean = result.output.unicodeScalars.allSatisfy {
            $0 == "\n" || ![.control, .format].contains($0.properties.generalCategory)
        }
        #expect(isClean, "\(result.output.debugDescription)")
    }
}
