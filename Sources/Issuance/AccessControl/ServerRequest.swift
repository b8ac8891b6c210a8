internal import PKCS11

/// A certification request for an access control server's key (PKCS#10, RFC 2986).
package struct ServerRequest: Sendable {
    private let information: [UInt8]
    private let algorithm: ServerSignature

    /// - Parameters:
    ///   - key: whose certificate is asked for.
    ///   - subject: `CN=…,O=…,C=…`; parts of these three kinds, in the order in which they stand.
    /// - Throws: what is wrong with the subject.
    package init(_ key: ServerKey, subject: String) throws {
        algorithm = key.algorithm
        information = DER.sequence(
            DER.integer([0]), try ServerRequest.name(subject, key.label), key.publicKeyInfo,
            DER.element(0xA0, []))
    }

    /// What is signed.
    package var signedBytes: [UInt8] { information }

    /// The request in DER.
    /// - Parameter signature: as JWS has it.
    package func encoded(_ signature: [UInt8]) -> [UInt8] {
        switch algorithm {
        case .es256:
            let numbers = DER.sequence(
                DER.integer(Array(signature.prefix(32))), DER.integer(Array(signature.suffix(32))))
            return DER.sequence(
                information, DER.sequence(DER.identifier(ObjectIdentifiers.ecdsaSHA256)),
                DER.bitString(numbers))
        case .ps256:
            // RFC 4055, 3.1: hash, mask generation and length of the salt as in RFC 7518, 3.5.
            let hash = DER.sequence(DER.identifier(ObjectIdentifiers.sha256), DER.null)
            let parameters = DER.sequence(
                DER.element(0xA0, hash),
                DER.element(0xA1, DER.sequence(DER.identifier(ObjectIdentifiers.mgf1), hash)),
                DER.element(0xA2, DER.integer([32])))
            return DER.sequence(
                information, DER.sequence(DER.identifier(ObjectIdentifiers.rsaPSS), parameters),
                DER.bitString(signature))
        }
    }

    /// Throws for what is no subject.
    /// - Parameter label: of the key, for the error.
    package static func requireSubject(_ text: String, _ label: String) throws { _ = try name(text, label) }

    private static func name(_ text: String, _ label: String) throws -> [UInt8] {
        let kinds = [
            "CN": ObjectIdentifiers.commonName, "O": ObjectIdentifiers.organisation,
            "C": ObjectIdentifiers.country,
        ]
        let parts = try text.split(separator: ",").map { part -> [UInt8] in
            let pair = part.split(separator: "=", maxSplits: 1).map { String($0) }
            guard pair.count == 2, let kind = kinds[pair[0]], !pair[1].isEmpty, pair[1].utf8.count <= 64
            else {
                throw IssuanceError(label, "subject: CN=…, O=… and C=… divided by commas, not \(part)")
            }
            let value = pair[0] == "C" ? DER.element(0x13, Array(pair[1].utf8)) : DER.text(pair[1])
            return DER.set(DER.sequence(DER.identifier(kind), value))
        }
        guard !parts.isEmpty else { throw IssuanceError(label, "subject: it is empty") }
        return DER.element(0x30, parts.flatMap(\.self))
    }
}
