internal import Foundation
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// TLS on a link. Both sides show a certificate: a peer whose certificate the trusted authorities did not sign or have
/// revoked, or that has expired, gets no connection.
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
    /// PEM file of what those authorities have revoked, a list of each; nil: nobody asks.
    package var revokedFile: String?
    /// How long a list of `revokedFile` still counts after its next one was due, seconds.
    package var revokedGraceSeconds: Int64
    /// Names of which a peer's certificate has to bear one (subject alternative name, DNS); empty: any.
    package var peerNames: [String]
    /// The lowest version that is spoken.
    package var minimumVersion: Version
    /// The name that a server's certificate has to bear (client links), a DNS name without wildcards; nil: that of the
    /// address that is connected to.
    package var serverName: String?

    /// Takes the parts; nothing is read yet.
    package init(
        certificateFile: String, privateKeyFile: String, trustedFile: String, revokedFile: String? = nil,
        revokedGraceSeconds: Int64 = 0, peerNames: [String] = [], minimumVersion: Version = .tls12,
        serverName: String? = nil
    ) {
        self.certificateFile = certificateFile
        self.privateKeyFile = privateKeyFile
        self.trustedFile = trustedFile
        self.revokedFile = revokedFile
        self.revokedGraceSeconds = revokedGraceSeconds
        self.peerNames = peerNames
        self.minimumVersion = minimumVersion
        self.serverName = serverName
    }
}

/// Files that do not make a TLS link. Names the key of the configuration.
package struct TLSFault: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String
}

/// What connections of one link share: made from the files once, again at every reload.
struct TLSContext: Sendable {
    private let configuration: TLSConfiguration
    private let serverName: String?
    private let peerNames: Set<String>
    /// Whom the link trusts.
    let trust: PeerTrust

    /// - Parameters:
    ///   - link: for errors.
    ///   - now: seconds since 1970.
    init(_ tls: LinkTLS, role: LinkConfiguration.Role, link: String, now: Int64 = Int64(time(nil)))
        throws(TLSFault)
    {
        let files = try TLSFiles(tls, link: link)
        var trust = try files.reading("trustedFile", tls.trustedFile) {
            try PeerTrust(Certificate.all(files.trusted), role: role)
        }
        if let revoked = tls.revokedFile {
            try files.reading("revokedFile", revoked) {
                try trust.take(
                    RevocationList.all(inFile: revoked), graceSeconds: tls.revokedGraceSeconds, now: now)
            }
        }
        self.trust = trust
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: files.chain.map { .certificate($0) }, privateKey: .privateKey(files.key),
            trustRoots: .certificates(files.trusted))
        configuration.minimumTLSVersion = tls.minimumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.sendCANameList = role == .server
        if role == .client { configuration.certificateVerification = .fullVerification }
        self.configuration = configuration
        serverName = role == .client ? tls.serverName : nil
        peerNames = Set(tls.peerNames.map { $0.lowercased() })
        _ = try files.reading("certificateFile and privateKeyFile", tls.certificateFile) { try context() }
    }

    /// One for each connection. The keys of session tickets and the sessions that are remembered belong to a context: what
    /// one connection was given is worth nothing to the next, so that every connection is a whole handshake and every
    /// certificate is looked at then.
    private func context() throws -> NIOSSLContext { try NIOSSLContext(configuration: configuration) }

    /// - Parameter examine: judges what the peer shows.
    func serverHandler(examine: @escaping NIOSSLCustomVerificationCallback) throws -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: try context(), customVerificationCallback: examine)
    }

    /// - Parameters:
    ///   - host: what is connected to; its certificate has to bear this name or address.
    ///   - examine: judges what the peer shows.
    func clientHandler(host: String, examine: @escaping NIOSSLCustomVerificationCallback) throws
        -> NIOSSLClientHandler
    {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: try context(), serverHostname: serverName ?? (isAddress ? nil : host),
            customVerificationCallback: examine)
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

/// The certificates and the key of a link.
private struct TLSFiles {
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    let trusted: [NIOSSLCertificate]
    private let link: String

    init(_ tls: LinkTLS, link: String) throws(TLSFault) {
        self.link = link
        let places = [
            ("certificateFile", tls.certificateFile), ("privateKeyFile", tls.privateKeyFile),
            ("trustedFile", tls.trustedFile),
        ]
        // The library passes one over, and who put it there would think that it counts.
        for (key, file) in places where PEMBlock.hasRevocationList(inFile: file) {
            throw TLSFault(
                description: "links.\(link).tls.\(key): \(file) has a list of revoked certificates in it: "
                    + "such a list belongs into a file of its own, which links.\(link).tls.revokedFile names")
        }
        chain = try TLSFiles.reading("certificateFile", tls.certificateFile, link: link) {
            try TLSFiles.certificates(tls.certificateFile)
        }
        key = try TLSFiles.reading("privateKeyFile", tls.privateKeyFile, link: link) {
            try NIOSSLPrivateKey(file: tls.privateKeyFile, format: .pem)
        }
        trusted = try TLSFiles.reading("trustedFile", tls.trustedFile, link: link) {
            try TLSFiles.certificates(tls.trustedFile)
        }
    }

    /// Names the key of the configuration and the file where the body fails.
    func reading<Value>(_ key: String, _ file: String, body: () throws -> Value) throws(TLSFault) -> Value {
        try TLSFiles.reading(key, file, link: link, body: body)
    }

    private static func reading<Value>(_ key: String, _ file: String, link: String, body: () throws -> Value)
        throws(TLSFault) -> Value
    {
        do { return try body() } catch {
            throw TLSFault(description: "links.\(link).tls.\(key): \(file): \(error)")
        }
    }

    private static func certificates(_ file: String) throws -> [NIOSSLCertificate] {
        let all = try NIOSSLCertificate.fromPEMFile(file)
        guard !all.isEmpty else { throw PeerTrust.Refused(description: "no certificate in it") }
        return all
    }
}

extension Certificate {
    /// Certificates of the TLS library, which reads more of them than the one that judges them.
    ///
    /// - Throws: `PeerTrust.Refused`; names the place, from 1.
    static func all(_ certificates: [NIOSSLCertificate]) throws(PeerTrust.Refused) -> [Certificate] {
        var all: [Certificate] = []
        for (index, certificate) in certificates.enumerated() {
            do { all.append(try Certificate(derEncoded: certificate.toDERBytes())) } catch {
                let reason = unreadable(error, (try? certificate.toDERBytes()) ?? [])
                throw PeerTrust.Refused(description: "certificate \(index + 1) \(reason)")
            }
        }
        return all
    }

    private static func unreadable(_ error: any Error, _ bytes: [UInt8]) -> String {
        switch (error as? CertificateError)?.code {
        case .unsupportedSignatureAlgorithm:
            let name = SignatureNames.algorithm(ofCertificate: bytes).map(SignatureNames.of) ?? "an algorithm"
            return "is signed with \(name), which is not taken: \(SignatureNames.takenWords)"
        case .unsupportedPublicKeyAlgorithm:
            return
                "has a key of a kind that is not taken: EC keys on P-256, P-384 and P-521, RSA keys for any use "
                + "(not for PSS alone) and Ed25519 keys are"
        default: return "cannot be read: \(error)"
        }
    }
}
