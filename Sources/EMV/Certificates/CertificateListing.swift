internal import ByteCoding

/// Certificates among a card's objects opened for people, as far as their CA key is known. PANs are masked.
package enum CertificateListing {
    private static let identifiers: [Tag] = [Tag(rawValue: 0x4F), .dedicatedFileName, Tag(rawValue: 0x9F06)]
    private static let depthMax = 5

    /// One line each; none where the data have no certificate.
    /// - Parameters:
    ///   - data: BER-TLV, templates included: records, or DE55.
    ///   - application: AID or RID; nil takes 4F, 84 or 9F06 of the data.
    package static func lines(
        _ data: ArraySlice<UInt8>, _ keys: CAKeys, application: [UInt8]?, month: CertificateMonth?
    ) -> [String] {
        var objects: [Tag: [UInt8]] = [:]
        collect(data, into: &objects, depth: 0)
        guard let certificate = objects[.issuerCertificate] else {
            return objects[.iccCertificate] == nil
                ? [] : ["ICC certificate: cannot be opened without the issuer's (90)"]
        }
        guard let application = application ?? identifiers.lazy.compactMap({ objects[$0] }).first else {
            return ["issuer certificate: the RID is not known; the AID says it"]
        }
        guard let index = objects[.caKeyIndex]?.first else {
            return ["issuer certificate: \(CertificateFault.missing(.caKeyIndex))"]
        }
        do throws(CertificateFault) {
            let authority = try keys.key(application: application, index: index, month: nil)
            let issuer = try KeyCertificate.recover(
                .issuer,
                .init(
                    certificate: certificate, remainder: objects[.issuerRemainder] ?? [],
                    exponent: objects[.issuerExponent] ?? []),
                signedUnder: authority.key,
                circumstances: .init(accountDigits: nil, month: nil, revoked: authority.revoked),
                arithmetic: .portable)
            let head = "issuer certificate: PANs \(issuer.identifierDigits.map(String.init).joined())"
            return [head + words(issuer, month) + ", signed by CA key \(Hex.encode([index]))"]
                + card(objects, issuer.key, month: month)
        } catch {
            return ["issuer certificate: \(error)"]
        }
    }

    private static func card(
        _ objects: [Tag: [UInt8]], _ issuer: RSAPublicKey, month: CertificateMonth?
    ) -> [String] {
        let kinds: [(KeyCertificate.Kind, String, Tag, Tag, Tag)] = [
            (.icc, "ICC certificate", .iccCertificate, .iccRemainder, .iccExponent),
            (.pinEncipherment, "PIN key certificate", .pinCertificate, .pinRemainder, .pinExponent),
        ]
        return kinds.compactMap { kind, name, certificate, remainder, exponent in
            guard let value = objects[certificate] else { return nil }
            do throws(CertificateFault) {
                let found = try KeyCertificate.recover(
                    kind,
                    .init(
                        certificate: value, remainder: objects[remainder] ?? [],
                        exponent: objects[exponent] ?? []), signedUnder: issuer,
                    circumstances: .init(accountDigits: nil, month: nil), checksHash: kind != .icc,
                    arithmetic: .portable)
                let pan = try? PAN(found.identifierDigits.map(String.init).joined())
                // What a single record shows says nothing of the others, which the hash covers.
                let note = kind == .icc ? " (its hash covers the static data: not checked)" : ""
                return "\(name): PAN \(pan.map { "\($0)" } ?? "of an impossible length")"
                    + words(found, month) + note
            } catch {
                return "\(name): \(error)"
            }
        }
    }

    private static func words(_ certificate: KeyCertificate, _ month: CertificateMonth?) -> String {
        let hasExpired = month.map { certificate.expiry < $0 } ?? false
        let serial = [16, 8, 0].map { UInt8(truncatingIfNeeded: certificate.serialNumber >> UInt32($0)) }
        return
            ", until \(certificate.expiry)\(hasExpired ? " (EXPIRED)" : ""), serial number \(Hex.encode(serial))"
            + ", \(certificate.key.byteCount * 8) bits, exponent \(Hex.encode(certificate.key.exponent))"
    }

    private static func collect(_ data: ArraySlice<UInt8>, into objects: inout [Tag: [UInt8]], depth: Int) {
        guard depth < depthMax, let found = try? TLVReader.objects(in: data) else { return }
        for (tag, value) in found {
            objects[tag] = Array(value)
            let first = tag.rawValue >> UInt32(8 * (tag.byteCount - 1))
            if first & 0x20 != 0 { collect(value, into: &objects, depth: depth + 1) }
        }
    }
}
