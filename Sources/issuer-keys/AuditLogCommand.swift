internal import ArgumentParser
internal import AuditTrail

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

        @OptionGroup var token: TokenOption

        func run() throws {
            let trail = try AuditLogCommand.trail(token)
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

        @OptionGroup var token: TokenOption
        @Option(name: .long, help: ArgumentHelp("Only events of this key.", valueName: "label"))
        var key: String?

        func run() throws {
            for line in try AuditLogCommand.trail(token).verify().lines
            where key == nil || line.event.key == key {
                let details = line.event.details.sorted { $0.key < $1.key }
                    .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
                print(
                    "\(line.sequence)  \(line.time)  \(line.user)  \(line.process)  \(line.event.kind.rawValue)  "
                        + [line.event.key ?? "", details].filter { !$0.isEmpty }.joined(separator: "  "))
            }
        }
    }

    private static func trail(_ token: TokenOption) throws -> AuditTrail {
        guard let trail = try token.desk().trail else {
            throw ValidationError("\(token.config): audit.log is not set")
        }
        return trail
    }
}
