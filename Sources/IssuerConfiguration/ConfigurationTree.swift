internal import Yams

/// A configuration as it is written: enough to lay files over each other and to write the outcome.
indirect enum ConfigurationTree {
    case scalar(String)
    case list([String])
    /// - Parameter isFlow: on one line, in braces.
    case section([(name: String, value: ConfigurationTree)], isFlow: Bool)

    /// - Returns: nil for YAML's null, which takes away what lies below it.
    init?(_ node: Node, keyLine: Int) {
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            if isPlain, ["", "~", "null"].contains(scalar.string) { return nil }
            self = .scalar(isPlain ? scalar.string : Self.quoted(scalar.string))
        case .sequence(let items):
            self = .list(
                items.compactMap { item in
                    if case .scalar(let text) = ConfigurationTree(item, keyLine: keyLine) {
                        text
                    } else {
                        nil
                    }
                })
        case .mapping(let mapping):
            self = .section(
                mapping.compactMap { key, value in
                    let line = key.mark?.line ?? 0
                    return ConfigurationTree(value, keyLine: line).map { (key.string ?? "", $0) }
                }, isFlow: node.mark?.line == keyLine)
        case .alias: return nil
        }
    }

    /// A value that a variable has given.
    init(_ value: SettingValue) {
        switch value {
        case .text(let text): self = .scalar(Self.written(text))
        case .number(let number): self = .scalar("\(number)")
        case .flag(let flag): self = .scalar("\(flag)")
        case .list(let items): self = .list(items.map(Self.written))
        }
    }

    private static func written(_ text: String) -> String {
        let isWord = text.first.map { $0.isLetter || $0 == "/" } ?? false
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0)) }
        return isWord && isPlain && !["true", "false", "null", "yes", "no", "on", "off"].contains(text)
            ? text : quoted(text)
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" } + "\""
    }

    /// This with another laid over it: sections grow together, all else is replaced. What a null takes away is gone, and
    /// so is a section that has lost everything.
    static func laid(_ overlay: Node, over base: ConfigurationTree?, keyLine: Int) -> ConfigurationTree? {
        guard case .mapping(let mapping) = overlay else {
            return ConfigurationTree(overlay, keyLine: keyLine)
        }
        var (entries, isFlow): ([(name: String, value: ConfigurationTree)], Bool) = (
            [], overlay.mark?.line == keyLine
        )
        if case .section(let known, let knownFlow) = base { (entries, isFlow) = (known, knownFlow) }
        for (key, value) in mapping {
            let name = key.string ?? ""
            let place = entries.firstIndex { $0.name == name }
            let new = laid(value, over: place.map { entries[$0].value }, keyLine: key.mark?.line ?? 0)
            switch (place, new) {
            case (let place?, let new?): entries[place].value = new
            case (let place?, nil): entries.remove(at: place)
            case (nil, let new?): entries.append((name, new))
            case (nil, nil): break
            }
        }
        return entries.isEmpty ? nil : .section(entries, isFlow: isFlow)
    }

    /// With a value at a path.
    func setting(_ path: ArraySlice<String>, to value: ConfigurationTree) -> ConfigurationTree {
        guard let name = path.first else { return value }
        var (entries, isFlow): ([(name: String, value: ConfigurationTree)], Bool) = ([], false)
        if case .section(let known, let knownFlow) = self { (entries, isFlow) = (known, knownFlow) }
        let empty = ConfigurationTree.section([], isFlow: isFlow)
        if let place = entries.firstIndex(where: { $0.name == name }) {
            entries[place].value = entries[place].value.setting(path.dropFirst(), to: value)
        } else {
            entries.append((name, empty.setting(path.dropFirst(), to: value)))
        }
        return .section(entries, isFlow: isFlow)
    }

    /// YAML, two spaces a level.
    func text(indentation: Int = 0) -> String {
        guard case .section(let entries, false) = self else { return flow }
        let margin = String(repeating: " ", count: indentation)
        return entries.map { name, value in
            let name = margin + Self.name(name)
            if case .section(_, false) = value {
                return "\(name):\n\(value.text(indentation: indentation + 2))"
            }
            return "\(name): \(value.flow)\n"
        }.joined()
    }

    /// A name of digits would read as a number elsewhere.
    private static func name(_ text: String) -> String { text.first?.isLetter == true ? text : "\"\(text)\"" }

    private var flow: String {
        switch self {
        case .scalar(let text): text
        case .list(let items): "[\(items.joined(separator: ", "))]"
        case .section(let entries, _):
            "{\(entries.map { "\(Self.name($0.name)): \($0.value.flow)" }.joined(separator: ", "))}"
        }
    }
}

/// Several files and the environment as one file.
package enum ConfigurationMerge {
    /// - Parameters:
    ///   - paths: a whole file, then files that are laid over it: what they say holds, `~` takes a key away.
    ///   - environment: variables `ISSUER_…` come before all of them.
    /// - Throws: where the outcome is no configuration; lines are those of the outcome.
    package static func text(paths: [String], environment: [String: String]) throws(ConfigurationError)
        -> String
    {
        var tree: ConfigurationTree?
        for path in paths {
            let root = try YAMLDocument.root(of: path)
            guard root.mapping != nil else { throw ConfigurationError("\(path): has to hold keys") }
            tree = ConfigurationTree.laid(root, over: tree, keyLine: 0)
        }
        guard let tree else {
            throw ConfigurationError("nothing is left of \(paths.joined(separator: ", "))")
        }
        let name = paths.joined(separator: " + ")
        let settings = try Settings(path: name, text: tree.text(), environment: environment)
        let whole = settings.overridden.reduce(tree) {
            $0.setting($1.path[...], to: ConfigurationTree($1.value))
        }
        return whole.text()
    }
}
