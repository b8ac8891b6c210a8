internal import ByteCoding
internal import EMV
package import ISO8583

/// Messages as hex and as fields in YAML, for whoever changes one by hand. Both hold test data in clear.
package enum MessageText {
    /// Reads hex digits; white space is left out, and with a dialect a length before the message where it is right.
    /// - Parameter dialect: nil takes the bytes as they are.
    package static func bytes(hex: String, dialect: Dialect?) throws -> [UInt8] {
        // Lines as this simulator prints them begin with who sent them.
        let digits = hex.split(whereSeparator: \.isWhitespace).filter { $0 != "sent" }.joined()
        guard !digits.isEmpty else { throw StepError("there are no hex digits") }
        guard let bytes = try? Hex.decode(digits) else {
            throw StepError("hex digits are expected, two a byte and nothing else")
        }
        guard let dialect else { return bytes }
        let codec = MessageCodec(dialect: dialect)
        do throws(MessageDecodingError) {
            _ = try codec.decode(bytes)
            return bytes
        } catch {
            if let inner = MessageEvidence.framed(bytes), (try? codec.decode(inner)) != nil { return inner }
            throw StepError(
                "no message of dialect \(dialect.name): \(error) (`issuer-host decode --dialect auto` tries all; "
                    + "--raw sends it all the same)")
        }
    }

    /// A message as fields: `mti`, `header` where there is one, then elements by number; those of bytes as hex, DE55 as
    /// its objects.
    package static func yaml(_ bytes: [UInt8], dialect: Dialect) throws -> String {
        let message = try MessageCodec(dialect: dialect).decode(bytes)
        var lines = [
            "# dialect \(dialect.name); text in quotes, elements of bytes as hex", "mti: \"\(message.mti)\"",
        ]
        if !message.header.isEmpty { lines.append("header: \"\(Hex.encode(message.header))\"") }
        lines.append("fields:")
        for element in message.presentElements {
            guard let content = message.bytes(element) else { continue }
            let name = dialect[element].map { "  # \($0.name)" } ?? ""
            if element == .iccData, let objects = try? TLVReader.objects(in: content) {
                lines.append("  55:\(name)")
                lines += objects.map { "    \"\($0.0)\": \"\(Hex.encode($0.1))\"" }
            } else if isBinary(element, dialect) {
                lines.append("  \(element.rawValue): \"\(Hex.encode(content))\"\(name)")
            } else {
                lines.append(
                    "  \(element.rawValue): \(ScenarioRecording.quoted(message.text(element) ?? ""))\(name)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Fields back to bytes.
    /// - Parameter file: for error texts.
    /// - Throws: `ScenarioError` with the place, or `StepError`.
    package static func bytes(yaml: String, file: String, dialect: Dialect) throws -> [UInt8] {
        var message = Message(mti: .authorisationRequest)
        var mti: MTI?
        for entry in try ScenarioNode(yaml: yaml, file: file).entries(["mti", "header", "fields"]) {
            switch entry.key {
            case "mti":
                let text = try entry.value.text()
                guard text.utf8.count == 4, let value = UInt16(text, radix: 16) else {
                    throw entry.value.fault("four digits of a message type are expected here")
                }
                mti = MTI(rawValue: value)
            case "header": message.header = try ScenarioStepReader.hex(entry.value)
            default: for field in try entry.value.entries() { try set(field, of: &message, dialect: dialect) }
            }
        }
        guard let mti else { throw StepError("\(file): key mti is missing") }
        message.mti = mti
        do { return try MessageCodec(dialect: dialect).encode(message) } catch {
            throw StepError("\(file): cannot be written in dialect \(dialect.name): \(error)")
        }
    }

    private static func set(_ field: ScenarioNode.Entry, of message: inout Message, dialect: Dialect) throws {
        let element = try ScenarioStepReader.element(field.key, field.place)
        guard dialect[element] != nil else {
            throw ScenarioError(
                place: field.place, reason: "\(element) is no element of dialect \(dialect.name)")
        }
        if element == .iccData, case .map(let objects) = field.value.content {
            var writer = TLVWriter(reserving: 256)
            for object in objects {
                let tag = try ScenarioStepReader.tag(object.key, object.place)
                writer.append(tag, try ScenarioStepReader.hex(object.value))
            }
            message.set(.iccData, bytes: writer.bytes)
        } else if isBinary(element, dialect) {
            message.set(element, bytes: try ScenarioStepReader.hex(field.value))
        } else {
            message.set(element, text: try field.value.text())
        }
    }

    private static func isBinary(_ element: DataElement, _ dialect: Dialect) -> Bool {
        dialect[element]?.type == .binary || element == .iccData
    }

    /// Decoded and masked, or how long it is where it is no message of the dialect.
    package static func listing(_ bytes: [UInt8], title: String, dialect: Dialect) -> String {
        guard let message = try? MessageCodec(dialect: dialect).decode(bytes) else {
            return "\(title): \(bytes.count) bytes, no message of dialect \(dialect.name)"
        }
        return Printing.message(message, title: title, dialect: dialect)
    }
}
