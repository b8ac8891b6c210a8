import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// Another configuration while connections are open.
@Suite struct ReloadTests {
    @Test("Connections stay, removed links drain, new ones open, changed bounds count at once")
    func changes() async throws {
        let (first, gone) = (try TestMessages.link("a"), try TestMessages.link("gone"))
        try await withHost([first, gone]) { host in
            let (kept, leaving) = (try host.connect("a"), try host.connect("gone"))
            #expect(try kept.echoes(stan: 1))
            #expect(try leaving.echoes(stan: 2))
            var changed = first
            changed.signOnRequired = true
            var new = try TestMessages.link("new")
            new.port = Int(try freePort())
            let links = [changed, new]
            try waiting { try await host.server.reload(links: links, loops: []) }
            #expect(leaving.receive(1) == nil)
            #expect(try kept.echoes(stan: 3))
            kept.sendFrame(try TestMessages.request(stan: 4))
            #expect(try kept.receiveMessage()?.text(.responseCode) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 1)
            let opened = try Socket(port: UInt16(new.port))
            #expect(try opened.echoes(stan: 5))
            #expect(throws: (any Error).self) { try host.connect("gone") }
            #expect(try host.serves("a", stan: 6))
        }
    }

    @Test("A configuration that cannot be served changes nothing and says why")
    func refused() async throws {
        let first = try TestMessages.link("a")
        try await withHost([first]) { host in
            let kept = try host.connect()
            var taken = try TestMessages.link("b")
            taken.port = Int(host.port("admin"))
            var changed = first
            changed.signOnRequired = true
            let links = [changed, taken]
            let error = #expect(throws: (any Error).self) {
                try waiting { try await host.server.reload(links: links, loops: []) }
            }
            #expect("\(error as Any)".contains("links.b"))
            #expect(try kept.echoes(stan: 1))
            kept.sendFrame(try TestMessages.request(stan: 2))
            #expect(try kept.receiveMessage()?.text(.responseCode) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 0)
            var files = try TestMessages.link("a")
            files.tls = LinkTLS(
                certificateFile: "/none.pem", privateKeyFile: "/none.key", trustedFile: "/none.ca")
            let withFiles = [files]
            let why = #expect(throws: TLSFault.self) {
                try waiting { try await host.server.reload(links: withFiles, loops: []) }
            }
            #expect(why?.description.contains("links.a.tls.certificateFile: /none.pem") == true)
            #expect(try host.serves(stan: 3))
        }
    }
}
