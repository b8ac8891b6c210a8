internal import ArgumentParser

/// `issuer-keys`: keys into the token, and what is there.
@main
struct IssuerKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issuer-keys",
        abstract: "Key management of the issuer host.",
        subcommands: [
            Generate.self, Import.self, Export.self, List.self, Retire.self, CeremonyCommand.self,
            Personalise.self, PINReference.self, LoadTestKeys.self, AuditCommand.self, AuditLogCommand.self,
        ])
}
