internal import ArgumentParser
internal import BuildVersion
internal import ProgramEntry

/// `issuer-host`: the server and its operator's tools.
@main
struct IssuerHostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issuer-host",
        abstract: "EMV issuer authorisation host.",
        discussion: """
            Answers ISO 8583 authorisation requests: verifies the card's cryptogram and PIN with keys that stay \
            in a PKCS#11 token, keeps card state in Redis, and sends the issuer's cryptogram back.

            Begin with `issuer-host check --config FILE`, which says what is missing, then `serve`.
            """, version: BuildVersion.text,
        subcommands: [
            Serve.self, Check.self, ConfigCommand.self, Cards.self, Explain.self, JournalCommand.self,
            StoreCommand.self,
            DialectCommand.self,
            DecodeCommand.self,
        ])

    static func main() async { await ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}

/// What every command needs.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The configuration file (YAML).", valueName: "file"))
    var config: String
}
