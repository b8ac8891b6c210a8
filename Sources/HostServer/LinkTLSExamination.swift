internal import Foundation
internal import NIOSSL

/// When a certificate, or a list of revoked ones, of a link's files is valid.
package struct CertificateLife: Sendable {
    /// The key of the configuration that names its file, `links.NAME.tls.certificateFile`.
    package let key: String
    /// Its place in the file, from 1.
    package let place: Int
    /// Seconds since 1970.
    package let notBefore: Int64
    /// Seconds since 1970.
    package let notAfter: Int64
    /// How long a list still counts after `notAfter`, seconds.
    package var graceSeconds: Int64 = 0
    /// Whether it is a list of revoked certificates instead.
    package var isRevocationList = false
}

extension LinkTLS {
    /// Makes everything that connections of the link need, and lets it go again.
    ///
    /// - Parameters:
    ///   - role: of the link.
    ///   - link: its name, for errors.
    /// - Returns: the certificates of the host's file, then those of the trusted authorities, then their lists of revoked ones.
    /// - Throws: where the files do not make a TLS link; names the key.
    package func examine(role: LinkConfiguration.Role, link: String) throws(TLSFault) -> [CertificateLife] {
        _ = try TLSContext(self, role: role, link: link)
        return try certificateLives(link: link) + listLives(link: link)
    }

    /// The certificates alone, without making anything of them: for whoever asks every few seconds.
    ///
    /// - Parameter link: its name, for errors.
    /// - Throws: where a file cannot be read; names the key.
    package func certificateLives(link: String) throws(TLSFault) -> [CertificateLife] {
        try lives("certificateFile", certificateFile, link: link)
            + lives("trustedFile", trustedFile, link: link)
    }

    private func listLives(link: String) throws(TLSFault) -> [CertificateLife] {
        guard let revokedFile else { return [] }
        let key = "links.\(link).tls.revokedFile"
        do {
            return try RevocationList.all(inFile: revokedFile).enumerated().map { index, list in
                CertificateLife(
                    key: key, place: index + 1, notBefore: list.issuedAt, notAfter: list.nextAt,
                    graceSeconds: revokedGraceSeconds, isRevocationList: true)
            }
        } catch {
            throw TLSFault(description: "\(key): \(revokedFile): \(error)")
        }
    }

    private func lives(_ key: String, _ file: String, link: String) throws(TLSFault)
        -> [CertificateLife]
    {
        let key = "links.\(link).tls.\(key)"
        do {
            return try NIOSSLCertificate.fromPEMFile(file).enumerated().map { index, certificate in
                CertificateLife(
                    key: key, place: index + 1, notBefore: Int64(certificate.notValidBefore),
                    notAfter: Int64(certificate.notValidAfter))
            }
        } catch {
            throw TLSFault(description: "\(key): \(file): \(error)")
        }
    }
}
