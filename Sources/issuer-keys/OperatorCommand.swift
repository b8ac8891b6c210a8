internal import ArgumentParser
internal import KeyManagement
internal import ProgramEntry

struct OperatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator", abstract: "People who approve and sign what happens to keys.",
        subcommands: [Enrol.self])

    struct Enrol: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a person's signing key, under a passphrase of their own.",
            discussion: """
                The key is in the file and in no token. What is printed goes into keys.operators, by somebody who \
                may change the configuration; the person keeps the file on a medium of their own.
                """)

        @Argument(help: "The person's name.") var name: String
        @Option(name: .long, help: "Their file.") var out: String

        func run() throws {
            try commandWords { try OperatorRegister.requireName(name) }
            let line = try OperatorRegister.enrol(name, to: out, console: try TTYConsole())
            print("keys.operators: \"\(line)\"")
        }
    }
}
