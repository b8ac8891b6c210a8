internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import KeyManagement
internal import PKCS11
internal import ProgramEntry

/// `imk-ac-476173`, `imk-ac-476173.v2` or an RFC 7512 URI with `object`.
func keyName(_ text: String) throws -> VersionedKeyName {
    try commandWords {
        try VersionedKeyName(label: text.hasPrefix("pkcs11:") ? KeyURI(parsing: text).object : text)
    }
}

/// One of the names of algorithms.
func keyAlgorithm(_ text: String) throws -> KeyAlgorithm {
    guard let algorithm = KeyAlgorithm(rawValue: text) else {
        throw ValidationError("--algorithm \(text): none of \(KeyAlgorithm.allCases.map(\.rawValue))")
    }
    return algorithm
}

extension KeyDesk {
    /// Throws for a URI that names another token than the configured one.
    func requireOwnToken(_ text: String) throws {
        guard text.hasPrefix("pkcs11:"), let token = try KeyURI(parsing: text).token else { return }
        let own = try location.tokenLabel()
        guard token == own else {
            throw Refusal("\(printable(text)): the configured token is \(own)")
        }
    }
}

/// The list of keys as people read it, one line each.
func printKeys(_ records: [KeyRecord]) {
    let rows =
        [["LABEL", "PURPOSE", "ALGORITHM", "KCV", "ORIGIN", "CREATED", "URI"]]
        + records.map { record in
            [
                printable(record.label), record.purpose?.rawValue ?? "-", record.algorithm?.rawValue ?? "-",
                record.checkValue ?? "------", record.provenance?.origin.rawValue ?? "unknown",
                record.provenance?.createdText ?? "-", record.uri.description,
            ]
        }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
        let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        print(cells.joined(separator: "  "))
    }
}

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the token make a key, which nobody ever sees.",
        discussion: """
            The name says the purpose: \(purposeList). A name that is there already needs --new-version: old and new \
            lie side by side under labels of their own, NAME and NAME.v2.
            """)

    static var purposeList: String {
        KeyPurpose.allCases.map { "\($0.rules.prefix)-… (\($0.rawValue))" }.joined(separator: ", ")
    }

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
    @Option(
        name: .long, help: "tdes-128, tdes-192, aes-128, aes-192, aes-256 or hmac-256; else the usual one.")
    var algorithm: String?
    @Flag(name: .customLong("new-version"), help: "Make the next version of this name.") var newVersion =
        false
    @Flag(name: .long, help: "Keep a copy that may leave, and do nothing else, for `export`.")
    var exportable = false

    func run() throws {
        let typed = name
        var (name, algorithm) = (try keyName(typed), try algorithm.map(keyAlgorithm))
        let desk = try token.desk()
        try desk.requireOwnToken(typed)
        var store = try desk.changingStore()
        if newVersion { name = try store.nextVersion(of: name.name) }
        let details = ["exportable": "\(exportable)"]
        let signers = try desk.approval(
            of: AuditEvent(.keyGenerated, key: name.label, details: details), "Making \(name)",
            files: operators)
        let record =
            exportable
            ? try store.generateExportable(name, algorithm: algorithm)
            : try store.generate(name, algorithm: algorithm)
        try desk.note(
            try store.noted(.keyGenerated, record, details: details, transfer: exportable), signers: signers)
        printKeys([record])
    }
}

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every key of the token: purpose, check value, origin, URI.")

    @OptionGroup var token: TokenOption
    @Flag(name: .long, help: "As JSON.") var json = false

    private struct Row: Encodable {
        let label, uri: String
        let purpose, algorithm, checkValue, origin, created: String?
        let version: Int?
    }

    func run() throws {
        let desk = try token.desk()
        var store = try KeyStore(at: desk.location)
        let records = try store.list()
        guard json else { return printKeys(records) }
        let rows = records.map { record in
            Row(
                label: record.label, uri: record.uri.description, purpose: record.purpose?.rawValue,
                algorithm: record.algorithm?.rawValue, checkValue: record.checkValue,
                origin: record.provenance?.origin.rawValue, created: record.provenance?.createdText,
                version: record.name.map { Int($0.version) })
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(rows), as: UTF8.self))
    }
}

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a key out of a key block, or out of its cryptogram under a ZMK, into the token.",
        discussion: """
            A key block (TR-31, ANSI X9.143: versions A to E) is opened inside the token. Its key usage and mode of \
            use have to be those of the purpose that the name says: an IMK-AC is E0 with mode X and nothing else. A \
            changed block is refused. --under names a KBPK for a block and a ZMK for a cryptogram.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
    @Option(name: .long, help: "The key that it comes under.") var under: String
    @Option(name: .customLong("block"), help: "The key block, or @FILE.") var block: String?
    @Option(name: .long, help: "The key in ECB mode under the ZMK, in hex.") var cryptogram: String?
    @Option(name: .long, help: "The check value that the sender said.") var kcv: String?
    @Flag(name: .long, help: "Keep a copy that may leave again, where the block allows it.") var exportable =
        false

    func run() throws {
        let typed = name
        let (name, form) = (try keyName(typed), try form())
        let desk = try token.desk()
        try desk.requireOwnToken(typed)
        var store = try desk.changingStore()
        let details = [
            "under": under, "form": block == nil ? "cryptogram" : "key block", "exportable": "\(exportable)",
        ]
        let signers = try desk.approval(
            of: AuditEvent(.keyImported, key: name.label, details: details), "Importing \(name)",
            files: operators)
        let record: KeyRecord
        switch form {
        case .block(let block):
            record = try store.importBlock(
                block, as: name, under: under, expectedCheckValue: kcv, exportable: exportable)
        case .cryptogram(let bytes, let kcv):
            record = try store.importCryptogram(bytes, as: name, under: under, expectedCheckValue: kcv)
        }
        try desk.note(
            try store.noted(.keyImported, record, details: details, transfer: exportable), signers: signers)
        printKeys([record])
    }

    private enum Form {
        case block(String)
        case cryptogram([UInt8], kcv: String)
    }

    /// What came, looked at before anybody is asked to approve it.
    private func form() throws -> Form {
        if let kcv, kcv.utf8.count != 6 || (try? Hex.decode(kcv)) == nil {
            throw ValidationError("--kcv \(kcv): six hex digits are needed")
        }
        switch (block, cryptogram) {
        case (let block?, nil): return .block(try text(block))
        case (nil, let cryptogram?):
            guard let kcv else {
                throw ValidationError("--cryptogram needs --kcv: nothing else vouches for it")
            }
            guard !exportable else { throw ValidationError("--exportable is for key blocks, which say so") }
            guard let bytes = try? Hex.decode(cryptogram), [16, 24].contains(bytes.count) else {
                throw ValidationError("--cryptogram: 32 or 48 hex digits are needed")
            }
            return .cryptogram(bytes, kcv: kcv)
        default: throw ValidationError("either --block or --cryptogram")
        }
    }

    private func text(_ block: String) throws -> String {
        guard block.hasPrefix("@") else { return block }
        guard let data = FileManager.default.contents(atPath: String(block.dropFirst())) else {
            throw Refusal("\(block.dropFirst()) cannot be read")
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a key block of a key that was made or imported exportable.",
        discussion: """
            Keys in use never leave. `generate --exportable` and `import --exportable` keep a second copy, \
            transfer-NAME, that can do nothing but leave under a KBPK; `retire transfer-NAME` ends that.
            """)

    @OptionGroup var token: TokenOption
    @OptionGroup var operators: OperatorOption
    @Argument(help: "Its name, or an RFC 7512 URI.") var name: String
    @Option(name: .long, help: "The KBPK to put it under.") var under: String
    @Option(name: .long, help: "Mode of use; else the usual one of the purpose.") var mode: String?
    @Option(name: .long, help: "N, E or S: what the receiver may do; else what the key came with, or N.")
    var exportability: String?
    @Option(name: .long, help: "A, B, C or D; else D under AES and B under triple DES.") var version: String?

    func run() throws {
        let typed = name
        let name = try keyName(typed)
        let version = try version.map { text in
            guard text.count == 1, let version = KeyBlockVersion(rawValue: Character(text)) else {
                throw ValidationError("--version \(text): none of A, B, C, D")
            }
            return version
        }
        guard exportability?.count ?? 1 == 1, mode?.count ?? 1 == 1 else {
            throw ValidationError("--mode and --exportability are one character each")
        }
        let desk = try token.desk()
        try desk.requireOwnToken(typed)
        var store = try desk.changingStore()
        let signers = try desk.approval(
            of: AuditEvent(.keyExported, key: name.label), "Exporting \(name) under \(under)",
            files: operators)
        let block = try store.exportBlock(
            name, under: under, mode: mode.map { Character($0) },
            exportability: exportability.map { Character($0) },
            version: version)
        // Before it is out: what cannot be noted is not said.
        try desk.note(
            .keyExported, try store.record(labelled: name.label),
            details: ["under": under, "form": String(block.prefix(16))], signers: signers)
        print(block)
    }
}
