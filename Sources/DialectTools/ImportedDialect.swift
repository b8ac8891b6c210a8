internal import Foundation
package import ISO8583

/// A specification of another library in the form of this one's dialect files, with what could not be carried over.
package struct ImportedDialect: Sendable {
    /// The bytes of a file for `Config/iso8583`.
    package let json: [UInt8]
    /// The same, read.
    package let dialect: Dialect
    /// For people: what was left out or read in one of two possible ways, a line each.
    package let notes: [String]

    /// Files larger than this are no specification.
    package static let bytesMax = 1 << 20
}

/// Why a specification cannot be imported: the field and what is wrong with it.
package struct DialectImportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The field at fault; nil where it is the file.
    package let field: String?
    /// What is wrong, without contents of the file but names.
    package let reason: String

    /// - Parameter field: nil where it is the file.
    package init(field: String? = nil, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    /// `field 52: unknown encoding …`.
    package var description: String { (field.map { "field \($0): " } ?? "") + reason }
}

/// What a specification says, as far as it has been read.
struct DialectDraft: Encodable {
    struct Header: Encodable { var bytes: Int }
    struct MessageType: Encodable {
        var encoding = "ascii"
        var version: UInt8 = 0
    }
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
        var filled: Bool?
    }

    var description: String
    var header: Header?
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

    /// With one bitmap alone, elements behind 64 cannot come.
    /// - Returns: for people, what was left out.
    mutating func takeOutUnreachable() -> [String] {
        guard bitmap.secondary == "never" else { return [] }
        let numbers = elements.keys.compactMap { Int($0) }.filter { $0 > 64 }.sorted()
        for number in numbers { elements["\(number)"] = nil }
        guard let first = numbers.first, let last = numbers.last else { return [] }
        return ["fields \(first) to \(last) are left out: field 1 is a first bitmap alone"]
    }

    /// Specifications do not say which version their message types bear. The fields that the versions write differently
    /// do: local time of 12 digits and an action code of 3 came with ISO 8583:1993, 14 and 4 with 2003.
    /// - Returns: for people, what was taken for true.
    mutating func setVersion() -> String {
        let (time, code) = (elements["12"]?.max, elements["39"]?.max)
        let (version, year, why): (UInt8, String, String) =
            switch (time, code) {
            case (14, _): (2, "2003", "field 12 is of 14 digits")
            case (12, _): (1, "1993", "field 12 is of 12 digits")
            case (_, 4): (2, "2003", "field 39 is of 4 digits")
            case (_, 3): (1, "1993", "field 39 is of 3 digits")
            default: (0, "1987", "fields 12 and 39 are not those of a later version")
            }
        messageType.version = version
        return "message types are taken for those of ISO 8583:\(year), \(version)xxx: \(why)"
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
    package static func importing(_ file: [UInt8], name: String) throws(DialectImportError) -> ImportedDialect
    {
        guard file.count <= bytesMax else { throw DialectImportError("over \(bytesMax) bytes") }
        var notes: [String] = []
        let text = try FileText.utf8(file, &notes)
        let first = text.first { !($0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D) }
        return first == UInt8(ascii: "{")
            ? try MoovSpecification.imported(text, notes, name: name)
            : try JPOSPackager.imported(text, notes, name: name)
    }
}
