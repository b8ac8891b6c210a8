import Foundation
import ISO8583
import SocketSupport
import Testing

/// The host as an acquirer switch sees it: real processes, real sockets, real token, real Redis.
@Suite(.serialized)
struct HostTests {
    private let codec: MessageCodec

    init() throws {
        let file = DemoEnvironment.root.appendingPathComponent("Config/iso8583/ascii87-binbitmap.json").path
        codec = MessageCodec(dialect: try Dialect(contentsOf: file))
    }

    @Test("The demo: every card and every decline as expected")
    func demo() throws {
        let environment = try DemoEnvironment(command: ["demo"])
        let (status, output) = environment.finish()
        environment.stop()
        #expect(status == 0, "\(output)")
        for code in ["00", "14", "30", "41", "51", "54", "55", "63", "75", "88"] {
            #expect(output.contains(code), "no transaction was answered with \(code)")
        }
        // Web shops with 3-D Secure: two values prove cardholders, one is used up, one is nobody's.
        for words in ["taken, DE44 2", "refused, DE44 R", "refused, DE44 1"] {
            #expect(output.contains("authentication value \(words)"), "\(words): not shown")
        }
        let pans = output.matches(of: /\b\d{12,19}\b/).filter { !$0.output.hasPrefix("0000") }
        #expect(pans.isEmpty, "something that looks like a PAN was printed")
    }

    @Test("One bad message costs nothing but itself")
    func badMessages() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let socket = try Socket(port: environment.portA)

        try expectEcho(socket, stan: "000001")

        // Cut short after DE4: what was readable is answered with a format error.
        let whole = try codec.encode(request(stan: "000002"))
        socket.sendFrame(Array(whole.dropLast(9)))
        let refused = try codec.decode(try #require(socket.receiveFrame()))
        #expect(refused.text(.responseCode) == "30")
        #expect(refused.text(.stan) == "000002")
        try expectEcho(socket, stan: "000003")

        // Nothing readable in it: no answer, but the connection lives.
        socket.sendFrame([0xFF, 0x00, 0x13])
        try expectEcho(socket, stan: "000004")

        // A length of zero is a sign of life.
        socket.send([0, 0])
        try expectEcho(socket, stan: "000005")

        // Trailing bytes are no part of any message.
        socket.sendFrame(try codec.encode(echo(stan: "000006")) + [0x30])
        let trailing = try codec.decode(try #require(socket.receiveFrame()))
        #expect(trailing.text(.responseCode) == "30")

        // A class that is not served is answered, too.
        var administrative = Message(mti: MTI(rawValue: 0x0600))
        administrative.set(.stan, text: "000007")
        socket.sendFrame(try codec.encode(administrative))
        let unsupported = try codec.decode(try #require(socket.receiveFrame()))
        #expect(unsupported.mti == MTI(rawValue: 0x0610))
        #expect(unsupported.text(.responseCode) == "12")

        // The rest of a frame over the limit does not come: nothing is answered, and others live on.
        socket.send([0xFF, 0xFF] + [UInt8](repeating: 0x30, count: 10))
        #expect(socket.receiveFrame() == nil)
        try expectEcho(try Socket(port: environment.portA), stan: "000008")
    }

    @Test("A peer that closes its side still gets its answers; a stop drains")
    func closing() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let socket = try Socket(port: environment.portA)
        for number in 1...50 { socket.sendFrame(try codec.encode(request(stan: stan(number)))) }
        socket.shutdownWriting()
        var answered = 0
        while socket.receiveFrame() != nil { answered += 1 }
        #expect(answered == 50)

        let idle = try Socket(port: environment.portA)
        try expectEcho(idle, stan: "000001")
        #expect(environment.stop() == 0)
        #expect(idle.receiveFrame() == nil)
    }

    @Test("Without its state store the host answers 91, and serves again when the store is back")
    func storeGoneAndBack() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let socket = try Socket(port: environment.portA)
        #expect(try responseCode(socket, stan: "000001") == "12")
        try environment.killStore()
        #expect(try responseCode(socket, stan: "000002") == "91")
        // A stalled store stops no echoes.
        try expectEcho(socket, stan: "000003")
        let store = try environment.startStore()
        defer { store.terminate() }
        var code: String?
        for number in 100..<400 where code != "12" {
            code = try responseCode(socket, stan: stan(number))
            if code != "12" { usleep(20_000) }
        }
        #expect(code == "12")
        // What could not be decided is in the journal now, with the reason.
        let told = try explain("000000000002", environment)
        #expect(told.contains("undecided: card state unavailable"), "\(told)")
    }

