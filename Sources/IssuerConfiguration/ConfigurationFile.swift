internal import Configuration
internal import Foundation
internal import Yams

/// A YAML file that has been held against the schema, as a provider for swift-configuration. Environment
/// variables `ISSUER_…` come before it: `ISSUER_REDIS_PORT` for `redis.port`.
struct ConfigurationFile {
    let reader: ConfigReader
    /// The folder that relative paths start from.
    let folder: String
    private let sections: [String: [String]]

    init(path: String) throws(ConfigurationError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError("\(path): cannot be read")
        }
        let root: Node?
        do { root = try Yams.compose(yaml: String(decoding: data, as: UTF8.self)) } catch {
            throw ConfigurationError("\(path): \(error)")
        }
        guard let root else { throw ConfigurationError("\(path): empty") }
        var walk = Walk(file: path)
        try walk.visit(root, [])
        let environment = EnvironmentVariablesProvider().prefixKeys(with: "issuer")
        reader = ConfigReader(providers: [
            environment, InMemoryProvider(name: "file", values: walk.values),
        ])
        sections = walk.sections
        folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    }

    /// The names that the operator chose below a section, in the order of the file.
    func names(in section: String) -> [String] { sections[section] ?? [] }

    func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : folder + "/" + path
    }

    /// Goes through the file once.
    private struct Walk {
        let file: String
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        var sections: [String: [String]] = [:]

        mutating func visit(_ node: Node, _ path: [String]) throws(ConfigurationError) {
            if let kind = ConfigurationSchema.kind(of: path) {
                values[AbsoluteConfigKey(path, context: [:])] = try value(node, kind, path)
                return
            }
            guard ConfigurationSchema.isSection(path) else {
                let nearest = ConfigurationSchema.nearest(to: path).map { "; did you mean \($0)?" } ?? ""
                throw fault(node, "unknown key \(path.joined(separator: "."))\(nearest)")
            }
            guard let mapping = node.mapping else {
                throw fault(node, "\(path.joined(separator: ".")) has to hold further keys")
            }
            for (key, child) in mapping {
                guard let name = key.string else { throw fault(key, "a key has to be text") }
                sections[path.joined(separator: "."), default: []].append(name)
                try visit(child, path + [name])
            }
        }

        private func value(
            _ node: Node, _ kind: ConfigurationSchema.Kind, _ path: [String]
        ) throws(ConfigurationError) -> ConfigValue {
            let name = path.joined(separator: ".")
            switch kind {
            case .text:
                guard let text = node.scalar?.string else { throw fault(node, "\(name) has to be text") }
                return ConfigValue(.string(text), isSecret: false)
            case .number:
                guard let text = node.scalar?.string, let number = Int(text), number >= 0 else {
                    throw fault(node, "\(name) has to be a whole number")
                }
                return ConfigValue(.int(number), isSecret: false)
            case .flag:
                guard let flag = node.bool else { throw fault(node, "\(name) has to be true or false") }
                return ConfigValue(.bool(flag), isSecret: false)
            case .list:
                guard let items = node.sequence?.map({ $0.scalar?.string }), !items.contains(nil) else {
                    throw fault(node, "\(name) has to be a list of names")
                }
                return ConfigValue(.stringArray(items.compactMap(\.self)), isSecret: false)
            }
        }

        private func fault(_ node: Node, _ reason: String) -> ConfigurationError {
            let line = node.mark.map { ":\($0.line)" } ?? ""
            return ConfigurationError("\(file)\(line): \(reason)")
        }
    }
}
