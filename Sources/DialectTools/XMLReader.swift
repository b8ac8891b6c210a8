/// Elements and attributes of an XML document, as far as packagers need them. Everything else (comments, processing
/// instructions, the document type with its internal subset, character data) is passed over.
///
/// Foundation's parser ends the process on some documents. This one goes over the bytes once, keeps no more than it says
/// and refuses in words what it does not know.
struct XMLReader {
    enum Event: Equatable {
        case start(String, [String: String])
        case end(String)
    }

    private static let eventsMax = 40_000
    private static let depthMax = 64
    private static let attributesMax = 64
    private static let entityBytesMax = 4_096

    private let bytes: [UInt8]
    private var position = 0
    private var events: [Event] = []
    private var open: [String] = []
    private var entities: [String: String] = [
        "lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'",
    ]

    /// - Parameter file: UTF-8 without a byte order mark.
    /// - Throws: what is wrong with the document, with its line.
    static func events(of file: [UInt8]) throws(DialectImportError) -> [Event] {
        var reader = XMLReader(bytes: file)
        try reader.read()
        return reader.events
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func read() throws(DialectImportError) {
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "<") else {
                position += 1
                continue
            }
            if take("<!--") {
                try pass("-->", of: "a comment")
            } else if take("<![CDATA[") {
                try pass("]]>", of: "a CDATA section")
            } else if take("<?") {
                try pass("?>", of: "a processing instruction")
            } else if take("<!DOCTYPE") {
                try readDocumentType()
            } else if take("</") {
                try readEnd()
            } else {
                position += 1
                try readStart()
            }
            guard events.count <= Self.eventsMax else { throw fault("more than \(Self.eventsMax) elements") }
        }
        guard open.isEmpty else { throw fault("the element \(open.last ?? "") is not closed") }
    }

    // MARK: - Elements

    private mutating func readStart() throws(DialectImportError) {
        let name = try readName()
        var attributes: [String: String] = [:]
        while true {
            passBlanks()
            guard position < bytes.count else { throw fault("the element \(name) is cut short") }
            if take("/>") {
                events += [.start(name, attributes), .end(name)]
                return
            }
            if take(">") { break }
            let attribute = try readName()
            passBlanks()
            guard take("=") else { throw fault("the attribute \(attribute) has no value") }
            passBlanks()
            let value = try resolved(try readQuoted(attribute), attribute)
            guard attributes.updateValue(value, forKey: attribute) == nil else {
                throw fault("the attribute \(attribute) stands twice")
            }
            guard attributes.count <= Self.attributesMax else { throw fault("too many attributes") }
        }
        events.append(.start(name, attributes))
        open.append(name)
        guard open.count <= Self.depthMax else { throw fault("elements more than \(Self.depthMax) deep") }
    }

    private mutating func readEnd() throws(DialectImportError) {
        let name = try readName()
        passBlanks()
        guard take(">"), open.popLast() == name else { throw fault("</\(name)> closes nothing") }
        events.append(.end(name))
    }

    // MARK: - The document type

    /// The names of its parts are passed over; entities with a text of their own are kept for attributes.
    private mutating func readDocumentType() throws(DialectImportError) {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                _ = try readQuoted("DOCTYPE")
            } else if take("[") {
                try readInternalSubset()
            } else if take(">") {
                return
            } else {
                position += 1
            }
        }
        throw fault("the document type is cut short")
    }

    private mutating func readInternalSubset() throws(DialectImportError) {
        while position < bytes.count {
            if take("]") { return }
            if take("<!--") {
                try pass("-->", of: "a comment")
            } else if take("<?") {
                try pass("?>", of: "a processing instruction")
            } else if take("<!ENTITY") {
                try readEntity()
            } else if take("<!") {
                try passDeclaration()
            } else {
                position += 1
            }
        }
        throw fault("the document type is cut short")
    }

    private mutating func readEntity() throws(DialectImportError) {
        passBlanks()
        // Parameter entities and those in other files change nothing that is read here; one that is used is missed then.
        guard position < bytes.count, bytes[position] != UInt8(ascii: "%") else {
            return try passDeclaration()
        }
        let name = try readName()
        passBlanks()
        if position < bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "'")].contains(bytes[position]) {
            let value = try readQuoted(name)
            // The first one counts (XML 1.0 4.2).
            if entities[name] == nil, entities.count < Self.attributesMax {
                entities[name] = try resolved(value, name)
            }
        }
        try passDeclaration()
    }

    private mutating func passDeclaration() throws(DialectImportError) {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                _ = try readQuoted("a declaration")
            } else {
                position += 1
                if byte == UInt8(ascii: ">") { return }
            }
        }
        throw fault("a declaration is cut short")
    }

    // MARK: - Parts

    private mutating func readName() throws(DialectImportError) -> String {
        let start = position
        while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
        guard position > start, position - start <= 256 else { throw fault("a name is missing or too long") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x80...0xFF: true
        default: false
        }
    }

    private mutating func readQuoted(_ name: String) throws(DialectImportError) -> ArraySlice<UInt8> {
        guard position < bytes.count else { throw fault("\(name) is cut short") }
        let quote = bytes[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw fault("the value of \(name) is not in quotes")
        }
        let start = position + 1
        guard let end = bytes[start...].firstIndex(of: quote) else { throw fault("\(name) is cut short") }
        position = end + 1
        return bytes[start..<end]
    }

    /// The text with its references replaced.
    private func resolved(_ value: ArraySlice<UInt8>, _ name: String) throws(DialectImportError) -> String {
        let text = String(decoding: value, as: UTF8.self)
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            guard let end = rest[start...].firstIndex(of: ";") else { throw fault("\(name): & without ;") }
            result += try replacement(String(rest[rest.index(after: start)..<end]), name)
            guard result.utf8.count <= Self.entityBytesMax else { throw fault("\(name) is too long") }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private func replacement(_ reference: String, _ name: String) throws(DialectImportError) -> String {
        if reference.hasPrefix("#") {
            let digits = reference.dropFirst()
            let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            guard let scalar = value.flatMap(Unicode.Scalar.init) else {
                throw fault("\(name): no character &\(reference);")
            }
            return String(scalar)
        }
        guard let text = entities[reference] else {
            throw fault("\(name): the entity \(reference) is not known")
        }
        return text
    }

    private mutating func passBlanks() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes.count - position >= wanted.count,
            bytes[position..<position + wanted.count].elementsEqual(wanted)
        else { return false }
        position += wanted.count
        return true
    }

    private mutating func pass(_ end: StaticString, of what: String) throws(DialectImportError) {
        while position < bytes.count {
            if take(end) { return }
            position += 1
        }
        throw fault("\(what) is cut short")
    }

    private func fault(_ reason: String) -> DialectImportError {
        let line = 1 + bytes[..<min(position, bytes.count)].count { $0 == 0x0A }
        return DialectImportError("XML, line \(line): \(reason)")
    }
}
