package import HSM
package import PKCS11

/// A key that could not be made, moved or ended. Names the key, never holds its value.
package struct KeyManagementError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The label.
    package let key: String
    /// Why.
    package let reason: String

    /// Takes both.
    package init(_ key: String, _ reason: String) {
        self.key = key
        self.reason = reason
    }

    /// One line for people.
    package var description: String { "key \(key): \(reason)" }
}

/// What a token holds and says of one key.
package struct KeyRecord: Sendable {
    /// `CKA_LABEL`.
    package let label: String
    /// Nil for a label that names no purpose.
    package let purpose: KeyPurpose?
    /// Nil for a type or length that no purpose has.
    package let algorithm: KeyAlgorithm?
    /// From `CKA_ID`; nil for a key that this product did not make.
    package let provenance: KeyProvenance?
    /// In hex; nil where the token gives no way to it.
    package let checkValue: String?
    /// What a trail keeps of it, as the token has it.
    package let description: KeyDescription
    /// RFC 7512.
    package let uri: KeyURI
    /// Name and version; nil where the label is no name of this product.
    package var name: VersionedKeyName? { try? VersionedKeyName(label: label) }
}

/// The keys of one token: what is there, and what becomes of them. Not on the way of an authorisation.
package struct KeyStore: ~Copyable {
    var session: Session
    /// `CKA_LABEL` of the token.
    package let tokenLabel: String
    /// True refuses to take in a key whose check value is that of a public test key.
    let refusesTestKeys: Bool

    /// Opens a session of its own that can make token objects.
    ///
    /// - Parameter refusesTestKeys: true refuses to take in a key whose check value is that of a public test key.
    package init(at location: TokenLocation, refusesTestKeys: Bool = false) throws {
        self.refusesTestKeys = refusesTestKeys
        let label = try location.tokenLabel()
        session = try location.openSession(readWrite: true)
        tokenLabel = label
    }

    /// Every secret key of the token, by label.
    package mutating func list() throws -> [KeyRecord] {
        var records: [KeyRecord] = []
        for key in try session.tokenKeys() {
            if let record = try KeyStore.unlessGone({ try record(of: key) }) { records.append(record) }
        }
        return records.sorted { one, other in
            guard let first = one.name, let second = other.name else { return one.label < other.label }
            return first < second
        }
    }

    /// One key.
    package mutating func record(labelled label: String) throws -> KeyRecord {
        try record(of: try key(labelled: label))
    }

    /// The copy of a key that may leave.
    package mutating func transferCopy(of record: KeyRecord) throws -> KeyRecord {
        guard let name = record.name else { throw KeyManagementError(record.label, "is no name of a key") }
        return try self.record(labelled: try name.transfer.label)
    }

    mutating func record(of key: ObjectHandle) throws -> KeyRecord {
        let label = try session.label(of: key)
        let algorithm = try workingKey(key) { key, session in try KeyAlgorithm.of(key, &session) }
        let description = try KeyDescription(of: key, in: &session)
        return KeyRecord(
            label: label, purpose: KeyPurpose.named(label), algorithm: algorithm,
            provenance: KeyProvenance(identifier: try session.identifier(of: key)),
            checkValue: description.checkValue, description: description,
            uri: KeyURI(token: tokenLabel, object: label))
    }

    /// Nil where the key was ended by somebody else since it was found.
    private static func unlessGone<Result>(_ body: () throws -> Result) throws -> Result? {
        do { return try body() } catch let error as PKCS11Error
            where error.code == KeyStore.objectHandleInvalid
        {
            return nil
        }
    }

    /// `CKR_OBJECT_HANDLE_INVALID`.
    private static let objectHandleInvalid: UInt = 0x82

    // MARK: - Making

    /// Has the token make a key, which nobody ever sees.
    ///
    /// - Parameter algorithm: nil takes the usual one of the purpose.
    @discardableResult
    package mutating func generate(
        _ name: VersionedKeyName, algorithm: KeyAlgorithm? = nil
    ) throws -> KeyRecord {
        let (purpose, algorithm) = try plan(name, algorithm)
        try requireFree(name)
        let template = purpose.tokenTemplate(
            label: name.label, algorithm: algorithm, provenance: KeyProvenance(.generated),
            statesLength: true)
        return try record(
            of: try KeyStore.made(name.label, purpose, session: &session) { (session) throws(PKCS11Error) in
                try session.generateKey(algorithm.keyType, template)
            })
    }

    /// Makes a key of the token and reads back what was made.
    ///
    /// - Throws: `KeyManagementError`, naming the key, the function and what to do; nothing is left then.
    static func made(
        _ label: String, _ purpose: KeyPurpose, session: inout Session,
        body: (inout Session) throws(PKCS11Error) -> ObjectHandle
    ) throws -> ObjectHandle {
        let key: ObjectHandle
        do throws(PKCS11Error) { key = try body(&session) } catch {
            throw KeyManagementError(label, "could not be made: \(error)")
        }
        do { try KeyDescription.requireAsAsked(key, label, purpose: purpose, session: &session) } catch {
            throw KeyManagementError(
                label,
                "the token made something else than was asked for (\(error)); it was destroyed, and this token "
                    + "cannot hold such a key")
        }
        return key
    }

    /// Purpose and algorithm that a name stands for.
    func plan(
        _ name: VersionedKeyName, _ algorithm: KeyAlgorithm?
    ) throws -> (purpose: KeyPurpose, algorithm: KeyAlgorithm) {
        guard let purpose = KeyPurpose.named(name.name) else {
            let prefixes = KeyPurpose.allCases.map(\.rules.prefix).joined(separator: ", ")
            throw KeyManagementError(
                name.label, "the name says no purpose; it has to begin with one of \(prefixes)")
        }
        let algorithm = algorithm ?? purpose.rules.algorithms[0]
        guard purpose.rules.algorithms.contains(algorithm) else {
            let allowed = purpose.rules.algorithms.map(\.rawValue).joined(separator: ", ")
            throw KeyManagementError(
                name.label, "\(purpose.rawValue) cannot be \(algorithm.rawValue); it can be \(allowed)")
        }
        return (purpose, algorithm)
    }

    /// Throws where the label is taken. A new value is a new version: nothing is ever written over.
    mutating func requireFree(_ name: VersionedKeyName) throws {
        guard try session.findKeys(label: name.label).isEmpty else {
            throw KeyManagementError(name.label, "is in the token already; a new value is a new version")
        }
    }

    /// The next version of a name: one more than the highest that is there.
    package mutating func nextVersion(of name: String) throws -> VersionedKeyName {
        var highest: UInt8 = 0
        for key in try session.tokenKeys() {
            guard let label = try KeyStore.unlessGone({ try session.label(of: key) }) else { continue }
            if let found = try? VersionedKeyName(label: label), found.name == name {
                highest = max(highest, found.version)
            }
        }
        guard highest < .max else { throw KeyManagementError(name, "has 255 versions already") }
        return try VersionedKeyName(name: name, version: highest + 1)
    }

    /// Throws for a key that everybody has, where such are refused.
    static func refuseTestKey(
        _ name: VersionedKeyName, _ checkValue: String?, refusesTestKeys: Bool
    ) throws {
        guard refusesTestKeys, let checkValue, TestKeys.contains(checkValue: checkValue) else { return }
        throw KeyError.testKey(name.label, checkValue: checkValue)
    }

    // MARK: - Ending

    /// Ends a key for good.
    package mutating func destroy(_ name: VersionedKeyName) throws {
        try session.destroy(try key(labelled: name.label))
    }

    // MARK: - Finding

    mutating func key(labelled label: String) throws -> ObjectHandle {
        let found = try session.findKeys(label: label)
        guard let key = found.first else { throw KeyManagementError(label, "not in the token") }
        guard found.count == 1 else {
            throw KeyManagementError(label, "\(found.count) keys have this label")
        }
        return key
    }

    /// Lends a session copy of a token key: the token object itself is read and deciphered at every use.
    mutating func workingKey<Result>(
        _ key: ObjectHandle, _ body: (ObjectHandle, inout Session) throws -> Result
    ) throws -> Result {
        let copy: ObjectHandle
        do { copy = try session.workingCopy(of: key) } catch  where error.refusesCopy {
            return try body(key, &session)
        }
        defer { try? session.destroy(copy) }
        return try body(copy, &session)
    }
}

extension KeyAlgorithm {
    /// What a key is, nil where the token does not say or no purpose has such.
    static func of(_ key: ObjectHandle, _ session: inout Session) throws(PKCS11Error) -> KeyAlgorithm? {
        let type = try session.keyType(of: key)
        guard type == .aes || type == .genericSecret else { return allCases.first { $0.keyType == type } }
        let count = try session.valueCount(of: key)
        return allCases.first { $0.keyType == type && $0.byteCount == count }
    }
}
