import NIOCore
import Testing

@testable import HostServer

@Suite struct PeerNetworkTests {
    @Test("Addresses and networks of both versions")
    func contains() throws {
        let cases: [(String, String, Bool)] = [
            ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
            ("10.1.0.0/16", "10.1.255.255", true), ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.2.128/25", "10.1.2.127", false), ("0.0.0.0/0", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true), ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "2001:db8::1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ]
        for (network, peer, inside) in cases {
            let found = try #require(PeerNetwork(network)).contains(
                try SocketAddress(ipAddress: peer, port: 1))
            #expect(found == inside, "\(peer) in \(network)")
        }
    }

    @Test(
        "What is no network is refused",
        arguments: ["", "10", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "host.example", "2001:db8::/129"])
    func refused(_ text: String) { #expect(PeerNetwork(text) == nil) }
}
