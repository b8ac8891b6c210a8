internal import ByteCoding
internal import Foundation
internal import LibCrypto

/// What one custodian keeps: a key pair whose private half is enciphered under the passphrase, and the components,
/// each enciphered to that key pair. It holds no secret in clear and may be copied, but not read, by anyone.
struct CustodianFile: Codable {
    /// One component.
    struct Component: Codable {
        let number: Int
        let checkValue: String
        let sealed: String
    }

    /// What a passphrase costs to try (RFC 7914).
    struct Cost: Codable {
        let n: UInt64
        let r: UInt64
        let p: UInt64
        let salt: String
    }

    static let format = "issuer-keys custodian file 1"

    let format: String
    let ceremony: String
    let key: String
    let algorithm: String
    let threshold: Int
    let custodians: Int
    let custodian: Int
    let name: String
    let scrypt: Cost
    let publicKey: String
    let privateKey: String
    /// Of the whole key; nil until there is one.
    var keyCheckValue: String?
    var components: [Component]

    /// A file for a custodian who has chosen a passphrase, without components yet.
    init(
        _ plan: CeremonyPlan, custodian: Int, name: String, passphrase: borrowing SecretBytes,
        cost: Scrypt.Cost
    ) throws {
        let salt = try Random.bytes(16)
        var pair = try SealedBox.keyPair()
        defer { SealedBox.wipe(&pair.privateKey) }
        var key = try CustodianFile.passphraseKey(passphrase, salt, cost: cost)
        defer { SealedBox.wipe(&key) }
        let nonce = try Random.bytes(AuthenticatedEncryption.nonceCount)
        format = CustodianFile.format
        ceremony = plan.ceremony
        self.key = plan.key
        algorithm = plan.algorithm
        threshold = plan.threshold
        custodians = plan.custodians
        self.custodian = custodian
        self.name = name
        scrypt = Cost(n: cost.n, r: cost.r, p: cost.p, salt: Hex.encode(salt))
        publicKey = Hex.encode(pair.publicKey)
        components = []
        let associated = Array("\(plan.ceremony)/\(plan.key)/\(custodian)/private".utf8)
        privateKey = Hex.encode(
            nonce
                + (try AuthenticatedEncryption.seal(
                    key: key, nonce: nonce, plain: pair.privateKey, associated: associated)))
    }

    /// - Throws: `CeremonyError` naming the file.
    init(readFrom path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CeremonyError("\(path) cannot be read")
        }
        guard let file = try? JSONDecoder().decode(CustodianFile.self, from: data),
            file.format == CustodianFile.format
        else { throw CeremonyError("\(path) is no custodian file") }
        self = file
    }

    /// Written beside and put in place, so that a file is whole or not there.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try writePrivately(try encoder.encode(self), to: path)
    }

    // MARK: - Components

    mutating func add(
        component number: Int, checkValue: String, value: borrowing SecretBytes
    ) throws {
        var plain = value.withUnsafeBytes { Array($0) }
        defer { SealedBox.wipe(&plain) }
        let box = try SealedBox.seal(
            plain, to: try Hex.decode(publicKey), associated: associated(number, checkValue))
        components.append(Component(number: number, checkValue: checkValue, sealed: Hex.encode(box)))
    }

    /// - Returns: the private key.
    /// - Throws: `CeremonyError.wrongPassphrase`.
    func unlock(_ passphrase: borrowing SecretBytes) throws -> SecretBytes {
        let cost = Scrypt.Cost(n: scrypt.n, r: scrypt.r, p: scrypt.p)
        // A file is not trusted to say how much memory is taken.
        guard cost.n <= 1 << 20, cost.r <= 16, cost.p <= 4, let salt = try? Hex.decode(scrypt.salt),
            let sealed = try? Hex.decode(privateKey), sealed.count > AuthenticatedEncryption.nonceCount
        else { throw CeremonyError("the file of custodian \(custodian), \(name), was altered") }
        var key = try CustodianFile.passphraseKey(passphrase, salt, cost: cost)
        defer { SealedBox.wipe(&key) }
        let nonce = Array(sealed.prefix(AuthenticatedEncryption.nonceCount))
        do {
            var plain = try AuthenticatedEncryption.open(
                key: key, nonce: nonce, sealed: Array(sealed.dropFirst(nonce.count)),
                associated: Array("\(ceremony)/\(self.key)/\(custodian)/private".utf8))
            defer { SealedBox.wipe(&plain) }
            return SecretBytes(copying: plain)
        } catch LibCryptoError.notAuthentic {
            throw CeremonyError.wrongPassphrase(custodian: custodian, name: name)
        }
    }

    /// One component in clear, for the length of `body`'s work.
    func open(_ component: Component, with privateKey: borrowing SecretBytes) throws -> SecretBytes {
        var key = privateKey.withUnsafeBytes { Array($0) }
        defer { SealedBox.wipe(&key) }
        guard let box = try? Hex.decode(component.sealed) else { throw altered(component) }
        do {
            var plain = try SealedBox.open(
                box, privateKey: key, associated: associated(component.number, component.checkValue))
            defer { SealedBox.wipe(&plain) }
            return SecretBytes(copying: plain)
        } catch {
            throw altered(component)
        }
    }

    func altered(_ component: Component) -> CeremonyError {
        CeremonyError(
            "component \(component.number) in the file of custodian \(custodian), \(name), was altered, or belongs to another place"
        )
    }

    /// What ties a component to its place: nobody can put one where another was.
    private func associated(_ number: Int, _ checkValue: String) -> [UInt8] {
        Array(
            "\(ceremony)/\(key)/\(algorithm)/\(threshold)/\(custodians)/\(custodian)/\(number)/\(checkValue)"
                .utf8)
    }

    private static func passphraseKey(
        _ passphrase: borrowing SecretBytes, _ salt: [UInt8], cost: Scrypt.Cost
    ) throws -> [UInt8] {
        var bytes = passphrase.withUnsafeBytes { Array($0) }
        defer { SealedBox.wipe(&bytes) }
        return try Scrypt.deriveKey(passphrase: bytes, salt: salt, cost: cost, count: 32)
    }
}

/// For the owner's eyes only, whole or not at all, on the disk when this returns.
func writePrivately(_ data: Data, to path: String) throws {
    let temporary = path + ".new"
    guard
        FileManager.default.createFile(
            atPath: temporary, contents: data, attributes: [.posixPermissions: 0o600]),
        let handle = FileHandle(forWritingAtPath: temporary)
    else { throw CeremonyError("\(path) cannot be written") }
    try handle.synchronize()
    try handle.close()
    guard rename(temporary, path) == 0 else { throw CeremonyError("\(path) cannot be written") }
}
