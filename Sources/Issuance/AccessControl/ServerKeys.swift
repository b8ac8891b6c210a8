internal import ByteCoding
package import HSM
package import PKCS11

/// The public half of an access control server's key.
package struct ServerKey: Hashable, Sendable {
    /// `CKA_LABEL` of both halves.
    package let label: String
    /// What it signs.
    package let algorithm: ServerSignature
    /// Big endian; empty for P-256.
    let modulus: [UInt8]
    let exponent: [UInt8]
    /// 65 bytes; empty for RSA.
    let point: [UInt8]

    /// SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    package var publicKeyInfo: [UInt8] {
        guard point.isEmpty else {
            return DER.sequence(
                DER.sequence(
                    DER.identifier(ObjectIdentifiers.ecPublicKey),
                    DER.identifier(ObjectIdentifiers.prime256v1)),
                DER.bitString(point))
        }
        let numbers = DER.sequence(DER.integer(modulus), DER.integer(exponent))
        return DER.sequence(
            DER.sequence(DER.identifier(ObjectIdentifiers.rsa), DER.null), DER.bitString(numbers))
    }

    /// `rsa-2048` or `p-256`.
    package var words: String { point.isEmpty ? "rsa-\(modulus.count * 8)" : "p-256" }
}

/// The keys of one token that sign for access control servers: each has a name of its own, and signs, nothing else. Not on
/// the way of an authorisation.
package struct ServerKeys: ~Copyable {
    private var session: Session
    /// A working copy of the key in use: token objects are read and deciphered at each use.
    private var working: (label: String, privateKey: ObjectHandle, publicKey: ObjectHandle)?

    /// How the labels begin.
    package static let prefix = SigningKeyPrefix.accessControlServer.rawValue
    /// Lengths of RSA keys, in bits.
    package static let bits = [2_048, 3_072, 4_096]

    /// Opens a session of its own that can make token objects.
    package init(at location: TokenLocation) throws {
        session = try location.openSession(readWrite: true)
    }

    /// Has the token make a key pair that stays.
    /// - Parameter bits: of RSA, one of `bits`.
    package mutating func generate(
        label: String, _ algorithm: ServerSignature, bits: Int
    ) throws -> ServerKey {
        try requireFree(label)
        let identifier = KeyProvenance(.generated).identifier(of: label)
        switch algorithm {
        case .es256: try session.generateP256KeyPair(label: label, identifier: identifier)
        case .ps256:
            guard ServerKeys.bits.contains(bits) else {
                let known = ServerKeys.bits.map(String.init).joined(separator: ", ")
                throw IssuanceError(label, "\(bits) bits: it has to be \(known)")
            }
            _ = try session.generateRSAKeyPair(
                bits: bits, exponent: [1, 0, 1], use: .kept(label: label, identifier: identifier))
        }
        return try key(labelled: label)
    }

    /// Takes a key in that was made elsewhere: PKCS#8 in AES-CBC with padding and a zero vector.
    ///
    /// - Parameters:
    ///   - zoneMasterKey: label of an AES key that unwraps.
    ///   - publicKeyInfo: its public half in DER. What the private half signs has to verify under it.
    package mutating func importKey(
        _ wrapped: [UInt8], under zoneMasterKey: String, publicKeyInfo: [UInt8], label: String,
        algorithm: ServerSignature
    ) throws -> ServerKey {
        try requireFree(label)
        let found = try session.findKeys(label: zoneMasterKey)
        guard let wrapping = found.first, found.count == 1 else {
            throw IssuanceError(zoneMasterKey, "\(found.count) keys of the token have this label")
        }
        let parts = try PublicKeyParts(publicKeyInfo, label)
        guard parts.point.isEmpty == (algorithm == .ps256) else {
            throw IssuanceError(label, "the public key is not one that signs \(algorithm.rawValue)")
        }
        let identifier = KeyProvenance(.imported).identifier(of: label)
        do {
            try session.createServerPublicKey(
                modulus: parts.modulus, exponent: parts.exponent, point: parts.point, label: label,
                identifier: identifier)
            try session.unwrapServerKey(
                wrapped, under: wrapping, algorithm: algorithm, point: parts.point, label: label,
                identifier: identifier)
            let key = try key(labelled: label)
            _ = try sign(Array("acs-sign".utf8), key)
            return key
        } catch {
            for half in try session.findPrivateKeys(label: label) + session.findPublicKeys(label: label) {
                try? session.destroy(half)
            }
            throw IssuanceError(label, "not taken, and nothing was left: \(error)")
        }
    }

    private mutating func requireFree(_ label: String) throws {
        let known = try session.findPrivateKeys(label: label) + session.findPublicKeys(label: label)
        guard known.isEmpty else {
            throw IssuanceError(label, "is in the token already; a new key has a new name")
        }
    }

    /// One key.
    package mutating func key(labelled label: String) throws -> ServerKey {
        let half = try only(session.findPublicKeys(label: label), label)
        _ = try only(session.findPrivateKeys(label: label), label)
        let point = try session.p256Point(of: half)
        guard point.isEmpty else {
            return ServerKey(label: label, algorithm: .es256, modulus: [], exponent: [], point: point)
        }
        let numbers = try session.publicNumbers(of: half)
        return ServerKey(
            label: label, algorithm: .ps256, modulus: numbers.modulus, exponent: numbers.exponent, point: [])
    }

    /// What a trail keeps of both halves, read back from the token.
    package mutating func halves(_ key: ServerKey) throws -> [[String: String]] {
        let found = [
            (KeyClass.privateKey, try only(session.findPrivateKeys(label: key.label), key.label)),
            (.publicKey, try only(session.findPublicKeys(label: key.label), key.label)),
        ]
        // NSS shows no point of a private half: what a trail keeps of it is the public half's.
        let known = try KeyDescription(of: found[1].1, as: .publicKey, in: &session).details
        return try found.map { keyClass, handle in
            try KeyDescription(of: handle, as: keyClass, in: &session).details
                .merging(["class": keyClass.rawValue, "algorithm": key.words]) { $1 }
                .merging(known.filter { ["kcv", "digest"].contains($0.key) }) { own, _ in own }
        }
    }

    /// A signature as JWS has it; verified in the token before it is handed out.
    package mutating func sign(_ data: [UInt8], _ key: ServerKey) throws -> [UInt8] {
        if working?.label != key.label {
            let privateKey = try only(session.findPrivateKeys(label: key.label), key.label)
            let publicKey = try only(session.findPublicKeys(label: key.label), key.label)
            working = (
                key.label, try session.copyOrItself(privateKey), try session.copyOrItself(publicKey)
            )
        }
        guard let working else { throw IssuanceError(key.label, "no such key") }
        return try session.sign(
            key.algorithm, data, key: working.privateKey, publicKey: working.publicKey)
    }

    private func only(_ found: [ObjectHandle], _ label: String) throws -> ObjectHandle {
        guard let key = found.first else { throw IssuanceError(label, "no such key pair in the token") }
        guard found.count == 1 else { throw IssuanceError(label, "\(found.count) keys have this label") }
        return key
    }
}

