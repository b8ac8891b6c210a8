internal import ByteCoding
internal import Foundation
internal import SwiftASN1
internal import X509

/// A list of certificates that an authority has revoked (CRL, RFC 5280 section 5): whole, and of that authority alone.
struct RevocationList: Sendable {
    /// The authority's name.
    let issuer: DistinguishedName
    /// From when on it holds, seconds since 1970.
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
        guard let algorithm = SignatureNames.taken[parts.algorithm] else {
            throw Unusable(
                description: "is signed with \(SignatureNames.of(parts.algorithm)), which is not taken: "
                    + SignatureNames.takenWords)
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
                description: "no PEM block \(PEM.revocationList) in it (a list in DER has to become PEM: "
                    + "openssl crl -inform DER -in FILE -out FILE.pem)"
            )
        }
        return try blocks.enumerated().map { index, block in
            guard block.label == PEM.revocationList else {
                throw Unusable(
                    description:
                        "block \(index + 1) is \(block.label); only \(PEM.revocationList) belongs here"
                )
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
        mayBeSigned(by: authority)
            && authority.publicKey.isValidSignature(
                signature, for: signedBytes, signatureAlgorithm: algorithm)
    }

    /// Whether it is of this authority, by name and key usage (RFC 5280, 4.2.1.3: where there is one, it has to name the
    /// signing of lists).
    func mayBeSigned(by authority: Certificate) -> Bool {
        guard authority.subject == issuer else { return false }
        let usage = try? authority.extensions.keyUsage
        return usage?.cRLSign ?? true
    }
}
