internal import NIOCore
internal import NIOSSL

/// TLS on a link. Both sides show a certificate: a peer whose certificate the trusted authorities did not sign, or
/// that has expired, gets no connection.
package struct LinkTLS: Hashable, Sendable {
    /// The lowest version that is spoken.
    package enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// PEM file of the host's certificate, the authorities between it and the root behind it.
    package var certificateFile: String
    /// PEM file of its private key.
    package var privateKeyFile: String
    /// PEM file of the authorities whose certificates peers may show.
    package var trustedFile: String
    /// Names of which a peer's certificate has to bear one (subject alternative name, DNS); empty: any.
    package var peerNames: [String]
    /// The lowest version that is spoken.
    package var minimumVersion: Version
    /// The name that a server's certificate has to bear (client links), a DNS name without wildcards; nil: that of the
    /// address that is connected to.
    package var serverName: String?

    /// Takes the parts; nothing is read yet.
    package init(
        certificateFile: String, privateKeyFile: String, trustedFile: String, peerNames: [String] = [],
        minimumVersion: Version = .tls12, serverName: String? = nil
    ) {
        self.certificateFile = certificateFile
        self.privateKeyFile = privateKeyFile
        self.trustedFile = trustedFile
        self.peerNames = peerNames
        self.minimumVersion = minimumVersion
        self.serverName = serverName
    }
}

/// Files that do not make a TLS link. Names the key of the configuration.
package struct LinkTLSError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String
}

/// What connections of one link share: made from the files once, again at every reload.
struct TLSContext: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?
    let peerNames: Set<String>

    /// - Parameter link: for errors.
    init(_ tls: LinkTLS, role: LinkConfiguration.Role, link: String) throws(LinkTLSError) {
        func reading<Value>(_ key: String, _ file: String, body: () throws -> Value) throws(LinkTLSError)
            -> Value
        {
            do { return try body() } catch {
                throw LinkTLSError(description: "links.\(link).tls.\(key): \(file): \(error)")
            }
        }
        let chain = try reading("certificateFile", tls.certificateFile) {
            try NIOSSLCertificate.fromPEMFile(tls.certificateFile)
        }
        let key = try reading("privateKeyFile", tls.privateKeyFile) {
            try NIOSSLPrivateKey(file: tls.privateKeyFile, format: .pem)
        }
        let trusted = try reading("trustedFile", tls.trustedFile) {
            try NIOSSLCertificate.fromPEMFile(tls.trustedFile)
        }
        guard !chain.isEmpty else {
            throw LinkTLSError(description: "links.\(link).tls.certificateFile: no certificate in it")
        }
        guard !trusted.isEmpty else {
            throw LinkTLSError(description: "links.\(link).tls.trustedFile: no certificate in it")
        }
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key),
            trustRoots: .certificates(trusted))
        configuration.minimumTLSVersion = tls.minimumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.sendCANameList = role == .server
        if role == .client { configuration.certificateVerification = .fullVerification }
        context = try reading("certificateFile and privateKeyFile", tls.certificateFile) {
            try NIOSSLContext(configuration: configuration)
        }
        serverName = role == .client ? tls.serverName : nil
        peerNames = Set(tls.peerNames.map { $0.lowercased() })
    }

    func serverHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context) }

    /// - Parameter host: what is connected to; its certificate has to bear this name or address.
    func clientHandler(host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: context, serverHostname: serverName ?? (isAddress ? nil : host))
    }

    /// Whether the certificate bears the switch's name (client links) and one of the names that this link asks for.
    ///
    /// The library is content with the address that was connected to, whatever name it was given, so the name is looked
    /// for here (RFC 6125, 6.4.1; no wildcards).
    func accepts(_ certificate: NIOSSLCertificate?) -> Bool {
        guard serverName != nil || !peerNames.isEmpty else { return true }
        guard let certificate else { return false }
        let names = Set(
            certificate._subjectAlternativeNames().filter { $0.nameType == .dnsName }
                .map { String(decoding: $0.contents, as: UTF8.self).lowercased() })
        if let serverName, !names.contains(serverName.lowercased()) { return false }
        return peerNames.isEmpty || !names.isDisjoint(with: peerNames)
    }
}