/// The numbers of a SubjectPublicKeyInfo.
private struct PublicKeyParts {
    var modulus: [UInt8] = []
    var exponent: [UInt8] = []
    var point: [UInt8] = []

    init(_ info: [UInt8], _ label: String) throws {
        guard let outer = Self.content(info[...]), let algorithm = Self.take(outer),
            let bits = Self.take(algorithm.rest), bits.content.first == 0
        else { throw IssuanceError(label, "no public key in DER (SubjectPublicKeyInfo)") }
        let key = bits.content.dropFirst()
        if key.first == 0x04, key.count == 65 {
            point = Array(key)
            return
        }
        guard let numbers = Self.content(key), let first = Self.take(numbers),
            let second = Self.take(first.rest)
        else { throw IssuanceError(label, "neither an RSA key nor one of P-256") }
        modulus = Array(first.content.drop { $0 == 0 })
        exponent = Array(second.content)
    }

    private static func content(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? { take(bytes)?.content }

    private static func take(
        _ bytes: ArraySlice<UInt8>
    ) -> (content: ArraySlice<UInt8>, rest: ArraySlice<UInt8>)? {
        guard let length = DER.length(bytes), length <= bytes.count else { return nil }
        let whole = bytes.prefix(length)
        let head =
            whole.count < 2
            ? 2 : whole[whole.startIndex + 1] & 0x80 == 0 ? 2 : 2 + Int(whole[whole.startIndex + 1] & 0x7F)
        return (whole.dropFirst(head), bytes.dropFirst(length))
    }
}
