import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// What a peer may do to its own connection, and to no other.
@Suite struct BrokenInputTests {
    @Test(
        "A message with a fault is answered with 30; one that cannot be read is dropped; both leave the link open"
    )
    func faults() async throws {
        try await withHost([TestMessages.link()]) { host in
            let socket = try host.connect()
            socket.sendFrame(Array(try TestMessages.request(stan: 1).dropLast(2)))
            let answer = try socket.receiveMessage()
            #expect(answer?.text(.responseCode) == "30")
            #expect(answer?.text(.stan) == "000001")
            socket.sendFrame([0xFF, 0x00, 0x13])
            socket.send([0, 0])
            #expect(try socket.echoes(stan: 2))
            #expect(try host.metric("issuer_undecodable_messages_total") == 2)
        }
    }

    @Test("A length that no frame can have ends that connection, others live on")
    func oversize() async throws {
        try await withHost([TestMessages.link()]) { host in
            let (bad, good) = (try host.connect(), try host.connect())
            bad.send([0xFF, 0xFF, 0x30])
            #expect(bad.receive(1) == nil)
            #expect(try good.echoes(stan: 1))
            #expect(try host.metric("issuer_invalid_frames_total") == 1)
        }
    }

    @Test("Half a frame has a deadline, however slowly the rest of it drips in")
    func slowFrame() async throws {
        var link = try TestMessages.link()
        link.frameTimeoutNanoseconds = 300_000_000
        try await withHost([link]) { host in
            let (slow, good) = (try host.connect(), try host.connect())
            slow.send([0, 100, 0x30])
            #expect(slow.receive(1) == nil)
            #expect(try good.echoes(stan: 1))
            let text = try host.admin("/metrics")
            #expect(
                text.contains(
                    "issuer_connections_abandoned_total{reason=\"\(AbandonReason.frameTooSlow.rawValue)\"} 1")
            )
        }
    }

    @Test("A peer that never reads is made to wait, then closed; what waits for it is bounded")
    func neverReads() async throws {
        var link = try TestMessages.link()
        link.frameTimeoutNanoseconds = 2_000_000_000
        try await withHost([link]) { host in
            let deaf = try host.connect()
            let echo = try TestMessages.network(stan: 1)
            let frames = (0..<200).flatMap { _ in [UInt8(echo.count >> 8), UInt8(echo.count & 0xFF)] + echo }
            // Ends when the host has closed the connection: before that the socket takes no more.
            var sent = 0
            while deaf.send(frames) { sent += frames.count }
            #expect(sent < 256 << 20)
            #expect(try host.serves(stan: 2))
            let text = try host.admin("/metrics")
            #expect(text.contains("{reason=\"\(AbandonReason.peerDoesNotRead.rawValue)\"} 1"))
        }
    }

    @Test(
        "A peer that closes its side gets the answers to everything that it sent before, over the cap as well"
    )
    func halfClose() async throws {
        var link = try TestMessages.link()
        link.inFlightMax = 4
        let gate = Gate()
        try await withHost(
            [link],
            decide: { request in
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            for stan in 1...50 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            socket.shutdownWriting()
            gate.open()
            var answered = 0
            while socket.receiveFrame() != nil { answered += 1 }
            #expect(answered == 50)
        }
    }

    @Test("Two thousand connections at once; over the bound one is refused and the others do not notice")
    func manyConnections() async throws {
        var link = try TestMessages.link()
        link.connectionsMax = 2_000
        try await withHost([link]) { host in
            var sockets: [Socket] = []
            for _ in 0..<2_000 { sockets.append(try host.connect()) }
            for (number, socket) in sockets.enumerated() where number % 100 == 0 {
                #expect(try socket.echoes(stan: number + 1))
            }
            #expect(try sockets[1_999].echoes(stan: 1))
            let over = try host.connect()
            #expect(over.receive(1) == nil)
            #expect(try host.metric("issuer_connections") == 2_000)
            #expect(try host.metric("issuer_peers_refused_total") == 1)
            #expect(try sockets[0].echoes(stan: 2))
        }
    }

    @Test("Peers from elsewhere than allowed get no connection")
    func allowedPeers() async throws {
        var link = try TestMessages.link()
        link.allowedPeers = try [#require(PeerNetwork("10.0.0.0/8"))]
        var open = try TestMessages.link("b")
        open.allowedPeers = try [#require(PeerNetwork("127.0.0.0/8"))]
        try await withHost([link, open]) { host in
            let elsewhere = try host.connect()
            #expect(elsewhere.receive(1) == nil)
            #expect(try host.serves("b", stan: 1))
        }
    }
}
