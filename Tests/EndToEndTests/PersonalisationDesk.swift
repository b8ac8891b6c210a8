import Foundation
import Glibc
import SocketSupport
import Testing

/// An environment whose issuers have certificates, with racks of fresh cards beside it and the commands that go there.
final class PersonalisationDesk {
    let environment: DemoEnvironment
    private var racks: [Process] = []

    struct Report: Decodable {
        struct Card: Decodable {
            let card: Int
            let chip: String
            let channel: String
            let keyVersion: UInt8
            let serialNumbers: [String]
            let checkValues: [String]
            let channelCheckValues: [String]
        }
        let cards: [Card]
        let spoiledChips: [String]
    }

    init() throws {
        environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_CERTIFICATES": "1"])
        try environment.waitUntilReady()
    }

    deinit {
        for rack in racks where rack.isRunning { stop(rack) }
        environment.stop()
    }

    static var root: String { DemoEnvironment.root.path }
    func path(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }

    /// A rack of fresh cards.
    /// - Returns: where it is, and its process.
    func rack(
        cards: Int, _ options: [String] = [], issuer: String = "\(root)/Config/demo/demo-issuer.json"
    ) throws -> (place: String, process: Process) {
        let output = Pipe()
        let process = try started(
            "card-rack", ["--cards", "\(cards)", "--listen", "127.0.0.1:0", "--issuer", issuer] + options,
            output: output)
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard line.hasPrefix("ready on ") else {
            throw DemoEnvironment.Failure(description: "card-rack: \(line)")
        }
        return ("tcp:" + line.dropFirst("ready on ".count).prefix { $0 != "\n" }, process)
    }

    /// A program that runs meanwhile.
    /// - Parameter network: of a process, whose network it shall have.
    func started(
        _ name: String, _ arguments: [String], variables: [String: String] = [:], network: Int32? = nil,
        output: Any, errors: Any = FileHandle.nullDevice
    ) throws -> Process {
        let process = Process()
        let program = DemoEnvironment.executable(name)
        if let network {
            process.executableURL = URL(filePath: "/usr/bin/nsenter")
            let namespaces = geteuid() == 0 ? ["-n"] : ["-U", "--preserve-credentials", "-n"]
            process.arguments = ["-t", "\(network)"] + namespaces + [program] + arguments
        } else {
            process.executableURL = URL(filePath: program)
            process.arguments = arguments
        }
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardOutput = output
        process.standardError = errors
        try DemoEnvironment.start(process)
        if name == "card-rack" { racks.append(process) }
        return process
    }

    func stop(_ process: Process) {
        process.terminate()
        process.waitUntilExit()
    }

    /// `issuer-keys personalise`, for `run` or `started`.
    func command(
        _ list: String, to place: String, out: String, kmc: String = "kmc-bureau",
        newMaster: String? = "imk-dek-demo", configuration: String? = nil
    ) -> [String] {
        [
            "personalise", list, "--to", place, "--kmc", kmc, "--application",
            "\(Self.root)/Config/demo/application.json", "--out", out, "--config",
            configuration ?? environment.configuration,
        ] + (newMaster.map { ["--new-master", $0] } ?? [])
    }

    /// Lines of the trail that say that a command began.
    func startedCommands() throws -> Int {
        try String(contentsOfFile: path("audit.log"), encoding: .utf8).split(separator: "\n").count {
            $0.contains("\"command-started\"")
        }
    }

    func report(_ path: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// A list of some of the demo's cards.
    func list(_ names: [String], as file: String) throws -> String {
        let data = try Data(contentsOf: URL(filePath: "\(Self.root)/Config/demo/demo-issuer.json"))
        let issuer = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        let cards = (issuer?["cards"] as? [[String: Any]] ?? []).filter {
            names.contains($0["name"] as? String ?? "")
        }
        try JSONSerialization.data(withJSONObject: ["cards": cards]).write(to: URL(filePath: path(file)))
        return path(file)
    }

    /// Pays with a card in a reader.
    func pay(
        _ card: String, reader: String, variables: [String: String] = [:], configuration: String? = nil
    ) throws -> (status: Int32, output: String) {
        try DemoEnvironment.run(
            "terminal-simulator",
            [
                "purchase", "--card", card, "--amount", "1.00", "--reader", reader, "--config",
                configuration ?? environment.configuration,
            ], variables: variables)
    }

    /// A chip that authenticates itself, whose cryptogram the host takes, and which takes the host's.
    func expectPaid(_ paid: (status: Int32, output: String), _ words: String) {
        let line = paid.output.split(separator: "\n").first { $0.hasPrefix("Card in the reader") } ?? ""
        #expect(
            paid.status == 0
                && line == "Card in the reader: DDA ✓, final cryptogram as expected: yes",
            "\(words): \(line.isEmpty ? paid.output.suffix(600) : line)")
    }
}

/// Debian's pcscd with a virtual reader (vsmartcard-vpcd) on a free port, its socket in a place of its own: another pcscd of
/// this machine is left alone. The virtual reader listens on all addresses: it gets a network of its own, and the cards in it.
final class VirtualReader {
    static let name = "Virtual PCD 00 00"
    let port: UInt16
    private let daemon = Process()
    private let log: String

    init(_ folder: String) throws {
        port = try freePort()
        let driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
        for file in ["/usr/sbin/pcscd", driver] where !FileManager.default.fileExists(atPath: file) {
            throw DemoEnvironment.Failure(description: "\(file) is not there: environment.sh install tests")
        }
        let number = String(port, radix: 16, uppercase: true)
        let configuration = "\(folder)/reader.conf"
        try """
        FRIENDLYNAME "Virtual PCD"
        DEVICENAME   /dev/null:0x\(number)
        LIBPATH      \(driver)
        CHANNELID    0x\(number)

        """.write(toFile: configuration, atomically: true, encoding: .utf8)
        daemon.executableURL = URL(filePath: "/usr/bin/unshare")
        daemon.arguments = [
            geteuid() == 0 ? "-mn" : "-rmn", "/bin/sh", "-c",
            "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && exec /usr/sbin/pcscd -f -x -c \"$0\"",
            configuration,
        ]
        log = "\(folder)/pcscd.log"
        try Data().write(to: URL(filePath: log))
        let output = FileHandle(forWritingAtPath: log) ?? FileHandle.nullDevice
        daemon.standardOutput = output
        daemon.standardError = output
        try DemoEnvironment.start(daemon)
    }

    deinit {
        daemon.terminate()
        daemon.waitUntilExit()
    }

    /// For programs that shall find this reader.
    var variables: [String: String] {
        ["PCSCLITE_CSOCK_NAME": "/proc/\(daemon.processIdentifier)/root/run/pcscd/pcscd.comm"]
    }

    /// A fresh card in the reader.
    func card(_ desk: PersonalisationDesk) throws -> Process {
        for _ in 0..<100 {
            let output = Pipe()
            let rack = try desk.started(
                "card-rack",
                [
                    "--vpcd", "127.0.0.1:\(port)", "--issuer",
                    "\(PersonalisationDesk.root)/Config/demo/demo-issuer.json",
                ], network: daemon.processIdentifier, output: output)
            let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            if line.hasPrefix("ready at ") { return rack }
            // The reader listens as soon as pcscd has it.
            rack.waitUntilExit()
            usleep(50_000)
        }
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        throw DemoEnvironment.Failure(description: "pcscd has no virtual reader: \(said.suffix(400))")
    }
}
