internal import ArgumentParser
internal import ByteCoding
internal import DialectTools
internal import Foundation
internal import ISO8583

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
                throw ValidationError("\(file): \(error)")
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
        commandName: "decode", abstract: "Print a message field by field, masked, with DE55 opened.")

    @OptionGroup var dialects: DialectsOption
    @Option(help: "Name of a dialect, or its file.") var dialect: String
    @Argument(help: "The message in hexadecimal digits, without its length; - reads standard input.")
    var message: String

    func run() throws {
        let dialect = try dialects.dialect(dialect)
        let text = message == "-" ? readLine() ?? "" : message
        let bytes: [UInt8]
        do { bytes = try Hex.decode(text.filter { !$0.isWhitespace }) } catch {
            throw ValidationError("the message: \(error)")
        }
        do throws(MessageDecodingError) {
            let message = try MessageCodec(dialect: dialect).decode(bytes)
            for line in MessageListing.lines(message, dialect: dialect) { print(line) }
        } catch {
            // What came before the fault helps to find it.
            if let partial = error.partial {
                for line in MessageListing.lines(partial, dialect: dialect) { print(line) }
            }
            throw ValidationError("\(error)")
        }
    }
}

/// Where dialects are found by name.
struct DialectsOption: ParsableArguments {
    @Option(help: "Folder of dialect files.") var dialects = "Config/iso8583"

    /// - Parameter name: of a dialect in the folder, or the path of a file.
    func dialect(_ name: String) throws -> Dialect {
        let path = name.contains("/") || name.hasSuffix(".json") ? name : "\(dialects)/\(name).json"
        do { return try Dialect(contentsOf: path) } catch { throw ValidationError("\(error)") }
    }
}
