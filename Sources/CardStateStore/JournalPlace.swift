internal import Authorisation
internal import ByteCoding

/// Which account an entry of the journal is about, and between which states of its record it stands: token, tag before,
/// tag after, sixteen bytes each. A gap in an account's history shows as a tag that no entry leads to. A note has the
/// token alone.
enum JournalPlace {
    static let byteCount = 48

    /// Appends the 48 bytes; zeros for a record that was not there.
    static func append(_ token: CardToken, _ before: RecordTag?, _ after: RecordTag?, to bytes: inout [UInt8])
    {
        for number in [
            token.high, token.low, before?.random ?? 0, before?.counter ?? 0, after?.random ?? 0,
            after?.counter ?? 0,
        ] {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
    }

    /// The token in hexadecimal digits. The layout before wrote it as such.
    static func card(_ bytes: [UInt8]) -> String {
        isOld(bytes)
            ? String(decoding: bytes, as: UTF8.self) : Hex.encode(Array(bytes.prefix(16))).lowercased()
    }

    /// Of the layout before: the name of a card, not of an account.
    static func isOld(_ bytes: [UInt8]) -> Bool { bytes.count == 32 }
}
