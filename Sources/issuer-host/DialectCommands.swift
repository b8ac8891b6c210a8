internal import ArgumentParser
internal import ByteCoding
internal import DialectTools
internal import EMV
internal import Foundation
internal import ISO8583
internal import Issuance
internal import ProgramEntry

struct DialectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dialect", abstract: "Dialects of links: import and description.",
        subcommands: [Import.self, Describe.self])

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn a specification of another library into a dialect file.",
            discussion: """
                Reads JSON specifications of moov-io/iso8583 and XML packagers of jPOS (isopackager). The result is \
                proven by reading it; what could not be carried over is said on standard error.
                """)

        @Argument(help: "The specification.") var file: String
        @Option(help: "File to write; standard output without it.") var out: String?

        func run() throws {
            let imported: ImportedDialect
            do throws(DialectImportError) {
                imported = try ImportedDialect.importing(try bytes(), name: "imported")
            } catch {
                throw Refusal("\(file): \(error)")
            }
            for note in imported.notes { FileHandle.standardError.write(Data("\(note)\n".utf8)) }
            guard let out else { return FileHandle.standardOutput.write(Data(imported.json)) }
            try Data(imported.json).write(to: URL(filePath: out))
            print("\(out): \(imported.dialect.definedElements.count) elements")
        }

        private func bytes() throws(DialectImportError) -> [UInt8] {
            guard let handle = FileHandle(forReadingAtPath: file),
                let data = try? handle.read(upToCount: ImportedDialect.bytesMax + 1)
            else { throw DialectImportError("cannot be read") }
            return Array(data)
        }
    }

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a dialect says: a line for every element.")

        @OptionGroup var dialects: DialectsOption
        @Argument(help: "Name of a dialect, or its file.") var dialect: String

        func run() throws {
            for line in DialectListing.lines(try dialects.dialect(dialect)) { print(line) }
        }
    }
}

struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Print a message field by field, masked, with DE55 opened.",
        discussion: """
            With --records the bytes are a card's records (templates 70 one after another) instead of a message. \
            With --ca-keys, certificates in records or in DE55 are opened, where their CA key is in the file.
            """)

    @OptionGroup var dialects: DialectsOption
    @Option(
        help:
            "Name of a dialect, or its file; auto tries all of the folder and says which fit. Every message needs one."
    )
    var dialect: String?
    @Flag(help: "The bytes are a card's records, no message.") var records = false
    @Option(name: .customLong("ca-keys"), help: "File of CA keys, to open certificates.") var caKeys: String?
    @Option(help: "With --ca-keys: the card's AID, where the data do not say it.") var aid: String?
    @Argument(
        help:
            "The message in hexadecimal digits; with a length before it only for --dialect auto. - reads standard input."
    )
    var message: String

    func run() throws {
        guard records || dialect != nil else { throw ValidationError("a message needs --dialect") }
        let bytes =
            try message == "-"
            ? Result { try Hex.decode((readLine() ?? "").filter { !$0.isWhitespace }) }
                .mapError { Refusal("standard input: \($0)") }.get()
            : commandWords("the message") { try Hex.decode(message.filter { !$0.isWhitespace }) }
        let opener = try CertificateOpener(caKeys: caKeys, aid: aid)
        guard let dialect else { return try show(records: bytes, opener) }
        if dialect == "auto" {
            let guess = DialectGuess(bytes, dialects: try dialects.all())
            for line in guess.lines { print(line) }
            if guess.fits.isEmpty { throw ExitCode(1) }
            return
        }
        try show(bytes, try dialects.dialect(dialect), opener: opener)
    }

    private func show(records bytes: [UInt8], _ opener: CertificateOpener?) throws {
        do throws(TLVError) {
            for line in try ChipDataListing.lines(bytes[...]) {
                print("\(String(repeating: "  ", count: line.depth))\(line.tag) \(line.name)  \(line.value)")
            }
        } catch {
            throw Refusal("the records: \(error)")
        }
        for line in opener?.lines(bytes[...]) ?? [] { print(line) }
    }

    private func show(_ bytes: [UInt8], _ dialect: Dialect, opener: CertificateOpener?) throws {
        do throws(MessageDecodingError) {
            let message = try MessageCodec(dialect: dialect).decode(bytes)
            for line in MessageListing.lines(message, dialect: dialect) { print(line) }
            if let data = message.bytes(.iccData) {
                for line in opener?.lines(data) ?? [] { print("         \(line)") }
            }
        } catch {
            // What came before the fault helps to find it.
            if let partial = error.partial {
                for line in MessageListing.lines(partial, dialect: dialect) { print(line) }
            }
            throw Refusal("\(error)")
        }
    }
}

/// Opens certificates with the CA keys of a file.
private struct CertificateOpener {
    private let keys: CAKeys
    private let application: [UInt8]?

    /// Nil without a file.
    init?(caKeys: String?, aid: String?) throws {
        guard let caKeys else { return nil }
        application = try aid.map { text in
            guard let bytes = try? Hex.decode(text), (5...16).contains(bytes.count) else {
                throw ValidationError("--aid \(text): 5 to 16 bytes of hex are needed")
            }
            return bytes
        }
        keys = try CAKeys(contentsOf: caKeys)
    }

    func lines(_ data: ArraySlice<UInt8>) -> [String] {
        let now = ExpiryDate(unixSeconds: Int64(Date().timeIntervalSince1970))
        let month = CertificateMonth(year: 2000 + now.months / 12, month: now.months % 12 + 1)
        return CertificateListing.lines(data, keys, application: application, month: month)
    }
}

/// Where dialects are found by name.
struct DialectsOption: ParsableArguments {
    @Option(help: "Folder of dialect files.") var dialects = "Config/iso8583"

    /// Every dialect of the folder, by name.
    func all() throws -> [Dialect] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: dialects) else {
            throw Refusal("cannot read the folder \(dialects)")
        }
        let found = names.filter { $0.hasSuffix(".json") }.sorted()
        guard !found.isEmpty else { throw Refusal("there is no dialect in \(dialects)") }
        return try found.map { try dialect("\(dialects)/\($0)") }
    }

    /// - Parameter name: of a dialect in the folder, or the path of a file.
    func dialect(_ name: String) throws -> Dialect {
        let path = name.contains("/") || name.hasSuffix(".json") ? name : "\(dialects)/\(name).json"
        do { return try Dialect(contentsOf: path) } catch { throw Refusal("\(error)") }
    }
}
