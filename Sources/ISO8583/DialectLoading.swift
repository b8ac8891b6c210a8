import FoundationEssentials

extension Dialect {
    /// Reads a dialect from its file. The dialects that it extends or contains are looked for in the same
    /// folder.
    package init(contentsOf path: String) throws(DialectError) {
        let url = URL(filePath: path)
        let folder = url.deletingLastPathComponent()
        try self.init(
            json: try Self.read(path, name: Self.stem(url.lastPathComponent)),
            name: Self.stem(url.lastPathComponent)
        ) { (other: String) throws(DialectError) -> [UInt8] in
            guard !other.isEmpty, !other.contains("/"), !other.hasPrefix(".") else {
                throw .unreadable(dialect: other, reason: "it has to be a name in the same folder")
            }
            return try Self.read(folder.appending(path: other + ".json").path(), name: other)
        }
    }

    /// Reads a dialect that stands alone.
    package init(json: [UInt8], name: String) throws(DialectError) {
        try self.init(json: json, name: name) { (other: String) throws(DialectError) -> [UInt8] in
            throw .unreadable(dialect: other, reason: "\(name) is not read from a folder")
        }
    }

    /// Reads a dialect; `other` gives the JSON of those that it extends or contains.
    package init(
        json: [UInt8], name: String, other: (String) throws(DialectError) -> [UInt8]
    ) throws(DialectError) {
        try self.init(json: json, name: name, depth: 0, other: other)
    }

    /// Nobody needs longer chains of dialects; a circle has no end.
    private static let depthMax = 8

    private init(
        json: [UInt8], name: String, depth: Int, other: (String) throws(DialectError) -> [UInt8]
    ) throws(DialectError) {
        guard depth <= Self.depthMax else { throw .tooDeep(dialect: name) }
        let file = try Self.merged(json, name: name, depth: depth, other: other)
        var elements = [ElementDefinition?](repeating: nil, count: 129)
        var inner: [DataElement: Dialect] = [:]
        for (number, part) in file.elements ?? [:] where part.absent != true {
            guard let value = UInt8(number), let element = DataElement(rawValue: value) else {
                throw .element(dialect: name, element: number, reason: "not a number of 1 to 128")
            }
            elements[Int(value)] = try file.definition(of: number, part, dialect: name)
            if let inside = part.inside {
                inner[element] = try Dialect(
                    json: try other(inside), name: inside, depth: depth + 1, other: other)
            }
        }
        let bits = file.bitmap?.bits ?? 64
        let secondary = file.bitmap?.secondary ?? .announced
        guard (8...64).contains(bits), bits.isMultiple(of: 8), bits == 64 || secondary == .never else {
            throw .malformed(
                dialect: name,
                reason: "bitmap.bits has to be 64, or a multiple of 8 without a secondary bitmap")
        }
        let reach = secondary == .never ? 1...bits : 2...128
        if let outside = elements.indices.first(where: { elements[$0] != nil && !reach.contains($0) }) {
            throw .element(dialect: name, element: "\(outside)", reason: "outside of the bitmap")
        }
        let isTPDU = file.header?.tpdu ?? false
        let header = Header(
            bytes: file.header?.bytes ?? 0, answer: file.header?.answer ?? (isTPDU ? .exchanged : .kept))
        guard (0...256).contains(header.bytes), !isTPDU || header.bytes == TPDU.byteCount else {
            throw .malformed(dialect: name, reason: "header.bytes has to be 0 to 256, of a TPDU 5")
        }
        let version = file.messageType?.version ?? 0
        guard version <= 9 else { throw .malformed(dialect: name, reason: "messageType.version is no digit") }
        self.init(
            name: name, description: file.description ?? "", header: header,
            messageType: MessageType(encoding: file.messageType?.encoding ?? .ascii, version: version),
            bitmap: Bitmap(encoding: file.bitmap?.encoding ?? .binary, bits: bits, secondary: secondary),
            elements: elements, inner: inner)
        indicators.rows = file.indicators?.rows ?? []
        indicators.ownReference = file.indicators?.ownReference
        indicators.firstReference = file.indicators?.firstReference
    }

    private static func merged(
        _ json: [UInt8], name: String, depth: Int, other: (String) throws(DialectError) -> [UInt8]
    ) throws(DialectError) -> DialectFile {
        guard depth <= depthMax else { throw .tooDeep(dialect: name) }
        let file = try parse(json, name: name)
        guard let base = file.extends else { return file }
        return file.over(try merged(try other(base), name: base, depth: depth + 1, other: other))
    }

    private static func parse(_ json: [UInt8], name: String) throws(DialectError) -> DialectFile {
        let data = Data(json)
        do {
            let keys = try JSONDecoder().decode(KeyTree.self, from: data)
            try keys.check(dialect: name)
            return try JSONDecoder().decode(DialectFile.self, from: data)
        } catch let error as DialectError {
            throw error
        } catch let error as DecodingError {
            throw .malformed(dialect: name, reason: words(for: error))
        } catch {
            throw .malformed(dialect: name, reason: "not readable as JSON")
        }
    }

    private static func words(for error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case .dataCorrupted(let context): "\(place(context)): \(context.debugDescription)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(place(context)): wrong kind of value"
        case .keyNotFound(let key, let context): "\(place(context)): \(key.stringValue) is missing"
        @unknown default: "not of the form of a dialect"
        }
    }

    private static func read(_ path: String, name: String) throws(DialectError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .unreadable(dialect: name, reason: "no readable file \(path)")
        }
        return Array(data)
    }

    private static func stem(_ file: String) -> String {
        file.hasSuffix(".json") ? String(file.dropLast(5)) : file
    }
}

/// The keys of a JSON object and of those inside of it, to refuse what a dialect does not have: a misspelt
/// key would otherwise be passed over in silence.
private struct KeyTree: Decodable {
    private var keys: [String: KeyTree] = [:]

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: Key.self) else { return }
        for key in container.allKeys {
            keys[key.stringValue] = try container.decode(KeyTree.self, forKey: key)
        }
    }

    func check(dialect: String) throws(DialectError) {
        let parts: [String: [String]] = [
            "description": [], "extends": [], "header": ["bytes", "tpdu", "answer"],
            "messageType": ["encoding", "version"], "bitmap": ["encoding", "bits", "secondary"],
            "encodings": ["digits", "text", "binary", "length", "padOfFixed", "padOfVariable"],
            "iccData": [], "elements": [], "indicators": ["rows", "ownReference", "firstReference"],
        ]
        let element = [
            "name", "type", "length", "max", "encoding", "lengthEncoding", "unit", "pad", "separator",
            "inside", "holds", "content", "filled", "absent",
        ]
        try check(against: parts.keys.sorted(), path: "", dialect: dialect)
        for (part, known) in parts where part != "elements" {
            try keys[part]?.check(against: known, path: part + ".", dialect: dialect)
        }
        for (number, tree) in keys["elements"]?.keys ?? [:] {
            try tree.check(against: element, path: "elements.\(number).", dialect: dialect)
        }
    }

    private func check(against known: [String], path: String, dialect: String) throws(DialectError) {
        for key in keys.keys.sorted() where !known.contains(key) {
            let nearest = known.min { Self.distance($0, key) < Self.distance($1, key) }
            throw .unknownKey(dialect: dialect, key: path + key, nearest: nearest)
        }
    }

    /// Levenshtein distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        var row = Array(0...right.count)
        for (line, first) in left.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for (column, second) in right.enumerated() {
                let change = diagonal + (first == second ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
