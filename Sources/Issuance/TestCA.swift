internal import EMV
internal import HSM

/// A certification authority for demos and tests, its keys in a token of its own. Schemes do this in their own vaults;
/// nothing here is fit for a card that anybody pays with.
package struct TestCA: ~Copyable {
    /// Its token.
    package var keys: SigningKeys

    package init(_ keys: consuming SigningKeys) { self.keys = keys }

    /// Label of the key with this RID and index.
    package static func label(rid: [UInt8], index: UInt8) -> String {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
        }
        return "\(SigningKeys.authorityPrefix)\(hex(rid))-\(hex([index]))"
    }

    /// A new CA key.
    package mutating func makeKey(rid: [UInt8], index: UInt8, bits: Int) throws -> SigningKey {
        guard rid.count == 5 else { throw IssuanceError("rid", "it has to be five bytes") }
        return try keys.generate(label: TestCA.label(rid: rid, index: index), bits: bits)
    }

    /// Signs an issuer's key, whose own signature has been checked when the request was read.
    /// - Parameter serialNumber: unique among the certificates of this CA key.
    package mutating func certify(
        _ request: IssuerKeyRequest, rid: [UInt8], index: UInt8, serialNumber: UInt32
    ) throws -> IssuerCertificateFile {
        let label = TestCA.label(rid: rid, index: index)
        let authority = try keys.key(labelled: label)
        guard request.key.byteCount <= authority.key.byteCount else {
            throw IssuanceError(
                label, "the issuer's key of \(request.key.byteCount * 8) bits is longer than the CA's")
        }
        let certificate = KeyCertificate(
            .issuer, identifierDigits: request.identifierDigits, expiry: request.expiry,
            serialNumber: serialNumber, key: request.key)
        let (block, remainder) = try certificate.block(
            signerByteCount: authority.key.byteCount, arithmetic: .portable)
        return IssuerCertificateFile(
            rid: rid, caIndex: index,
            objects: KeyCertificate.Objects(
                certificate: try keys.sign(block, label: label), remainder: remainder,
                exponent: request.key.exponent))
    }
}
