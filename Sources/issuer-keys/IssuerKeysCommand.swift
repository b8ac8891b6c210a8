internal import ArgumentParser
internal import BuildVersion
internal import ProgramEntry

/// `issuer-keys`: keys into the token, and what is there.
@main
struct IssuerKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issuer-keys",
        abstract: "Key management of the issuer host.",
        version: BuildVersion.text,
        subcommands: [
            Generate.self, Import.self, Export.self, List.self, Retire.self, CeremonyCommand.self,
            OperatorCommand.self,
            Personalise.self, CertificateCommand.self, TestCACommand.self, PINReference.self,
            AuthenticationValueCommand.self, ACSSignCommand.self,
            LoadTestKeys.self, TokenCommand.self, AuditCommand.self, AuditLogCommand.self,
            AuditShareCommand.self,
        ])

    static func main() async { await ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}
