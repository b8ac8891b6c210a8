internal import Foundation
public import ISO8583

/// A specification of another library in the form of this one's dialect files, with what could not be carried over.
public struct ImportedDialect: Sendable {
    /// The bytes of a file for `Config/iso8583`.
    public let json: [UInt8]
    /// The same, read.
    public let dialect: Dialect
    /// For people: what was left out or read in one of two possible ways, a line each.
    public let notes: [String]

    /// Files larger than this are no specification.
    public static let bytesMax = 1 << 20
}

/// Why a specification cannot be imported: the field and what is wrong with it.
public struct DialectImportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The field at fault; nil where it is the file.
    public let field: String?
    /// What is wrong, without contents of the file but names.
    public let reason: String

    /// - Parameter field: nil where it is the file.
    public init(field: String? = nil, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    /// `field 52: unknown encoding …`.
    public var description: String { (field.map { "field \($0): " } ?? "") + reason }
}

/// What a specification says, as far as it has been read.
struct DialectDraft: Encodable {
    struct MessageType: Encodable { var encoding = "ascii" }
    struct Bitmap: Encodable {
        var encoding = "binary"
        var secondary = "announced"
    }
    struct Element: Encodable {
        var name: String
        var type: String
        var length: String?
        var max: Int
        var encoding: String
        var lengthEncoding: String?
        var unit: String?
        var pad: String?
        var separator: String?
    }

    var description: String
    var messageType = MessageType()
    var bitmap = Bitmap()
    var elements: [String: Element] = [:]

    /// The file, proven by reading it.
    func finished(_ name: String, _ notes: [String]) throws(DialectImportError) -> ImportedDialect {
        guard !elements.isEmpty else { throw DialectImportError("no fields") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { throw DialectImportError("not writable as JSON") }
        let json = Array(data) + [0x0A]
        do {
            return ImportedDialect(json: json, dialect: try Dialect(json: json, name: name), notes: notes)
        } catch {
            throw DialectImportError("\(error)")
        }
    }

    /// How an indicator of so many L's is called; nil for a fixed field.
    static func length(ls count: Int) -> String? {
        count == 0 ? nil : String(repeating: "l", count: count) + "var"
    }

    /// Elements that have a place in the bitmap and may be defined: 1 and 65 are bitmaps.
    static func isElement(_ number: Int) -> Bool { (2...128).contains(number) && number != 65 }
}

extension ImportedDialect {
    /// Reads either kind: JSON begins with a brace, XML does not.
    /// - Parameter name: for the messages of errors.
    public static func importing(_ file: [UInt8], name: String) throws(DialectImportError) -> ImportedDialect
    {
        guard file.count <= bytesMax else { throw DialectImportError("over \(bytesMax) bytes") }
        let first = file.first { !($0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D) }
        return first == UInt8(ascii: "{")
            ? try MoovSpecification.imported(file, name: name) : try JPOSPackager.imported(file, name: name)
    }
}
