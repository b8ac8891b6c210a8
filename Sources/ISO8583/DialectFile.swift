/// The JSON of a dialect. Every key may be absent where the dialect extends another, whose values then hold;
/// an element given replaces the keys that it names.
struct DialectFile: Decodable {
    var description: String?
    var extends: String?
    var header: HeaderPart?
    var messageType: MessageTypePart?
    var bitmap: BitmapPart?
    var encodings: EncodingsPart?
    var iccData: ElementDefinition.ChipDataForm?
    var elements: [String: ElementPart]?
    var indicators: IndicatorsPart?

    struct IndicatorsPart: Decodable {
        var rows: [Indicators.Row]?
        var ownReference: Indicators.Place?
        var firstReference: Indicators.Place?
    }

    struct HeaderPart: Decodable {
        var bytes: Int?
        var tpdu: Bool?
        var answer: Dialect.Header.Answer?
    }

    struct MessageTypePart: Decodable {
        var encoding: Dialect.MessageType.Encoding?
        var version: UInt8?
    }

    struct BitmapPart: Decodable {
        var encoding: Dialect.Bitmap.Encoding?
        var bits: Int?
        var secondary: Dialect.Bitmap.Secondary?
    }

    /// What holds for every element that does not say otherwise.
    struct EncodingsPart: Decodable {
        var digits: ElementDefinition.ContentEncoding?
        var text: ElementDefinition.ContentEncoding?
        var binary: ElementDefinition.ContentEncoding?
        var length: ElementDefinition.LengthEncoding?
        var padOfFixed: ElementDefinition.PadNibble?
        var padOfVariable: ElementDefinition.PadNibble?
    }

    struct ElementPart: Decodable {
        var name: String?
        var type: ElementDefinition.ContentType?
        var length: ElementDefinition.LengthKind?
        var max: Int?
        var encoding: ElementDefinition.ContentEncoding?
        var lengthEncoding: ElementDefinition.LengthEncoding?
        var unit: ElementDefinition.LengthUnit?
        var pad: ElementDefinition.PadNibble?
        var separator: String?
        var inside: String?
        var holds: ElementDefinition.Holding?
        var content: ElementDefinition.ContentCheck?
        var filled: Bool?
        /// Takes an element of the extended dialect out.
        var absent: Bool?
    }
}

extension ElementDefinition.ContentType: Decodable {}
extension ElementDefinition.ContentEncoding: Decodable {}
extension ElementDefinition.LengthKind: Decodable {}
extension ElementDefinition.LengthEncoding: Decodable {}
extension ElementDefinition.LengthUnit: Decodable {}
extension ElementDefinition.PadNibble: Decodable {}
extension ElementDefinition.Holding: Decodable {}
extension ElementDefinition.ContentCheck: Decodable {}
extension ElementDefinition.ChipDataForm: Decodable {}
extension Dialect.Header.Answer: Decodable {}
extension Dialect.MessageType.Encoding: Decodable {}
extension Dialect.Bitmap.Encoding: Decodable {}
extension Dialect.Bitmap.Secondary: Decodable {}

// MARK: - One over another

extension DialectFile {
    /// This file's values over those of the dialect that it extends.
    func over(_ base: DialectFile) -> DialectFile {
        var merged = base
        merged.description = description ?? base.description
        merged.header = header ?? base.header
        merged.iccData = iccData ?? base.iccData
        merged.messageType = MessageTypePart(
            encoding: messageType?.encoding ?? base.messageType?.encoding,
            version: messageType?.version ?? base.messageType?.version)
        merged.bitmap = BitmapPart(
            encoding: bitmap?.encoding ?? base.bitmap?.encoding, bits: bitmap?.bits ?? base.bitmap?.bits,
            secondary: bitmap?.secondary ?? base.bitmap?.secondary)
        merged.encodings = EncodingsPart(
            digits: encodings?.digits ?? base.encodings?.digits,
            text: encodings?.text ?? base.encodings?.text,
            binary: encodings?.binary ?? base.encodings?.binary,
            length: encodings?.length ?? base.encodings?.length,
            padOfFixed: encodings?.padOfFixed ?? base.encodings?.padOfFixed,
            padOfVariable: encodings?.padOfVariable ?? base.encodings?.padOfVariable)
        merged.indicators = IndicatorsPart(
            rows: indicators?.rows ?? base.indicators?.rows,
            ownReference: indicators?.ownReference ?? base.indicators?.ownReference,
            firstReference: indicators?.firstReference ?? base.indicators?.firstReference)
        merged.elements = (base.elements ?? [:]).merging(elements ?? [:]) { $1.over($0) }
        return merged
    }
}

extension DialectFile.ElementPart {
    func over(_ base: Self) -> Self {
        Self(
            name: name ?? base.name, type: type ?? base.type, length: length ?? base.length,
            max: max ?? base.max, encoding: encoding ?? base.encoding,
            lengthEncoding: lengthEncoding ?? base.lengthEncoding, unit: unit ?? base.unit,
            pad: pad ?? base.pad, separator: separator ?? base.separator, inside: inside ?? base.inside,
            holds: holds ?? base.holds, content: content ?? base.content,
            filled: filled ?? base.filled, absent: absent)
    }
}

// MARK: - What the merged file says

extension DialectFile {
    /// The definition of an element, with the dialect's encodings where it does not name its own.
    func definition(
        of number: String, _ part: ElementPart, dialect: String
    ) throws(DialectError) -> ElementDefinition {
        func fail(_ reason: String) -> DialectError {
            .element(dialect: dialect, element: number, reason: reason)
        }
        guard let name = part.name else { throw fail("name is missing") }
        guard let type = part.type else { throw fail("type is missing") }
        guard let max = part.max else { throw fail("max is missing") }
        let length = part.length ?? .fixed
        let general: ElementDefinition.ContentEncoding =
            switch type {
            case .digits, .track2, .signedDigits: encodings?.digits ?? .ascii
            case .letters, .alphanumeric, .text: encodings?.text ?? .ascii
            case .binary: encodings?.binary ?? .binary
            }
        let separator = part.separator ?? "="
        guard separator == "=" || separator == "D" else { throw fail("separator is neither = nor D") }
        var definition = ElementDefinition(
            name: name, type: type, length: length, max: max,
            encoding: part.encoding ?? general,
            lengthEncoding: part.lengthEncoding ?? encodings?.length ?? .ascii,
            lengthUnit: part.unit ?? .digits,
            pad: part.pad ?? (length == .fixed ? encodings?.padOfFixed : encodings?.padOfVariable) ?? .left0,
            separator: separator == "=" ? 0x3D : 0x44, holds: part.holds)
        definition.content = part.content ?? standardCheck(of: number)
        definition.isFilled = part.filled ?? false
        if number == "55" { definition.chipData = iccData ?? .tlv }
        if let reason = definition.contradiction { throw fail(reason) }
        return definition
    }

    /// The elements inside of another, which has no message type, bear other numbers: all of them are checked.
    private func standardCheck(of number: String) -> ElementDefinition.ContentCheck {
        guard messageType?.encoding != Dialect.MessageType.Encoding.none, let number = Int(number) else {
            return .type
        }
        let checked =
            messageType?.version == 1
            ? ElementDefinition.checkedElements1993 : ElementDefinition.checkedElements
        return checked.contains(number) ? .type : .any
    }
}
