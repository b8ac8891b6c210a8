internal import ArgumentParser
internal import EMV
internal import ISO8583
internal import TerminalSimulator
internal import VirtualCard

/// Why does a cryptogram not verify?
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain-arqc",
        abstract: "Say why the cryptogram of a request does not verify. Test keys only.",
        discussion: """
            Tries the plausible mistakes, alone and in pairs: padding, parts of the IAD, PAN sequence number, \
            master key option, session key method, amounts swapped, an object missing, empty or changed, \
            another key or card. Says which of them gives the received cryptogram.

              terminal-simulator explain-arqc --dialect ascii87-binbitmap \\
                --keys Config/demo/demo-issuer.json --message 30313030…

            Exit code: 0 the cryptogram is right, 1 it is not, or the message cannot be asked about.
            """)

    @Option(help: ArgumentHelp("The request in hex, with or without its length.", valueName: "hex"))
    var message: String

    @Option(help: ArgumentHelp("How it is written, a file of Config/iso8583 without .json."))
    var dialect = "ascii87-binbitmap"

    @Option(help: ArgumentHelp("Folder of the dialects.", valueName: "folder"))
    var dialects = "Config/iso8583"

    @Option(
        help: ArgumentHelp(
            "Test keys in the form of the demo issuer's file; every key in it is tried.", valueName: "file"))
    var keys = "Config/demo/demo-issuer.json"

    @Option(
        help: ArgumentHelp("The key that should have signed; by default imk-ac-PREFIX.", valueName: "name"))
    var key: String?

    @Option(help: ArgumentHelp("How the issuer derives card keys, A or B.", valueName: "A|B"))
    var option = "A"

    @Option(
        name: .customLong("ca-keys"),
        help: ArgumentHelp("CA keys that open certificates among the chip's data.", valueName: "file"))
    var caKeys = "Config/demo/ca-keys.json"

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard MasterKeyOption(rawValue: option) != nil else {
            throw ValidationError("--option has to be A or B")
        }
    }

    func run() throws {
        try reportingFailures {
            let issuer = try DemoIssuer(contentsOf: keys)
            let codec = MessageCodec(dialect: try Dialect(contentsOf: "\(dialects)/\(dialect).json"))
            let request = try MessageEvidence.message(hex: message, codec: codec)
            let evidence = try MessageEvidence.evidence(of: request, issuer: issuer)
            let expected = key ?? MessageEvidence.expectedKeyName(evidence.identity)
            let option = MasterKeyOption(rawValue: option) ?? .a
            let diagnosis = try CryptogramDiagnosis(
                of: evidence, keys: issuer.namedKeys, expected: expected, option: option)
            if json { print(try DiagnosisReport(diagnosis).json()) }
            for line in json ? [] : DiagnosisText.lines(diagnosis, evidence, key: expected, option: option) {
                print(line)
            }
            for line in json ? [] : try certificates(request) { print(line) }
            guard case .right = diagnosis.verdict else { throw ExitCode(1) }
        }
    }

    /// Certificates of the chip's data, opened as far as their CA key is known.
    private func certificates(_ request: Message) throws -> [String] {
        guard let data = request.bytes(.iccData) else { return [] }
        let keys = try Bench.caKeys(at: [caKeys])
        let lines = CertificateListing.lines(Array(data)[...], keys, application: nil, month: nil)
        return lines.isEmpty ? [] : [""] + lines
    }
}
