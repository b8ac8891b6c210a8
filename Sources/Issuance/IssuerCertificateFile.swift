package import EMV

/// A CA's answer to a request: the objects that go on cards, as BER-TLV (4F RID, 8F, 90, 92 where the key does not fit,
/// 9F32).
package struct IssuerCertificateFile: Hashable, Sendable {
    /// Five bytes.
    package let rid: [UInt8]
    /// 8F.
    package let caIndex: UInt8
    /// 90, 92 and 9F32.
    package let objects: KeyCertificate.Objects

    private static let ridTag = Tag(rawValue: 0x4F)

    package init(rid: [UInt8], caIndex: UInt8, objects: KeyCertificate.Objects) {
        self.rid = rid
        self.caIndex = caIndex
        self.objects = objects
    }

    /// Reads the file; every object has to be there once, and nothing else.
    package init(file: [UInt8]) throws {
        let found: [(Tag, ArraySlice<UInt8>)]
        do { found = try TLVReader.objects(in: file[...]) } catch {
            throw IssuanceError("certificate file", "\(error)")
        }
        var values: [Tag: [UInt8]] = [:]
        let known: [Tag] = [
            IssuerCertificateFile.ridTag, .caKeyIndex, .issuerCertificate, .issuerRemainder, .issuerExponent,
        ]
        for (tag, value) in found {
            guard known.contains(tag) else {
                throw IssuanceError("certificate file", "tag \(tag) has no place in it")
            }
            guard values.updateValue(Array(value), forKey: tag) == nil else {
                throw IssuanceError("certificate file", "tag \(tag) stands twice")
            }
        }
        func value(_ tag: Tag, count: Int? = nil) throws -> [UInt8] {
            guard let value = values[tag] else {
                throw IssuanceError("certificate file", "tag \(tag) is missing")
            }
            guard count == nil || value.count == count else {
                throw IssuanceError("certificate file", "tag \(tag) has \(value.count) bytes")
            }
            return value
        }
        rid = try value(IssuerCertificateFile.ridTag, count: 5)
        caIndex = try value(.caKeyIndex, count: 1)[0]
        objects = KeyCertificate.Objects(
            certificate: try value(.issuerCertificate), remainder: values[.issuerRemainder] ?? [],
            exponent: try value(.issuerExponent))
    }

    /// As it is written.
    package var encoded: [UInt8] {
        var writer = TLVWriter()
        writer.append(IssuerCertificateFile.ridTag, rid)
        writer.append(.caKeyIndex, [caIndex])
        writer.append(.issuerCertificate, objects.certificate)
        if !objects.remainder.isEmpty { writer.append(.issuerRemainder, objects.remainder) }
        writer.append(.issuerExponent, objects.exponent)
        return writer.bytes
    }

    /// What stands in it, checked against a CA key of this month.
    package func verify(
        _ keys: CAKeys, month: CertificateMonth?
    ) throws -> (certificate: KeyCertificate, authority: CAPublicKey) {
        let authority = try keys.key(application: rid, index: caIndex, month: month)
        let certificate = try KeyCertificate.recover(
            .issuer, objects, signedUnder: authority.key,
            circumstances: KeyCertificate.Circumstances(
                accountDigits: nil, month: month, revoked: authority.revoked),
            arithmetic: .portable)
        return (certificate, authority)
    }
}
