internal import Foundation
internal import Yams

/// The tree of a YAML file. Errors name the line and what is wrong there, never what the file says there.
enum YAMLDocument {
    static func root(of path: String) throws(ConfigurationError) -> Node {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError("\(path): cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError("\(path): is no text in UTF-8")
        }
        return try root(text, path)
    }

    /// - Parameter path: for errors.
    static func root(_ text: String, _ path: String) throws(ConfigurationError) -> Node {
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch let error as YamlError {
            throw ConfigurationError("\(path)\(words(error, text))")
        } catch {
            throw ConfigurationError("\(path): is no YAML")
        }
        guard let root else { throw ConfigurationError("\(path): is empty") }
        return root
    }

    private static func words(_ error: YamlError, _ text: String) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ":\(mark.line): is no YAML: \(problem)"
        case .reader(let problem, let offset, _, _):
            let line = offset.map { text.prefix($0).count { $0.isNewline } + 1 }
            return (line.map { ":\($0)" } ?? "") + ": is no YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            let lines = linesOfKey(keys.first ?? "", like: context.mark, in: text)
            let places =
                lines.count > 1 ? "; its lines are \(lines.map(String.init).joined(separator: ", "))" : ""
            return ":\(lines.last ?? context.mark.line): the key \(keys.first ?? "") is there twice\(places)"
        default: return ": is no YAML"
        }
    }

    /// The lines on which a key stands at the same column as where it was first found, in the same mapping.
    private static func linesOfKey(_ key: String, like mark: Mark, in text: String) -> [Int] {
        var found = [mark.line]
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated().dropFirst(mark.line) {
            let indentation = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indentation)
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            if indentation + 1 < mark.column { break }
            guard indentation + 1 == mark.column else { continue }
            let written = content.prefix { $0 != ":" }.filter { $0 != "\"" && $0 != "'" && $0 != " " }
            if written == key { found.append(index + 1) }
        }
        return found
    }
}
