import Foundation
import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// TLS links against another implementation, and against each other.
@Suite struct TLSTests {
    private func link(_ certificates: Certificates, _ name: String = "a") throws -> LinkConfiguration {
        var link = try TestMessages.link(name)
        link.tls = LinkTLS(
            certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
            trustedFile: certificates.path("ca.pem"), peerNames: ["acquirer.example"])
        link.frameTimeoutNanoseconds = 2_000_000_000
        return link
    }

    private static func echoes(_ client: TLSClient, stan: Int) throws -> Bool {
        guard let answer = client.exchange(try TestMessages.network(stan: stan)) else { return false }
        return try TestMessages.codec().decode(answer).text(.responseCode) == "00"
    }

    @Test("A peer with a right certificate is served over TLS 1.2 and 1.3, over nothing older")
    func versions() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        var newest = try link(certificates, "newest")
        newest.tls?.minimumVersion = .tls13
        try await withHost([link(certificates), newest]) { host in
            func serves(_ link: String, _ version: String) throws -> Bool {
                let client = try TLSClient(
                    port: host.port(link), certificates, certificate: "acquirer", [version])
                return try TLSTests.echoes(client, stan: 1)
            }
            let served = [
                try serves("a", "-tls1_2"), try serves("a", "-tls1_3"), try serves("a", "-tls1_1"),
                try serves("newest", "-tls1_3"), try serves("newest", "-tls1_2"),
            ]
            #expect(served == [true, true, false, true, false])
        }
    }

    @Test("None, an expired, an unknown or another peer's certificate, and no TLS at all, are not served")
    func refused() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try await withHost([link(certificates)]) { host in
            let refused: [String?] = [nil, "expired", "unknown", "neighbour"]
            for version in ["-tls1_2", "-tls1_3"] {
                for certificate in refused {
                    let client = try TLSClient(
                        port: host.port(), certificates, certificate: certificate, [version])
                    #expect(
                        try !TLSTests.echoes(client, stan: 1),
                        "\(certificate ?? "none") was served, \(version)")
                }
            }
            let plain = try host.connect()
            plain.sendFrame(try TestMessages.network(stan: 1))
            while let alert = plain.receive(1) { #expect(alert != Array("0".utf8)) }
            #expect(try host.metric("issuer_tls_refused_total") == 9)
            // Everybody else is served as before.
            let client = try TLSClient(port: host.port(), certificates, certificate: "acquirer")
            #expect(try TLSTests.echoes(client, stan: 2))
        }
    }

    @Test("A handshake that is begun and not finished has a deadline")
    func slowHandshake() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        var link = try link(certificates)
        link.frameTimeoutNanoseconds = 300_000_000
        try await withHost([link]) { host in
            let slow = try host.connect()
            slow.send([0x16, 0x03, 0x01])
            #expect(slow.receive(1) == nil)
            let text = try host.admin("/metrics")
            #expect(text.contains("{reason=\"\(AbandonReason.handshakeTooSlow.label)\"} 1"))
        }
    }

    @Test("A reload takes new authorities: who came by the old ones goes, and comes no more")
    func certificatesReloaded() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try await withHost([link(certificates)]) { host in
            let before = try TLSClient(port: host.port(), certificates, certificate: "acquirer")
            #expect(try TLSTests.echoes(before, stan: 1))
            // From now on another authority's certificates are the right ones.
            var changed = try link(certificates)
            changed.tls?.trustedFile = certificates.path("other-ca.pem")
            let links = [changed]
            try waiting { try await host.server.reload(links: links, loops: []) }
            #expect(before.isEnded())
            let old = try TLSClient(port: host.port(), certificates, certificate: "acquirer")
            #expect(try !TLSTests.echoes(old, stan: 3))
            let new = try TLSClient(port: host.port(), certificates, certificate: "unknown")
            #expect(try TLSTests.echoes(new, stan: 4))
        }
    }

    @Test("A host connects to a host over TLS; a certificate of another name is not taken for the switch's")
    func clientLink() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try await withHost([link(certificates)]) { server in
            func client(_ serverName: String?) throws -> LinkConfiguration {
                var link = try TestMessages.link("out")
                (link.role, link.port, link.connectionsMax) = (.client, Int(server.port()), 1)
                link.signsOn = true
                link.tls = LinkTLS(
                    certificateFile: certificates.path("acquirer.pem"),
                    privateKeyFile: certificates.path("acquirer.key"),
                    trustedFile: certificates.path("ca.pem"), serverName: serverName)
                return link
            }
            // By its address, which the certificate bears, then by a name that it bears.
            for name in [nil, "host.example"] {
                let link = try client(name)
                try waiting {
                    try await withHost([link]) { host in
                        try eventually { try host.admin("/links").contains("\"hostSignedOn\":true") }
                    }
                }
            }
            let wrong = try client("elsewhere.example")
            try waiting {
                try await withHost([wrong]) { host in
                    try eventually { try host.metric("issuer_tls_refused_total") > 0 }
                    #expect(try !host.admin("/links").contains("\"hostSignedOn\":true"))
                }
            }
        }
    }
}
