internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import Foundation
internal import KeyManagement
internal import ProgramEntry

struct AuditLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit-log", abstract: "The audit trail: what happened to keys, and that it is whole.",
        subcommands: [Verify.self, Show.self, Checkpoint.self, Vouch.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold every line against its seal, its neighbours and the token's count.",
            discussion: """
                Names each line that was changed, dropped, moved or cut off. Exit code 1 if there is one. Needs \
                the token: nobody else can make or check a seal. --against holds the log against a checkpoint that \
                left the machine: a log and a token that were rolled back together do not reach it.
                """)

        @OptionGroup var token: TokenOption
        @Option(
            name: .long,
            help: ArgumentHelp(
                "A checkpoint's file, or its line `aloud` as it was read out.", valueName: "file"))
        var against: String?

        func run() throws {
            let desk = try token.desk()
            let trail = try AuditLogCommand.trail(desk, token)
            let verification = try trail.verify()
            var faults = verification.faults
            if let against { faults += try trail.faults(against: checkpoint(against, desk), verification) }
            for fault in faults { print("\(trail.path): \(fault)") }
            for (sequence, words) in desk.operators.lacking(verification.sealed).sorted(by: {
                $0.key < $1.key
            }) {
                print("number \(sequence): \(words)")
            }
            let newer = verification.lines.count { $0.sequence > verification.counted }
            if newer > 0 {
                print(
                    "\(newer) sealed lines are newer than the count: a process ended in between, or is writing"
                )
            }
            guard faults.isEmpty, desk.operators.lacking(verification.sealed).isEmpty else {
                throw ExitCode.failure
            }
            let reach = against == nil ? "" : ", and goes on from the checkpoint"
            print("\(trail.path): \(verification.lines.count) lines, whole\(reach)")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the lines for people. `verify` says whether they are true.")

        @OptionGroup var token: TokenOption
        @Option(name: .long, help: ArgumentHelp("Only events of this key.", valueName: "label"))
        var key: String?

        func run() throws {
            let desk = try token.desk()
            for line in try AuditLogCommand.trail(desk, token).verify().lines
            where key == nil || line.event.key == key {
                let details = line.event.details.sorted { $0.key < $1.key }
                    .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
                let signers = desk.operators.signers(of: line).sorted().joined(separator: ", ")
                let signed = signers.isEmpty ? "" : "signed by \(signers)"
                print(
                    printable(
                        "\(line.sequence)  \(line.time)  \(line.user)  \(line.process)  \(line.event.kind.rawValue)  "
                            + [line.event.key ?? "", details, signed].filter { !$0.isEmpty }.joined(
                                separator: "  ")))
            }
        }
    }

    struct Checkpoint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write down what the log is now, for a place outside this machine.",
            discussion: """
                A few lines, sealed in the token and signed by those of keys.operators who are named. Take the file \
                away, or have the line `aloud` read out and written into minutes: `audit-log verify --against` and \
                `audit --against` find every rollback to before it.
                """)

        @OptionGroup var token: TokenOption
        @OptionGroup var operators: OperatorOption
        @Option(name: .long, help: "The file.") var out: String

        func run() throws {
            guard !FileManager.default.fileExists(atPath: out) else {
                throw Refusal("\(out) is there already; nothing is written over")
            }
            let desk = try token.desk()
            let trail = try AuditLogCommand.trail(desk, token)
            let count = max(operators.paths.count, desk.operators.isEmpty ? 0 : 1)
            let signers = try desk.operators.signers(count, from: operators.paths, for: "A checkpoint") {
                try TTYConsole()
            }
            let text = try trail.checkpoint(signers: signers)
            do { try text.write(toFile: out, atomically: true, encoding: .utf8) } catch {
                throw Refusal("\(out): cannot be written")
            }
            let aloud = text.split(separator: "\n").first { $0.hasPrefix("aloud ") }?.dropFirst(6) ?? ""
            try desk.note([AuditEvent(.checkpointTaken, details: ["aloud": String(aloud), "out": out])])
            print("\(out); read aloud: \(aloud)")
        }
    }

    struct Vouch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign all lines so far, for a trail that is older than its operators.",
            discussion: """
                Shows the lines that lack signatures of keys.operators. People who know that each of them is true \
                sign; from then on only later lines are asked for signatures of their own.
                """)

        @OptionGroup var token: TokenOption
        @OptionGroup var operators: OperatorOption

        func run() throws {
            let desk = try token.desk()
            let trail = try AuditLogCommand.trail(desk, token)
            let verification = try trail.verify()
            guard verification.faults.isEmpty else {
                throw Refusal("\(trail.path) is not whole; run issuer-keys audit-log verify")
            }
            let lacking = desk.operators.lacking(verification.sealed)
            for line in verification.sealed where lacking[line.sequence] != nil {
                print(
                    printable(
                        "\(line.sequence)  \(line.time)  \(line.event.kind.rawValue)  \(line.event.key ?? "")  "
                            + "KCV \(line.event.details["kcv"] ?? "------")"))
            }
            let signers = try desk.approval(
                of: AuditEvent(.trailVouched), "Vouching for \(lacking.count) lines", files: operators)
            guard !signers.isEmpty else {
                throw Refusal("keys.operators names nobody who could sign")
            }
            try desk.note(
                [AuditEvent(.trailVouched, details: ["lines": "\(lacking.count)"])], signers: signers)
            print("\(lacking.count) lines vouched for by \(signers.map(\.name).joined(separator: ", "))")
        }
    }

    private static func trail(_ desk: KeyDesk, _ token: TokenOption) throws -> AuditTrail {
        guard let trail = desk.trail else {
            throw Refusal("\(token.config): audit.log is not set")
        }
        return trail
    }
}

/// A checkpoint from a file, or typed as it was read aloud; signatures in it have to be right.
func checkpoint(_ source: String, _ desk: KeyDesk) throws -> AuditCheckpoint {
    let text = (try? String(contentsOfFile: source, encoding: .utf8)) ?? source
    guard let checkpoint = AuditCheckpoint(text) else {
        throw Refusal("--against \(printable(source)): no checkpoint's file, and no line read aloud")
    }
    for name in checkpoint.signatures.keys where !desk.operators.hasSigned(name, checkpoint) {
        throw Refusal(
            "--against \(source): the signature of \(printable(name)) is not that of keys.operators")
    }
    return checkpoint
}
