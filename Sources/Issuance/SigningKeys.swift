internal import ByteCoding
package import EMV
package import HSM
package import PKCS11

/// A key pair of the token that signs certificates.
package struct SigningKey: Hashable, Sendable {
    /// `CKA_LABEL` of both halves.
    package let label: String
    /// Its public half.
    package let key: RSAPublicKey
    /// From `CKA_ID`; nil for a key that this product did not make.
    package let provenance: KeyProvenance?
}

/// RSA keys of one token: those that sign certificates never leave it. Not on the way of an authorisation.
package struct SigningKeys: ~Copyable {
    /// Open for writing.
    package var session: Session

    /// How labels of issuers' keys and of test CAs' keys begin.
    package static let issuerPrefix = SigningKeyPrefix.issuer.rawValue
    /// See `issuerPrefix`.
    static let authorityPrefix = SigningKeyPrefix.authority.rawValue

    /// The lengths that schemes use for issuers and CAs, in bits.
    package static let bits = [1_152, 1_408, 1_984]

    /// Opens a session of its own that can make token objects.
    package init(at location: TokenLocation) throws {
        session = try location.openSession(readWrite: true)
    }

    /// Has the token make a key pair that stays: with the exponent 3 where the token can, else 65,537.
    /// - Parameter bits: one of `bits`.
    package mutating func generate(label: String, bits: Int) throws -> SigningKey {
        guard SigningKeys.bits.contains(bits) else {
            throw IssuanceError(
                label,
                "\(bits) bits: it has to be \(SigningKeys.bits.map(String.init).joined(separator: ", "))")
        }
        guard try session.findPrivateKeys(label: label).isEmpty else {
            throw IssuanceError(label, "is in the token already; a new key has a new name")
        }
        let use = PrivateKeyUse.kept(
            label: label, identifier: KeyProvenance(.generated).identifier(of: label))
        _ = try session.generateRSAKeyPair(bits: bits, use)
        return try key(labelled: label)
    }

    /// Every signing key of the token, by label.
    package mutating func list() throws -> [SigningKey] {
        let labels = try session.findPublicKeys().map { try session.label(of: $0) }
        return try Set(labels).filter {
            $0.hasPrefix(SigningKeys.issuerPrefix) || $0.hasPrefix(SigningKeys.authorityPrefix)
        }.sorted().map { try key(labelled: $0) }
    }

    /// One key.
    package mutating func key(labelled label: String) throws -> SigningKey {
        let handle = try privateKey(labelled: label)
        // The public half's object may be anybody's; the private key's own numbers are those that sign.
        let numbers = try session.publicNumbers(of: handle)
        return SigningKey(
            label: label, key: try RSAPublicKey(modulus: numbers.modulus, exponent: numbers.exponent),
            provenance: KeyProvenance(identifier: try session.identifier(of: handle)))
    }

    /// What a trail keeps of both halves, read back from the token.
    package mutating func halves(_ label: String) throws -> [(keyClass: KeyClass, details: [String: String])]
    {
        let found = [
            (KeyClass.privateKey, try session.findPrivateKeys(label: label)),
            (.publicKey, try session.findPublicKeys(label: label)),
        ]
        return try found.flatMap { keyClass, handles in
            try handles.map { handle in
                let numbers = try session.publicNumbers(of: handle)
                let details = try KeyDescription(of: handle, as: keyClass, in: &session).details
                return (
                    keyClass,
                    details.merging([
                        "class": keyClass.rawValue, "algorithm": "rsa-\(numbers.modulus.count * 8)",
                    ]) { $1 }
                )
            }
        }
    }

    /// Signs blocks with a session copy of the key: the token object is read and deciphered at each use.
    package mutating func signing<Result>(
        _ label: String, _ body: (ObjectHandle, inout Session) throws -> Result
    ) throws -> Result {
        let (handle, isCopy) = try signer(label)
        defer { if isCopy { try? session.destroy(handle) } }
        return try body(handle, &session)
    }

    /// A session copy of a key, or the key itself where the token copies none.
    mutating func signer(_ label: String) throws -> (handle: ObjectHandle, isCopy: Bool) {
        let handle = try privateKey(labelled: label)
        do { return (try session.workingCopy(of: handle), true) } catch  where error.refusesCopy {
            return (handle, false)
        }
    }

    /// One block. The signature is opened again before it is handed out: a fault while it is computed could give the
    /// key away (Boneh, DeMillo, Lipton).
    package mutating func sign(_ block: [UInt8], label: String) throws -> [UInt8] {
        let key = try key(labelled: label).key
        return try signing(label) { handle, session in
            try SigningKeys.sign(block, handle, key: key, session: &session)
        }
    }

    static func sign(
        _ block: [UInt8], _ handle: ObjectHandle, key: RSAPublicKey, session: inout Session
    ) throws -> [UInt8] {
        let signature = try session.signRaw(block, key: handle)
        guard PublicKeyArithmetic.portable.power(signature, key) == block else {
            throw IssuanceError("signature", "the token's signature does not verify under its own key")
        }
        return signature
    }

    private mutating func privateKey(labelled label: String) throws -> ObjectHandle {
        let found = try session.findPrivateKeys(label: label)
        guard let key = found.first else { throw IssuanceError(label, "no such RSA key in the token") }
        guard found.count == 1 else { throw IssuanceError(label, "\(found.count) RSA keys have this label") }
        return key
    }
}

extension Session {
    /// A session copy of a key, or the key itself where the token copies none that cannot be changed (SoftHSM2).
    mutating func copyOrItself(_ key: ObjectHandle) throws(PKCS11Error) -> ObjectHandle {
        do { return try workingCopy(of: key) } catch {
            guard error.refusesCopy else { throw error }
            return key
        }
    }

    /// With the exponent 3, which is quicker for terminals, where the token makes such; else with 65,537.
    mutating func generateRSAKeyPair(
        bits: Int, _ use: PrivateKeyUse
    ) throws(PKCS11Error) -> KeyPairHandles {
        do throws(PKCS11Error) {
            return try generateRSAKeyPair(bits: bits, exponent: [3], use: use)
        } catch {
            guard error.refusesExponent else { throw error }
            return try generateRSAKeyPair(bits: bits, exponent: [1, 0, 1], use: use)
        }
    }
}
