import Foundation
import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// Lists of revoked certificates, and connections that a reload ends.
@Suite struct RevocationTests {
    private static func link(_ certificates: Certificates, revoked: String? = nil) throws
        -> LinkConfiguration
    {
        var link = try TestMessages.link()
        link.tls = LinkTLS(
            certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
            trustedFile: certificates.path("ca.pem"), revokedFile: revoked.map { certificates.path($0) },
            peerNames: [])
        return link
    }

    private static func connect(_ host: TestHost, _ certificates: Certificates, _ name: String) throws
        -> TLSClient
    {
        try TLSClient(port: host.port(), certificates, certificate: name)
    }

    private static func echoes(_ client: TLSClient, stan: Int) throws -> Bool {
        guard let answer = client.exchange(try TestMessages.network(stan: stan)) else { return false }
        return try TestMessages.codec().decode(answer).text(.responseCode) == "00"
    }

    private static func serves(_ host: TestHost, _ certificates: Certificates, _ name: String) throws -> Bool
    {
        try echoes(connect(host, certificates, name), stan: 1)
    }

    private static func reload(_ host: TestHost, _ link: LinkConfiguration) throws {
        let links = [link]
        try waiting { try await host.server.reload(links: links, loops: []) }
    }

    @Test("Who is on the list is not let in, everybody else is")
    func revoked() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", revoked: ["neighbour"])
        try await withHost([Self.link(certificates, revoked: "ca.crl")]) { host in
            #expect(try Self.serves(host, certificates, "acquirer"))
            #expect(try !Self.serves(host, certificates, "neighbour"))
            #expect(try host.metric("issuer_tls_refused_total") == 1)
            let text = try host.admin("/metrics")
            #expect(
                text.contains(
                    "issuer_revocation_list_expiry_timestamp_seconds{link=\"a\",authority=\"CN=ca\"} "))
        }
    }

    @Test("A reload takes the new list, and ends the connection of who is on it, and no other")
    func reloaded() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca")
        let link = try Self.link(certificates, revoked: "ca.crl")
        try await withHost([link]) { host in
            let (kept, gone) = (
                try Self.connect(host, certificates, "acquirer"),
                try Self.connect(host, certificates, "neighbour")
            )
            #expect(try Self.echoes(kept, stan: 1))
            #expect(try Self.echoes(gone, stan: 2))
            try certificates.list(of: "ca", revoked: ["neighbour"])
            #expect(try Self.echoes(gone, stan: 3))
            try Self.reload(host, link)
            #expect(gone.isEnded())
            #expect(try Self.echoes(kept, stan: 4))
            #expect(try !Self.serves(host, certificates, "neighbour"))
            let label = AbandonReason.peerNoLongerAllowed.label
            #expect(try host.metric("issuer_connections_abandoned_total{reason=\"\(label)\"}") == 1)
        }
    }

    @Test("A reload ends the connections that the other rules of a link do not allow any more")
    func otherRules() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let changes: [(String, (inout LinkConfiguration) -> Void)] = [
            ("another authority", { $0.tls?.trustedFile = certificates.path("other-ca.pem") }),
            ("another name", { $0.tls?.peerNames = ["elsewhere.example"] }),
            ("another network", { $0.allowedPeers = [PeerNetwork("192.0.2.0/24")].compactMap(\.self) }),
        ]
        for (name, change) in changes {
            let link = try Self.link(certificates)
            var changed = link
            change(&changed)
            let after = changed
            try await withHost([link]) { host in
                let client = try Self.connect(host, certificates, "acquirer")
                #expect(try Self.echoes(client, stan: 1))
                // The same again ends nothing.
                try Self.reload(host, link)
                #expect(try Self.echoes(client, stan: 2))
                try Self.reload(host, after)
                #expect(client.isEnded(), "\(name)")
            }
        }
    }

    @Test("A reload that asks for TLS ends plain connections, and one that lifts it ends none")
    func plainBefore() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let (plain, secure) = (try TestMessages.link(), try Self.link(certificates))
        try await withHost([plain]) { host in
            let client = try host.connect()
            #expect(try client.echoes(stan: 1))
            try Self.reload(host, secure)
            #expect(client.receive(1) == nil)
            let peer = try Self.connect(host, certificates, "acquirer")
            #expect(try Self.echoes(peer, stan: 2))
            try Self.reload(host, plain)
            #expect(try Self.echoes(peer, stan: 3))
        }
    }

    @Test("A peer whose certificate has expired while it was connected goes with the next reload")
    func expiredMeanwhile() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.certificate("brief", names: "DNS:acquirer.example", by: "ca", seconds: 8)
        let link = try Self.link(certificates)
        try await withHost([link]) { host in
            let client = try Self.connect(host, certificates, "brief")
            #expect(try Self.echoes(client, stan: 1))
            try eventually { try !Self.serves(host, certificates, "brief") }
            #expect(try Self.echoes(client, stan: 2))
            try Self.reload(host, link)
            #expect(client.isEnded())
        }
    }

    @Test("Once a list has run out nobody comes in any more; who is connected stays")
    func listRunsOut() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", seconds: 6)
        try await withHost([Self.link(certificates, revoked: "ca.crl")]) { host in
            let client = try Self.connect(host, certificates, "acquirer")
            #expect(try Self.echoes(client, stan: 1))
            try eventually { try !Self.serves(host, certificates, "acquirer") }
            #expect(try Self.echoes(client, stan: 2))
        }
    }

    @Test("An authority between root and peer: its list counts for the peer, the root's for it")
    func intermediates() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.intermediate("between", by: "ca")
        try certificates.certificate("far", names: "DNS:acquirer.example", by: "between")
        try certificates.certificate("farther", names: "DNS:acquirer.example", by: "between")
        for name in ["far", "farther"] {
            try certificates.join(["\(name).pem", "between.pem"], as: "\(name)-chain.pem")
        }
        try certificates.join(["ca.pem", "between.pem"], as: "both.pem")
        try certificates.list(of: "ca")
        try certificates.list(of: "between", revoked: ["far"])
        try certificates.join(["ca.crl", "between.crl"], as: "both.crl")
        var link = try Self.link(certificates, revoked: "both.crl")
        link.tls?.trustedFile = certificates.path("both.pem")
        let served = link
        try await withHost([served]) { host in
            #expect(try !Self.serves(host, certificates, "far"))
            let client = try Self.connect(host, certificates, "farther")
            #expect(try Self.echoes(client, stan: 1))
            try certificates.list(of: "ca", revoked: ["between"])
            try certificates.join(["ca.crl", "between.crl"], as: "both.crl")
            try Self.reload(host, served)
            #expect(client.isEnded())
            #expect(try Self.serves(host, certificates, "acquirer"))
        }
        // Without lists, what the peer sends beside its own certificate is enough.
        try await withHost([Self.link(certificates)]) { host in
            let sending = ["-cert_chain", certificates.path("between.pem")]
            let client = try TLSClient(port: host.port(), certificates, certificate: "farther", sending)
            #expect(try Self.echoes(client, stan: 2))
            #expect(try !Self.serves(host, certificates, "farther"))
        }
    }

    @Test(
        "Authorities with keys of other kinds, and their lists",
        arguments: ["rsa:2048", "rsa:3072 -sha384", "ec -pkeyopt ec_paramgen_curve:P-384"])
    func kindsOfKeys(key: String) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.authority("theirs", key: key)
        try certificates.certificate("one", names: "DNS:acquirer.example", by: "theirs")
        try certificates.certificate("two", names: "DNS:acquirer.example", by: "theirs")
        try certificates.list(of: "theirs", revoked: ["two"])
        var link = try Self.link(certificates, revoked: "theirs.crl")
        link.tls?.trustedFile = certificates.path("theirs.pem")
        let served = link
        try await withHost([served]) { host in
            let served = try ["one", "two", "acquirer"].map { try Self.serves(host, certificates, $0) }
            #expect(served == [true, false, false])
        }
    }

    @Test("A certificate for another use is not taken, one without extensions is")
    func otherUse() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        for (name, usage) in [
            ("mail", "emailProtection"), ("server", "serverAuth"), ("client", "clientAuth"),
        ] {
            try certificates.certificate(
                name, names: "DNS:acquirer.example -addext extendedKeyUsage=\(usage)", by: "ca")
        }
        try certificates.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bare "
                + "-keyout \(certificates.path("bare.key")) -out \(certificates.path("bare.csr"))")
        try certificates.openssl(
            "x509 -req -in \(certificates.path("bare.csr")) -CA \(certificates.path("ca.pem")) "
                + "-CAkey \(certificates.path("ca.key")) -days 2 -out \(certificates.path("bare.pem"))")
        try await withHost([Self.link(certificates)]) { host in
            let served = try ["mail", "server", "client", "bare"].map {
                try Self.serves(host, certificates, $0)
            }
            #expect(served == [false, false, true, true])
        }
    }

    @Test("A switch that the host dials is held against the list too")
    func clientLink() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca")
        try await withHost([Self.link(certificates)]) { server in
            var out = try TestMessages.link("out")
            (out.role, out.port, out.connectionsMax, out.signsOn) = (.client, Int(server.port()), 1, true)
            out.tls = LinkTLS(
                certificateFile: certificates.path("acquirer.pem"),
                privateKeyFile: certificates.path("acquirer.key"), trustedFile: certificates.path("ca.pem"),
                revokedFile: certificates.path("ca.crl"), serverName: "host.example")
            let link = out
            try waiting {
                try await withHost([link]) { host in
                    try eventually { try host.admin("/links").contains("\"hostSignedOn\":true") }
                    try certificates.list(of: "ca", revoked: ["host"])
                    let links = [link]
                    try waiting { try await host.server.reload(links: links, loops: []) }
                    try eventually { try host.metric("issuer_tls_refused_total") > 0 }
                    #expect(try !host.admin("/links").contains("\"hostSignedOn\":true"))
                }
            }
        }
    }

    @Test("What is no list of these authorities is refused, with its key and in words")
    func refusedFiles() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let now = Int64(Date().timeIntervalSince1970)
        try certificates.list(of: "ca")
        try certificates.list(of: "other-ca")
        try certificates.intermediate("between", by: "ca")
        try certificates.join(["ca.pem", "ca.crl"], as: "ca-with-list.pem")
        try certificates.join(["host.pem", "ca.crl"], as: "host-with-list.pem")
        try certificates.join(["host.key", "ca.crl"], as: "host-with-list.key")
        try certificates.join(["ca.crl", "ca.pem"], as: "list-with-certificate.crl")
        try certificates.join(["ca.pem", "other-ca.pem"], as: "two.pem")
        try certificates.openssl(
            "crl -in \(certificates.path("ca.crl")) -outform DER -out \(certificates.path("der.crl"))")
        let text = try String(contentsOfFile: certificates.path("ca.crl"), encoding: .utf8)
        func write(_ text: String, _ name: String) throws {
            try Data(text.utf8).write(to: URL(filePath: certificates.path(name)))
        }
        try write("", "empty.crl")
        try write("what is this\n", "words.crl")
        try write(String(text.prefix(text.count / 2)), "cut.crl")
        let lines = text.split(separator: "\n").map(String.init)
        try write((lines.prefix(2) + ["!!!!"] + lines.dropFirst(2)).joined(separator: "\n"), "letters.crl")
        try write("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", "hollow.crl")
        // One bit of the signature, which stands at the end.
        var bytes = try #require(Data(base64Encoded: lines.dropFirst().dropLast().joined()))
        bytes[bytes.count - 4] ^= 1
        try write(
            "-----BEGIN X509 CRL-----\n\(bytes.base64EncodedString())\n-----END X509 CRL-----\n", "forged.crl"
        )

        typealias Case = (name: String, change: (inout LinkTLS) -> Void, key: String, words: String)
        func revoked(_ file: String, _ words: String) -> Case {
            (file, { $0.revokedFile = certificates.path(file) }, "revokedFile", words)
        }
        let cases: [Case] = [
            (
                "list in trustedFile", { $0.trustedFile = certificates.path("ca-with-list.pem") },
                "trustedFile", "revokedFile"
            ),
            (
                "list beside certificate", { $0.certificateFile = certificates.path("host-with-list.pem") },
                "certificateFile", "revokedFile"
            ),
            (
                "list beside key", { $0.privateKeyFile = certificates.path("host-with-list.key") },
                "privateKeyFile", "revokedFile"
            ),
            (
                "list as trustedFile", { $0.trustedFile = certificates.path("ca.crl") }, "trustedFile",
                "revokedFile"
            ),
            (
                "one authority without list",
                {
                    $0.trustedFile = certificates.path("two.pem")
                    $0.revokedFile = certificates.path("ca.crl")
                }, "revokedFile", "no list of the authority CN=other-ca"
            ),
            ("no root", { $0.trustedFile = certificates.path("between.pem") }, "trustedFile", "no root"),
            revoked("missing.crl", "cannot be read"), revoked("empty.crl", "no PEM block"),
            revoked("words.crl", "no PEM block"), revoked("der.crl", "PEM"),
            revoked("cut.crl", "middle of a block"),
            revoked("letters.crl", "base64"), revoked("hollow.crl", "no list of revoked certificates"),
            revoked("forged.crl", "the signature is not by the key"),
            revoked("other-ca.crl", "no authority of trustedFile"),
            revoked("ca.pem", "is CERTIFICATE"), revoked("list-with-certificate.crl", "is CERTIFICATE"),
        ]
        for each in cases {
            var tls = LinkTLS(
                certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
                trustedFile: certificates.path("ca.pem"))
            each.change(&tls)
            let changed = tls
            let error = #expect(throws: TLSFault.self, "\(each.name)") {
                _ = try changed.examine(role: .server, link: "a")
            }
            let words = error?.description ?? ""
            #expect(words.hasPrefix("links.a.tls.\(each.key): "), "\(each.name): \(words)")
            #expect(words.contains(each.words), "\(each.name): \(words)")
        }
        var good = LinkTLS(
            certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
            trustedFile: certificates.path("ca.pem"), revokedFile: certificates.path("ca.crl"))
        #expect(throws: TLSFault.self) {
            // Not valid yet, as seen a day ago.
            _ = try TLSContext(good, role: .server, link: "a", now: now - 86_400)
        }
        good.trustedFile = certificates.path("ca.pem")
        let lives = try good.examine(role: .server, link: "a")
        #expect(lives.last?.isRevocationList == true)
    }
}
