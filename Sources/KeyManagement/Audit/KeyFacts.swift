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
    var attributes: [String: Bool] = [:]
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
    var probes: [AuditedKey.Probe] = []
    /// What the probes found, each with its cause.
    var findings: [AuditFinding] = []
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
