import Foundation
import Testing

/// What stands before the first card: a token that can, a list that is right, and two people.
@Suite("Personalisation before the first card", .serialized, .timeLimit(.minutes(5)))
struct PersonalisationApprovalTests {
    private static let cards = "\(DemoEnvironment.root.path)/Config/demo/demo-issuer.json"
    private static let application = "\(DemoEnvironment.root.path)/Config/demo/application.json"

    @Test("SoftHSM2 makes cards with SDA over SCP03; what it lacks for others is named before all else")
    func lackingMechanisms() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_TOKEN": "softhsm2"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let office = try SoftHSMOffice(environment)
        let out = office.place("report.json")
        let lacking: [(master: String, application: String, words: String)] = [
            ("kmc-bureau", Self.application, "by CKM_AES_CBC_PAD (C_WrapKey: CKR_MECHANISM_INVALID"),
            ("kmc-bureau-des", office.staticProfile, "by CKM_DES3_ECB (C_WrapKey: CKR_MECHANISM_INVALID"),
        ]
        for (master, application, words) in lacking {
            let refused = try office.keys(
                "personalise", Self.cards, "--to", "rack", "--kmc", master, "--application", application,
                "--out",
                out)
            #expect(refused.status == 1 && refused.output.contains(words), "\(refused.output)")
            #expect(!FileManager.default.fileExists(atPath: out + ".batch"))
        }
        let bureau = try office.keys(
            "personalise", Self.cards, "--under", "kbpk-bureau", "--application", Self.application, "--out",
            out)
        #expect(
            bureau.status == 1 && bureau.output.contains("this token cannot put keys together inside"),
            "\(bureau.output)")
        let early = try office.keys(
            "personalise", Self.cards, "--to", "rack", "--kmc", "kmc-bureau", "--application",
            office.staticProfile, "--out", out)
        #expect(
            early.status == 1 && early.output.contains("no issuer's certificate is there"), "\(early.output)")

        try office.certify()
        let rack = try Rack(cards: 1)
        let list = office.place("one.json")
        try office.list("visa-cvn18", to: list)
        let made = try office.keys(
            "personalise", list, "--to", rack.place, "--kmc", "kmc-bureau", "--new-master", "imk-dek-demo",
            "--application", office.staticProfile, "--out", out)
        #expect(made.status == 0 && made.output.contains("1 of 1 cards are personalised"), "\(made.output)")
        let paid = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--reader", rack.place, "--config",
                office.configuration,
            ])
        #expect(
            paid.status == 0 && paid.output.contains("SDA ✓, final cryptogram as expected: yes"),
            "\(paid.output.suffix(900))")
        _ = rack.end()
    }

    @Test("Two people approve a whole list once; what is wrong is found before they are called")
    func approval() throws {
        let environment = try DemoEnvironment(command: ["prepare"], variables: ["DEMO_CERTIFICATES": "1"])
        let (status, output) = environment.finish()
        #expect(status == 0, "\(output)")
        let office = try Office(environment)
        try office.vouch()
        let count = 5
        let list = office.place("list.json")
        try CardList(count).write(to: list)
        let rack = try Rack(cards: count)
        let out = office.place("rack-report.json")
        func command(_ list: String, to place: String? = nil, out other: String? = nil) -> [String] {
            [
                "personalise", list, "--to", place ?? rack.place, "--kmc", "kmc-bureau", "--application",
                Self.application, "--out", other ?? out,
            ]
        }
        try badInput(office, command(list), list: list)

        // Broken off at each prompt, and refused: no card is touched, nothing is left.
        for broken in office.approvals.indices {
            let terminal = try office.sit(command(list))
            for (prompt, answer) in office.approvals[..<broken] { try terminal.answer(prompt, answer) }
            try terminal.expect(office.approvals[broken].prompt)
            try terminal.interrupt()
            #expect(terminal.finish() != 0)
        }
        let refusing = try office.sit(command(list))
        for (prompt, answer) in office.approvals.dropLast() { try refusing.answer(prompt, answer) }
        for _ in 0..<3 { try refusing.answer("Passphrase of Bob:", "not this time") }
        #expect(refusing.finish() == 1)
        let alone = try office.sit(command(list))
        for (prompt, answer) in office.approvals.prefix(2)
            + office.approvals.prefix(1).map({ ("person 2", $0.1) })
        {
            try alone.answer(prompt, answer)
        }
        #expect(alone.finish() == 1 && alone.screen.contains("has signed already"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: office.environment.directory.path).allSatisfy
            {
                !$0.hasPrefix("rack-report")
            })
        let before = try office.run("audit-log", "show").output
        #expect(!before.contains("card-certified") && !before.contains("cards-personalised"))

        let terminal = try office.sit(command(list))
        for (prompt, answer) in office.approvals { try terminal.answer(prompt, answer) }
        #expect(terminal.finish() == 0, "\(terminal.screen)")
        let asked = terminal.screen.components(separatedBy: "Passphrase of").count - 1
        #expect(asked == 2, "once for the whole list")
        #expect(terminal.screen.contains("\(count) of \(count) cards are personalised"))
        #expect(rack.end().contains("\(count) of \(count) cards are personalised"))
        try trail(office, list: list, count: count)
    }

    @Test(
        "A batch that was cut off: who approved it stands in the trail, the audit says so in words, and it goes on"
    )
    func cutOff() throws {
        let environment = try DemoEnvironment(command: ["prepare"], variables: ["DEMO_CERTIFICATES": "1"])
        let (status, output) = environment.finish()
        #expect(status == 0, "\(output)")
        let office = try Office(environment)
        try office.vouch()
        let list = office.place("many.json")
        try CardList(150).write(to: list)
        let command = [
            "personalise", list, "--under", "kbpk-bureau", "--dek", "dek-bureau", "--application",
            Self.application, "--out", office.place("bureau.json"),
        ]
        let first = try office.sit(command)
        for (prompt, answer) in office.approvals { try first.answer(prompt, answer) }
        let log = office.place("audit.log")
        let end = Date(timeIntervalSinceNow: 60)
        while try !String(contentsOfFile: log, encoding: .utf8).contains("card-certified"), Date() < end {
            usleep(1_000)
        }
        first.cutOff()
        _ = first.finish()
        func lines(_ kind: String) throws -> [String] {
            try office.run("audit-log", "show").output.split(separator: "\n").map(String.init).filter {
                $0.contains("  \(kind)  ")
            }
        }
        let certified = try lines("card-certified")
        #expect((1..<150).contains(certified.count), "\(certified.count)")
        for line in try certified + lines("command-started").suffix(1) {
            #expect(line.hasSuffix("signed by Ann, Bob") && line.contains("list="), "\(line)")
        }
        #expect(try lines("cards-personalised").isEmpty)
        #expect(try office.run("audit-log", "verify").status == 0)
        let open = try office.run("audit")
        #expect(open.status == 0, "\(open.output)")
        let words =
            open.output.split(separator: "\n").first { $0.hasPrefix("Not ended: cards of list ") } ?? ""
        #expect(words.contains("(150)") && words.contains("approved by Ann, Bob"), "\(open.output)")
        #expect(words.contains("\(certified.count) cards were certified"), "\(words)")

        let second = try office.sit(command)
        for (prompt, answer) in office.approvals { try second.answer(prompt, answer) }
        #expect(second.finish(seconds: 120) == 0, "\(second.screen)")
        #expect(second.screen.contains("150 cards"))
        let whole = try office.run("audit")
        #expect(whole.status == 0 && !whole.output.contains("Not ended"), "\(whole.output)")
        #expect(try lines("cards-personalised").count == 1)
    }

    /// Found while nobody has come: the command ends, and asks for no file.
    private func badInput(_ office: Office, _ command: [String], list: String) throws {
        func changed(_ name: String, _ change: (String) -> String) throws -> String {
            let path = office.place(name)
            try change(String(contentsOfFile: list, encoding: .utf8)).write(
                toFile: path, atomically: true, encoding: .utf8)
            return path
        }
        func with(_ option: String, _ value: String) -> [String] {
            guard let place = command.firstIndex(of: option) else { return command + [option, value] }
            var other = command
            other[place + 1] = value
            return other
        }
        func with(list: String) -> [String] { [command[0], list] + command[2...] }
        let other = office.place("other.json")
        try "{\"batch\":\"another\",\"cards\":5}\n".write(
            toFile: other + ".batch", atomically: true, encoding: .utf8)
        let wrong: [([String], String)] = [
            (
                with(list: try changed("empty.json") { _ in "{\"cards\": []}" }),
                "a batch has 1 to 100000 cards, not 0"
            ),
            (
                with(list: try changed("expired.json") { $0.replacing("2912", with: "2913") }),
                "expiry has to be YYMM"
            ),
            (
                with(list: try changed("stranger.json") { $0.replacing("476173", with: "999999") }),
                "no issuer range"
            ),
            (
                with(list: try changed("data.json") { $0.replacing("06011203A0B800", with: "FF") }),
                "issuerApplicationData"
            ),
            (
                with(list: try changed("hex.json") { $0.replacing("06011203A0B800", with: "0601X") }),
                "issuerApplicationData is missing, or in no known format"
            ),
            (with("--kmc", "kmc-nobody"), "kmc-nobody: no such key in the token"),
            (with("--kmc", "zpk-acquirer-a"), "no master key of channels"),
            (with("--new-master", "imk-dek-nobody"), "imk-dek-nobody: no such key in the token"),
            (with("--to", "here"), "--to here: rack, tcp:HOST:PORT or pcsc:READER is needed"),
            (with("--security-level", "30"), "--security-level 30"),
            (with("--application", office.place("none.json")), "none.json"),
            (with("--certificate", "nobody"), "there is none named nobody"),
            (with("--out", office.place("no/such/folder.json")), "its folder is not there"),
            (with("--out", other), "is of another batch"),
        ]
        for (arguments, words) in wrong {
            let terminal = try office.sit(arguments)
            #expect(terminal.finish() != 0)
            #expect(
                terminal.screen.contains(words) && !terminal.screen.contains("File of person"),
                "\(words): \(terminal.screen)")
        }
    }

    private func trail(_ office: Office, list: String, count: Int) throws {
        let lines = try office.run("audit-log", "show").output.split(separator: "\n").map(String.init)
        let digest = Process()
        digest.executableURL = URL(filePath: "/usr/bin/sha256sum")
        digest.arguments = [list]
        let hash = try DemoEnvironment.result(of: digest).output.prefix(64).uppercased()
        for kind in ["command-started", "cards-personalised"] {
            let found = lines.filter { $0.contains("\(kind)  kmc-bureau") }
            #expect(
                found.count == 1
                    && found.allSatisfy { $0.contains("list=\(hash)") && $0.hasSuffix("signed by Ann, Bob") },
                "\(kind): \(found)")
        }
        #expect(lines.count { $0.contains("card-certified") } == count)
        #expect(try office.run("audit-log", "verify").status == 0)
        let audit = try office.run("audit")
        #expect(audit.status == 0, "\(audit.output)")
    }
}