    /// Waits until the journal has something with this number: notes come when the store does.
    private func explain(_ rrn: String, _ environment: DemoEnvironment) throws -> String {
        var output = ""
        for _ in 0..<100 {
            output = try DemoEnvironment.run(
                "issuer-host", ["explain", rrn, "--config", environment.configuration]
            ).output
            if output.contains("STAN") { break }
            usleep(50_000)
        }
        return output
    }

    @Test("The operator's commands say what they see")
    func commands() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let config = ["--config", environment.configuration]

        let check = try DemoEnvironment.run("issuer-host", ["check"] + config)
        #expect(check.status == 0, "\(check.output)")
        #expect(check.output.contains("imk-ac-476173"))
        #expect(!check.output.contains("FAILED"))

        let card = try DemoEnvironment.run("issuer-host", ["cards", "show", "4761739001010010"] + config)
        #expect(card.status == 0)
        let isShown = card.output.contains("476173******0010")
        let isClear = card.output.contains("4761739001010010")
        #expect(isShown && !isClear)

        let unknown = try DemoEnvironment.run("issuer-host", ["cards", "show", "4761739001019999"] + config)
        #expect(unknown.status == 1)

        // A decision can be looked up by its retrieval reference number.
        let socket = try Socket(port: environment.portA)
        socket.sendFrame(try codec.encode(request(stan: "000042")))
        let answer = try codec.decode(try #require(socket.receiveFrame()))
        #expect(answer.text(.responseCode) == "12")
        let explained = try DemoEnvironment.run("issuer-host", ["explain", "000000000042"] + config)
        #expect(explained.status == 0, "\(explained.output)")
        #expect(explained.output.contains("no DE55"))

        let help = try DemoEnvironment.run("issuer-host", ["--help"])
        #expect(help.status == 0 && help.output.contains("serve"))
    }

