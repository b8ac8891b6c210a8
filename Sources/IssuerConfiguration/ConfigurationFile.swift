internal import Foundation
internal import Yams

/// A YAML file that has been held against the schema.
struct ConfigurationFile {
    /// Values by path, each with its line.
    private(set) var values: [[String]: (value: SettingValue, line: Int)] = [:]
    /// The names below each section, in the order of the file, and the line of the section.
    private(set) var sections: [[String]: (names: [String], line: Int)] = [:]
    private let file: String

    init(path: String) throws(ConfigurationError) {
        try self.init(path: path, root: try YAMLDocument.root(of: path))
    }

    /// - Parameter path: for errors.
    init(path: String, root: Node) throws(ConfigurationError) {
        file = path
        try visit(root, [], line: 1)
    }

    /// - Parameter line: that of the key.
    private mutating func visit(_ node: Node, _ path: [String], line: Int) throws(ConfigurationError) {
        if let key = ConfigurationSchema.key(path) {
            values[path] = (try value(node, key, path: path, line: line), line)
            return
        }
        let place = path.joined(separator: ".")
        guard ConfigurationSchema.isSection(path) else {
            let nearest = ConfigurationSchema.nearest(to: path).map { "; did you mean \($0)?" } ?? ""
            throw fault(line, "unknown key \(place)\(nearest)")
        }
        guard let mapping = node.mapping else { throw fault(line, "\(place) has to hold further keys") }
        // What is there means something (`tls`): an empty section would mean less than it says.
        guard !mapping.isEmpty else { throw fault(line, "\(place) is empty: give it keys or take it out") }
        sections[path] = (mapping.keys.compactMap(\.string), line)
        let areChosen = ConfigurationSchema.holdsNames(path)
        for (key, child) in mapping {
            guard let name = key.scalar?.string else {
                throw fault(key.mark?.line ?? line, "a key has to be text")
            }
            guard !areChosen || ConfigurationFile.isName(name) else {
                throw fault(
                    key.mark?.line ?? line,
                    "\(place): a name is letters, digits, '-', '_' and '.', at most 64, with a letter or "
                        + "digit among them")
            }
            try visit(child, path + [name], line: key.mark?.line ?? line)
        }
    }

    /// Names of links, ranges and key versions stand in logs, metrics, the journal and variables.
    static func isName(_ text: String) -> Bool {
        text.utf8.count <= 64 && text.contains { $0.isASCII && ($0.isLetter || $0.isNumber) }
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }

    private func value(
        _ node: Node, _ key: ConfigurationKey, path: [String], line: Int
    ) throws(ConfigurationError) -> SettingValue {
        do throws(SettingValue.Refusal) {
            if key.kind == .list {
                guard let items = node.sequence?.map({ ConfigurationFile.text($0) }), !items.contains(nil)
                else { throw SettingValue.Refusal(words: "has to be a list of names") }
                return try SettingValue(items: items.compactMap(\.self))
            }
            guard node.scalar != nil else {
                throw SettingValue.Refusal(words: "has to be \(key.kind.words)")
            }
            return try SettingValue(ConfigurationFile.text(node) ?? "", key.kind)
        } catch {
            throw fault(line, "\(path.joined(separator: ".")) \(error.words)")
        }
    }

    /// A scalar as it is written; empty for YAML's null.
    private static func text(_ node: Node) -> String? {
        guard let scalar = node.scalar else { return nil }
        let isNull = scalar.style == .plain && ["~", "null", "Null", "NULL"].contains(scalar.string)
        return isNull ? "" : scalar.string
    }

    private func fault(_ line: Int, _ reason: String) -> ConfigurationError {
        ConfigurationError("\(file):\(line): \(reason)")
    }
}
