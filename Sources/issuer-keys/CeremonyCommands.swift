internal import ArgumentParser
internal import AuditTrail
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import ProgramEntry

struct CeremonyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ceremony",
        abstract: "Make or load a key under control of M of N custodians, before a witness.",
        discussion: """
            PROCEDURE
            Present are N custodians and a witness, each a person of their own. The terminal stands so that nobody \
            sees another's keyboard.

            1. `ceremony generate NAME --threshold 3 --custodians 5 --folder DIR`. The witness types their name. Each \
            custodian in turn types their name, where their file goes (a medium of their own), and a passphrase of \
            at least 12 characters, twice. It is not shown.
            2. The witness types GENERATE. The token makes the components and puts the key together; each component \
            is enciphered to its custodians' files at once and forgotten. The screen shows a check value for each \
            component and for the key, for the printed record.
            3. The witness types the key's check value. The minutes are written and sealed with the audit key.
            4. Each custodian takes their file away. Any M of them can load the key elsewhere; fewer have nothing.

            It may be broken off at any prompt (Ctrl-C): the same command goes on where it was. After step 2 what is \
            missing is `ceremony load`.

            LOADING
            `ceremony load [FILE...] --folder DIR`: M custodians give their files and type their passphrases. Each \
            component is held against its check value before it counts, and the whole against the key's, before \
            anything is loaded. A wrong, missing, repeated or foreign one is named.

            COMPONENTS ON PAPER
            `ceremony enter NAME --components 3`: each custodian types a component in hexadecimal and its check \
            value, as a zone master key comes by courier. All of them are needed.

            `ceremony minutes FILE` holds minutes against their seal.
            """,
        subcommands: [GenerateShares.self, LoadShares.self, Enter.self, MinutesCommand.self])

    struct GenerateShares: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate", abstract: "Make a key as components of M of N custodians, and load it.")

        @OptionGroup var token: TokenOption
        @OptionGroup var operators: OperatorOption
        @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
        @Option(name: .long, help: "As for `issuer-keys generate`.") var algorithm: String?
        @Option(name: .long, help: "Custodians that are needed.") var threshold = 3
        @Option(name: .long, help: "Custodians that there are.") var custodians = 5
        @Option(name: .long, help: "Where the ceremony stands while it goes on, and its minutes.") var folder:
            String

        func run() throws {
            let (name, algorithm) = (try keyName(name), try algorithm.map(keyAlgorithm))
            _ = try commandWords("--threshold, --custodians") {
                try ReplicatedSharing(threshold: threshold, custodians: custodians)
            }
            try CeremonyCommand.hold(
                token, operators, what: "generate \(name), \(threshold) of \(custodians)", folder: folder
            ) {
                try $0.generate(
                    name, algorithm: algorithm, threshold: threshold, custodians: custodians, in: folder)
            }
        }
    }

    struct LoadShares: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "load", abstract: "Load a key from the files of M custodians.")

        @OptionGroup var token: TokenOption
        @OptionGroup var operators: OperatorOption
        @Argument(help: "Custodians' files; those that are not named are asked for.") var files: [String] = []
        @Option(name: .long, help: "Where the minutes go.") var folder: String

        func run() throws {
            try CeremonyCommand.hold(token, operators, what: "load", folder: folder) {
                try $0.load(files, minutesIn: folder)
            }
        }
    }

    struct Enter: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load a key from components that custodians type.")

        @OptionGroup var token: TokenOption
        @OptionGroup var operators: OperatorOption
        @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
        @Option(name: .long, help: "As for `issuer-keys generate`.") var algorithm: String?
        @Option(name: .long, help: "Components that the key has.") var components = 3
        @Option(name: .long, help: "Where the minutes go.") var folder: String

        func run() throws {
            let (name, algorithm) = (try keyName(name), try algorithm.map(keyAlgorithm))
            guard Ceremony.paperComponents.contains(components) else {
                throw ValidationError("--components \(components): 2 to 9 are possible")
            }
            try CeremonyCommand.hold(
                token, operators, what: "enter \(name), \(components) components", folder: folder
            ) {
                try $0.enter(name, algorithm: algorithm, components: components, minutesIn: folder)
            }
        }
    }

    struct MinutesCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "minutes", abstract: "Hold minutes against their seal, and print them.")

        @OptionGroup var token: TokenOption
        @Argument(help: "The file.") var file: String

        func run() throws {
            let desk = try token.desk()
            var store = try KeyStore(at: desk.location)
            print(try Minutes.verified(file, &store), terminator: "")
            print("The seal is right.")
        }
    }

    /// Holds a ceremony; its beginning, its key and a refusal are in the audit trail.
    private static func hold(
        _ token: TokenOption, _ operators: OperatorOption, what: String, folder: String,
        body: (Ceremony) throws -> KeyRecord
    ) throws {
        let desk = try token.desk()
        let ceremony = Ceremony(
            console: try TTYConsole(), at: desk.location, auditKey: desk.configuration.audit.key,
            refusesTestKeys: desk.refusesTestKeys)
        try desk.noting("ceremony \(what)") {
            // First: a key that nobody could sign for is not made.
            let signers = try desk.approval(
                of: AuditEvent(.keyFromCeremony), "The ceremony", files: operators)
            let record = try body(ceremony)
            try desk.note(
                .keyFromCeremony, record, details: ["ceremony": what, "folder": folder], signers: signers)
            printKeys([record])
        }
    }
}
