internal import HSM
internal import PKCS11

/// What the token says of one key, and does with it. Nothing in it is secret. What it means beside the trail is judged
/// afterwards, in one place, whichever process looked.
struct KeyFacts: Codable, Sendable {
    let name: KeyLedger.Name
    /// Why the token does not say what the key is.
    var unreadable: String?
    var type: String?
    /// `CKA_ID`.
    var identifier: [UInt8] = []
    /// By name of the attribute; one that the token does not know is left out.
    @Texts var attributes: [String: Bool] = [:]
    /// `KeyDescription` has the same.
    var words = ""
    var flags = ""
    var identifierDigest = ""
    var checkValue: String?
    var digest: String?
    /// Type and length, of a secret key.
    var algorithm: String?
    /// True where a key of this purpose and type that the audit makes itself gives no check value either.
    var isSilentByNature = false
    @Texts var probes: [AuditedKey.Probe] = []
    /// What the probes found, each with its cause.
    @Texts var findings: [AuditFinding] = []
    /// Of a private key: each public half that it was tried by.
    var halves: [Half]?

    /// A public half, and whether the private one signs as it says.
    struct Half: Codable, Sendable {
        /// Nil where the numbers are the private half's own.
        let told: Told?
        let answer: PrivateHalfAnswer
    }

    /// What a public half is known by.
    struct Told: Codable, Sendable {
        let checkValue: String?
        let digest: String?
    }
}

/// What came of a private half that was asked to sign.
enum PrivateHalfAnswer: Codable, Equatable, Sendable {
    case right
    /// It is another key's.
    case wrong(String)
    /// It could not be asked.
    case untried(String)

    /// A token that has no such mechanism cannot be asked; whatever else keeps a key from signing was not so when the key
    /// was made.
    init(_ error: PKCS11Error) {
        if error.isWrongSignature {
            self = .wrong("what it signs does not verify under its public half")
        } else if error.lacksMechanism {
            self = .untried("\(error)")
        } else {
            self = .wrong("it does not sign: \(error)")
        }
    }

    var words: String {
        switch self {
        case .right: "as it should"
        case .wrong(let words), .untried(let words): words
        }
    }
}

/// Many small values that go from one process to another as one text: as JSON's objects each of them has its members' names
/// written and read, which takes longer than what the token is asked.
@propertyWrapper
struct Texts<Value: TextCodable>: Codable, Sendable {
    var wrappedValue: Value

    init(wrappedValue: Value) { self.wrappedValue = wrappedValue }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Value(text: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(Value.self)")
        }
        wrappedValue = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue.text)
    }
}

/// What can be written as one text and read back.
protocol TextCodable: Sendable {
    var text: String { get }
    init?(text: String)
}

/// One of many values in a text.
protocol TextElement: Sendable {
    /// As many as `init` takes.
    var parts: [String] { get }
    init?(parts: [Substring])
}

/// Between the parts of a value, and behind each value: in nothing that the audit says.
private let (partMark, valueMark) = ("\u{1F}", "\u{1E}")

extension Array: TextCodable where Element: TextElement {
    var text: String { map { $0.parts.joined(separator: partMark) + valueMark }.joined() }

    init?(text: String) {
        self = []
        for value in text.split(separator: valueMark) {
            let parts = value.split(separator: partMark, omittingEmptySubsequences: false)
            guard let element = Element(parts: parts) else { return nil }
            append(element)
        }
    }
}

extension Dictionary: TextCodable where Key == String, Value == Bool {
    var text: String { map { ($0.value ? "+" : "-") + $0.key + valueMark }.joined() }

    init?(text: String) {
        self.init(text.split(separator: valueMark).map { (String($0.dropFirst()), $0.first == "+") }) { $1 }
    }
}

extension AuditedKey.Probe: TextElement {
    var parts: [String] { [tried, "\(accepted)", answer] }

    init?(parts: [Substring]) {
        guard parts.count == 3, let accepted = Bool(String(parts[1])) else { return nil }
        self.init(tried: String(parts[0]), accepted: accepted, answer: String(parts[2]))
    }
}

extension AuditFinding: TextElement {
    var parts: [String] { [kind, key.map { "+" + $0 } ?? "", causedBy, detail, "\(accepted)"] }

    init?(parts: [Substring]) {
        guard parts.count == 5, let accepted = Bool(String(parts[4])) else { return nil }
        self.init(
            kind: String(parts[0]), key: parts[1].isEmpty ? nil : String(parts[1].dropFirst()),
            causedBy: String(parts[2]), detail: String(parts[3]), accepted: accepted)
    }
}
