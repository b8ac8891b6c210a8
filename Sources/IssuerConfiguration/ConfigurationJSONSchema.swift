internal import Foundation

/// The schema for editors (JSON Schema, draft 2020-12).
package enum ConfigurationJSONSchema {
    /// The whole document.
    package static var text: String {
        var document = node(ConfigurationSchema.keys.map { ($0.parts[...], $0) })
        document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        document["title"] = "Configuration of issuer-host"
        document["required"] = ["dialects", "issuers", "keys", "links", "profile", "token"]
        // What the schema says are texts, numbers and lists of them.
        let data = try? JSONSerialization.data(
            withJSONObject: document, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data ?? Data(), as: UTF8.self) + "\n"
    }

    private static func node(_ rows: [(parts: ArraySlice<String>, key: ConfigurationKey)]) -> [String: Any] {
        if let row = rows.first, row.parts.isEmpty { return leaf(row.key) }
        let groups = Dictionary(grouping: rows) { $0.parts.first ?? "" }
        let children = groups.mapValues { rows in node(rows.map { ($0.parts.dropFirst(), $0.key) }) }
        var section: [String: Any] = ["type": "object", "minProperties": 1]
        if let chosen = children["*"] {
            section["additionalProperties"] = chosen
            section["propertyNames"] = ["pattern": "^[A-Za-z0-9_.-]{1,64}$"]
            return section
        }
        section["additionalProperties"] = false
        section["properties"] = children
        let required = rows.filter { $0.parts.count == 1 && $0.key.standard == .required }.compactMap(
            \.parts.first)
        if !required.isEmpty { section["required"] = required.sorted() }
        return section
    }

    private static func leaf(_ key: ConfigurationKey) -> [String: Any] {
        var leaf: [String: Any] = [
            "description": key.unit.map { "\(key.sentence) In \($0)." } ?? key.sentence
        ]
        switch key.kind {
        // YAML reads 476173 and 1.2 as numbers, the host as they are written.
        case .text, .file: leaf["type"] = ["string", "number"]
        case .choice(let words):
            leaf["enum"] = words.flatMap { word -> [Any] in Double(word).map { [word, $0] } ?? [word] }
        case .number(let bounds):
            leaf["type"] = "integer"
            leaf["minimum"] = bounds.lowerBound
            leaf["maximum"] = bounds.upperBound
        case .flag: leaf["type"] = "boolean"
        case .list:
            leaf["type"] = "array"
            leaf["uniqueItems"] = true
            leaf["items"] = ["type": ["string", "number"]]
        }
        if case .value(let text) = key.standard { leaf["default"] = standard(text, key.kind) }
        return leaf
    }

    private static func standard(_ text: String, _ kind: ConfigurationKey.Kind) -> Any {
        switch try? SettingValue(text, kind) {
        case .number(let number): number
        case .flag(let flag): flag
        case .list(let items): items
        case .text(let text): text
        case nil: text
        }
    }
}