/// `card-rack` on a free port, until it is ended.
private final class Rack {
    let place: String
    private let process = Process()
    private let output = Pipe()

    init(cards: Int) throws {
        process.executableURL = URL(filePath: DemoEnvironment.executable("card-rack"))
        process.arguments = [
            "--cards", "\(cards)", "--listen", "127.0.0.1:0", "--issuer",
            "\(DemoEnvironment.root.path)/Config/demo/demo-issuer.json",
        ]
        process.standardOutput = output
        try DemoEnvironment.start(process)
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard line.hasPrefix("ready on ") else {
            throw DemoEnvironment.Failure(description: "card-rack: \(line)")
        }
        place = "tcp:" + line.dropFirst("ready on ".count).prefix { $0 != "\n" }
    }

    /// - Returns: what it says at its end.
    func end() -> String {
        process.terminate()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return said
    }

    deinit { if process.isRunning { _ = end() } }
}

/// A SoftHSM2 store with a test CA in a second token of it.
private final class SoftHSMOffice {
    let configuration: String
    let staticProfile: String
    private let folder: URL
    private let variables: [String: String]

    init(_ environment: DemoEnvironment) throws {
        folder = environment.directory
        variables = ["SOFTHSM2_CONF": folder.appendingPathComponent("softhsm2.conf").path]
        configuration = folder.appendingPathComponent("certified.yaml").path
        staticProfile = folder.appendingPathComponent("static.json").path
        let text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        try
            (text.replacing("\ndemo:\n", with: "\ndemo:\n  caKeys: [ca-keys.json]\n")
            + "certificates: {folder: certificates, caKeys: ca-keys.json}\n")
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        let path = "\(DemoEnvironment.root.path)/Config/demo/application.json"
        var profile =
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
            ?? [:]
        profile["aip"] = "5C00"
        profile["iccKeyBits"] = nil
        try JSONSerialization.data(withJSONObject: profile).write(to: URL(filePath: staticProfile))
        try "{\"format\": \"EMV CA keys 1\", \"keys\": []}".write(
            toFile: place("ca-keys.json"), atomically: true, encoding: .utf8)
    }

