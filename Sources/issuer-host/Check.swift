internal import ArgumentParser
internal import AuditTrail
internal import Authorisation
internal import CardStateStore
internal import HSM
internal import IssuerConfiguration
internal import NIOPosix
internal import Redis

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check configuration, token, key usage, known answers and Redis.",
        discussion: """
            Prints a table of what was checked. Exit code 1 if anything is not as it has to be, and then `serve` does \
            not start either. Warnings (a certificate that ends within 30 days, a port that is taken now) keep the \
            exit code at 0.
            """)

    @OptionGroup var options: ConfigurationOption
    @Flag(
        name: .long,
        help: "Only what the token can do: each operation, whether it is needed, the way, calls and time.")
    var token = false

    func run() async throws {
        let configuration = try IssuerConfiguration(path: options.config)
        guard !token else { return try tokenTable(configuration) }
        var findings = [Finding("configuration", .passed, detail: options.config)]
        findings += configuration.settings.overrides.map {
            Finding("environment", .passed, detail: "\($0.key) comes from \($0.variable)")
        }
        findings += configuration.examination() + configuration.bindFindings()
        do {
            let location = try configuration.tokenLocation()
            let lines = HSMCheck.run(try configuration.hsmConfiguration(at: location), at: location)
            findings += lines.map { Finding($0) }
            if let trail = configuration.auditTrail(at: location) {
                findings.append(
                    Finding("audit trail") {
                        try trail.requireWritable()
                        return configuration.audit.log ?? ""
                    })
            }
        } catch {
            findings.append(Finding("token", .failed, detail: "\(error)"))
        }
        do {
            findings += try CertificateExpiry(configuration)?.lines.map { Finding($0) } ?? []
        } catch {
            findings.append(Finding("certificates", .failed, detail: "\(error)"))
        }
        findings += await store(configuration).map { Finding($0) }
        let width = findings.map(\.subject.count).max() ?? 0
        for finding in findings {
            let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
            let word = finding.outcome.rawValue
            print("\(word)\(String(repeating: " ", count: 7 - word.count))  \(subject)  \(finding.detail)")
        }
        guard findings.allSatisfy({ $0.outcome != .failed }) else { throw ExitCode.failure }
    }

    private func tokenTable(_ configuration: IssuerConfiguration) throws {
        let location = try configuration.tokenLocation()
        let rows = CapabilityTable.rows(try configuration.hsmConfiguration(at: location), at: location)
        print(CapabilityTable.text(rows), terminator: "")
        guard rows.allSatisfy({ $0.works || !$0.isNeeded }) else { throw ExitCode.failure }
    }

    private func store(_ configuration: IssuerConfiguration) async -> [CheckLine] {
        let location: StoreLocation
        do { location = try configuration.storeLocation() } catch {
            return [CheckLine("Redis", passed: false, detail: "\(error)")]
        }
        let store = StateStore(to: location, on: MultiThreadedEventLoopGroup.singleton.any())
        do {
            try await store.waitUntilReady(timeout: .seconds(3))
            let lines = try await store.check().map { line in
                let passed = line.passed || (!line.required && configuration.profile != .production)
                return CheckLine(line.subject, passed: passed, detail: line.detail)
            }
            await store.close()
            return lines + [CheckLine("Redis functions", passed: true, detail: "loaded, version known")]
        } catch {
            await store.close()
            return [CheckLine("Redis", passed: false, detail: "\(error)")]
        }
    }
}