    @Test(
        "Without free file descriptors the host serves those that are connected, and the others once there are some"
    )
    func outOfDescriptors() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let (text, ports) = try environment.configurationBeside()
        let file = environment.directory.appendingPathComponent("few.yaml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: file.path)
        defer { host.stop() }
        let first = try Socket(port: ports[0])
        try expectEcho(first, stan: "000001")
        func open() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(host.identifier)/fd")
        }
        let most = try #require(open().compactMap { Int($0) }.max()) + 20
        let few = Process()
        few.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
        few.arguments = ["--pid", "\(host.identifier)", "--nofile=\(most):\(most)"]
        #expect(try DemoEnvironment.result(of: few).status == 0)
        var others = try (0..<60).map { _ in try Socket(port: ports[0]) }
        for _ in 0..<100 where try !open().contains("\(most - 1)") { usleep(20_000) }
        #expect(try open().contains("\(most - 1)"))
        // A listener that turns takes a processor's half, second after second; what a start leaves to be done ends.
        var spent = Int.max
        for _ in 0..<10 where spent >= 25 {
            let before = try ticks(host.identifier)
            usleep(1_000_000)
            spent = try ticks(host.identifier) - before
        }
        #expect(spent < 25)
        try expectEcho(first, stan: "000002")
        #expect(others.count == 60)
        others = []
        try expectEcho(Socket(port: ports[0]), stan: "000003")
        try host.waitUntil(says: "no connection can be taken")
    }

    @Test(
        "Without traffic /ready says that the token is gone, that it hangs, and that it is back",
        arguments: ["loop", "workers"])
    func tokenGoneWithoutTraffic(placement: String) throws {
        let control = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-token-\(UInt32.random(in: .min ... .max))")
        try Data("o".utf8).write(to: control)
        defer { try? FileManager.default.removeItem(at: control) }
        let environment = try DemoEnvironment(
            command: ["run"],
            variables: [
                "DEMO_TOKEN_DELAY": "0", "FAULTY_TOKEN_CONTROL": control.path, "DEMO_TOKEN_WORKERS": "3",
                "DEMO_TOKEN_PLACEMENT": placement,
            ])
        defer { environment.stop() }
        try environment.waitUntilReady()
        func behave(_ letter: String) throws {
            let file = try FileHandle(forWritingTo: control)
            try file.write(contentsOf: Data(letter.utf8))
            try file.close()
        }
        /// Milliseconds until `/ready` begins with these words; nil: it never did.
        func says(_ words: String) throws -> Int? {
            let begun = DispatchTime.now().uptimeNanoseconds
            for _ in 0..<500 {
                if try adminText(environment.adminPort, "/ready").hasPrefix(words) {
                    return Int((DispatchTime.now().uptimeNanoseconds - begun) / 1_000_000)
                }
                usleep(20_000)
            }
            return nil
        }
        #expect(try says("ready\n") != nil)
        for letter in placement == "loop" ? ["r", "f"] : ["r", "f", "s"] {
            try behave(letter)
            let gone = try says("not ready\n")
            #expect(gone != nil, "\(letter)")
            try behave("o")
            let back = try says("ready\n")
            #expect(back != nil, "after \(letter)")
            print("\(placement), \(letter): gone after \(gone ?? -1) ms, back after \(back ?? -1) ms")
        }
        let metrics = try adminText(environment.adminPort, "/metrics")
        #expect(metrics.contains("issuer_hsm_jobs_total 0\n"), "looking is no job")
    }

    @Test("A token that is removed, fails or stalls costs answers while it does, and nothing after that")
    func tokenGoneAndBack() throws {
        let control = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-token-\(UInt32.random(in: .min ... .max))")
        try Data("o".utf8).write(to: control)
        defer { try? FileManager.default.removeItem(at: control) }
        let environment = try DemoEnvironment(
            command: ["run"],
            variables: ["DEMO_TOKEN_DELAY": "0", "FAULTY_TOKEN_CONTROL": control.path])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let socket = try Socket(port: environment.portA)
        func behave(_ letter: String) throws {
            // In place: the token has mapped this very file.
            let file = try FileHandle(forWritingTo: control)
            try file.write(contentsOf: Data(letter.utf8))
            try file.close()
        }
        func purchase() throws -> String {
            try DemoEnvironment.run(
                "terminal-simulator",
                [
                    "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--config",
                    environment.configuration,
                ]
            ).output
        }
        func isAnswered(_ code: String) throws -> Bool {
            for _ in 0..<100 {
                if try purchase().contains(code) { return true }
                usleep(20_000)
            }
            return false
        }
        #expect(try isAnswered("00 approved"))
        // Removed, failing, and stalled: the last is answered at the deadline, while the call still hangs.
        for letter in ["r", "f", "s"] {
            try behave(letter)
            #expect(try isAnswered("91 issuer unavailable"), "\(letter)")
            try expectEcho(socket, stan: "000001")
            try behave("o")
            #expect(try isAnswered("00 approved"), "after \(letter)")
        }
        let journal = try DemoEnvironment.run(
            "issuer-host",
            ["journal", "export", "--since", "2000-01-01T00:00:00Z", "--config", environment.configuration]
        ).output.split(separator: "\n")
        let undecided = journal.filter { $0.contains("\"kind\":\"undecided\"") }
        #expect(undecided.count >= 3)
        #expect(
            undecided.allSatisfy {
                $0.contains("\"chipResult\":\"technical\"") && $0.contains("\"outcome\":\"HSM ")
            })
    }

    @Test("A card's own limits come with its file, decline, and are shown")
    func cardLimits() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let config = ["--config", environment.configuration]
        func importCard(limits: String) throws -> (status: Int32, output: String) {
            let path = environment.directory.appendingPathComponent("limited.json").path
            try """
            {"cards": [{"name": "limited", "pan": "4761739001010010", "panSequenceNumber": "01", "expiry": "2912",
            "cryptogramProfile": "visa-cvn10", "status": "active", "availableMinorUnits": 100000,
            "currency": "752", "limits": \(limits)}]}
            """.write(toFile: path, atomically: true, encoding: .utf8)
            return try DemoEnvironment.run("issuer-host", ["cards", "import", path] + config)
        }
        for (limits, named) in [
            (#"{"currency": "752", "transactionMaximum": 5}"#, "transactionMax"),
            (#"{"currency": "007", "transactionMax": 5}"#, "no currency of ISO 4217"),
            (#"{"transactionMax": 5}"#, "currency is missing"),
            (#"{"currency": "752", "dailyAmount": -5}"#, "dailyAmount"),
            (#"{"currency": "752", "blockedCountries": ["75"]}"#, "3 digits"),
        ] {
            let refused = try importCard(limits: limits)
            #expect(refused.status != 0 && refused.output.contains(named), "\(limits): \(refused.output)")
        }
        let imported = try importCard(
            limits: #"{"currency": "752", "transactionMax": 150, "dailyCount": 1}"#)
        #expect(imported.status == 0, "\(imported.output)")
        let shown = try DemoEnvironment.run("issuer-host", ["cards", "show", "4761739001010010"] + config)
        #expect(shown.output.contains("transaction 1.50 SEK, daily 1 transactions"), "\(shown.output)")
        #expect(shown.output.contains("1000.00 SEK"), "\(shown.output)")
        for (amount, code) in [("1.51", "61"), ("1.50", "00 approved"), ("0.10", "65")] {
            let answer = try DemoEnvironment.run(
                "terminal-simulator",
                ["purchase", "--card", "visa-cvn10", "--amount", amount] + config)
            #expect(answer.output.contains(code), "\(amount): \(answer.output)")
        }
    }

    @Test("A configuration at fault is refused with file, line and key")
    func badConfiguration() throws {
        let environment = try DemoEnvironment(command: ["prepare"])
        let prepared = environment.finish()
        defer { environment.stop() }
        #expect(prepared.status == 0, "\(prepared.output)")
        let good = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let cases = [
            ("zonePINKey: zpk-acquirer-a", "zonePinKey: zpk-acquirer-a", "zonePINKey"),
            ("port: \(environment.portA)", "port: many", "links.acquirer-a.port"),
            ("issuerMasterKey: imk-ac-476173", "issuerMasterKey: imk-ac-000000", "imk-ac-000000"),
            ("profile: demo", "profile: test", "demo or production"),
        ]
        for (index, (written, wrong, named)) in cases.enumerated() {
            #expect(good.contains(written))
            let path = environment.directory.appendingPathComponent("bad-\(index).yaml").path
            try good.replacingOccurrences(of: written, with: wrong)
                .write(toFile: path, atomically: true, encoding: .utf8)
            let result = try DemoEnvironment.run("issuer-host", ["check", "--config", path])
            #expect(result.status != 0, "\(wrong) was accepted")
            #expect(result.output.contains(named), "\(wrong): \(result.output)")
        }
    }

    // MARK: - Messages

    private func stan(_ number: Int) -> String { String(String(1_000_000 + number).dropFirst()) }

    private func echo(stan: String) -> Message {
        var message = Message(mti: .networkManagementRequest)
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: stan)
        message.set(.networkManagementCode, text: "301")
        return message
    }

    /// A request of the card `visa-cvn10` without chip data.
    private func request(stan: String) -> Message {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.processingCode, text: "000000")
        message.set(.transactionAmount, text: "000000001000")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: stan)
        message.set(.panSequenceNumber, text: "001")
        message.set(.retrievalReferenceNumber, text: "000000" + stan)
        message.set(.currency, text: "752")
        return message
    }

    private func responseCode(_ socket: Socket, stan: String) throws -> String? {
        socket.sendFrame(try codec.encode(request(stan: stan)))
        return try codec.decode(try #require(socket.receiveFrame())).text(.responseCode)
    }

    private func expectEcho(_ socket: Socket, stan: String) throws {
        socket.sendFrame(try codec.encode(echo(stan: stan)))
        let answer = try codec.decode(try #require(socket.receiveFrame()))
        #expect(answer.mti == .networkManagementResponse)
        #expect(answer.text(.stan) == stan)
        #expect(answer.text(.responseCode) == "00")
    }
}
