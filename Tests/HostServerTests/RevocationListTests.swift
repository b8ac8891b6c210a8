import Foundation
import ISO8583
import Logging
import SocketSupport
import Synchronization
import Testing

@testable import HostServer

/// Lists of revoked certificates that are not what they seem, lists that are overdue, and signatures that are not taken.
@Suite struct RevocationListTests {
    private static func tls(
        _ certificates: Certificates, revoked: String?, trusted: String = "ca.pem", graceSeconds: Int64 = 0
    ) -> LinkTLS {
        LinkTLS(
            certificateFile: certificates.path("host.pem"), privateKeyFile: certificates.path("host.key"),
            trustedFile: certificates.path(trusted), revokedFile: revoked.map { certificates.path($0) },
            revokedGraceSeconds: graceSeconds)
    }

    /// What a link says of its files; nil: they will do.
    private static func refusal(
        _ certificates: Certificates, revoked: String?, trusted: String = "ca.pem", now: Date = Date()
    ) -> String? {
        do throws(TLSFault) {
            _ = try TLSContext(
                tls(certificates, revoked: revoked, trusted: trusted), role: .server, link: "a",
                now: Int64(now.timeIntervalSince1970))
            return nil
        } catch { return error.description }
    }

    private static func trust(
        _ certificates: Certificates, revoked: String?, trusted: String = "ca.pem", graceSeconds: Int64 = 0
    ) throws -> PeerTrust {
        try TLSContext(
            tls(certificates, revoked: revoked, trusted: trusted, graceSeconds: graceSeconds),
            role: .server, link: "a"
        ).trust
    }

    /// What a peer with these certificates is told; nil: it is let in.
    private static func verdict(
        _ trust: PeerTrust, _ certificates: Certificates, _ names: [String], isConnected: Bool = false,
        secondsFromNow: Int64 = 0
    ) async throws -> String? {
        do throws(PeerTrust.Refused) {
            let presented = try certificates.presented(names)
            try await trust.examine(
                presented, isConnected: isConnected,
                now: Int64(Date().timeIntervalSince1970) + secondsFromNow)
            return nil
        } catch { return error.description }
    }

    private static func echoes(_ client: TLSClient, _ stan: Int) throws -> Bool {
        guard let answer = client.exchange(try TestMessages.network(stan: stan)) else { return false }
        return try TestMessages.codec().decode(answer).text(.responseCode) == "00"
    }

    private static func serves(_ host: TestHost, _ certificates: Certificates, _ name: String) throws -> Bool
    {
        try echoes(TLSClient(port: host.port(), certificates, certificate: name), 1)
    }

    private static func reload(_ host: TestHost, _ link: LinkConfiguration) throws {
        let links = [link]
        try waiting { try await host.server.reload(links: links, loops: []) }
    }

