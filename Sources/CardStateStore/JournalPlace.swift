internal import Authorisation
internal import ByteCoding

/// Which account an entry of the journal is about, and between which states of its record it stands: token, tag before,
/// tag after, sixteen bytes each. A gap in an account's history shows as a tag that no entry leads to. A note has the
/// token alone.
enum JournalPlace {
    static let byteCount = 48
    /// The field of a decision: its place, then its text.
    static let decision = "d"
    /// The field of what an operator changed in an account: its place, then its text.
    static let change = "a"

    /// Adds a field as readers know it: place (`c`) and text of a decision (`e`) or a change (`o`) apart, as notes, entries
    /// of no account and those of the layout before have them.
    static func add(_ name: String, _ value: [UInt8], to fields: inout [String: [UInt8]]) {
        guard name == decision || name == change else {
            fields[name] = value
            return
        }
        fields["c"] = Array(value.prefix(byteCount))
        fields[name == decision ? "e" : "o"] = Array(value.dropFirst(byteCount))
    }

    /// Appends the 48 bytes; zeros for a record that was not there.
    static func append(_ token: CardToken, _ before: RecordTag?, after: RecordTag?, to bytes: inout [UInt8]) {
        let numbers = (
            token.high.bigEndian, token.low.bigEndian, (before?.random ?? 0).bigEndian,
            (before?.counter ?? 0).bigEndian, (after?.random ?? 0).bigEndian, (after?.counter ?? 0).bigEndian
        )
        withUnsafeBytes(of: numbers) { bytes.append(contentsOf: $0) }
    }

    /// The token in hexadecimal digits. The layout before wrote it as such.
    static func card(_ bytes: [UInt8]) -> String {
        isOld(bytes)
            ? String(decoding: bytes, as: UTF8.self) : Hex.encode(Array(bytes.prefix(16))).lowercased()
    }

    /// Of the layout before: the name of a card, not of an account.
    static func isOld(_ bytes: [UInt8]) -> Bool { bytes.count == 32 }
}
