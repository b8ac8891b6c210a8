internal import ArgumentParser
internal import Foundation
internal import IssuerConfiguration

/// `issuer-host config`: what there is to configure, and what holds.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "What can be configured, and what holds.",
        subcommands: [ConfigReference.self, ConfigSchema.self, ConfigShow.self, ConfigMerge.self])
}

struct ConfigReference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print docs/configuration.md: every key with kind, default and bounds.")

    func run() { print(ConfigurationReference.markdown, terminator: "") }
}

struct ConfigSchema: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print Config/issuer-host.schema.json, a JSON Schema for editors.")

    func run() { print(ConfigurationJSONSchema.text, terminator: "") }
}

struct ConfigMerge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Print one file made of a file, files laid over it, and the environment.",
        discussion: """
            What a later file says holds; `~` takes a key away. Variables ISSUER_... come before all files and are \
            values of the outcome. Relative paths stay as they are written. What is no configuration is refused.
            """)

    @Argument(help: "The file, then what is laid over it.") var files: [String]

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        print(try ConfigurationMerge.text(paths: files, environment: environment), terminator: "")
    }
}

struct ConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the values of a file and where each comes from.",
        discussion: """
            One line a key: key, value, origin. The origin is the line of the file, the variable of the environment, or \
            `default`. What may hold a secret is masked.
            """)

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Defaults as well: everything that holds.") var effective = false

    func run() throws {
        let configuration = try IssuerConfiguration(path: options.config)
        for entry in configuration.settings.effective where effective || entry.origin != .standard {
            let value = entry.value ?? configuration.computed(entry.key).map { .number($0) }
            print("\(entry.key)\t\(words(value, entry.row))\t\(words(entry.origin))")
        }
    }

    private func words(_ value: SettingValue?, _ row: ConfigurationKey) -> String {
        if value != nil, row.isSecret { return "***" }
        switch value {
        case .text(let text): return text.contains("pin-value") || text.contains("pin-source") ? "***" : text
        case .number(let number): return "\(number)"
        case .flag(let flag): return "\(flag)"
        case .list(let items): return "[\(items.joined(separator: ", "))]"
        case nil:
            switch row.standard {
            case .absent(let words), .computed(let words): return "(\(words))"
            case .required, .value: return "(none)"
            }
        }
    }

    private func words(_ origin: Settings.Origin) -> String {
        switch origin {
        case .file(let line): return "\(options.config):\(line)"
        case .environment(let variable): return variable
        case .standard: return "default"
        }
    }
}

extension IssuerConfiguration {
    /// The value of a key whose default depends on something else.
    fileprivate func computed(_ key: String) -> Int? {
        if key == "token.workers" { return token.workers }
        return links.first { key == "links.\($0.name).connectionsMax" }?.connectionsMax
    }
}
