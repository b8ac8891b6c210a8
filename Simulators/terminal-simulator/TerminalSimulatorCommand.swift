internal import ArgumentParser
internal import BuildVersion
internal import CardReaders
internal import EMV
internal import Foundation
internal import ISO8583
internal import ProgramEntry
internal import TerminalSimulator
internal import VirtualCard

/// The command line. What each command does is in the library; here are its words.
@main
struct TerminalSimulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminal-simulator",
        abstract: "A chip-and-PIN terminal and its cards, for trying out an issuer authorisation host.",
        discussion: """
            The cards are virtual: they hold the demo issuer's public test keys, sign every purchase with a \
            cryptogram (ARQC) of their own and check the issuer's answer (ARPC) as a chip would. The terminal \
            asks for a PIN, builds the ISO 8583 message and sends it over one of the host's links.

            Start a host with `make run`, then try it without a command, on the whole screen, or:
              terminal-simulator purchase --card visa-cvn10 --amount 42.50 --pin 1234
            """,
        version: BuildVersion.text,
        subcommands: [
            TillCommand.self, RunCommand.self, PurchaseCommand.self, SendCommand.self, DemoCommand.self,
            EchoCommand.self,
            CardsCommand.self, ExplainCommand.self, WebCommand.self,
        ], defaultSubcommand: TillCommand.self)

    /// A flag takes no value: `--trace=hex` is `--trace --hex`.
    static func main() {
        ProgramEntry.run(
            Self.self, ProgramEntry.arguments.flatMap { $0 == "--trace=hex" ? ["--trace", "--hex"] : [$0] })
    }
}

/// What all commands need.
struct Environment: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The environment's configuration, as `make demo` and `make run` write it.", valueName: "file"))
    var config = Environment.usualConfiguration

    /// Where `make demo` and `make run` write it.
    private static let usualConfiguration = ".demo/issuer-host.yaml"

    @Option(
        help: ArgumentHelp(
            "Cards as `issuer-keys personalise` made them: their keys come from this file, not from the issuer's.",
            valueName: "file"))
    var bureau: String?

    @Option(
        name: .customLong("bureau-key"),
        help: ArgumentHelp(
            "With --bureau: the transport key, a key of the issuer's file; kbpk-bureau without.",
            valueName: "name"))
    var bureauKey: String?
    @Option(
        name: .customLong("bureau-dek"),
        help: ArgumentHelp(
            "With --bureau: the key that private keys are under, a key of the issuer's file.",
            valueName: "name"))
    var bureauDEK: String?

    @Option(
        help: ArgumentHelp(
            "Pay with cards in readers: part of a PC/SC reader's name, rack, or tcp:HOST:PORT of a card-rack.",
            valueName: "name"))
    var reader: String?

    @Option(help: ArgumentHelp("How long to wait for a connection or an answer.", valueName: "seconds"))
    var timeout = 5.0

    func validate() throws {
        guard timeout > 0, timeout <= 600 else {
            throw ValidationError("--timeout has to be above 0 and at most 600 seconds")
        }
        guard bureau != nil || bureauKey == nil && bureauDEK == nil else {
            throw ValidationError("--bureau-key and --bureau-dek need --bureau")
        }
        if let reader, reader.hasPrefix("tcp:"), CardPlace(reader) == nil {
            throw ValidationError("--reader \(reader): tcp:HOST:PORT is needed")
        }
    }

    var wait: Duration { .seconds(timeout) }

    /// Cards of a list that are in readers; nil where none are asked for.
    func readers(_ cards: [CardDefinition]) throws -> CardsAtReaders? {
        try reader.map { name in
            try CardsAtReaders(CardPlace(name) ?? .pcsc(reader: name), wanted: cards)
        }
    }

    /// Knows why the issuer of this environment declines.
    func desk() -> IssuerDesk? { IssuerDesk(besideThisProgramWith: config) }

    func bench() throws -> Bench { try bench(SimulatorConfiguration(contentsOf: config)) }

    /// For a host that is named by its address no configuration is needed: keys and cards are those of the options' file,
    /// or of the demo issuer.
    func bench(for options: LinkOptions) throws -> Bench { try bench(configuration(for: options)) }

    /// The same for people who choose among links: only those that the options name are there.
    func bench(choosing options: LinkOptions) throws -> Bench {
        var configuration = try configuration(for: options)
        configuration.links = try options.descriptions(of: configuration)
        return try bench(configuration)
    }

    private func configuration(for options: LinkOptions) throws -> SimulatorConfiguration {
        if let issuer = options.issuer {
            return SimulatorConfiguration(
                issuerPath: issuer, dialectsPath: options.dialects ?? Environment.shippedDialects,
                cardStatePath: ".cards")
        }
        let configuration: SimulatorConfiguration
        do throws(ConfigurationError) {
            configuration = try SimulatorConfiguration(contentsOf: config)
        } catch {
            guard options.target != nil, config == Environment.usualConfiguration,
                !FileManager.default.fileExists(atPath: config),
                let shipped = Environment.shipped
            else { throw error }
            configuration = shipped
        }
        return configuration
    }

    private static var shipped: SimulatorConfiguration? {
        SimulatorConfiguration.shipped(
            above: [CommandLine.arguments[0], "/proc/self/exe", "."].map(resolved), cardStatePath: ".cards")
    }

    private static var shippedDialects: String { shipped?.dialectsPath ?? "Config/iso8583" }

    private static func resolved(_ path: String) -> String {
        URL(filePath: path).resolvingSymlinksInPath().path()
    }

    func bench(_ configuration: SimulatorConfiguration) throws -> Bench {
        guard let bureau else { return try Bench(configuration) }
        return try Bench(
            configuration, bureau: bureau, transportKey: bureauKey ?? "kbpk-bureau",
            dataEncryptionKey: bureauDEK)
    }
}

