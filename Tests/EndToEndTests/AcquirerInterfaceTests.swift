import Foundation
import ISO8583
import SocketSupport
import Testing

/// `docs/acquirer-interface.md` says what the host does: its examples are played against one.
@Suite(.timeLimit(.minutes(5))) struct AcquirerInterfaceTests {
    private struct Example {
        var request: [UInt8]
        /// Nil where nothing answers.
        var answer: [UInt8]?
        /// Of ISO 8583:1993: another link, in another dialect.
        var is1993: Bool
    }

    /// `>` begins a request, `<` its answer; lines behind go on with it.
    private static func examples() throws -> [Example] {
        let path = DemoEnvironment.root.appendingPathComponent("docs/acquirer-interface.md")
        let text = try String(contentsOf: path, encoding: .utf8)
        let parts = text.components(separatedBy: "\n## ISO 8583:1993\n")
        return try zip(parts, [false, true]).flatMap { try examples(in: $0, is1993: $1) }
    }

    private static func examples(in text: String, is1993: Bool) throws -> [Example] {
        try text.components(separatedBy: "```hex\n").dropFirst().map { block in
            var parts: [Character: String] = [:]
            var current: Character = " "
            for line in block.components(separatedBy: "```")[0].split(separator: "\n") {
                if let mark = line.first, mark != " " { current = mark }
                parts[current, default: ""] += line.dropFirst(2)
            }
            return Example(
                request: try bytes(parts[">"]), answer: try parts["<"].map { try bytes($0) }, is1993: is1993)
        }
    }

    private static func bytes(_ hex: String?) throws -> [UInt8] {
        let digits = Array(try #require(hex).utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { place in
            try #require(UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16))
        }
    }

    @Test("Every example of the interface's description is answered as it says")
    func examples() throws {
        let examples = try Self.examples()
        #expect(examples.filter { !$0.is1993 }.count == 17 && examples.filter(\.is1993).count == 15)
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_1993": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let (old, new) = (
            (try Self.codec("ascii87-binbitmap"), try Socket(port: environment.portA)),
            (try Self.codec("jpos-iso93a"), try Socket(port: environment.portC))
        )
        var classes: Set<String> = []
        for (number, example) in examples.enumerated() {
            let (codec, socket) = example.is1993 ? new : old
            socket.sendFrame(example.request)
            // Were one answered all the same, the next example would have that for its answer.
            guard let expected = example.answer else {
                classes.insert("\(try codec.decode(example.request).mti)")
                continue
            }
            let frame = try #require(socket.receiveFrame(), "example \(number): silence")
            var (answer, told) = (try codec.decode(frame), try codec.decode(expected))
            classes.insert("\(told.mti) \(told.text(.responseCode) ?? "")")
            // The only part that is another each time.
            #expect(
                answer.count(of: .authorisationCode) == told.count(of: .authorisationCode),
                "example \(number)")
            answer.remove(.authorisationCode)
            told.remove(.authorisationCode)
            let same = answer == told
            #expect(
                same, "example \(number), \(told.mti): the answer is another one than the description has")
        }
        for needed in [
            "0810 00", "0110 00", "0110 51", "0110 30", "0210 00", "0312 12", "0410 00", "0430 00", "0230 00",
            "0130 00",
            "1814 800", "1110 000", "1210 116", "1110 904", "1430 400", "1230 900", "1130 900", "1240",
            "1440",
        ] {
            #expect(classes.contains(needed), "no example with \(needed)")
        }
    }

    private static func codec(_ dialect: String) throws -> MessageCodec {
        let path = DemoEnvironment.root.appendingPathComponent("Config/iso8583/\(dialect).json").path
        return MessageCodec(dialect: try Dialect(contentsOf: path))
    }

    /// Framing, and lines of the link's configuration beside it.
    private static let forms = [
        ("4be", ["tpduBytes: 12"]), ("2bcd", ["iccData: dataSet01"]),
        ("4hex-incl", ["tpduBytes: 5", "headerAnswer: kept"]),
        ("2be-zeros", ["tpduBytes: 4", "headerAnswer: exchanged"]),
        ("4ascii", ["echo: [\"2\", \"11\", \"37\"]"]), ("2be-incl", ["iccData: tlv", "frameBytesMax: 600"]),
    ]

    /// Each shipped dialect of ISO 8583:1993.
    private static let dialects1993 = [
        "ascii93-hexbitmap-bin", "ascii93-binbitmap", "jpos-iso93a", "jpos-iso93b", "jpos-iso93-ebcdic",
        "cardutil-1993",
    ]

    @Test("Every framing, header, form of chip data and dialect of 1993 is paid over from the terminal")
    func linkForms() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        var (text, _) = try environment.configurationBeside()
        var links = ""
        for (framing, lines) in Self.forms {
            links += "  form-\(framing):\n    port: \(try freePort())\n    dialect: ascii87-binbitmap\n"
            for line in ["framing: \(framing)", "zonePINKey: zpk-acquirer-a"] + lines {
                links += "    \(line)\n"
            }
        }
        for dialect in Self.dialects1993 {
            links += "  form-\(dialect):\n    port: \(try freePort())\n    dialect: \(dialect)\n"
            links += "    zonePINKey: zpk-acquirer-a\n"
        }
        text = text.replacingOccurrences(of: "\nlinks:\n", with: "\nlinks:\n" + links)
        let path = environment.directory.appendingPathComponent("forms.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: path)
        defer { host.stop() }
        for framing in Self.forms.map(\.0) + Self.dialects1993 {
            let paid = try DemoEnvironment.run(
                "terminal-simulator",
                [
                    "purchase", "--card", "mchip-14h", "--pin", "123456789012", "--amount", "4.00", "--link",
                    "form-\(framing)", "--config", path,
                ])
            #expect(paid.output.contains("ARPC ok"), "\(framing): \(paid.output)")
        }
        for (key, value, words) in [
            ("iccData", "tlvs", "tlv or dataSet01"), ("headerAnswer", "kept", "neither tpduBytes"),
            ("headerAnswer", "swapped", "kept or exchanged"), ("framing", "3be", "2be-zeros-incl"),
            ("echo", "[\"52\"]", "DE52 is never sent back"), ("echo", "[\"200\"]", "2 to 128"),
        ] {
            let wrong = text.replacingOccurrences(
                of: "\nlinks:\n",
                with:
                    "\nlinks:\n  wrong:\n    port: 1\n    dialect: ascii87-binbitmap\n    \(key): \(value)\n")
            try wrong.write(toFile: path, atomically: true, encoding: .utf8)
            let checked = try DemoEnvironment.run("issuer-host", ["check", "--config", path])
            #expect(checked.status != 0 && checked.output.contains(words), "\(key): \(checked.output)")
        }
    }

    @Test("Every element and setting that the description names exists")
    func names() throws {
        let text = try String(
            contentsOf: DemoEnvironment.root.appendingPathComponent("docs/acquirer-interface.md"),
            encoding: .utf8)
        for name in Framing.LengthForm.allCases.map(\.rawValue) {
            #expect(text.contains("`\(name)`"), "framing \(name)")
        }
        let checked = ElementDefinition.checkedElements.sorted()
        #expect(checked == [2, 3, 4, 7] + Array(11...14) + [18, 19, 22, 23, 25, 32, 35, 39, 49, 70])
    }
}
