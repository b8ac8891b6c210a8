import Foundation
import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// A session ticket opens no door that the certificate would not open now.
@Suite struct ResumptionTests {
    private static func link(_ certificates: Certificates, _ version: LinkTLS.Version = .tls12) throws
        -> LinkConfiguration
    {
        var link = try TestMessages.link()
        link.tls = LinkTLS(
            certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
            trustedFile: certificates.path("ca.pem"), peerNames: ["acquirer.example"], minimumVersion: version
        )
        return link
    }

    private static func echoes(_ client: TLSClient, stan: Int) throws -> Bool {
        guard let answer = client.exchange(try TestMessages.network(stan: stan)) else { return false }
        return try TestMessages.codec().decode(answer).text(.responseCode) == "00"
    }

    @Test(
        "A certificate that has expired since gets nobody in by the session that it once had",
        arguments: ["-tls1_2", "-tls1_3"])
    func expiredSince(version: String) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.certificate("brief", names: "DNS:acquirer.example", by: "ca", seconds: 15)
        let session = certificates.path("session")
        try await withHost([try Self.link(certificates)]) { host in
            let first = try TLSClient(
                port: host.port(), certificates, certificate: "brief", [version, "-sess_out", session])
            #expect(try Self.echoes(first, stan: 1))
            // The ticket comes with the first bytes and is written when the connection ends.
            first.end()
            try eventually { FileManager.default.fileExists(atPath: session) }
            // As long as the certificate is good, so is the way in, by whatever handshake.
            let second = try TLSClient(
                port: host.port(), certificates, certificate: "brief", [version, "-sess_in", session])
            #expect(try Self.echoes(second, stan: 2))
            try eventually {
                let whole = try TLSClient(
                    port: host.port(), certificates, certificate: "brief", [version])
                return try !Self.echoes(whole, stan: 3)
            }
            let late = try TLSClient(
                port: host.port(), certificates, certificate: "brief", [version, "-sess_in", session])
            #expect(try !Self.echoes(late, stan: 4))
        }
    }

    @Test(
        "Two connections with one session: the second is a whole handshake",
        arguments: ["-tls1_2", "-tls1_3"])
    func neverResumed(version: String) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let session = certificates.path("session")
        try await withHost([try Self.link(certificates)]) { host in
            let first = try TLSClient(
                port: host.port(), certificates, certificate: "acquirer", [version, "-sess_out", session])
            #expect(try Self.echoes(first, stan: 1))
            first.end()
            try eventually { FileManager.default.fileExists(atPath: session) }
            let said = try certificates.output(
                "s_client -connect 127.0.0.1:\(host.port()) -CAfile \(certificates.path("ca.pem")) "
                    + "-cert \(certificates.path("acquirer.pem")) -key \(certificates.path("acquirer.key")) "
                    + "\(version) -sess_in \(session)")
            #expect(said.contains("New, TLSv1"))
            #expect(!said.contains("Reused, TLSv1"))
        }
    }
}
