internal import Foundation
internal import FoundationXML

/// Packagers of jPOS in XML (`isopackager` with `isofield` id, length, name, class and pad).
enum JPOSPackager {
    struct Field {
        let id: String
        let length: String
        let name: String
        let className: String
        let pad: Bool
        let isNested: Bool
    }

    static func imported(_ xml: [UInt8], name: String) throws(DialectImportError) -> ImportedDialect {
        // Foundation's parser ends the process at bytes that are not UTF-8.
        guard let text = String(validating: xml, as: UTF8.self) else {
            throw DialectImportError("the file is not UTF-8")
        }
        // Nobody's packager needs them, and their expansion has no bound that could be trusted.
        guard !text.contains("<!ENTITY") else { throw DialectImportError("entities are not allowed") }
        // Nor these; the parser ends the process at one without content.
        let content = text.hasPrefix("<?xml ") ? text.dropFirst(6) : text[...]
        guard !content.contains("<?") else {
            throw DialectImportError("processing instructions are not allowed")
        }
        let reader = FieldReader()
        let parser = XMLParser(data: Data(xml))
        parser.shouldResolveExternalEntities = false
        parser.delegate = reader
        guard parser.parse(), reader.isPackager else {
            throw DialectImportError("no JSON object, and no XML with an isopackager")
        }
        return try dialect(reader.fields, name)
    }

    private static func dialect(_ fields: [Field], _ name: String) throws(DialectImportError)
        -> ImportedDialect
    {
        var draft = DialectDraft(description: "imported from a jPOS generic packager")
        var notes: [String] = []
        var seen: Set<Int> = []
        for field in fields {
            guard let number = Int(field.id) else {
                throw DialectImportError(field: field.id, "its id is no number")
            }
            guard seen.insert(number).inserted else {
                throw DialectImportError(field: field.id, "given twice")
            }
            let packing = try JPOSClass(field)
            switch number {
            case 0: draft.messageType.encoding = packing.encoding
            case 1:
                guard packing.isBitmap else { throw DialectImportError(field: "1", "its class is no bitmap") }
                draft.bitmap = DialectDraft.Bitmap(
                    encoding: packing.encoding, secondary: field.length == "8" ? "never" : "announced")
            case _ where DialectDraft.isElement(number):
                draft.elements[field.id] = try element(number, field, packing)
                if field.isNested {
                    notes.append("field \(field.id) is read as a whole: the fields inside stay together")
                }
            default:
                notes.append("field \(field.id) is left out: no place in two bitmaps")
            }
        }
        for needed in [0, 1] where !seen.contains(needed) {
            throw DialectImportError(field: "\(needed)", "missing")
        }
        return try draft.finished(name, notes)
    }

    private static func element(
        _ number: Int, _ field: Field, _ packing: JPOSClass
    ) throws(DialectImportError) -> DialectDraft.Element {
        guard let length = Int(field.length), (1...999_999).contains(length) else {
            throw DialectImportError(field: field.id, "length is not 1 to 999999")
        }
        guard !packing.isBitmap else {
            throw DialectImportError(field: field.id, "a bitmap in an element's place")
        }
        let isPacked = packing.encoding == "bcd"
        let isTrack = number == 35 && isPacked
        return DialectDraft.Element(
            name: field.name, type: isTrack ? "z" : packing.type, length: DialectDraft.length(ls: packing.ls),
            max: length, encoding: packing.encoding, lengthEncoding: packing.lengthEncoding,
            unit: packing.lengthEncoding != nil && packing.encoding.lowercased().hasSuffix("hex")
                ? "bytes" : nil,
            pad: isPacked && packing.type == "n" ? (field.pad ? "left0" : "right0") : nil,
            separator: isTrack ? "=" : nil)
    }

    /// Collects the fields of the packager itself; those of nested packagers belong to their field.
    private final class FieldReader: NSObject, XMLParserDelegate {
        private(set) var fields: [Field] = []
        private(set) var isPackager = false
        private var nested = 0
        private static let fieldsMax = 1_000

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String] = [:]
        ) {
            if name == "isopackager" { isPackager = true }
            let isNested = name == "isofieldpackager"
            if name == "isofield" || isNested, nested == 0 {
                guard fields.count < Self.fieldsMax else { return parser.abortParsing() }
                fields.append(
                    Field(
                        id: attributes["id"] ?? "", length: attributes["length"] ?? "",
                        name: attributes["name"] ?? "", className: attributes["class"] ?? "",
                        pad: attributes["pad"] == "true", isNested: isNested))
            }
            if isNested { nested += 1 }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            if name == "isofieldpackager" { nested -= 1 }
        }
    }
}

/// What the name of a jPOS field class says: family (IF and IFA ASCII, IFB binary, IFE EBCDIC), L's of the length
/// indicator, H for a binary one, and the kind of content.
struct JPOSClass {
    let type: String
    let encoding: String
    let ls: Int
    let lengthEncoding: String?
    let isBitmap: Bool

    private enum Family: String {
        case plain = "IF"
        case ascii = "IFA"
        case binary = "IFB"
        case ebcdic = "IFE"
    }

    init(_ field: JPOSPackager.Field) throws(DialectImportError) {
        let name = field.className.split(separator: ".").last.map(String.init) ?? ""
        let parts = name.split(separator: "_", maxSplits: 1)
        guard parts.count == 2, let family = Family(rawValue: String(parts[0])) else {
            throw DialectImportError(field: field.id, "unknown class \(name)")
        }
        var rest = Substring(parts[1])
        ls = rest.prefix { $0 == "L" }.count
        rest = rest.dropFirst(ls)
        // H before the content's name: the indicator is a binary number.
        let isBinaryLength = ls > 0 && rest.first == "H"
        if isBinaryLength { rest = rest.dropFirst() }
        let isEBCDICText = rest == "ECHAR"
        if isEBCDICText { rest = "CHAR" }
        let isEBCDIC = family == .ebcdic || isEBCDICText
        let text = isEBCDIC ? "ebcdic" : "ascii"
        let digits = family == .binary ? "bcd" : text
        // Fixed binary content of the text families is written in hex digits; after an indicator it is raw.
        let fixedBinary = family == .binary ? "binary" : isEBCDIC ? "ebcdicHex" : "hex"
        isBitmap = rest == "BITMAP"
        switch (rest, ls > 0) {
        case ("CHAR", _): (type, encoding) = ("ans", text)
        case ("NUMERIC", false), ("NUM", true): (type, encoding) = ("n", digits)
        case ("AMOUNT", false): (type, encoding) = ("x+n", digits)
        case ("BINARY", false), ("BITMAP", false): (type, encoding) = ("b", fixedBinary)
        case ("BINARY", true): (type, encoding) = ("b", "binary")
        case ("ABINARY", true): (type, encoding) = ("b", "hex")
        default: throw DialectImportError(field: field.id, "unknown class \(name)")
        }
        guard ls <= 6 else { throw DialectImportError(field: field.id, "unknown class \(name)") }
        lengthEncoding = ls == 0 ? nil : isBinaryLength ? "binary" : family == .binary ? "bcd" : text
    }
}
