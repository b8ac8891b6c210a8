internal import ByteCoding
internal import Foundation

extension IssuerConfiguration {
    /// What simulators need beside links and dialects: `demo`.
    package struct Demo: Sendable {
        /// What simulators show on links with TLS. Nil where the file says nothing.
        package struct TLS: Sendable {
            /// PEM file of the authorities that they trust.
            package var trustedFile: String?
            /// PEM file of their certificate chain.
            package var certificateFile: String?
            /// PEM file of its private key.
            package var privateKeyFile: String?
            /// The name that the host's certificate has to bear.
            package var serverName: String?
        }

        /// Test keys and cards; nil: no simulators here.
        package var issuer: String?
        /// Folder of the cards' counters.
        package var cardState: String
        /// Files of the CA keys that terminals have.
        package var caKeys: [String]
        /// Nil: links with TLS cannot be used by simulators that want a certificate.
        package var tls: TLS?

        init(_ section: Section) throws(ConfigurationError) {
            issuer = section.fileIfThere("issuer")
            cardState = try section.file("cardState")
            caKeys = try section.list("caKeys").map(section.settings.absolute)
            let tls = section.section("tls")
            guard tls.isThere else { return }
            self.tls = TLS(
                trustedFile: tls.fileIfThere("trustedFile"),
                certificateFile: tls.fileIfThere("certificateFile"),
                privateKeyFile: tls.fileIfThere("privateKeyFile"), serverName: tls.textIfThere("serverName"))
            for key in ["trustedFile", "certificateFile", "privateKeyFile"] {
                guard let file = tls.fileIfThere(key), let text = try? Data(contentsOf: URL(filePath: file)),
                    PEM.hasRevocationList(text)
                else { continue }
                throw tls.fault(
                    key,
                    "\(file) has a list of revoked certificates in it: simulators do not look at revocation, take it out"
                )
            }
        }
    }

    /// The folder of the file, from which relative paths start.
    package var folder: String { settings.folder }

    /// - Throws: where the file names no test keys and cards, for programs that cannot do without.
    package func demoIssuer() throws(ConfigurationError) -> String {
        guard let issuer = demo.issuer else {
            throw settings.section("demo").fault("issuer", "is missing: simulators take their cards from it")
        }
        return issuer
    }
}

extension IssuerConfiguration.Link {
    /// Where a caller on this machine reaches a listener: addresses that mean every interface mean nothing to it.
    package var reachableHost: String { IssuerConfiguration.reachable(host) }
}

extension IssuerConfiguration {
    /// The admin port as a caller on this machine reaches it; nil: there is none.
    package var reachableAdmin: (host: String, port: Int)? {
        adminPort.map { (IssuerConfiguration.reachable(adminHost), $0) }
    }

    fileprivate static func reachable(_ host: String) -> String {
        ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
    }
}
