internal import ArgumentParser
internal import AuditTrail
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import ProgramEntry

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "What every key of the token is and may do, and that it refuses the rest.",
        discussion: """
            Reads the attributes of every secret key, and tries on each what its purpose does not need: other \
            uses, reading its value, widening its usage, copying it. Prints a table and the findings; --json and \
            --html write the whole report, the latter as a page that prints (a browser's print to PDF). Exit code \
            1 if something was found that audit.acceptedFindings does not name. Keys are used once for their \
            check values and otherwise left as they are; a host may serve meanwhile.
            """)

    @OptionGroup var token: TokenOption
    @Option(name: .long, help: ArgumentHelp("Write the report as JSON.", valueName: "file"))
    var json: String?
    @Option(name: .long, help: ArgumentHelp("Write the report as a page to print.", valueName: "file"))
    var html: String?
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Decisions as `issuer-host journal export` writes them, for the last use of each key; - reads them "
                + "from standard input.", valueName: "file"))
    var journal: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Hold the trail against a checkpoint that left the machine.", valueName: "file"))
    var against: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write which requirements of PCI PIN, PCI HSM, FIPS 140-3 and PCI DSS are met by whom: JSON for a name that "
                + "ends so, else a page to print.", valueName: "file"))
    var controls: String?

    func run() throws {
        let desk = try token.desk()
        let configuration = desk.configuration
        let accepted = try configuration.audit.acceptedFindings.map(AcceptedFinding.init(parsing:))
        var audit = KeyAuditConfiguration(
            profile: configuration.profile.rawValue, module: configuration.token.module, accepted: accepted,
            trail: desk.trail)
        audit.operators = desk.operators
        audit.checkpoint = try against.map { try checkpoint($0, desk) }
        let uses = try journal.map { try JournalUses.read($0, configuration) } ?? [:]
        if isatty(STDERR_FILENO) == 1 {
            audit.progress = { done, count in
                guard done.isMultiple(of: 50) || done == count else { return }
                FileHandle.standardError.write(
                    Data("\r\(done) of \(count) keys\(done == count ? "\n" : "")".utf8))
            }
        }
        audit.helpers = ProcessInfo.processInfo.activeProcessorCount - 1
        audit.helper = { [config = token.config] in try AuditHelperProcess(config: config) }
        // A helper that ends early is no reason to end.
        let before = signal(SIGPIPE, SIG_IGN)
        let report = try KeyAudit.run(audit, uses: uses, at: desk.location)
        signal(SIGPIPE, before)
        print(report.text, terminator: "")
        let encoded = try report.encoded()
        if let controls {
            let mapping = ControlMapping(report)
            try write(
                controls.hasSuffix(".json") ? AuditReport.json(mapping) : Data(mapping.html.utf8), controls)
        }
        if let json { try write(encoded.data, json) }
        if let html { try write(Data(report.html.utf8), html) }
        try desk.note([
            AuditEvent(
                .audited,
                details: [
                    // A report that is shown later is the one that was made if it has this hash.
                    "report": encoded.digest,
                    "passed": "\(report.passed)", "keys": "\(report.keys.count)",
                    "findings": "\(report.findings.count)",
                    "open": "\(report.findings.count { !$0.accepted })",
                ])
        ])
        guard report.passed else { throw ExitCode.failure }
    }

    private func write(_ data: Data, _ path: String) throws {
        do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw Refusal("\(path): cannot be written")
        }
    }
}

/// The last use of each key as the host's journal tells it.
private enum JournalUses {
    private struct Decision: Decodable {
        struct Check: Decodable {
            let rule: String
            let verdict: String
        }
        let kind: String
        let time: String?
        let link: String?
        let range: String?
        let profile: String?
        let keyVersion: String?
        let trace: [Check]?
    }

    static func read(_ path: String, _ configuration: IssuerConfiguration) throws -> [String: String] {
        let data: Data? =
            path == "-"
            ? try FileHandle.standardInput.readToEnd() ?? Data()
            : FileManager.default.contents(atPath: path)
        guard let data else { throw Refusal("\(path): cannot be read") }
        var uses: [String: String] = [:]
        for (index, line) in data.split(separator: 0x0A).enumerated() {
            guard let decision = try? JSONDecoder().decode(Decision.self, from: line) else {
                throw Refusal("\(path):\(index + 1): not a line of a journal export")
            }
            guard decision.kind == "decision", let time = decision.time else { continue }
            for key in keys(of: decision, configuration) { uses[key] = max(uses[key] ?? "", time) }
        }
        return uses
    }

    private static func keys(of decision: Decision, _ configuration: IssuerConfiguration) -> [String] {
        var keys = [configuration.panHashKey]
        if let profile = decision.profile, profile != "-" {
            let versions = configuration.issuers.first { $0.name == decision.range }?.keyVersions ?? []
            keys += versions.filter { $0.name == decision.keyVersion ?? "" }.map(\.issuerMasterKey)
        }
        let pin = decision.trace?.first { $0.rule == "PIN" }
        if let pin, pin.verdict != "SKIPPED" {
            keys += [configuration.pinVerificationKey].compactMap(\.self)
            keys += configuration.links.filter { $0.name == decision.link }.compactMap(\.zonePINKey)
        }
        return keys
    }
}
