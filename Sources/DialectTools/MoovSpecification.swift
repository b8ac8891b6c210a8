internal import Foundation

/// Specifications of moov-io/iso8583 as its builder exports them: `name` and `fields`, each field with `type`,
/// `length`, `description`, `enc`, `prefix` and more.
struct MoovSpecification: Decodable {
    struct Field: Decodable {
        struct Tag: Decodable { var enc: String? }

        var type: String
        var length: Int?
        var description: String?
        var enc: String?
        var prefix: String?
        var tag: Tag?
        var subfields: [String: Field]?
        var disableautoexpand: Bool?
    }

    var name: String?
    var fields: [String: Field]

    /// - Parameters:
    ///   - json: UTF-8.
    ///   - notes: on the file.
    static func imported(
        _ json: [UInt8], _ notes: [String], name: String
    ) throws(DialectImportError) -> ImportedDialect {
        let specification: MoovSpecification
        do { specification = try JSONDecoder().decode(MoovSpecification.self, from: Data(json)) } catch {
            throw DialectImportError(
                "no specification with fields of type, length, enc and prefix, as moov's builder exports it")
        }
        return try specification.dialect(name, notes)
    }

    private func dialect(
        _ name: String, _ earlier: [String]
    ) throws(DialectImportError) -> ImportedDialect {
        var draft = DialectDraft(description: self.name ?? "imported from a moov-io/iso8583 specification")
        var notes = earlier
        var seen: Set<Int> = []
        for (key, field) in fields.sorted(by: { $0.key < $1.key }) {
            // Earlier exports name fields `Field002`.
            let digits = key.hasPrefix("Field") ? String(key.dropFirst(5)) : key
            guard let number = Int(digits), seen.insert(number).inserted else {
                throw DialectImportError(field: key, "its name is no number, or given twice")
            }
            switch number {
            case 0: draft.messageType.encoding = try Self.messageType(field)
            case 1: draft.bitmap = try Self.bitmap(field)
            case _ where DialectDraft.isElement(number):
                draft.elements["\(number)"] = try Self.element(key, number, field: field, notes: &notes)
            default:
                notes.append("field \(key) is left out: no place in two bitmaps")
            }
        }
        for needed in [0, 1] where !seen.contains(needed) {
            throw DialectImportError(field: "\(needed)", "missing")
        }
        notes += draft.takeOutUnreachable()
        notes.append(draft.setVersion())
        return try draft.finished(name, notes)
    }

    private static func messageType(_ field: Field) throws(DialectImportError) -> String {
        let encodings = ["ASCII": "ascii", "BCD": "bcd", "EBCDIC": "ebcdic", "Binary": "bcd"]
        guard let encoding = encodings[Self.encoder(field.enc)] else {
            throw DialectImportError(field: "0", "unknown encoding \(field.enc ?? "")")
        }
        return encoding
    }

    private static func bitmap(_ field: Field) throws(DialectImportError) -> DialectDraft.Bitmap {
        let encodings = ["Binary": "binary", "Hex": "hex", "HexToASCII": "hex", "BytesToASCIIHex": "hex"]
        guard let encoding = encodings[Self.encoder(field.enc)] else {
            throw DialectImportError(field: "1", "unknown encoding \(field.enc ?? "")")
        }
        return DialectDraft.Bitmap(
            encoding: encoding, secondary: field.disableautoexpand == true ? "never" : "announced")
    }

    /// Earlier exports name encoders by their Go names.
    private static func encoder(_ name: String?) -> String {
        let earlier = [
            "asciiEncoder": "ASCII", "hexEncoder": "HexToASCII", "bcdEncoder": "BCD", "lBCDEncoder": "LBCD",
            "binaryEncoder": "Binary", "ebcdicEncoder": "EBCDIC",
        ]
        return name.map { earlier[$0] ?? $0 } ?? ""
    }

    /// How a content is written: our type where the field's own says nothing, and encoding.
    private static let encodings: [String: (type: String, encoding: String, pad: String?)] = [
        "ASCII": ("ans", "ascii", nil), "EBCDIC": ("ans", "ebcdic", nil),
        "EBCDIC1047": ("ans", "ebcdic", nil),
        // Right-aligned packed digits have the zero before them, left-aligned ones behind.
        "BCD": ("n", "bcd", "left0"), "LBCD": ("n", "bcd", "right0"),
        "Binary": ("b", "binary", nil), "ASCIIToHex": ("b", "binary", nil),
        "ASCIIHexToBytes": ("b", "binary", nil),
        "HexToASCII": ("b", "hex", nil), "BytesToASCIIHex": ("b", "hex", nil), "Hex": ("b", "hex", nil),
    ]

    private static func element(
        _ key: String, _ number: Int, field: Field, notes: inout [String]
    ) throws(DialectImportError) -> DialectDraft.Element {
        guard let length = field.length, (1...999_999).contains(length) else {
            throw DialectImportError(field: key, "length is not 1 to 999999")
        }
        let (family, ls) = try prefix(key, field.prefix)
        let written = try content(key, field, notes: &notes)
        var type = written.type
        if field.type == "Numeric", type == "ans" { type = "n" }
        // Track 2 has a separator among its packed digits.
        if number == 35, type == "n" { type = "z" }
        let isVariable = ls > 0
        guard !isVariable || family != nil else {
            throw DialectImportError(field: key, "a prefix of hex digits is not known here")
        }
        return DialectDraft.Element(
            name: field.description ?? "field \(key)", type: type, length: DialectDraft.length(ls: ls),
            max: length, encoding: written.encoding, lengthEncoding: isVariable ? family : nil,
            unit: isVariable && written.encoding == "hex" ? "bytes" : nil, pad: written.pad,
            separator: type == "z" ? "=" : nil)
    }

    private static func content(
        _ key: String, _ field: Field, notes: inout [String]
    ) throws(DialectImportError) -> (type: String, encoding: String, pad: String?) {
        guard let subfields = field.subfields, !subfields.isEmpty else {
            guard let written = encodings[Self.encoder(field.enc)] else {
                throw DialectImportError(field: key, "unknown encoding \(field.enc ?? "")")
            }
            return written
        }
        notes.append("field \(key) is read as a whole: its \(subfields.count) subfields stay together")
        let isText = field.tag?.enc != "BerTLVTag" && subfields.values.allSatisfy { $0.enc == "ASCII" }
        return isText ? ("ans", "ascii", nil) : ("b", "binary", nil)
    }

    /// Family and number of L's; the family is nil where this library has none of that kind.
    private static func prefix(
        _ key: String, _ prefix: String?
    ) throws(DialectImportError) -> (family: String?, ls: Int) {
        let families = ["ASCII": "ascii", "BCD": "bcd", "EBCDIC": "ebcdic", "Binary": "binary"]
        let parts = (prefix ?? "").split(separator: ".")
        guard parts.count == 2,
            parts[1].lowercased() == "fixed" || (parts[1].allSatisfy { $0 == "L" } && parts[1].count <= 6)
        else { throw DialectImportError(field: key, "unknown prefix \(prefix ?? "")") }
        return (families[String(parts[0])], parts[1].lowercased() == "fixed" ? 0 : parts[1].count)
    }
}
