internal import ArgumentParser
internal import Authorisation
internal import CardStateStore
internal import HSM
internal import IssuerConfiguration
internal import NIOPosix
internal import Redis

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check configuration, token, key usage, known answers and Redis.",
        discussion: "Prints a table of what was checked. Exit code 1 if anything is not as it has to be.")

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let configuration = try IssuerConfiguration(path: options.config)
        var lines = [CheckLine("configuration", passed: true, options.config)]
        lines.append(attempt("dialects") { "\(try configuration.linkConfigurations().count) links" })
        lines.append(attempt("issuer ranges") { "\(try configuration.rangeTable().ranges.count) ranges" })
        do {
            let location = try configuration.tokenLocation()
            lines += HSMCheck.run(try configuration.hsmConfiguration(at: location), at: location)
        } catch {
            lines.append(CheckLine("token", passed: false, "\(error)"))
        }
        lines += await store(configuration)
        let width = lines.map(\.subject.count).max() ?? 0
        for line in lines {
            let subject = line.subject + String(repeating: " ", count: width - line.subject.count)
            print("\(line.passed ? "ok    " : "FAILED")  \(subject)  \(line.detail)")
        }
        guard lines.allSatisfy(\.passed) else { throw ExitCode.failure }
    }

    private func attempt(_ subject: String, _ body: () throws -> String) -> CheckLine {
        do { return CheckLine(subject, passed: true, try body()) } catch {
            return CheckLine(subject, passed: false, "\(error)")
        }
    }

    private func store(_ configuration: IssuerConfiguration) async -> [CheckLine] {
        let location: StoreLocation
        do { location = try configuration.storeLocation() } catch {
            return [CheckLine("Redis", passed: false, "\(error)")]
        }
        let store = StateStore(to: location, on: MultiThreadedEventLoopGroup.singleton.any())
        do {
            try await store.waitUntilReady(timeout: .seconds(3))
            let lines = try await store.check().map { line in
                let passed = line.passed || (!line.required && configuration.profile != .production)
                return CheckLine(line.subject, passed: passed, line.detail)
            }
            await store.close()
            return lines + [CheckLine("Redis functions", passed: true, "loaded, version known")]
        } catch {
            await store.close()
            return [CheckLine("Redis", passed: false, "\(error)")]
        }
    }
}