    @Test(
        "A list that is not whole, or says what is not known, is refused in words",
        arguments: [
            ("2.5.29.27=critical,DER:020101", "holds only changes since another list (delta CRL)"),
            ("2.5.29.27=DER:020101", "holds only changes since another list (delta CRL)"),
            ("issuingDistributionPoint=critical,@point\n[point]\nonlyuser=TRUE", "onlyContainsUserCerts"),
            ("issuingDistributionPoint=critical,@point\n[point]\nonlyCA=TRUE", "onlyContainsCACerts"),
            ("issuingDistributionPoint=critical,@point\n[point]\nonlyAA=TRUE", "onlyContainsAttributeCerts"),
            (
                "issuingDistributionPoint=critical,@point\n[point]\nonlysomereasons=keyCompromise,CACompromise",
                "onlySomeReasons"
            ),
            ("issuingDistributionPoint=critical,@point\n[point]\nindirectCRL=TRUE", "indirectCRL"),
            (
                "issuingDistributionPoint=critical,@point\n[point]\nfullname=URI:http://ca.example/1.crl",
                "of one distribution point"
            ),
            ("issuingDistributionPoint=@point\n[point]\nonlyuser=TRUE", "onlyContainsUserCerts"),
            (
                "issuingDistributionPoint=critical,@point\n[point]\nonlyuser=TRUE\nonlysomereasons=superseded",
                "(onlyContainsUserCerts), of some reasons (onlySomeReasons)"
            ),
            ("2.5.29.28=critical,DER:3000", "says not of which"),
            ("2.5.29.28=critical,DER:0500", "no list of revoked certificates"),
            ("1.2.3.4.5=critical,DER:0500", "critical extension 1.2.3.4.5, which is not known here"),
        ])
    func partial(extensions: String, words: String) throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", revoked: ["neighbour"], extensions: extensions)
        let refusal = Self.refusal(certificates, revoked: "ca.crl") ?? "taken"
        #expect(refusal.hasPrefix("links.a.tls.revokedFile: \(certificates.path("ca.crl")): list 1 "))
        #expect(refusal.contains(words), "\(refusal)")
    }

    @Test("Extensions that ask for nothing leave a list as it is")
    func harmless() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(
            of: "ca", revoked: ["neighbour"],
            extensions:
                "authorityKeyIdentifier=keyid\n1.2.3.4.5=DER:0500\n2.5.29.20=DER:020107\n2.5.29.46=DER:3000")
        let trust = try Self.trust(certificates, revoked: "ca.crl")
        #expect(try await Self.verdict(trust, certificates, ["acquirer"]) == nil)
        let revoked = try await Self.verdict(trust, certificates, ["neighbour"])
        #expect(revoked == "CN=ca has revoked the certificate CN=neighbour")
    }

    @Test("A list with another authority's entry is refused, marked critical or not")
    func indirect() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", revoked: ["neighbour"])
        // The entry's reason (2.5.29.21) becomes the name of its authority (2.5.29.29).
        try certificates.change("ca.crl") { bytes in
            let place = try #require(bytes.firstRange(of: [0x55, 0x1D, 0x15]))
            bytes[place.upperBound - 1] = 0x1D
        }
        let refusal = Self.refusal(certificates, revoked: "ca.crl") ?? "taken"
        #expect(refusal.contains("list 1 has an entry of another authority (indirect CRL)"), "\(refusal)")
    }

    @Test("A list of another version is refused")
    func version() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", extensions: "authorityKeyIdentifier=keyid")
        try certificates.change("ca.crl") { bytes in
            let place = try #require(bytes.firstRange(of: [0x02, 0x01, 0x01]))
            bytes[place.upperBound - 1] = 0x02
        }
        let refusal = Self.refusal(certificates, revoked: "ca.crl") ?? "taken"
        #expect(refusal.contains("it is of version 3, not 2"), "\(refusal)")
    }

    @Test("A list that is not valid yet is refused, with both times")
    func early() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", extra: "-crl_lastupdate 20901231235959Z")
        let refusal = Self.refusal(certificates, revoked: "ca.crl") ?? "taken"
        #expect(
            refusal.contains("list 1 is not valid before 2090-12-31T23:59:59Z (thisUpdate)"), "\(refusal)")
        #expect(refusal.contains("the clock of this machine says 20"), "\(refusal)")
    }

    @Test("Who signed a list: nobody known, another key of that name, an authority that may not")
    func signers() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        func expect(_ refusal: String?, _ words: String) {
            #expect(refusal?.contains(words) ?? false, "\(refusal ?? "taken")")
        }
        try certificates.list(of: "other-ca")
        expect(
            Self.refusal(certificates, revoked: "other-ca.crl"),
            "list 1: it is of CN=other-ca, and no authority of trustedFile has that name")
        try certificates.authority("impostor", subject: "ca")
        try certificates.list(of: "impostor")
        expect(
            Self.refusal(certificates, revoked: "impostor.crl"),
            "list 1: it says that it is of CN=ca, and the signature is not by the key")
        try certificates.authority("weak", extra: "-addext keyUsage=critical,keyCertSign")
        try certificates.list(of: "weak")
        expect(
            Self.refusal(certificates, revoked: "weak.crl", trusted: "weak.pem"),
            "list 1: it is of CN=weak, whose certificate in trustedFile does not allow it to sign lists")
        try certificates.authority("strong", extra: "-addext keyUsage=critical,keyCertSign,cRLSign")
        try certificates.list(of: "strong")
        #expect(Self.refusal(certificates, revoked: "strong.crl", trusted: "strong.pem") == nil)
    }

    @Test(
        "An authority between root and peer needs its list: without, in another place, or by the root in its name"
    )
    func intermediates() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.intermediate("between", by: "ca")
        try certificates.certificate("far", names: "DNS:acquirer.example", by: "between")
        try certificates.join(["ca.pem", "between.pem"], as: "both.pem")
        try certificates.list(of: "ca")
        try certificates.list(of: "between", revoked: ["far"])
        try certificates.join(["ca.crl", "between.crl"], as: "both.crl")
        let without = Self.refusal(certificates, revoked: "ca.crl", trusted: "both.pem") ?? "taken"
        #expect(without.contains("no list of the authority CN=between, which trustedFile has"), "\(without)")
        let foreign = Self.refusal(certificates, revoked: "both.crl") ?? "taken"
        #expect(foreign.contains("list 2: it is of CN=between, and no authority"), "\(foreign)")
        // The peer brings the authority along, and nobody knows what that one has revoked.
        let alone = try Self.trust(certificates, revoked: "ca.crl")
        let unknown = try await Self.verdict(alone, certificates, ["far", "between"])
        #expect(unknown == "revokedFile has no list of CN=between")
        let whole = try Self.trust(certificates, revoked: "both.crl", trusted: "both.pem")
        let revoked = try await Self.verdict(whole, certificates, ["far"])
        #expect(revoked == "CN=between has revoked the certificate CN=far")
    }

    @Test("Two keys of one authority: the list of each counts, whichever is newer")
    func rollover() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.authority("next", subject: "ca")
        try certificates.certificate("late", names: "DNS:acquirer.example", by: "next")
        try certificates.join(["ca.pem", "next.pem"], as: "both.pem")
        try certificates.list(of: "ca", revoked: ["neighbour"], extra: "-crl_lastupdate 20200101000000Z")
        try certificates.list(of: "next", revoked: ["late"])
        try certificates.join(["ca.crl", "next.crl"], as: "both.crl")
        let trust = try Self.trust(certificates, revoked: "both.crl", trusted: "both.pem")
        for name in ["neighbour", "late"] {
            let verdict = try await Self.verdict(trust, certificates, [name])
            #expect(verdict == "CN=ca has revoked the certificate CN=\(name)")
        }
        #expect(try await Self.verdict(trust, certificates, ["acquirer"]) == nil)
    }

    @Test("Of several lists of one key the newest counts")
    func newest() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(
            of: "ca", revoked: ["acquirer"], as: "old", extra: "-crl_lastupdate 20200101000000Z")
        try certificates.list(of: "ca", revoked: ["neighbour"], as: "new")
        try certificates.join(["new.crl", "old.crl"], as: "both.crl")
        let trust = try Self.trust(certificates, revoked: "both.crl")
        #expect(try await Self.verdict(trust, certificates, ["acquirer"]) == nil)
        #expect(try await Self.verdict(trust, certificates, ["neighbour"]) != nil)
    }

    @Test(
        "An overdue list keeps new peers out, after its grace; who is connected stays unless it is on the list"
    )
    func overdue() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.list(of: "ca", revoked: ["neighbour"], seconds: 3_600)
        let words = "the list of CN=ca in revokedFile is overdue: get the next one from the authority"
        let strict = try Self.trust(certificates, revoked: "ca.crl")
        let patient = try Self.trust(certificates, revoked: "ca.crl", graceSeconds: 7_200)
        func verdict(_ trust: PeerTrust, _ name: String, _ seconds: Int64, _ isConnected: Bool = false)
            async throws -> String?
        {
            try await Self.verdict(
                trust, certificates, [name], isConnected: isConnected, secondsFromNow: seconds)
        }
        #expect(try await verdict(strict, "acquirer", 3_500) == nil)
        #expect(try await verdict(strict, "acquirer", 3_700) == words)
        #expect(try await verdict(strict, "acquirer", 3_700, true) == nil)
        #expect(
            try await verdict(strict, "neighbour", 3_700, true)
                == "CN=ca has revoked the certificate CN=neighbour")
        #expect(try await verdict(patient, "acquirer", 10_700) == nil)
        #expect(try await verdict(patient, "acquirer", 10_900) == words)
        #expect(
            try await verdict(patient, "neighbour", 3_700) == "CN=ca has revoked the certificate CN=neighbour"
        )
        let end = try #require(patient.listEnds.first)
        #expect(end.authority == "CN=ca" && end.next - end.issued == 3_600 && end.usable - end.next == 7_200)
    }

    @Test(
        "Once a list has run out, a reload with it keeps connected peers, and new ones stay out until the next list"
    )
    func reloadedOverdue() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        var link = try TestMessages.link()
        link.tls = Self.tls(certificates, revoked: "ca.crl")
        let served = link
        try certificates.list(of: "ca", seconds: 6)
        try await withHost([served]) { host in
            let client = try TLSClient(port: host.port(), certificates, certificate: "acquirer")
            #expect(try Self.echoes(client, 2))
            try eventually { try !Self.serves(host, certificates, "acquirer") }
            try Self.reload(host, served)
            #expect(try Self.echoes(client, 3))
            #expect(try !Self.serves(host, certificates, "acquirer"))
            try certificates.list(of: "ca")
            try Self.reload(host, served)
            #expect(try Self.serves(host, certificates, "acquirer"))
            #expect(try Self.echoes(client, 4))
        }
    }

    @Test("RSA-PSS is refused in words: of a peer, an authority and a list; RSA PKCS #1 is taken")
    func pss() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let taken = "which is not taken: ECDSA, Ed25519 and RSA PKCS #1 v1.5 with SHA-256 or longer are"
        try certificates.authority("theirs", key: "rsa:2048")
        try certificates.certificate("plain", names: "DNS:acquirer.example", by: "theirs", key: "rsa:2048")
        try certificates.certificate(
            "one", names: "DNS:acquirer.example", by: "theirs", signing: Certificates.pss)
        let trust = try Self.trust(certificates, revoked: nil, trusted: "theirs.pem")
        #expect(try await Self.verdict(trust, certificates, ["plain"]) == nil)
        let peer = try await Self.verdict(trust, certificates, ["one"])
        #expect(peer == "certificate 1 is signed with RSA-PSS, \(taken)")
        var link = try TestMessages.link()
        link.tls = Self.tls(certificates, revoked: nil, trusted: "theirs.pem")
        let served = link
        try await withHost([served]) { host in
            let served = try ["plain", "one"].map { try Self.serves(host, certificates, $0) }
            #expect(served == [true, false])
            #expect(try host.metric("issuer_tls_refused_total") == 1)
        }

        try certificates.authority("root", key: "rsa:2048", extra: Certificates.pss)
        try certificates.join(["ca.pem", "root.pem"], as: "two.pem")
        let root = Self.refusal(certificates, revoked: nil, trusted: "two.pem") ?? "taken"
        #expect(root.hasPrefix("links.a.tls.trustedFile: "), "\(root)")
        #expect(root.contains("certificate 2 is signed with RSA-PSS, \(taken)"), "\(root)")
        try certificates.authority("only", key: "rsa-pss -pkeyopt rsa_keygen_bits:2048")
        let key = Self.refusal(certificates, revoked: nil, trusted: "only.pem") ?? "taken"
        #expect(key.contains("links.a.tls.trustedFile: ") && key.contains("is not taken: "), "\(key)")

        try certificates.list(of: "theirs", extra: Certificates.pss)
        let list = Self.refusal(certificates, revoked: "theirs.crl", trusted: "theirs.pem") ?? "taken"
        #expect(list.contains("list 1 is signed with RSA-PSS, \(taken)"), "\(list)")
    }

    @Test("A host's own certificate that is signed with RSA-PSS serves: whoever connects judges it")
    func ownPSS() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.authority("theirs", key: "rsa:2048")
        try certificates.certificate(
            "host", names: "DNS:host.example,IP:127.0.0.1", by: "theirs", signing: Certificates.pss)
        var link = try TestMessages.link()
        link.tls = Self.tls(certificates, revoked: nil)
        let served = link
        try await withHost([served]) { host in
            let client = try TLSClient(
                port: host.port(), certificates, certificate: "acquirer",
                ["-CAfile", certificates.path("theirs.pem")])
            #expect(client.exchange(try TestMessages.network(stan: 1)) != nil)
        }
    }
}
