import Foundation
import Testing

/// Commands of operators on cards, by the programs themselves.
@Suite struct CardCommandTests {
    /// A card of the demo's range for Visa as the file has it, one key a line.
    private static func card(
        _ pan: String, psn: String? = "01", profile: String = "visa-cvn18", more: [String: String] = [:]
    ) -> String {
        var fields = [
            "name": "\"made\"", "pan": "\"\(pan)\"", "expiry": "\"3112\"", "status": "\"active\"",
            "cryptogramProfile": "\"\(profile)\"", "availableMinorUnits": "5000", "currency": "\"752\"",
        ]
        fields["panSequenceNumber"] = psn.map { "\"\($0)\"" }
        fields.merge(more) { $1 }
        let lines = fields.sorted { $0.key < $1.key }.filter { !$0.value.isEmpty }
            .map { "\"\($0.key)\": \($0.value)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}"
    }

    private static func file(_ cards: [String], in environment: DemoEnvironment) throws -> String {
        let path = environment.directory.appendingPathComponent("made.json").path
        try "{\"note\": \"cards: [ {\", \"cards\": [\n\(cards.joined(separator: ",\n"))\n]}\n"
            .write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// The line in the file where a text stands for the nth time.
    private static func line(of text: String, _ time: Int = 1, in path: String) throws -> Int {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let found = lines.indices.filter { lines[$0].contains(text) }
        return (found.count >= time ? found[time - 1] : -2) + 1
    }

    private static let good = "4761739002000010"
    private static let other = "4761739002000028"
    private static let wrongDigit = "4761739002000021"

    @Test("An import names every fault with file and line, and writes nothing unless there is none")
    func importFaults() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func host(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-host", arguments + ["--config", environment.configuration])
        }
        let path = try Self.file(
            [
                Self.card(Self.good), Self.card(Self.other, profile: "visa-cvn99"),
                Self.card(Self.other, psn: "02", profile: "mc-cvn10h"), Self.card(Self.wrongDigit),
                Self.card(Self.good), Self.card(Self.good, psn: "03", more: ["availableMinorUnits": "6000"]),
                Self.card("9999990000000014"), Self.card("47617390"),
                Self.card(Self.other, psn: "04", more: ["expiry": "\"1331\""]),
                Self.card(Self.other, psn: "05", more: ["status": ""]),
                Self.card(Self.other, psn: "+6"),
                Self.card(Self.other, psn: "07", more: ["currency": "\"+75\""]),
                Self.card(Self.other, psn: "08", more: ["pinReference": "\"12\""]), "17", "{}",
                Self.card(Self.other, psn: "09", more: ["pinVerificatonValue": "\"1:1234\""]),
                Self.card(Self.other, psn: "10", more: ["availableMinorUnits": "5.5"]),
            ], in: environment)
        let refused = try host("cards", "import", path)
        #expect(refused.status == 1, "\(refused.output)")
        func expect(_ line: Int, _ words: String) {
            let found = refused.output.split(separator: "\n").contains {
                $0.hasPrefix("\(path):\(line): ") && $0.contains(words)
            }
            #expect(found, "\(line) \(words): \(refused.output)")
        }
        expect(try Self.line(of: "visa-cvn99", in: path), "visa-cvn99 is none of")
        expect(try Self.line(of: "mc-cvn10h", in: path), "visa-cvn18, ")
        expect(try Self.line(of: Self.wrongDigit, in: path), "check digit")
        expect(
            try Self.line(of: "\"\(Self.good)\"", 2, in: path),
            "at line \(try Self.line(of: "{", 2, in: path)) already")
        expect(try Self.line(of: "6000", in: path), "share one account")
        expect(try Self.line(of: "9999990000000014", in: path), "no range")
        expect(try Self.line(of: "\"1331\"", in: path), "YYMM")
        expect(try Self.line(of: "\"+6\"", in: path), "00 to 99")
        expect(try Self.line(of: "\"+75\"", in: path), "ISO 4217")
        expect(try Self.line(of: "pinVerificatonValue", in: path), "did you mean pinVerificationValue?")
        expect(try Self.line(of: "\"12\"", in: path), "16 hex digits")
        expect(try Self.line(of: "17,", in: path), "of the wrong type")
        expect(try Self.line(of: "{}", in: path), "is missing")
        #expect(refused.output.contains("status is missing"))
        #expect(refused.output.contains("nothing was imported: 16 faults"), "\(refused.output)")
        let printsPAN = [Self.good, Self.other, Self.wrongDigit].contains { refused.output.contains($0) }
        #expect(!printsPAN)
        let shown = try host("cards", "show", Self.good)
        #expect(shown.status == 1 && shown.output.contains("no card 476173******0010"), "\(shown.output)")

        // What is no JSON, with its line.
        let broken = try Self.file([Self.card(Self.good), "{\"pan\": }"], in: environment)
        let noJSON = try host("cards", "import", broken)
        #expect(noJSON.status == 1 && noJSON.output.contains("no JSON"), "\(noJSON.output)")
        #expect(
            noJSON.output.contains("\(broken):\(try Self.line(of: "\"pan\": }", in: broken)): "),
            "\(noJSON.output)")

        let tests = try Self.file([Self.card(Self.good), Self.card(Self.wrongDigit)], in: environment)
        #expect(try host("cards", "import", tests).status == 1)
        let allowed = try host("cards", "import", "--allow-test-pans", tests)
        #expect(allowed.status == 0 && allowed.output.contains("2 cards imported"), "\(allowed.output)")
    }