    func place(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func keys(_ arguments: String...) throws -> (status: Int32, output: String) {
        try DemoEnvironment.run(
            "issuer-keys", arguments + ["--config", configuration], variables: variables)
    }

    func list(_ card: String, to path: String) throws {
        let data = try Data(
            contentsOf: URL(filePath: "\(DemoEnvironment.root.path)/Config/demo/demo-issuer.json"))
        let issuer = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        let cards = (issuer?["cards"] as? [[String: Any]] ?? []).filter { $0["name"] as? String == card }
        try JSONSerialization.data(withJSONObject: ["cards": cards]).write(to: URL(filePath: path))
    }

    /// The Visa range's certificate.
    func certify() throws {
        let pin = try String(contentsOfFile: place("token.pin"), encoding: .utf8)
        let token = Process()
        token.executableURL = URL(filePath: "/usr/bin/softhsm2-util")
        token.arguments = ["--init-token", "--free", "--label", "authority", "--so-pin", pin, "--pin", pin]
        token.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        let made = try DemoEnvironment.result(of: token)
        guard made.status == 0 else { throw DemoEnvironment.Failure(description: made.output) }
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        let module = text.split(separator: "\n").first { $0.hasPrefix("  module: ") }?.dropFirst(10) ?? ""
        try FileManager.default.removeItem(atPath: place("ca-keys.json"))
        let authority = [
            "--module", String(module), "--uri", "pkcs11:token=authority", "--pin-file", place("token.pin"),
            "--ca-keys", place("ca-keys.json"), "--audit-log", place("authority.log"), "--rid", "A000000003",
        ]
        let (request, certificate) = (place("visa.request"), place("visa.certificate"))
        for command in [
            ["test-ca", "key"] + authority,
            [
                "certificate", "request", "range-476173", "--identifier", "476173", "--expires", "2049-12",
                "--out",
                request, "--config", configuration,
            ], ["test-ca", "sign"] + authority + [request, "--out", certificate],
            ["certificate", "import", certificate, "--as", "range-476173", "--config", configuration],
        ] {
            let done = try DemoEnvironment.run("issuer-keys", command, variables: variables)
            guard done.status == 0 else {
                throw DemoEnvironment.Failure(description: "\(command[0]) \(command[1]): \(done.output)")
            }
        }
    }
}
