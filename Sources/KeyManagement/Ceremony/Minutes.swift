internal import ByteCoding
internal import Foundation
internal import HSM
internal import PKCS11

/// The minutes of a ceremony: who, when, which check values, sealed with an HMAC key in the token. Never a value.
package enum Minutes {
    private static let mark = "seal "

    /// Writes the minutes and their seal.
    static func write(
        _ title: String, _ lines: [String], to path: String, sealedWith label: String,
        store: inout KeyStore
    ) throws {
        let text = ([title] + lines).joined(separator: "\n") + "\n"
        let seal = try seal(text, label, store: &store, makesKey: true)
        try writePrivately(Data((text + "\(mark)\(label) HMAC-SHA-256 \(seal)\n").utf8), to: path)
    }

    /// - Returns: the minutes without their seal.
    /// - Throws: where the seal is not that of this text under the token's key.
    package static func verified(_ path: String, _ store: inout KeyStore) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CeremonyError("\(path) cannot be read")
        }
        let text = String(decoding: data, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, let last = lines.dropLast().last, last.hasPrefix(mark) else {
            throw CeremonyError("\(path) has no seal in its last line")
        }
        let parts = last.dropFirst(mark.count).split(separator: " ")
        let body = lines.dropLast(2).joined(separator: "\n") + "\n"
        guard parts.count == 3, parts[1] == "HMAC-SHA-256", let claimed = try? Hex.decode(String(parts[2])),
            let computed = try? Hex.decode(try seal(body, String(parts[0]), store: &store, makesKey: false)),
            constantTimeEqual(claimed, computed)
        else { throw CeremonyError("\(path): the seal does not belong to this text and this token's key") }
        return body
    }

    private static func seal(
        _ text: String, _ label: String, store: inout KeyStore, makesKey: Bool
    ) throws -> String {
        guard KeyPurpose.named(label) == .auditKey else {
            throw KeyManagementError(label, "minutes are sealed with an audit key: audit or audit-…")
        }
        let name = try VersionedKeyName(label: label)
        if makesKey, try store.session.findKeys(label: label).isEmpty { try store.generate(name) }
        let key = try store.key(labelled: label)
        return Hex.encode(try store.session.hmacSHA256(Array(text.utf8), key: key))
    }
}
