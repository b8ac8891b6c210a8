/// Variables of the environment that come before the file.
///
/// One rule makes a variable of a key: `ISSUER_`, then the parts of the path with `_` between them, each in capitals
/// with `_` between its words, whatever is neither letter nor digit being a `_`: `links.acquirer-a.zonePINKey` is
/// `ISSUER_LINKS_ACQUIRER_A_ZONE_PIN_KEY`. A variable with this prefix that names no key of the file at hand, or whose
/// value is none for its key, is an error: an override that is passed over, or hides what it should replace, would
/// lift a rule without a word.
enum EnvironmentOverrides {
    static let prefix = "ISSUER_"
    /// The one variable that is no key: a secret has no place in the file.
    static let tokenPIN = "ISSUER_TOKEN_PIN"

    typealias Override = (value: SettingValue, variable: String)

    /// The variable of a key.
    static func variable(_ path: [String]) -> String {
        prefix + path.map(capitals).joined(separator: "_")
    }

    /// The variables of every key that a file with these names can have.
    /// - Parameter names: what the operator named below a section.
    /// - Throws: where two keys would share a variable.
    static func variables(
        _ file: String, names: ([String]) -> [String]
    ) throws(ConfigurationError) -> [String: [String]] {
        var table: [String: [String]] = [tokenPIN: []]
        for key in ConfigurationSchema.keys {
            for path in paths(key.parts[...], [], names: names) {
                let variable = variable(path)
                if let other = table.updateValue(path, forKey: variable) {
                    throw ConfigurationError(
                        "\(file): \(other.joined(separator: ".")) and \(path.joined(separator: ".")) would share "
                            + "the variable \(variable): rename one of them")
                }
            }
        }
        return table
    }

    /// The places that a row of the schema stands for.
    static func paths(_ parts: ArraySlice<String>, _ path: [String], names: ([String]) -> [String])
        -> [[String]]
    {
        guard let part = parts.first else { return [path] }
        let here = part == "*" ? names(path) : [part]
        return here.flatMap { paths(parts.dropFirst(), path + [$0], names: names) }
    }

    /// The overrides of an environment.
    /// - Throws: one error with a line for each variable at fault.
    static func read(
        _ environment: [String: String], _ table: [String: [String]]
    ) throws(ConfigurationError) -> [[String]: Override] {
        var overrides: [[String]: Override] = [:]
        var faults: [String] = []
        for (variable, text) in environment.sorted(by: { $0.key < $1.key })
        where variable.uppercased().hasPrefix(prefix) {
            guard let path = table[variable] else {
                faults.append(unknown(variable, table))
                continue
            }
            guard variable != tokenPIN else {
                if text.isEmpty {
                    faults.append("\(variable): is empty; it has to hold the token's user PIN")
                }
                continue
            }
            guard let key = ConfigurationSchema.key(path) else { continue }
            do { overrides[path] = (try SettingValue(text, key.kind), variable) } catch {
                let unit = key.unit.map { " (\($0))" } ?? ""
                faults.append("\(variable): \(path.joined(separator: ".")) \(error.words)\(unit)")
            }
        }
        guard faults.isEmpty else { throw ConfigurationError(faults.joined(separator: "\n")) }
        return overrides
    }

    private static func unknown(_ variable: String, _ table: [String: [String]]) -> String {
        let known = variable.uppercased()
        let nearest = table[known] == nil ? ConfigurationSchema.nearest(known, among: table.keys) : known
        guard let nearest, let path = table[nearest] else { return "\(variable): names no key" }
        let key = path.isEmpty ? "the token's user PIN" : path.joined(separator: ".")
        return "\(variable): names no key of the configuration; the nearest is \(nearest) (\(key)). "
            + "Correct the name or unset the variable"
    }

    /// `zonePINKey` as `ZONE_PIN_KEY`.
    private static func capitals(_ name: String) -> String {
        let characters = Array(name)
        var text = ""
        for (index, character) in characters.enumerated() {
            guard character.isLetter || character.isNumber else {
                text += "_"
                continue
            }
            if index > 0, character.isUppercase {
                let before = characters[index - 1]
                let isLast = index + 1 == characters.count
                let beginsWord = before.isLowercase || before.isNumber
                let endsCapitals = before.isUppercase && !isLast && characters[index + 1].isLowercase
                if beginsWord || endsCapitals { text += "_" }
            }
            text += character.uppercased()
        }
        return text
    }
}
