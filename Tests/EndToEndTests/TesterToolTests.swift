import ByteCoding
import Foundation
import LibCrypto
import SocketSupport
import Testing

/// The simulator and the load generator as testers and performance engineers use them, with other people's tools at the
/// other end: tshark, hdrhistogram, jsonschema and a host by iso8583sim.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct TesterToolTests {
    private let folder: URL
    private static let root = DemoEnvironment.root.path

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-tools-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func environment() throws -> DemoEnvironment {
        let environment = try DemoEnvironment(command: ["run"])
        try environment.waitUntilReady()
        return environment
    }

    /// Any program of the machine.
    private func tool(
        _ command: [String], variables: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    private func python() throws -> String {
        let made = try tool(["bash", "\(Self.root)/Tests/Interoperability/python.sh"])
        return made.output.split(separator: "\n").last.map(String.init) ?? ""
    }

    private struct Certificates: Decodable {
        struct Case: Decodable {
            let rid: String?
            let ca_index: String?
            let ca_modulus: String?
            let ca_exponent: String?
            let tags: [String: String]?
        }
        let cases: [Case]
    }

    /// The message with an issuer's certificate of the vectors behind its chip data, and the CA's key in a file.
    /// - Parameter hex: of a message that ends with DE55, whose length is three digits.
    private func withCertificate(_ hex: String) throws -> String {
        let file = URL(fileURLWithPath: "\(Self.root)/Tests/Vectors/emv-certificates.json")
        let vector = try #require(
            JSONDecoder().decode(Certificates.self, from: Data(contentsOf: file)).cases.first)
        let (rid, index) = (try #require(vector.rid), try #require(vector.ca_index))
        let (modulus, exponent) = (try #require(vector.ca_modulus), try #require(vector.ca_exponent))
        let tags = try #require(vector.tags)
        let sum = try Digest.sha1(Hex.decode(rid + index + modulus + exponent))
        try """
        {"format": "EMV CA keys 1", "keys": [{"name": "vector", "rid": "\(rid)", "index": "\(index)",
        "modulus": "\(modulus)", "exponent": "\(exponent)", "checksum": "\(Hex.encode(sum))"}]}
        """.write(toFile: path("ca-keys.json"), atomically: true, encoding: .utf8)
        var message = try Hex.decode(hex)
        let place = try #require(
            (0..<message.count - 3).last { place in
                Int(String(decoding: message[place..<place + 3], as: UTF8.self)) == message.count - place - 3
            })
        for (tag, value) in [("8F", index)] + ["90", "92", "9F32"].map({ ($0, tags[$0] ?? "") }) {
            let bytes = try Hex.decode(value)
            message += try Hex.decode(tag) + (bytes.count < 128 ? [] : [0x81]) + [UInt8(bytes.count)] + bytes
        }
        let length = String(message.count - place - 3)
        message.replaceSubrange(
            place..<place + 3, with: (String(repeating: "0", count: 3 - length.count) + length).utf8)
        return Hex.encode(message)
    }

    private func line(_ prefix: String, in text: String) -> String {
        text.split(separator: "\n").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            ?? ""
    }

    @Test("Bytes: hex out of a purchase feeds decode, explain-arqc and send; tshark opens the capture")
    func bytes() throws {
        let environment = try environment()
        defer { environment.stop() }
        let config = ["--config", environment.configuration]
        let bought = try DemoEnvironment.run(
            "terminal-simulator",
            ["purchase", "--card", "visa-cvn18", "--amount", "4.20", "--hex", "--pcap", path("p.pcap")]
                + config)
        #expect(bought.status == 0)
        let (sent, received) = (line("sent ", in: bought.output), line("received ", in: bought.output))
        #expect(sent.count > 400 && received.count > 200)

        let captured = try tool(["tshark", "-r", path("p.pcap"), "-T", "fields", "-e", "tcp.payload"])
        let payloads = captured.output.split(separator: "\n").map { $0.uppercased() }
        func framed(_ hex: String) -> String { String(format: "%04X", hex.count / 2) + hex }
        let isCaptured = payloads == [framed(sent), framed(received)]
        #expect(captured.status == 0 && isCaptured, "bytes of the capture")
        let wrong = try tool(
            [
                "tshark", "-r", path("p.pcap"), "-o", "tcp.check_checksum:TRUE", "-o",
                "ip.check_checksum:TRUE",
                "-Y", "tcp.checksum.status==0 || ip.checksum.status==0 || tcp.analysis.lost_segment",
            ])
        #expect(wrong.status == 0 && wrong.output.isEmpty, "\(wrong.output)")

        let dialects = ["--dialects", "\(Self.root)/Config/iso8583"]
        for hex in [sent, framed(sent)] {
            let decoded = try DemoEnvironment.run(
                "issuer-host", ["decode", "--dialect", "auto", hex] + dialects)
            #expect(decoded.status == 0 && decoded.output.contains("fits: ascii87-binbitmap"))
            #expect(decoded.output.contains("DE4 ") && decoded.output.contains("not bcd87-rightF:"))
        }
        let noise = try DemoEnvironment.run(
            "issuer-host", ["decode", "--dialect", "auto", "DEADBEEF"] + dialects)
        #expect(noise.status == 1 && noise.output.hasPrefix("No dialect fits:"))
        let explained = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "explain-arqc", "--message", sent, "--keys", "\(Self.root)/Config/demo/demo-issuer.json",
            ] + dialects)
        #expect(explained.status == 0 && explained.output.contains("The cryptogram is right"))

        let opened = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "explain-arqc", "--message", try withCertificate(sent), "--ca-keys", path("ca-keys.json"),
                "--keys", "\(Self.root)/Config/demo/demo-issuer.json",
            ] + dialects)
        #expect(opened.status == 0)
        #expect(opened.output.contains("issuer certificate: PANs 476161, until 2029-10"), "\(opened.output)")

        try sent.write(toFile: path("request.hex"), atomically: true, encoding: .utf8)
        let hex = ["send", "--hex", path("request.hex")] + config
        let again = try DemoEnvironment.run("terminal-simulator", hex)
        #expect(again.status == 0 && again.output.contains("Response: 0110"))
        // Fields there and back are the same bytes.
        let fields = try DemoEnvironment.run("terminal-simulator", hex + ["--show-yaml"])
        try fields.output.write(toFile: path("request.yaml"), atomically: true, encoding: .utf8)
        let back = try DemoEnvironment.run(
            "terminal-simulator", ["send", "--yaml", path("request.yaml")] + config)
        let isTheSame = line("sent ", in: back.output) == sent
        #expect(isTheSame)
        let edited = try DemoEnvironment.run(
            "terminal-simulator", hex + ["--edit"],
            variables: [
                "VISUAL": "sed -i -e 's/^  4: .*/  4: \"000000009999\"/' -e 's/^  11: .*/  11: \"900001\"/'"
            ])
        #expect(edited.status == 0 && edited.output.contains("000000009999"))
        #expect(edited.output.contains("94 ") || edited.output.contains("13 "), "the host notices")
        let broken = try DemoEnvironment.run(
            "terminal-simulator", hex + ["--edit"], variables: ["VISUAL": "sed -i 's/^  11: .*/  129: 1/'"])
        #expect(broken.status == 1 && broken.output.contains("129 is no data element"))
    }

    @Test("Scenarios: what is not there is refused with its place before anything is sent; a recording plays")
    func scenarios() throws {
        let environment = try environment()
        defer { environment.stop() }
        let config = ["--config", environment.configuration]
        let text = """
            scenarios:
              - name: good
                steps:
                  - purchase: {card: visa-cvn10, amount: 1.00}
              - name: bad
                steps:
                  - purchase: {card: visa-cvn99, amount: 1.00, link: nowhere}
                  - purchase: {chip: no-chip, amount: 1.00}
                  - tls: {certificate: missing.pem}
              - name: no card
                steps:
                  - purchase: {amount: 1.00}
            """
        try text.write(toFile: path("bad.yaml"), atomically: true, encoding: .utf8)
        let refused = try DemoEnvironment.run("terminal-simulator", ["run", path("bad.yaml")] + config)
        #expect(refused.status == 1 && !refused.output.contains("✓") && !refused.output.contains("✗"))
        for place in [
            ":7:26: there is no card visa-cvn99", ":7:58: there is no link nowhere",
            ":8:26: there is no chip no-chip", ":9:28: cannot read missing.pem", ":12:9: no card is named",
        ] {
            #expect(refused.output.contains("bad.yaml\(place)"), "\(place)\n\(refused.output)")
        }
        for arguments in [[path("nothing.yaml")], [path("rec.yaml"), "--report", "/no/such/folder/x.html"]] {
            try "scenarios: [{name: a, steps: [{echo: {}}]}]"
                .write(toFile: path("rec.yaml"), atomically: true, encoding: .utf8)
            let run = try DemoEnvironment.run("terminal-simulator", ["run"] + arguments + config)
            #expect(run.status == 1 && !run.output.contains("✓"), "\(run.output)")
        }

        let declined = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "purchase", "--card", "visa-cvn18", "--amount", "4.20", "--pin", "1111", "--record",
                path("rec.yaml"),
            ]
                + config)
        #expect(declined.status == 1)
        let recorded = try String(contentsOfFile: path("rec.yaml"), encoding: .utf8)
        #expect(
            recorded.contains("pin: wrong") && recorded.contains("de39: \"55\"") && !recorded.contains("1111")
        )
        let played = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "run", path("rec.yaml"), "--trace=hex", "--pcap", path("run.pcap"), "--report",
                path("r.html"),
                "--junit", path("r.xml"), "--only", "4.20",
            ] + config)
        #expect(played.status == 0 && played.output.contains("sent 3031"), "\(played.output.suffix(500))")
        let report = try String(contentsOfFile: path("r.html"), encoding: .utf8)
        let junit = try String(contentsOfFile: path("r.xml"), encoding: .utf8)
        for part in ["acquirer-a 127.0.0.1:\(environment.portA)", "commit ", "only "] {
            #expect(report.contains(part) && junit.contains(part), "\(part)")
        }
        #expect(try tool(["tshark", "-r", path("run.pcap"), "-Y", "tcp.payload"]).output.contains("PSH"))
    }

    @Test("Somebody else's host, as docs/testing.md walks through it")
    func foreignHost() throws {
        let python = try python()
        let port = try freePort()
        let bin = URL(fileURLWithPath: python).deletingLastPathComponent().path
        let log = path("host.log")
        #expect(FileManager.default.createFile(atPath: log, contents: nil))
        let output = try #require(FileHandle(forWritingAtPath: log))
        let host = try ChildProcess(
            [
                "\(bin)/iso8583sim", "serve", "--port", "\(port)", "--rules",
                "\(Self.root)/Config/scenarios/foreign/rules.json",
            ],
            descriptors: [
                FileHandle.nullDevice.fileDescriptor, output.fileDescriptor, output.fileDescriptor,
            ])
        defer { host.stop() }
        for _ in 0..<600
        where !((try? String(contentsOfFile: log, encoding: .utf8))?.contains("listening") ?? false) {
            usleep(50_000)
        }
        let run = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "run", "\(Self.root)/Config/scenarios/foreign", "--target", "127.0.0.1:\(port)", "--dialect",
                "ascii87-binbitmap", "--framing", "2be", "--issuer",
                "\(Self.root)/Config/demo/demo-issuer.json",
                "--dialects", "\(Self.root)/Config/iso8583", "--junit", path("f.xml"),
            ])
        #expect(run.status == 0 && run.output.contains("11 passed, 0 failed"), "\(run.output)")
        let junit = try String(contentsOfFile: path("f.xml"), encoding: .utf8)
        #expect(junit.contains("127.0.0.1:\(port), ascii87-binbitmap, 2be"))
    }

    @Test("The schemas for editors take every shipped file and refuse a misspelt key")
    func schemas() throws {
        let result = try tool(
            [try python(), "\(Self.root)/Tests/Interoperability/tools.py", "schemas", Self.root])
        let lines = result.output.split(separator: "\n")
        #expect(result.status == 0 && lines.count > 20)
        #expect(lines.allSatisfy { $0.hasPrefix("ok ") }, "\(lines.filter { !$0.hasPrefix("ok ") })")
    }

    @Test(
        "A load without a profile: thresholds set the exit code, hdrhistogram reads the log, cards are missed"
    )
    func load() throws {
        let environment = try environment()
        defer { environment.stop() }
        let common = ["run", "--rate", "25", "--duration", "2s", "--connections", "2", "--cards", "200"]
        let results = ["--results", path("results")]
        let target = [
            "--target", "127.0.0.1:\(environment.portA)", "--issuer",
            "\(Self.root)/Config/demo/demo-issuer.json", "--dialects", "\(Self.root)/Config/iso8583",
        ]
        let unknown = try DemoEnvironment.run("load-generator", common + results + target)
        #expect(unknown.status == 1 && unknown.output.contains("hint: the host does not know the cards"))
        #expect(unknown.output.contains("✗ wrong == 0"))

        let config = ["--config", environment.configuration, "--import-cards"]
        let held = try DemoEnvironment.run(
            "load-generator",
            common + results + config + ["--threshold", "lost == 0", "--threshold", "p99 < 20 s"])
        #expect(held.status == 0 && held.output.contains("✓ p99 < 20 s"), "\(held.output)")
        #expect(!held.output.contains("at half"))
        let json = held.output.split(separator: "\n").last.map(String.init) ?? ""
        let log = json.replacingOccurrences(of: ".json", with: ".hlog")
        let read = try tool([try python(), "\(Self.root)/Tests/Interoperability/tools.py", "hlog", log])
        let figures = read.output.split(separator: " ").compactMap { Double($0.filter { $0 != "\n" }) }
        let result = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: json)))
        let object = try #require(result as? [String: Any])
        let latency = try #require(object["latencyMilliseconds"] as? [String: Double])
        #expect(figures.count == 4 && figures[1] == object["answersChecked"] as? Double)
        // Seconds are kept with two digits, the whole with three.
        #expect(abs((figures.last ?? 0) / 1e6 / (latency["p99"] ?? 1) - 1) < 0.02)
        let csv = try String(
            contentsOfFile: json.replacingOccurrences(of: ".json", with: ".csv"), encoding: .utf8)
        #expect(csv.hasPrefix("stage,second,answers_per_second") && csv.split(separator: "\r\n").count >= 2)

        for (arguments, words) in [
            (["--threshold", "p98 < 5 ms"], "p98 is no figure"),
            (["--threshold", "p99 < 5"], "needs a unit"),
            (["--duration", "soon"], "--duration"), (["--rate", "0"], "--rate"),
            (["--target", "nowhere"], "HOST:PORT"),
        ] {
            let wrong = try DemoEnvironment.run("load-generator", common + results + target + arguments)
            #expect(
                wrong.status != 0 && wrong.output.contains(words), "\(words): \(wrong.output.suffix(300))")
        }
    }

    @Test(
        "send reads a pipe, and needs no configuration with --target; a message that came late is still the pipe's"
    )
    func sending() throws {
        let environment = try environment()
        defer { environment.stop() }
        let config = ["--config", environment.configuration]
        let bought = try DemoEnvironment.run(
            "terminal-simulator", ["purchase", "--card", "visa-cvn18", "--amount", "4.20", "--hex"] + config)
        let sent = line("sent ", in: bought.output)
        let terminal = DemoEnvironment.executable("terminal-simulator")
        let empty = folder.appendingPathComponent("empty")
        try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
        let target = "--target 127.0.0.1:\(environment.portA)"
        for (name, command) in [
            ("standard input", "{ sleep 0.3; echo \"$HEX\"; } | $TS send --hex - --config $CONFIG"),
            ("a pipe with a name", "$TS send --hex <(sleep 0.3; echo \"$HEX\") --config $CONFIG"),
            // In a folder without any configuration.
            ("--target", "cd $EMPTY && echo \"$HEX\" | $TS send --hex - \(target)"),
            (
                "--target, fields",
                "cd $EMPTY && echo \"$HEX\" | $TS send --hex - --show-yaml \(target) | $TS send --yaml - \(target)"
            ),
        ] {
            let done = try tool(
                ["bash", "-c", command],
                variables: [
                    "HEX": sent, "TS": terminal, "CONFIG": environment.configuration, "EMPTY": empty.path,
                ])
            #expect(done.status == 0 && done.output.contains("Response: 0110"), "\(name): \(done.output)")
            let isTheSame = line("sent ", in: done.output) == sent
            #expect(isTheSame, "\(name)")
        }
        let nothing = try tool(
            ["bash", "-c", "$TS send --hex - \(target) </dev/null 2>&1"], variables: ["TS": terminal])
        #expect(nothing.status == 1 && !nothing.output.contains("Sent to"), "\(nothing.output)")
    }

    @Test(
        "--issuer-program changes cards of somebody else's host; without it such scenarios are left out and counted"
    )
    func issuerProgram() throws {
        let environment = try environment()
        defer { environment.stop() }
        try """
        scenarios:
          - name: plain
            steps: [{echo: {}}]
          - name: with the issuer
            steps:
              - issuer: {card: visa-cvn18, status: lost}
              - echo: {}
        """.write(toFile: path("issuer.yaml"), atomically: true, encoding: .utf8)
        try
            "#!/bin/sh\necho \"$@\" >>'\(path("calls"))'\n[ ! -e '\(path("refuse"))' ] || { echo 'no such desk'; exit 3; }\n"
            .write(toFile: path("desk"), atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path("desk"))
        let target = [
            "run", path("issuer.yaml"), "--target", "127.0.0.1:\(environment.portA)", "--issuer",
            "\(Self.root)/Config/demo/demo-issuer.json", "--dialects", "\(Self.root)/Config/iso8583",
        ]
        let without = try DemoEnvironment.run("terminal-simulator", target)
        #expect(without.status == 0 && without.output.contains("1 scenarios left out"), "\(without.output)")
        let desk = target + ["--issuer-program", path("desk")]
        let with = try DemoEnvironment.run("terminal-simulator", desk)
        #expect(with.status == 0 && with.output.contains("2 passed, 0 failed"), "\(with.output)")
        let calls = try String(contentsOfFile: path("calls"), encoding: .utf8)
        #expect(
            calls.contains("cards") && calls.contains("lost") && !calls.contains("--config"), "its arguments")
        try "".write(toFile: path("refuse"), atomically: true, encoding: .utf8)
        let refused = try DemoEnvironment.run("terminal-simulator", desk)
        #expect(refused.status == 1 && refused.output.contains("the issuer's program: no such desk"))
        let missing = try DemoEnvironment.run(
            "terminal-simulator", target + ["--issuer-program", path("nobody")])
        #expect(missing.status == 64 && missing.output.contains("is no program that can be run"))
    }

    @Test(
        "Counters that the host has seen are hinted at; capacity takes several processes, and names one that is not there"
    )
    func capacity() throws {
        let command = """
            set -x
            common="--config $DEMO_CONFIG --cards 200 --connections 2 --results $RESULTS"
            $GENERATOR run --rate 40 --duration 1s --import-cards $common || exit 1
            if $GENERATOR run --rate 100 --duration 1s $common; then exit 2; fi
            export DEMO_REDIS_PID=$DEMO_REDIS_PID,$$
            $GENERATOR capacity --rates 20,40,60 --seconds 1 --p99 5000 --import-cards $common || exit 3
            if $GENERATOR capacity --rates 20,40 --seconds 1 --p99 5000 $common; then echo again; fi
            DEMO_REDIS_PID=$$,999999999 $GENERATOR capacity --rates 20,40 --seconds 1 $common && exit 4
            exit 0
            """
        let environment = try DemoEnvironment(
            command: ["with", "bash", "-c", command],
            variables: [
                "GENERATOR": DemoEnvironment.executable("load-generator"), "RESULTS": path("results"),
            ])
        let (status, output) = environment.finish()
        environment.stop()
        #expect(status == 0, "\(output.suffix(3_000))")
        #expect(output.contains("hint: the host has seen counters of these cards"))
        #expect(
            output.contains("knee       above 60 a second: no step broke a bound"), "\(output.suffix(3_000))")
        #expect(output.contains("µs of CPU an authorisation, by how busy the machine is"))
        #expect(output.contains("\nstore      ") && output.contains("limited by"))
        // The second time every card has been seen.
        #expect(
            output.contains("knee       no step held its bounds") && output.contains("DE39 63, expected 00"))
        #expect(output.contains("DEMO_REDIS_PID: there is no process 999999999"))
    }

    @Test(
        "The generator's own limit is measured against a stand-in, every answer checked, and held against a result"
    )
    func ownLimit() throws {
        let common = [
            "limit", "--seconds", "1", "--passes", "1", "--cards", "100", "--connections", "2",
            "--outstanding", "4",
            "--dialects", "\(Self.root)/Config/iso8583", "--issuer",
            "\(Self.root)/Config/demo/demo-issuer.json",
        ]
        let plain = try DemoEnvironment.run("load-generator", common)
        #expect(plain.status == 0 && plain.output.contains("own limit  "), "\(plain.output)")
        #expect(plain.output.contains(" checked, 0 wrong, lost or unsent"))
        let short = try DemoEnvironment.run("load-generator", common + ["--at-least", "4"])
        #expect(short.status == 64 && short.output.contains("--at-least needs --against"))
    }
}
