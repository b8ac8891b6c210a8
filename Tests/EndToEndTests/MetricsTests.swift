import Foundation
import SocketSupport
import Testing

/// What a monitoring system reads.
@Suite struct MetricsTests {
    @Test("Metrics are as Prometheus wants them, and tell of purchases, reloads and the process")
    func metrics() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let paid = try DemoEnvironment.run(
            "terminal-simulator",
            [
                "purchase", "--card", "visa-cvn18", "--amount", "1.00", "--pin", "4321", "--config",
                environment.configuration,
            ])
        #expect(paid.status == 0, "\(paid.output)")

        let text = try adminText(environment.adminPort, "/metrics")
        let lint = try promtool(["check", "metrics"], input: text)
        #expect(lint.status == 0, "\(lint.output)")
        for sample in [
            "issuer_answers_total{link=\"acquirer-a\",class=\"01\",de39=\"00\"} 1",
            "issuer_configuration_last_reload_successful 1", "issuer_store_conflicts_total 0",
            "issuer_configuration_reloads_total{result=\"succeeded\"} 0",
        ] {
            #expect(text.contains(sample + "\n"), "\(sample)")
        }
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds",
            "process_max_fds", "issuer_answer_seconds_sum",
        ] {
            #expect(try value(name, text) > 0, "\(name)")
        }
        #expect(try value("issuer_answer_seconds_sum", text) < 10)
        // Those of links with TLS and of hosts with certificates are not here.
        let elsewhere = ["issuer_certificate_expiry", "issuer_revocation_list_"]
        for name in try namesWatched() where !elsewhere.contains(where: name.hasPrefix) {
            #expect(text.contains(name), "\(name)")
        }
        // Sentences as labels would make new time series with every change of their words.
        for label in text.matches(of: /="([^"]*)"/).map({ String($0.1) }) {
            #expect(!label.contains(" "), "\(label)")
        }
    }

    @Test("A certificate of an issuer tells when it ends")
    func certificates() throws {
        let environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_CERTIFICATES": "1"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let text = try adminText(environment.adminPort, "/metrics")
        let ends = text.split(separator: "\n").filter {
            $0.hasPrefix(
                "issuer_certificate_expiry_timestamp_seconds{use=\"offline_data_authentication\",certificate="
            )
        }
        #expect(ends.count >= 2, "\(ends)")
        for line in ends {
            let end = try #require(line.split(separator: " ").last.flatMap { Double($0) })
            let years = (end - Date().timeIntervalSince1970) / (365.25 * 86_400)
            #expect((0.1...30).contains(years), "\(line)")
        }
    }

    @Test("A version of a master key tells when its last card ends; the store tells its role")
    func keyVersion() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let (text, ports) = try environment.configurationBeside()
        func path(_ name: String) -> String { environment.directory.appendingPathComponent(name).path }
        try text.write(toFile: path("beside.yaml"), atomically: true, encoding: .utf8)
        try """
        issuers:
          visa-476173:
            issuerMasterKey: ~
            secureMessagingIntegrityKey: ~
            secureMessagingConfidentialityKey: ~
            keyVersions:
              "2024":
                issuerMasterKey: imk-ac-476173
                secureMessagingIntegrityKey: imk-smi-476173
                secureMessagingConfidentialityKey: imk-smc-476173
                cardExpiryUntil: "3012"
        """.write(toFile: path("overlay.yaml"), atomically: true, encoding: .utf8)
        let merged = try DemoEnvironment.run(
            "issuer-host", ["config", "merge", path("beside.yaml"), path("overlay.yaml")])
        #expect(merged.status == 0, "\(merged.output)")
        try merged.output.write(toFile: path("versions.yaml"), atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: path("versions.yaml"))
        defer { host.stop() }
        // 2031-01-01T00:00:00Z.
        let sample = "issuer_key_expiry_timestamp_seconds{key=\"imk-ac-476173\"} 1924992000\n"
        #expect(try adminText(ports[2], "/metrics").contains(sample))
        var isTold = false
        for _ in 0..<200 where !isTold {
            usleep(50_000)
            isTold = try adminText(ports[2], "/metrics").contains("role=\"master\"} 1\n")
        }
        #expect(isTold)
        let lint = try promtool(["check", "metrics"], input: try adminText(ports[2], "/metrics"))
        #expect(lint.status == 0, "\(lint.output)")
    }

    @Test("A reload that is refused shows until one succeeds")
    func reloads() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let (text, ports) = try environment.configurationBeside()
        let file = environment.directory.appendingPathComponent("reloads.yaml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        let host = try HostProcess(configuration: file.path)
        defer { host.stop() }
        try (text + "\nnonsense: 1\n").write(to: file, atomically: true, encoding: .utf8)
        host.reload()
        try host.waitUntil(says: "configuration not reloaded")
        var metrics = try adminText(ports[2], "/metrics")
        #expect(metrics.contains("issuer_configuration_reloads_total{result=\"refused\"} 1\n"))
        #expect(metrics.contains("issuer_configuration_last_reload_successful 0\n"))
        try text.write(to: file, atomically: true, encoding: .utf8)
        host.reload()
        try host.waitUntil(says: "configuration reloaded")
        metrics = try adminText(ports[2], "/metrics")
        #expect(metrics.contains("issuer_configuration_reloads_total{result=\"succeeded\"} 1\n"))
        #expect(metrics.contains("issuer_configuration_last_reload_successful 1\n"))
    }

    @Test(
        "Alert rules say what they have to and are silent otherwise; each has its runbook, each runbook its alert, and each fires on a real host in a campaign"
    )
    func alerts() throws {
        let folder = DemoEnvironment.root.appendingPathComponent("Config/observability").path
        let result = try promtool(["test", "rules", "\(folder)/alerts.test.yaml"])
        #expect(result.status == 0, "\(result.output)")
        let rules = try String(contentsOfFile: "\(folder)/alerts.yaml", encoding: .utf8)
        let runbooks = try String(
            contentsOf: DemoEnvironment.root.appendingPathComponent("docs/operating.md"), encoding: .utf8)
        let names = rules.matches(of: /alert: (\w+)/).map { String($0.1) }
        #expect(names.count > 10)
        #expect(Set(names).count == names.count)
        let anchors = rules.matches(of: /runbook: docs\/operating.md#(\w+)\n/).map { String($0.1) }
        #expect(anchors == names.map { $0.lowercased() })
        let sections = runbooks.matches(of: /\n### (Issuer\w+)\n/).map { String($0.1) }
        #expect(sections.sorted() == names.sorted())
        let campaigns = try ["LoadTests/alarms.py", "Tests/Packaging/walk.py"].map {
            try String(contentsOf: DemoEnvironment.root.appendingPathComponent($0), encoding: .utf8)
        }.joined()
        let fired = Set(campaigns.matches(of: /(?:is_firing|fires)\("(\w+)"/).map { String($0.1) })
        #expect(fired == Set(names))
        let tested = try String(contentsOfFile: "\(folder)/alerts.test.yaml", encoding: .utf8)
        for name in names { #expect(tested.contains("alertname: \(name)\n"), "\(name)") }
    }

    /// Names of metrics in rules and dashboard that the host does not have would be silent for ever.
    private func namesWatched() throws -> Set<String> {
        let folder = DemoEnvironment.root.appendingPathComponent("Config/observability")
        let texts = try ["alerts.yaml", "dashboard.json"].map {
            try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
        }
        return Set(
            texts.joined().matches(of: /\b(issuer_[a-z_0-9]+|process_[a-z_]+)\b/).map { String($0.1) })
    }

    /// - Returns: the value of a sample without labels.
    private func value(_ name: String, _ text: String) throws -> Double {
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }, "\(name)")
        return try #require(Double(line.dropFirst(name.count + 1)))
    }
}

/// The body of one answer of the admin port.
func adminText(_ port: UInt16, _ path: String) throws -> String {
    let socket = try Socket(port: port)
    socket.send(Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
    var bytes: [UInt8] = []
    while let byte = socket.receive(1) { bytes += byte }
    let text = String(decoding: bytes, as: UTF8.self)
    return text.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
}

/// Prometheus' own tool, which reads metrics and rules as a server would.
func promtool(_ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
    let process = Process()
    let (given, said) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["promtool"] + arguments
    process.standardInput = given
    process.standardOutput = said
    process.standardError = said
    try DemoEnvironment.start(process)
    given.fileHandleForWriting.write(Data(input.utf8))
    try given.fileHandleForWriting.close()
    let data = said.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
