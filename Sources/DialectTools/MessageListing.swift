internal import EMV
package import ISO8583

/// A message for people, field by field and masked, with DE55 opened.
package enum MessageListing {
    /// The lines, without line ends.
    package static func lines(_ message: Message, dialect: Dialect) -> [String] {
        var lines = ["\(message.mti)"]
        if !message.header.isEmpty { lines.append("header \(message.header.count) bytes") }
        for (element, name, value) in message.describe(dialect: dialect) {
            lines.append("\("\(element)".padded(to: 6)) \(name.padded(to: 44)) \(value)")
            if element == .iccData, let data = message.bytes(element) { lines += chip(data) }
            if let inside = dialect.inside(element), let content = message.bytes(element) {
                lines += nested(content, inside)
            }
        }
        return lines
    }

    private static func chip(_ data: ArraySlice<UInt8>) -> [String] {
        do throws(TLVError) {
            return try ChipDataListing.lines(data).map { line in
                let indent = String(repeating: "  ", count: line.depth + 1)
                return
                    "       \(indent)\("\(line.tag)".padded(to: 6)) \(line.name.padded(to: 40)) \(line.value)"
            }
        } catch {
            return ["         no BER-TLV: \(error)"]
        }
    }

    private static func nested(_ content: ArraySlice<UInt8>, _ dialect: Dialect) -> [String] {
        do throws(MessageDecodingError) {
            let message = try MessageCodec(dialect: dialect).decode(Array(content))
            return message.describe(dialect: dialect).map { element, name, value in
                // What is private outside is private inside: names only.
                "         .\(element.rawValue) \(name) (\(message.count(of: element) ?? 0) bytes)"
            }
        } catch {
            return ["         cannot be taken apart: \(error)"]
        }
    }
}
