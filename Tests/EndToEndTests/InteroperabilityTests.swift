import Foundation
import Glibc
import SocketSupport
import Testing

/// The host against switches made of other people's libraries: pyiso8583 for the messages, pyemv and psec for what is
/// in them (`Tests/Interoperability/client.py`), and other libraries (`libraries.py`).
@Suite(.timeLimit(.minutes(5))) struct InteroperabilityTests {
    @Test(
        "pyiso8583 in four dialects: network messages, all profiles, PINs, repeats, reversals, advices, faults"
    )
    func fourDialects() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        // The same issuer with two more dialects, one behind another framing.
        let (beside, ports) = try environment.configurationBeside()
        var text = beside.replacingOccurrences(
            of: "dialect: ascii87-binbitmap\n    framing: 2be",
            with: "dialect: ascii87-hexbitmap\n    framing: 4ascii")
        text = text.replacingOccurrences(of: "dialect: bcd87-rightF", with: "dialect: ebcdic87")
        // Without this key a link takes blocks of format 0.
        text = text.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains("pin: {format") }.joined(separator: "\n")
        let path = environment.directory.appendingPathComponent("other-dialects.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let other = try HostProcess(configuration: path)
        defer { other.stop() }

        let links = [
            "ascii87-binbitmap:2be:zpk-acquirer-a:\(environment.portA)",
            "bcd87-rightF:2be:zpk-acquirer-b:\(environment.portB)",
            "ascii87-hexbitmap:4ascii:zpk-acquirer-a:\(ports[0])",
            "ebcdic87:2be:zpk-acquirer-b:\(ports[1])",
        ]
        let output = try client(links)
        let lines = output.split(separator: "\n")
        #expect(lines.last == "failed: 0", "\(lines.filter { !$0.hasPrefix("ok ") }.joined(separator: "\n"))")
        for link in links {
            let name = link.prefix { $0 != ":" }
            // On the first link with each object that a card signs left out as well, for eight cards.
            let exchanges = link == links[0] ? 72 + 8 * 16 : 72
            #expect(lines.filter { $0.hasPrefix("ok \(name) ") }.count == exchanges, "\(name)")
        }
    }

    /// Library, and the dialect that fits it.
    private static let libraries = [
        ("pyiso8583", "ascii87-binbitmap"), ("iso8583sim-ascii-binary", "ascii87-binbitmap"),
        ("iso8583sim-ascii-hex", "ascii87-hexbitmap"), ("iso8583sim-bcd", "iso8583sim-bcd"),
        ("iso8583sim-cp037", "ebcdic87"), ("iso8583sim-cp500", "ebcdic87"),
        ("iso-8583-toolbox", "bcd87-leftzero-binlen"), ("cardutil", "cardutil"),
        ("cardutil-ebcdic", "cardutil-ebcdic"), ("py8583-ascii", "ascii87-hexbitmap"),
        ("py8583-bcd", "py8583-bcd"), ("pyiso8583-1993", "jpos-iso93a"),
        ("pyiso8583-1993-bcd", "jpos-iso93b"), ("cardutil-1993", "cardutil-1993"),
    ]

    @Test("The page of who was tried has the rows that are played, and no others")
    func page() throws {
        let path = DemoEnvironment.root.appendingPathComponent("docs/interoperability.md")
        let text = try String(contentsOf: path, encoding: .utf8)
        func rows(below heading: String) throws -> [String] {
            let part = try #require(text.components(separatedBy: "\n## \(heading)\n").dropFirst().first)
            return part.components(separatedBy: "\n## ")[0].split(separator: "\n")
                .filter { $0.hasPrefix("| `") }.map(String.init)
        }
        let clients = try rows(below: "Clients that pay")
        #expect(clients.count == Self.libraries.count)
        for (row, (library, dialect)) in zip(clients, Self.libraries) {
            let count = library.contains("1993") ? 15 : 10
            #expect(
                row.hasPrefix("| `\(library)` ")
                    && row.hasSuffix("| `\(dialect)` | \(count) of \(count) |"), "\(row)")
        }
        let hosts = try rows(below: "A host that is paid")
        #expect(hosts == Self.foreignHosts.map { "| `\($0.0)` | `\($0.2)` | `\($0.3)` |" })
    }

    @Test(
        "Five message libraries each send echo, purchase with PIN and chip, repeat and reversal, and read every answer; a network analyser reads what went over the wire"
    )
    func libraries() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        var (text, _) = try environment.configurationBeside()
        var ports: [String: UInt16] = [:]
        var links = ""
        for dialect in Set(Self.libraries.map(\.1)).sorted() {
            let port = try freePort()
            ports[dialect] = port
            links +=
                "  \(dialect):\n    port: \(port)\n    dialect: \(dialect)\n    zonePINKey: zpk-acquirer-a\n"
        }
        text = text.replacingOccurrences(of: "\nlinks:\n", with: "\nlinks:\n" + links)
        let path = environment.directory.appendingPathComponent("libraries.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: path)
        defer { host.stop() }

        let root = DemoEnvironment.root.path
        let python = try python()
        for (library, dialect) in Self.libraries {
            let capture = environment.directory.appendingPathComponent("\(library).txt").path
            let output = try run([
                python, "-W", "ignore", "\(root)/Tests/Interoperability/libraries.py",
                "\(root)/Config/demo/demo-issuer.json", "\(root)/Tests/Vectors/iso8583-specs.json", library,
                "\(ports[dialect] ?? 0)", capture,
            ])
            let lines = output.split(separator: "\n")
            #expect(lines.last == "failed: 0", "\(output)")
            let exchanges = library.contains("1993") ? 15 : 10
            #expect(lines.filter { $0.hasPrefix("ok \(library) ") }.count == exchanges, "\(library)")
        }
        try analyse("iso8583sim-ascii-hex", in: environment.directory, reachesElement: 55)
        try analyse("pyiso8583", in: environment.directory, reachesElement: 32)
    }

    /// Wireshark's view: eight frames each way, and what it can read of a purchase. It knows no element 55 in bytes and
    /// stops behind 34 where bitmaps are bytes.
    private func analyse(_ library: String, in folder: URL, reachesElement last: Int) throws {
        let path = folder.appendingPathComponent(library).path
        _ = try run(["text2pcap", "-q", "-D", "-T", "40000,8583", path + ".txt", path + ".pcap"])
        let isHex = library.hasSuffix("hex")
        let text = try run([
            "tshark", "-r", path + ".pcap", "-V", "-d", "tcp.port==8583,iso8583", "-o",
            "iso8583.len_endian:Big endian", "-o",
            "iso8583.binencode:Bin data \(isHex ? "" : "not ")encoded",
        ])
        let frames = text.components(separatedBy: "ISO 8583-1:").dropFirst()
        #expect(frames.count == 14, "\(library)")
        for (mti, needed) in [("0100", 2...last), ("0110", 2...4), ("0400", 2...4), ("0800", 7...11)] {
            let frame = try #require(frames.first { $0.contains("MTI: \(mti)") }, "\(library) \(mti)")
            #expect(frame.contains("Bit \(needed.lowerBound): "), "\(library) \(mti)")
            #expect(frame.contains("Bit \(needed.upperBound): "), "\(library) \(mti)")
        }
    }

    /// Wire format and length header of theirs, dialect and framing of ours.
    private static let foreignHosts = [
        ("ascii-binary", "2b", "ascii87-binbitmap", "2be"),
        ("ascii-hex", "4a", "ascii87-hexbitmap", "4ascii"),
        ("bcd", "4b", "iso8583sim-bcd", "4be"), ("ebcdic", "2b", "ebcdic87", "2be"),
    ]

    @Test(
        "A foreign host is paid from any folder, without a configuration, with a dialect's file or its name",
        arguments: foreignHosts.indices)
    func foreignHost(number: Int) throws {
        let (format, header, dialect, framing) = Self.foreignHosts[number]
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("foreign-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let port = try freePort()
        let simulator = Process()
        simulator.executableURL = URL(fileURLWithPath: try python()).deletingLastPathComponent()
            .appendingPathComponent("iso8583sim")
        simulator.arguments = ["serve", "--port", "\(port)", "--format", format, "--header", header]
        simulator.standardOutput = FileHandle.nullDevice
        simulator.standardError = FileHandle.nullDevice
        try DemoEnvironment.start(simulator)
        defer {
            simulator.terminate()
            simulator.waitUntilExit()
        }
        // By its name, or by its file.
        let file = "\(DemoEnvironment.root.path)/Config/iso8583/\(dialect).json"
        let pay = [
            "purchase", "--card", "visa-cvn18", "--amount", "42.50", "--target", "127.0.0.1:\(port)",
            "--dialect",
            number == 0 ? file : dialect, "--framing", framing,
        ]
        var paid = try terminal(pay, in: folder)
        // It says nowhere that it listens.
        for _ in 0..<200 where paid.output.contains("refused") {
            usleep(50_000)
            paid = try terminal(pay, in: folder)
        }
        // It approves everything, and has no keys for an ARPC.
        #expect(paid.status == 1 && paid.output.contains("Issuer:    00 approved"), "\(paid.output)")
        #expect(paid.output.contains("no ARPC"))
    }

    @Test("A wrong dialect is told from silence")
    func wrongDialect() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let folder = environment.directory
        func said(_ arguments: [String]) throws -> String {
            let target = ["--target", "127.0.0.1:\(environment.portA)", "--timeout", "1"]
            let result = try terminal(["echo"] + target + arguments, in: folder)
            #expect(result.status == 1)
            return result.output
        }
        #expect(try said(["--dialect", "ascii87-hexbitmap"]).contains("not in dialect and framing"))
        #expect(try said(["--dialect", "bcd87-rightF"]).contains("not a byte"))
        #expect(try said(["--dialect", "latin"]).contains("choose one of: ascii87-binbitmap"))
        #expect(try said(["--dialect", "./missing.json"]).contains("missing"))
    }

    private func terminal(
        _ arguments: [String], in folder: URL
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: DemoEnvironment.executable("terminal-simulator"))
        process.arguments = arguments
        process.currentDirectoryURL = folder
        return try DemoEnvironment.result(of: process)
    }

    private func python() throws -> String {
        let output = try run(["bash", "\(DemoEnvironment.root.path)/Tests/Interoperability/python.sh"])
        return output.split(separator: "\n").last.map(String.init) ?? ""
    }

    /// What the client prints, on whatever its Python says.
    private func client(_ links: [String]) throws -> String {
        let root = DemoEnvironment.root.path
        return try run(
            [
                try python(), "-W", "ignore", "\(root)/Tests/Interoperability/client.py",
                "\(root)/Config/demo/demo-issuer.json", "\(root)/Tests/Vectors/iso8583-specs.json",
            ] + links)
    }

    private func run(_ command: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
