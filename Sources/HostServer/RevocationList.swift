internal import Foundation
internal import SwiftASN1
internal import X509

/// A list of certificates that an authority has revoked (CRL, RFC 5280 section 5): whole, and of that authority alone.
struct RevocationList: Sendable {
    /// The authority's name.
    let issuer: DistinguishedName
    /// Seconds since 1970.
    let issuedAt: Int64
    /// When the authority's next list is due, seconds since 1970; from then on nobody knows what is missing here.
    let nextAt: Int64
    private let revoked: Set<Certificate.SerialNumber>
    private let signedBytes: ArraySlice<UInt8>
    private let algorithm: Certificate.SignatureAlgorithm
    private let signature: ArraySlice<UInt8>

    /// What makes bytes no list that can be used.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter bytes: DER.
    /// - Throws: `Unusable`.
    init(_ bytes: [UInt8]) throws {
        let parts: RevocationListEncoding
        do { parts = try RevocationListEncoding(bytes) } catch let error as Unusable { throw error } catch {
            throw Unusable(description: "is no list of revoked certificates: \(error)")
        }
        guard let algorithm = RevocationList.algorithms[parts.algorithm] else {
            throw Unusable(
                description: "is signed by an algorithm that is not taken (\(parts.algorithm)): "
                    + "ECDSA, Ed25519 and RSA PKCS #1 with SHA-256 or longer are")
        }
        guard let nextAt = parts.nextAt else {
            throw Unusable(description: "does not say when the next one is due (nextUpdate)")
        }
        (issuer, issuedAt, self.nextAt) = (parts.issuer, parts.issuedAt, nextAt)
        (revoked, self.algorithm) = (parts.revoked, algorithm)
        (signedBytes, signature) = (parts.signedBytes, parts.signature)
    }

    /// The lists of a PEM file, one at least.
    ///
    /// - Throws: `Unusable`, or `PEMBlock.Unreadable`.
    static func all(inFile path: String) throws -> [RevocationList] {
        let blocks = try PEMBlock.all(inFile: path)
        guard !blocks.isEmpty else {
            throw Unusable(
                description: "no PEM block \(PEMBlock.revocationList) in it (a list in DER has to become PEM)"
            )
        }
        return try blocks.enumerated().map { index, block in
            guard block.label == PEMBlock.revocationList else {
                throw Unusable(
                    description:
                        "block \(index + 1) is \(block.label); only \(PEMBlock.revocationList) belongs here")
            }
            do { return try RevocationList(block.bytes) } catch {
                throw Unusable(description: "list \(index + 1) \(error)")
            }
        }
    }

    /// Whether a certificate of this authority is on the list.
    func revokes(_ certificate: Certificate) -> Bool { revoked.contains(certificate.serialNumber) }

    /// Whether an authority signed it, and may.
    func isSigned(by authority: Certificate) -> Bool {
        guard authority.subject == issuer else { return false }
        // RFC 5280, 4.2.1.3: where there is a key usage, it has to name the signing of lists.
        let usage = try? authority.extensions.keyUsage
        guard usage?.cRLSign ?? true else { return false }
        return authority.publicKey.isValidSignature(
            signature, for: signedBytes, signatureAlgorithm: algorithm)
    }

    private static let algorithms: [ASN1ObjectIdentifier: Certificate.SignatureAlgorithm] = [
        [1, 2, 840, 10_045, 4, 3, 2]: .ecdsaWithSHA256,
        [1, 2, 840, 10_045, 4, 3, 3]: .ecdsaWithSHA384,
        [1, 2, 840, 10_045, 4, 3, 4]: .ecdsaWithSHA512,
        [1, 2, 840, 113_549, 1, 1, 11]: .sha256WithRSAEncryption,
        [1, 2, 840, 113_549, 1, 1, 12]: .sha384WithRSAEncryption,
        [1, 2, 840, 113_549, 1, 1, 13]: .sha512WithRSAEncryption,
        [1, 3, 101, 112]: .ed25519,
    ]
}