/// Where to send.
struct LinkOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A link of the configuration. Without it, and without --target, the first one.", valueName: "name"
        ))
    var link: String?

    @Option(help: ArgumentHelp("Another host instead of a configured link.", valueName: "host:port"))
    var target: String?

    @Option(
        help: ArgumentHelp(
            "With --target: how messages are written, the name of a file of Config/iso8583, or any such file; ascii87-binbitmap without.",
            valueName: "name"))
    var dialect: String?

    @Option(
        help: ArgumentHelp(
            "With --target: keys and cards instead of a configuration's, in the form of the demo issuer's file.",
            valueName: "file"))
    var issuer: String?

    @Option(
        help: ArgumentHelp(
            "With --issuer: folder of the dialects; by default those that this program came with.",
            valueName: "folder"))
    var dialects: String?

    @Option(
        help: ArgumentHelp(
            "With --target: how messages are told apart, one of: \(Framing.names.joined(separator: ", ")); 2be without.",
            valueName: "name"))
    var framing: String?

    @Option(
        help: ArgumentHelp(
            "With --target: the zone PIN key, a key of the demo issuer's file.", valueName: "name"))
    var zpk: String?

    @Option(
        name: .customLong("cvv2-element"),
        help: ArgumentHelp("The element that CVV2 stands in, such as 126.", valueName: "number"))
    var cvv2Element: UInt8?

    @Option(name: .customLong("pin-format"), help: "PIN blocks in ISO 9564 format 0, 1, 3 or 4 (AES).")
    var pinFormat: UInt8?

    var usedDialect: String { dialect ?? "ascii87-binbitmap" }
    var usedFraming: String { framing ?? "2be" }

    @Option(help: ArgumentHelp("MACs under this zone authentication key of the file.", valueName: "name"))
    var zak: String?

    @Option(
        name: .customLong("mac-algorithm"),
        help: ArgumentHelp(
            "With --zak: one of \(LinkMAC.Algorithm.allCases.map(\.rawValue).joined(separator: ", ")); iso9797-3 without.",
            valueName: "name"))
    var macAlgorithm: String?

    @Option(
        name: .customLong("mac-padding"),
        help: "With --zak and an ISO algorithm: method 1, 2 or 3; 1 without.")
    var macPadding: Int?

    @Flag(help: "TLS. The host's certificate is verified.")
    var tls = false

    @Option(
        name: .customLong("tls-ca"),
        help: ArgumentHelp("With --tls: authorities of the host's certificate, PEM.", valueName: "file"))
    var tlsAuthorities: String?

    @Option(
        name: .customLong("tls-certificate"),
        help: ArgumentHelp("With --tls: the terminal's certificate, PEM.", valueName: "file"))
    var tlsCertificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: ArgumentHelp("With --tls: its private key, PEM.", valueName: "file"))
    var tlsKey: String?

    @Option(
        name: .customLong("tls-name"),
        help: ArgumentHelp("With --tls: the name that the host's certificate bears.", valueName: "name"))
    var tlsName: String?

    /// Every link with what the options say of it.
    func refined(_ description: LinkDescription) -> LinkDescription {
        var link = description
        link.wantedPINFormat = pinFormat.flatMap(PINBlockFormat.init(rawValue:))
        if let element = cvv2Element.flatMap(DataElement.init(rawValue:)) {
            link.printedValue = PrintedValuePosition(element: element)
        }
        let algorithm = macAlgorithm.map { LinkMAC.Algorithm(rawValue: $0) } ?? .algorithm3
        if let zak, let algorithm {
            link.mac = MACDescription(key: zak, algorithm: algorithm, padding: macPadding ?? 1)
        }
        guard tls else { return link }
        var identity = TLSIdentity()
        identity.trustedFile = tlsAuthorities
        identity.certificateFile = tlsCertificate
        identity.privateKeyFile = tlsKey
        identity.serverName = tlsName
        link.tls = identity
        return link
    }

    func validate() throws {
        guard cvv2Element.map({ DataElement(rawValue: $0) != nil && $0 > 1 }) ?? true else {
            throw ValidationError("--cvv2-element has to be 2 to 128")
        }
        if let macAlgorithm, LinkMAC.Algorithm(rawValue: macAlgorithm) == nil {
            let known = LinkMAC.Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--mac-algorithm \(macAlgorithm) is none of \(known)")
        }
        guard macPadding.map({ (1...3).contains($0) }) ?? true else {
            throw ValidationError("--mac-padding has to be 1, 2 or 3")
        }
        guard zak != nil || macAlgorithm == nil && macPadding == nil else {
            throw ValidationError("--mac-algorithm and --mac-padding need --zak")
        }
        if let framing, !Framing.names.contains(framing) {
            throw ValidationError("--framing \(framing) is none of \(Framing.names.joined(separator: ", "))")
        }
        guard target != nil || dialect == nil && framing == nil && zpk == nil else {
            throw ValidationError(
                "--dialect, --framing and --zpk need --target: a link of the configuration has its own")
        }
        guard pinFormat.map({ PINBlockFormat(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("--pin-format has to be 0, 1, 3 or 4")
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together")
        }
        guard tls || tlsAuthorities == nil && tlsCertificate == nil && tlsName == nil else {
            throw ValidationError("--tls-ca, --tls-certificate and --tls-name need --tls")
        }
        guard link == nil || target == nil else {
            throw ValidationError("--link and --target exclude each other")
        }
        guard issuer == nil || target != nil else {
            throw ValidationError("--issuer needs --target: without it there are no links")
        }
        guard dialects == nil || issuer != nil else { throw ValidationError("--dialects needs --issuer") }
        guard let target else { return }
        guard Endpoint(target) != nil else { throw ValidationError("--target \(target) is no HOST:PORT") }
    }

    func link(of bench: Bench) throws -> Link { try bench.link(descriptions(of: bench.configuration)[0]) }

    /// The target, the link that is named, or all of them; at least one.
    func descriptions(of configuration: SimulatorConfiguration) throws -> [LinkDescription] {
        if let target, let endpoint = Endpoint(target) {
            return [
                refined(
                    LinkDescription(
                        name: target, endpoint: endpoint, dialect: usedDialect, framing: usedFraming,
                        zonePINKey: zpk))
            ]
        }
        if let link { return [refined(try configuration.link(link))] }
        guard !configuration.links.isEmpty else { throw ValidationError("the configuration has no links") }
        return configuration.links.map(refined)
    }
}
