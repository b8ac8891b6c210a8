package import ISO8583

/// A dialect for people: a line for header, message type and bitmaps, then one for each element.
package enum DialectListing {
    /// The lines, without line ends.
    package static func lines(_ dialect: Dialect) -> [String] {
        var lines = ["\(dialect.name): \(dialect.description)"]
        let header = dialect.header
        if header.bytes > 0 {
            lines.append(
                "header        \(header.bytes) bytes\(header.isTPDU ? ", a TPDU" : ", \(header.answer.rawValue)")"
            )
        }
        lines.append(
            "message type  \(dialect.messageType.encoding.rawValue), version \(dialect.messageType.version)")
        let bitmap = dialect.bitmap
        lines.append("bitmap        \(bitmap.encoding.rawValue), second one \(bitmap.secondary.rawValue)")
        for element in dialect.definedElements {
            guard let definition = dialect[element] else { continue }
            let number = "\(element)".padded(to: 6)
            lines.append("\(number) \(attributes(definition).padded(to: 44)) \(definition.name)")
        }
        return lines
    }

    /// `n ..19  llvar ascii, bcd right0`.
    private static func attributes(_ definition: ElementDefinition) -> String {
        let isFixed = definition.length == .fixed
        var text = "\(definition.type.rawValue) \(isFixed ? "" : "..")\(definition.max)".padded(to: 12)
        if !isFixed {
            text += "\(definition.length.rawValue) \(definition.lengthEncoding.rawValue), "
        }
        text += definition.encoding.rawValue
        if definition.encoding == .bcd { text += " \(definition.pad.rawValue)" }
        if !isFixed, definition.lengthUnit == .bytes { text += ", counts bytes" }
        if definition.content != .any { text += ", \(definition.content.rawValue) checked" }
        if definition.chipData != .tlv { text += ", \(definition.chipData.rawValue)" }
        return text
    }
}

extension String {
    /// With spaces behind it up to so many characters.
    func padded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - self.count)) }
}
