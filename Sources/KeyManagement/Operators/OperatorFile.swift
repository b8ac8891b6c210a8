internal import ByteCoding
internal import Foundation
internal import LibCrypto

/// A person's signing key, the private half under a passphrase (scrypt, AES-256-GCM): the seal of what happens to keys
/// that stands outside the token.
package struct OperatorFile: Codable, Sendable {
    struct Cost: Codable {
        let n: UInt64
        let r: UInt64
        let p: UInt64
        let salt: String
    }

    static let format = "issuer-keys operator file 1"

    let format: String
    /// The person.
    package let name: String
    /// Ed25519, 64 hex digits.
    package let publicKey: String
    let scrypt: Cost
    let privateKey: String

    /// The line of `keys.operators`.
    package var registration: String { "\(name) \(publicKey)" }

    /// A person who has chosen a passphrase.
    init(name: String, passphrase: borrowing SecretBytes, cost: Scrypt.Cost) throws {
        let salt = try Random.bytes(16)
        var pair = try Signature.keyPair()
        defer { SealedBox.wipe(&pair.privateKey) }
        var key = try OperatorFile.key(passphrase, salt, cost: cost)
        defer { SealedBox.wipe(&key) }
        let nonce = try Random.bytes(AuthenticatedEncryption.nonceCount)
        format = OperatorFile.format
        self.name = name
        publicKey = Hex.encode(pair.publicKey)
        scrypt = Cost(n: cost.n, r: cost.r, p: cost.p, salt: Hex.encode(salt))
        privateKey = Hex.encode(
            nonce
                + (try AuthenticatedEncryption.seal(
                    key: key, nonce: nonce, plain: pair.privateKey,
                    associated: Array("\(name)/\(Hex.encode(pair.publicKey))".utf8))))
    }

    /// - Throws: `CeremonyError` naming the file.
    package init(readFrom path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CeremonyError("\(path) cannot be read")
        }
        guard let file = try? JSONDecoder().decode(OperatorFile.self, from: data),
            file.format == OperatorFile.format
        else { throw CeremonyError("\(path) is no operator's file") }
        self = file
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try writePrivately(try encoder.encode(self), to: path)
    }

    /// The private key.
    func unlock(_ passphrase: borrowing SecretBytes) throws -> SecretBytes {
        let cost = Scrypt.Cost(n: scrypt.n, r: scrypt.r, p: scrypt.p)
        // A file is not trusted to say how much memory is taken.
        guard cost.n <= 1 << 20, cost.r <= 16, cost.p <= 4, let salt = try? Hex.decode(scrypt.salt),
            let sealed = try? Hex.decode(privateKey), sealed.count > AuthenticatedEncryption.nonceCount
        else { throw CeremonyError("the file of \(name) was altered") }
        var key = try OperatorFile.key(passphrase, salt, cost: cost)
        defer { SealedBox.wipe(&key) }
        let count = AuthenticatedEncryption.nonceCount
        do {
            var plain = try AuthenticatedEncryption.open(
                key: key, nonce: Array(sealed.prefix(count)), sealed: Array(sealed.dropFirst(count)),
                associated: Array("\(name)/\(publicKey)".utf8))
            defer { SealedBox.wipe(&plain) }
            return SecretBytes(copying: plain)
        } catch LibCryptoError.notAuthentic {
            throw CeremonyError("wrong passphrase for the file of \(name), or the file was altered")
        }
    }

    private static func key(
        _ passphrase: borrowing SecretBytes, _ salt: [UInt8], cost: Scrypt.Cost
    ) throws -> [UInt8] {
        var bytes = passphrase.withUnsafeBytes { Array($0) }
        defer { SealedBox.wipe(&bytes) }
        return try Scrypt.deriveKey(passphrase: bytes, salt: salt, cost: cost, count: 32)
    }
}
