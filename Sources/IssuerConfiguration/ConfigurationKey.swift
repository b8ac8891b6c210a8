/// One row of the schema: everything that there is to say about one key. Reading, `config reference`, the JSON Schema,
/// the overrides from the environment and reloads go by it.
package struct ConfigurationKey: Sendable {
    /// What a value may be.
    package enum Kind: Sendable, Equatable {
        /// Any text but an empty one.
        case text
        /// A path; a relative one starts at the folder of the configuration file.
        case file
        /// One of these words.
        case choice([String])
        /// A whole number within bounds.
        case number(ClosedRange<Int>)
        /// `true` or `false`.
        case flag
        /// Texts; in the environment separated by commas.
        case list
    }

    /// What holds where neither file nor environment says anything.
    package enum Default: Sendable, Equatable {
        /// The key has to be there (where its section is).
        case required
        /// Nothing: what this means, in words.
        case absent(String)
        /// This value, as it would be written.
        case value(String)
        /// A value that depends on something else, in words.
        case computed(String)
    }

    /// The path, dots between its parts; `*` stands for a name that the operator chooses.
    package let path: String
    /// What its value may be.
    package let kind: Kind
    /// Of numbers: what is counted.
    package let unit: String?
    /// What holds where nobody says anything.
    package let standard: Default
    /// Whether a reload (SIGHUP) takes a new value; a new value of any other needs a restart.
    let isReloadable: Bool
    /// One sentence for people.
    package let sentence: String

    /// Whether its value is never shown: what a token's library is told may hold a password.
    package var isSecret: Bool { path == "token.initArguments" }

    init(
        _ path: String, _ kind: Kind, standard: Default, unit: String? = nil, reload: Bool = true,
        sentence: String
    ) {
        self.path = path
        self.kind = kind
        self.unit = unit
        self.standard = standard
        isReloadable = reload
        self.sentence = sentence
    }

    var parts: [String] { path.split(separator: ".").map(String.init) }

    func matches(_ path: [String]) -> Bool {
        let parts = parts
        return parts.count == path.count && zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
    }

    /// The default where it is a value.
    package var standardValue: SettingValue? {
        guard case .value(let text) = standard else { return nil }
        // A default is a part of the program: a wrong one is found by the first test that reads the schema.
        return try? SettingValue(text, kind)
    }
}

/// A value of a configuration.
package enum SettingValue: Sendable, Equatable {
    case text(String)
    case number(Int)
    case flag(Bool)
    case list([String])

    /// Why a text is no value of a kind.
    struct Refusal: Error {
        let words: String
    }

    /// A value as a scalar of the file or a variable of the environment writes it.
    init(_ text: String, _ kind: ConfigurationKey.Kind) throws(Refusal) {
        guard !text.isEmpty else {
            throw Refusal(words: "is empty; it has to be \(kind.words), or not be there at all")
        }
        switch kind {
        case .text, .file:
            guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
                throw Refusal(words: "holds a control character; it has to be \(kind.words)")
            }
            guard text.contains(where: { !$0.isWhitespace }) else {
                throw Refusal(words: "is blank; it has to be \(kind.words)")
            }
            self = .text(text)
        case .choice(let words):
            guard words.contains(text) else { throw Refusal(words: "has to be \(kind.words)") }
            self = .text(text)
        case .number(let bounds):
            guard let number = SettingValue.decimal(text), bounds.contains(number) else {
                throw Refusal(words: "has to be \(kind.words)")
            }
            self = .number(number)
        case .flag:
            guard text == "true" || text == "false" else { throw Refusal(words: "has to be \(kind.words)") }
            self = .flag(text == "true")
        case .list:
            let items = text.split(separator: ",", omittingEmptySubsequences: false).map {
                SettingValue.trimmed($0)
            }
            try self.init(items: items)
        }
    }

    /// A list of the file, which may have no items.
    init(items: [String]) throws(Refusal) {
        guard !items.contains(where: { $0.isEmpty || $0.contains(",") }) else {
            throw Refusal(words: "has an empty item, or a comma in one")
        }
        guard Set(items).count == items.count else { throw Refusal(words: "has an item twice") }
        self = .list(items)
    }

    /// As people write a number: no sign, no leading zero, no exponent.
    private static func decimal(_ text: String) -> Int? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text == "0" || !text.hasPrefix("0") else {
            return nil
        }
        return Int(text)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension ConfigurationKey.Kind {
    /// What a value has to be, in words.
    package var words: String {
        switch self {
        case .text: "text"
        case .file: "a path"
        case .choice(let words):
            words.count == 1
                ? words[0] : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
        case .number(let bounds):
            bounds.lowerBound == bounds.upperBound
                ? "\(bounds.lowerBound)" : "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)"
        case .flag: "true or false"
        case .list: "a list of names"
        }
    }
}
