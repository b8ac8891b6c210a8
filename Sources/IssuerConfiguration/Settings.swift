internal import Foundation

/// What holds: the environment before the file, the file before the defaults.
package struct Settings: Sendable {
    /// Where a value comes from.
    package enum Origin: Sendable, Equatable {
        /// The line of the file.
        case file(line: Int)
        /// The variable.
        case environment(String)
        /// Neither says anything.
        case standard
    }

    /// The file.
    package let path: String
    private var entries: [[String]: (value: SettingValue, origin: Origin)] = [:]
    private let sections: [[String]: (names: [String], line: Int)]
    /// True where the token's PIN is in the environment.
    let hasTokenPIN: Bool

    init(path: String, environment: [String: String]) throws(ConfigurationError) {
        try self.init(try ConfigurationFile(path: path), path, environment: environment)
    }

    /// - Parameter path: for errors.
    init(path: String, text: String, environment: [String: String]) throws(ConfigurationError) {
        let file = try ConfigurationFile(path: path, root: try YAMLDocument.root(text, path))
        try self.init(file, path, environment: environment)
    }

    private init(
        _ file: ConfigurationFile, _ path: String, environment: [String: String]
    ) throws(ConfigurationError) {
        self.path = path
        sections = file.sections
        hasTokenPIN = environment[EnvironmentOverrides.tokenPIN] != nil
        for (path, entry) in file.values { entries[path] = (entry.value, .file(line: entry.line)) }
        let table = try EnvironmentOverrides.variables(path) { file.sections[$0]?.names ?? [] }
        for (path, override) in try EnvironmentOverrides.read(environment, table) {
            entries[path] = (override.value, .environment(override.variable))
        }
    }

    /// The folder that relative paths start from.
    var folder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// A file beside the configuration, with its name and another ending.
    func path(endingWith ending: String) -> String {
        URL(fileURLWithPath: path).deletingPathExtension().appendingPathExtension(ending).path
    }

    func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : folder + "/" + path }

    /// The names that the operator chose below a section, in the order of the file.
    func names(_ section: [String]) -> [String] { sections[section]?.names ?? [] }

    /// Whether file or environment has something there.
    func has(_ section: [String]) -> Bool {
        sections[section] != nil || entries.keys.contains { $0.starts(with: section) }
    }

    func entry(_ path: [String]) -> (value: SettingValue, origin: Origin)? { entries[path] }

    /// `FILE:LINE`, or the variable: where a value stands, or else its section.
    func place(_ path: [String]) -> String {
        switch entries[path]?.origin {
        case .environment(let variable): return variable
        case .file(let line): return "\(self.path):\(line)"
        case .standard, nil: break
        }
        var section = path
        while !section.isEmpty {
            section.removeLast()
            if let line = sections[section]?.line, line > 1 { return "\(self.path):\(line)" }
        }
        return self.path
    }

    /// Words that begin with a key, behind the place of that key: `FILE:LINE: links.a.port: …`.
    package func located(_ words: String) -> String {
        let known = entries.keys.filter { path in
            let key = path.joined(separator: ".")
            guard words.hasPrefix(key) else { return false }
            return words.dropFirst(key.count).first.map { ":. ".contains($0) } ?? true
        }
        if let path = known.max(by: { $0.count < $1.count }) { return "\(place(path)): \(words)" }
        let sections = sections.keys.filter { !$0.isEmpty && words.hasPrefix($0.joined(separator: ".")) }
        return (sections.max { $0.count < $1.count }).map { "\(place($0 + [""])): \(words)" } ?? words
    }

    /// The keys that the environment sets, each with its variable, in the order of the variables.
    package var overrides: [(key: String, variable: String)] {
        entries.compactMap { path, entry in
            guard case .environment(let variable) = entry.origin else { return nil }
            return (path.joined(separator: "."), variable)
        }
        .sorted { $0.variable < $1.variable }
    }

    /// Their places and values.
    var overridden: [(path: [String], value: SettingValue)] {
        entries.compactMap { path, entry in
            if case .environment = entry.origin { (path, entry.value) } else { nil }
        }
        .sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    /// Every key that holds, in the order of the schema: the file's, the environment's, and the defaults of sections
    /// that are there.
    package var effective: [(key: String, value: SettingValue?, row: ConfigurationKey, origin: Origin)] {
        ConfigurationSchema.keys.flatMap { row in
            EnvironmentOverrides.paths(row.parts[...], [], names: names).compactMap { path in
                let name = path.joined(separator: ".")
                if let entry = entries[path] { return (name, entry.value, row, entry.origin) }
                let section = Array(path.dropLast())
                guard section.count < 3 || has(section) else { return nil }
                return (name, row.standardValue, row, .standard)
            }
        }
    }

    /// The first key that only a restart can change, and that is not as before.
    package func firstKeyThatNeedsARestart(since old: Settings) -> String? {
        ConfigurationSchema.keys.lazy.filter { !$0.isReloadable }
            .first { row in
                let path = row.parts
                return (self.entries[path]?.value ?? row.standardValue)
                    != (old.entries[path]?.value ?? row.standardValue)
            }?.path
    }

    func section(_ path: String...) -> Section { Section(settings: self, path: path) }
}

