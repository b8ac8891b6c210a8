internal import SwiftASN1
internal import X509

/// Algorithms of signatures on certificates and on lists of revoked ones.
enum SignatureNames {
    /// What counts on a list.
    static let taken: [ASN1ObjectIdentifier: Certificate.SignatureAlgorithm] = [
        [1, 2, 840, 10_045, 4, 3, 2]: .ecdsaWithSHA256,
        [1, 2, 840, 10_045, 4, 3, 3]: .ecdsaWithSHA384,
        [1, 2, 840, 10_045, 4, 3, 4]: .ecdsaWithSHA512,
        [1, 2, 840, 113_549, 1, 1, 11]: .sha256WithRSAEncryption,
        [1, 2, 840, 113_549, 1, 1, 12]: .sha384WithRSAEncryption,
        [1, 2, 840, 113_549, 1, 1, 13]: .sha512WithRSAEncryption,
        [1, 3, 101, 112]: .ed25519,
    ]

    /// The same, for errors.
    static let takenWords = "ECDSA, Ed25519 and RSA PKCS #1 v1.5 with SHA-256 or longer are"

    private static let others: [ASN1ObjectIdentifier: String] = [
        // RFC 4055, 3.1. swift-certificates does not verify it.
        [1, 2, 840, 113_549, 1, 1, 10]: "RSA-PSS",
        [1, 2, 840, 113_549, 1, 1, 5]: "RSA PKCS #1 v1.5 and SHA-1",
        [1, 2, 840, 113_549, 1, 1, 4]: "RSA PKCS #1 v1.5 and MD5",
        [1, 2, 840, 10_045, 4, 1]: "ECDSA and SHA-1",
        [1, 3, 101, 113]: "Ed448",
    ]

    /// Its name, or its number where it has none here.
    static func of(_ algorithm: ASN1ObjectIdentifier) -> String {
        others[algorithm] ?? "the algorithm \(algorithm)"
    }

    /// - Parameter bytes: a certificate, DER.
    /// - Returns: the algorithm of its signature; nil for what is no certificate.
    static func algorithm(ofCertificate bytes: [UInt8]) -> ASN1ObjectIdentifier? {
        try? DER.sequence(DER.parse(bytes), identifier: .sequence) { nodes in
            defer { while nodes.next() != nil {} }
            guard nodes.next() != nil, let algorithm = nodes.next() else { return nil }
            return try DER.sequence(algorithm, identifier: .sequence) { nodes in
                defer { while nodes.next() != nil {} }
                return try ASN1ObjectIdentifier(derEncoded: &nodes)
            }
        }
    }
}
