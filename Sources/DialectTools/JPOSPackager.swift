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

    /// - Parameters:
    ///   - xml: UTF-8.
    ///   - earlier: notes on the file.
    static func imported(
        _ xml: [UInt8], _ earlier: [String], name: String
    ) throws(DialectImportError) -> ImportedDialect {
        var notes = earlier
        let events = try XMLReader.events(of: xml)
        guard case .start("isopackager", let attributes)? = events.first else {
            throw DialectImportError("no JSON object, and no XML with an isopackager")
        }
        for key in ["thirdBitmapField", "bitmapField"] where attributes[key] != nil {
            throw DialectImportError("isopackager: \(key) has no counterpart here")
        }
        var draft = DialectDraft(description: "imported from a jPOS generic packager")
        if let text = attributes["headerLength"] {
            guard let length = Int(text), (0...256).contains(length) else {
                throw DialectImportError("isopackager: headerLength is not 0 to 256")
            }
            if length > 0 {
                draft.header = DialectDraft.Header(bytes: length)
                notes.append("header of \(length) bytes: answers have the same one")
            }
        }
        return try dialect(try fields(events), draft, earlier: notes, name: name)
    }

    /// The fields of the packager itself; those of nested packagers belong to their field.
    private static func fields(_ events: [XMLReader.Event]) throws(DialectImportError) -> [Field] {
        var fields: [Field] = []
        var nested = 0
        for event in events {
            switch event {
            case .start(let name, let attributes):
                let isNested = name == "isofieldpackager"
                if name == "isofield" || isNested, nested == 0 {
                    fields.append(
                        Field(
                            id: trimmed(attributes["id"]), length: trimmed(attributes["length"]),
                            name: attributes["name"] ?? "", className: trimmed(attributes["class"]),
                            pad: trimmed(attributes["pad"]) == "true", isNested: isNested))
                }
                if isNested { nested += 1 }
            case .end(let name): if name == "isofieldpackager" { nested -= 1 }
            }
        }
        guard fields.count <= 1_000 else { throw DialectImportError("more than 1000 fields") }
        return fields
    }

    private static func trimmed(_ text: String?) -> String {
        (text ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func dialect(
        _ fields: [Field], _ begun: DialectDraft, earlier: [String], name: String
    ) throws(DialectImportError) -> ImportedDialect {
        var (draft, notes) = (begun, earlier)
        var seen: Set<Int> = []
        for (index, field) in fields.enumerated() {
            guard let number = Int(field.id) else {
                throw DialectImportError(field: field.id, "its id is no number")
            }
            // As jPOS has it.
            if fields[(index + 1)...].contains(where: { Int($0.id) == number }) {
                notes.append("field \(field.id) is given more than once: the last one counts")
                continue
            }
            seen.insert(number)
            let packing = try JPOSClass(field)
            switch number {
            case _ where packing.isAbsent:
                notes.append("field \(field.id) is left out: its class writes nothing")
            case 0: draft.messageType.encoding = packing.encoding
            case 1:
                guard packing.isBitmap else {
                    throw DialectImportError(
                        field: "1", "its class is no bitmap; what is not ISO 8583, as ANSI X9.2, is not read")
                }
                draft.bitmap = DialectDraft.Bitmap(
                    encoding: packing.encoding, secondary: field.length == "8" ? "never" : "announced")
            case _ where packing.isBitmap && number == 65:
                notes.append("field 65 is left out: messages with a third bitmap are refused")
            case _ where DialectDraft.isElement(number):
                draft.elements["\(number)"] = try element(number, field, packing: packing, notes: &notes)
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
        notes += draft.takeOutUnreachable()
        notes.append(draft.setVersion())
        return try draft.finished(name, notes)
    }

    private static func element(
        _ number: Int, _ field: Field, packing: JPOSClass, notes: inout [String]
    ) throws(DialectImportError) -> DialectDraft.Element {
        guard var length = Int(field.length), (1...999_999).contains(length) else {
            throw DialectImportError(field: field.id, "length is not 1 to 999999")
        }
        if let most = packing.lengthMax, length > most {
            notes.append("field \(field.id): length \(length), of which its indicator can say \(most)")
            length = most
        }
        guard !packing.isBitmap else {
            throw DialectImportError(field: field.id, "a bitmap in an element's place")
        }
        let isPacked = packing.encoding == "bcd"
        // Tracks have separators, which jPOS' classes for numbers let pass.
        let isTrack = number == 35 && packing.type == "n"
        return DialectDraft.Element(
            name: field.name, type: isTrack ? "z" : packing.type, length: DialectDraft.length(ls: packing.ls),
            max: length, encoding: packing.encoding, lengthEncoding: packing.lengthEncoding,
            unit: packing.countsBytes
                || packing.lengthEncoding != nil && packing.encoding.lowercased().hasSuffix("hex")
                ? "bytes" : nil,
            pad: isPacked && packing.type == "n" ? packing.pad ?? (field.pad ? "left0" : "right0") : nil,
            separator: isTrack ? "=" : nil, filled: packing.isFilled ? true : nil)
    }
}