/// Reads the keys below one path. Kinds and defaults are the schema's.
struct Section {
    let settings: Settings
    let path: [String]

    func section(_ names: String...) -> Section { Section(settings: settings, path: path + names) }

    /// Whether file or environment has something there.
    var isThere: Bool { settings.has(path) }

    /// Whether file or environment says something, be it the default.
    func isWritten(_ key: String) -> Bool { settings.entry(full(key)) != nil }

    /// A fault of a key, behind its `FILE:LINE` or variable.
    func fault(_ key: String, _ words: String) -> ConfigurationError {
        let path = full(key)
        return ConfigurationError("\(settings.place(path)): \(path.joined(separator: ".")) \(words)")
    }

    func text(_ key: String) throws(ConfigurationError) -> String {
        guard case .text(let text) = try value(key) else { preconditionFailure("\(key) is no text") }
        return text
    }

    func file(_ key: String) throws(ConfigurationError) -> String { settings.absolute(try text(key)) }

    func number(_ key: String) throws(ConfigurationError) -> Int {
        guard case .number(let number) = try value(key) else { preconditionFailure("\(key) is no number") }
        return number
    }

    func flag(_ key: String) throws(ConfigurationError) -> Bool {
        guard case .flag(let flag) = try value(key) else { preconditionFailure("\(key) is no flag") }
        return flag
    }

    func list(_ key: String) throws(ConfigurationError) -> [String] { listIfThere(key) ?? [] }

    func textIfThere(_ key: String) -> String? {
        if case .text(let text) = known(key) { text } else { nil }
    }

    func fileIfThere(_ key: String) -> String? { textIfThere(key).map(settings.absolute) }

    func numberIfThere(_ key: String) -> Int? {
        if case .number(let number) = known(key) { number } else { nil }
    }

    func listIfThere(_ key: String) -> [String]? {
        if case .list(let items) = known(key) { items } else { nil }
    }

    private func full(_ key: String) -> [String] { path + key.split(separator: ".").map(String.init) }

    private func known(_ key: String) -> SettingValue? {
        let path = full(key)
        return settings.entry(path)?.value ?? ConfigurationSchema.key(path)?.standardValue
    }

    private func value(_ key: String) throws(ConfigurationError) -> SettingValue {
        if let value = known(key) { return value }
        let sentence = ConfigurationSchema.key(full(key))?.sentence ?? ""
        throw fault(
            key,
            "is missing: \(sentence) Write it in the file or set \(EnvironmentOverrides.variable(full(key)))")
    }
}
