internal import ArgumentParser
internal import AuditTrail
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import PKCS11

struct AuditLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit-log", abstract: "The audit trail: what happened to keys, and that it is whole.",
        subcommands: [Verify.self, Show.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold every line against its seal, its neighbours and the token's count.",
            discussion: """
                Names each line that was changed, dropped, moved or cut off. Exit code 1 if there is one. Needs \
                the token: nobody else can make or check a seal.
                """)

        @Option(name: .long, help: ArgumentHelp("The configuration file (YAML).", valueName: "file"))
        var config: String

        func run() throws {
            let trail = try AuditLogCommand.trail(config)
            let verification = try trail.verify()
            for fault in verification.faults { print("\(trail.path): \(fault)") }
            let newer = verification.lines.count { $0.sequence > verification.counted }
            if newer > 0 {
                print(
                    "\(newer) sealed lines are newer than the count: a process ended in between, or is writing"
                )
            }
            guard verification.faults.isEmpty else { throw ExitCode.failure }
            print("\(trail.path): \(verification.lines.count) lines, whole")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the lines for people. `verify` says whether they are true.")

        @Option(name: .long, help: ArgumentHelp("The configuration file (YAML).", valueName: "file"))
        var config: String
        @Option(name: .long, help: ArgumentHelp("Only events of this key.", valueName: "label"))
        var key: String?

        func run() throws {
            for line in try AuditLogCommand.trail(config).verify().lines
            where key == nil || line.event.key == key {
                let details = line.event.details.sorted { $0.key < $1.key }
                    .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
                print(
                    "\(line.sequence)  \(line.time)  \(line.user)  \(line.process)  \(line.event.kind.rawValue)  "
                        + [line.event.key ?? "", details].filter { !$0.isEmpty }.joined(separator: "  "))
            }
        }
    }

    private static func trail(_ config: String) throws -> AuditTrail {
        let configuration = try IssuerConfiguration(path: config)
        guard let trail = configuration.auditTrail(at: try configuration.keysTokenLocation()) else {
            throw ValidationError("\(config): audit.log is not set")
        }
        return trail
    }
}

extension IssuerConfiguration {
    /// Loads the token's library. Once per process.
    func keysTokenLocation() throws -> TokenLocation {
        let token = token
        return TokenLocation(
            module: try Module(path: token.module, initArguments: token.initArguments), uri: token.uri
        ) { try token.pin() }
    }

    /// The trail that this program appends to, nil where none is configured.
    func auditTrail(at location: TokenLocation) -> AuditTrail? {
        audit.log.map { AuditTrail(path: $0, keyLabel: audit.key, at: location, process: "issuer-keys") }
    }
}

extension AuditTrail {
    /// Appends an event; what is wrong with the log goes to standard error.
    func note(_ event: AuditEvent) throws {
        if let warning = try append(event) {
            FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
        }
    }
}