    @Test(
        "A card is found by its PAN alone where it is the only one; otherwise the commands say which there are"
    )
    func onlyCard() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func host(_ arguments: String...) throws -> (status: Int32, output: String) {
            try DemoEnvironment.run("issuer-host", arguments + ["--config", environment.configuration])
        }
        let path = try Self.file(
            [
                Self.card(Self.good, psn: "07"), Self.card(Self.other, psn: "01"),
                Self.card(Self.other, psn: "12"),
            ],
            in: environment)
        #expect(try host("cards", "import", path).status == 0)
        // Each command that works on one card, and what stands behind the PAN.
        let commands: [(words: [String], more: [String])] = [
            (["cards", "atc"], []), (["cards", "unblock-pin"], ["--reason", "test"]),
            (["cards", "script"], ["--list"]),
            (["cards", "script"], ["card-block", "--reason", "test"]),
            (["cards", "atc"], ["--reset", "--reason", "test"]),
        ]
        for (words, more) in commands {
            func run(_ card: String...) throws -> (status: Int32, output: String) {
                try DemoEnvironment.run(
                    "issuer-host", words + card + more + ["--config", environment.configuration])
            }
            let command = (words + more).joined(separator: " ")
            let only = try run(Self.good)
            let named = try run(Self.good, "--psn", "7")
            let ambiguous = try run(Self.other)
            let chosen = try run(Self.other, "--psn", "12")
            let unknown = try run(Self.other, "--psn", "3")
            let nobody = try run("4761739002000036")
            let wrong = try run("47617390x2000038")
            let statuses = [only, named, ambiguous, chosen, unknown, nobody, wrong].map(\.status)
            #expect(
                statuses == [0, 0, 1, 0, 1, 1, 64],
                "\(command): \(only.output)\(named.output)\(chosen.output)")
            #expect(ambiguous.output.contains("--psn is needed") && ambiguous.output.contains("01, 12"))
            #expect(unknown.output.contains("01, 12"), "\(command): \(unknown.output)")
            #expect(nobody.output.contains("no card 476173******0036"), "\(command): \(nobody.output)")
            let all = [only, named, ambiguous, chosen, unknown, nobody, wrong].map(\.output).joined()
            let hasPAN =
                all.contains(Self.good) || all.contains(Self.other) || all.contains("4761739002000036")
            #expect(!hasPAN, "\(command)")
        }
        // An account's commands: all its cards, or one.
        #expect(
            try host("cards", "show", Self.other).output.components(separatedBy: "sequence number").count == 3
        )
        #expect(try host("cards", "show", Self.other, "--psn", "3").output.contains("01, 12"))
        #expect(try host("cards", "status", Self.other, "lost", "--psn", "3", "--reason", "x").status == 1)
        #expect(try host("cards", "status", Self.other, "lost", "--psn", "12", "--reason", "x").status == 0)
        let shown = try host("cards", "show", Self.other).output
        #expect(shown.contains("status        lost") && shown.contains("status        active"), "\(shown)")
    }
}
