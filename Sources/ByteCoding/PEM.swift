/// What is said of PEM files (RFC 7468) in more than one module.
package enum PEM {
    /// The label of a list of revoked certificates.
    package static let revocationList = "X509 CRL"

    /// Whether a file of another use has a list of revoked certificates in it. TLS libraries pass such a list over, and
    /// who put it there would think that it counts.
    ///
    /// - Parameter text: the file.
    package static func hasRevocationList(_ text: some Collection<UInt8>) -> Bool {
        String(decoding: text, as: UTF8.self).contains("-----BEGIN \(revocationList)-----")
    }
}
