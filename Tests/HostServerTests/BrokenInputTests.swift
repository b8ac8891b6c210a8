import Glibc
import ISO8583
import IssuerMessages
import NIOCore
import SocketSupport
import Testing

@testable import HostServer

/// What a peer may do to its own connection, and to no other.
@Suite struct BrokenInputTests {
    @Test("A peer whose bytes always end within a frame makes the host keep no more than that frame")
    func alwaysWithinAFrame() async throws {
        try await withHost([try TestMessages.link()]) { host in
            let socket = try host.connect()
            let echo = try TestMessages.network(stan: 1)
            let frame = [UInt8(echo.count >> 8), UInt8(echo.count & 0xFF)] + echo
            socket.send(Array(frame.prefix(9)))
            for _ in 1...3_000 {
                socket.send(Array(frame.dropFirst(9) + frame.prefix(9)))
                #expect(try socket.receiveMessage() != nil)
            }
            let loop = host.server.loops.contexts[0]
            let kept = try loop.eventLoop.submit {
                loop.connections().compactMap { $0.unread?.storageCapacity }
            }.wait()
            #expect(kept.count == 1 && kept.allSatisfy { $0 <= 65_536 })
        }
    }

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
    func impossibleLength() async throws {
        var link = try TestMessages.link()
        link.framing = .fourASCII
        try await withHost([link]) { host in
            let (bad, good) = (try host.connect(), try host.connect())
            bad.send(Array("00x1".utf8))
            #expect(bad.receive(1) == nil)
            let echo = try TestMessages.network(stan: 1)
            good.send(try Framing.fourASCII.prefix(forPayloadCount: echo.count) + echo)
            #expect(good.receive(4) != nil)
            #expect(try host.metric("issuer_invalid_frames_total") == 1)
        }
    }

    @Test("A frame over the limit is answered with 30 and passed over, the next one is served")
    func oversize() async throws {
        try await withHost([TestMessages.link()]) { host in
            let socket = try host.connect()
            for count in [8_193, 20_000, 65_535] {
                let message = try TestMessages.request(stan: count)
                let rest = [UInt8](repeating: 0x20, count: count - message.count)
                socket.send([UInt8(count >> 8), UInt8(count & 0xFF)] + message + rest)
                let answer = try socket.receiveMessage()
                #expect(answer?.text(.responseCode) == "30" && answer?.mti == .authorisationResponse)
                #expect(answer?.text(.stan) == TestMessages.digits(count))
                #expect(try socket.echoes(stan: count % 1_000))
            }
            // What cannot be read is passed over all the same.
            socket.send([0xFF, 0xFF] + [UInt8](repeating: 0xFF, count: 65_535))
            #expect(try socket.echoes(stan: 4))
            #expect(try host.metric("issuer_undecodable_messages_total") == 4)
        }
    }

    @Test("A frame over the limit has a deadline too, however slowly its rest comes")
    func slowOversize() async throws {
        var link = try TestMessages.link()
        link.frameTimeoutNanoseconds = 100_000_000
        link.framing.frameBytesMax = 200
        try await withHost([link]) { host in
            let socket = try host.connect()
            let message = try TestMessages.request(stan: 9)
            socket.send([0xFF, 0xFF] + message + [UInt8](repeating: 0x20, count: 200))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "30")
            // One byte at a time, over many deadlines, until the host has had enough of it.
            var sent = 0
            while sent < 10_000, socket.send([0x20]) {
                sent += 1
                usleep(500)
            }
            #expect(sent < 10_000)
        }
    }

    @Test(
        "A request that has a type is answered, whatever else is wrong with it",
        arguments: [
            ("0100", "no STAN", "30"), ("0800", "no STAN", "00"), ("0801", "", "00"), ("0820", "", "00"),
            ("0821", "", "00"), ("0100", "DE4", "30"), ("0100", "DE3", "30"), ("0100", "DE7", "30"),
            ("0200", "third bitmap", "30"), ("0400", "cut", "30"),
        ])
    func neverSilent(type: String, fault: String, code: String) async throws {
        try await withHost([TestMessages.link()]) { host in
            let socket = try host.connect()
            let mti = try #require(UInt16(type, radix: 16).map(MTI.init(rawValue:)))
            var message = try TestMessages.codec().decode(TestMessages.request(stan: 77))
            message.mti = mti
            if fault == "no STAN" { message.remove(.stan) }
            var bytes = try TestMessages.codec().encode(message)
            // DE3, DE4 and DE7 begin 18, 24 and 36 bytes behind the bitmap.
            let places = ["DE3": 30, "DE4": 36, "DE7": 48]
            if let place = places[fault] { bytes[place] = 0x41 }
            if fault == "third bitmap" {
                bytes[4] |= 0x80
                bytes.insert(contentsOf: [0x80] + [UInt8](repeating: 0, count: 15), at: 12)
            }
            if fault == "cut" { bytes.removeLast(10) }
            socket.sendFrame(bytes)
            let answer = try socket.receiveMessage()
            #expect(answer?.mti == mti.response && answer?.text(.responseCode) == code)
            #expect(answer?.text(.stan) == (fault == "no STAN" ? nil : "000077"))
            #expect(try host.metric("issuer_undecodable_messages_total") == (code == "30" ? 1 : 0))
            #expect(try socket.echoes(stan: 2))
        }
    }

    @Test(
        "Of 20,000 hostile messages each that has the type of a request is answered once, and the link lives")
    func hostile() async throws {
        try await withHost([TestMessages.link()]) { host in
            let (socket, codec) = (try host.connect(), try TestMessages.codec())
            var echo = try codec.decode(TestMessages.network(stan: 0))
            let models = try [
                TestMessages.request(stan: 1), TestMessages.network(stan: 2),
                Array("0400".utf8) + TestMessages.request(stan: 3).dropFirst(4),
            ]
            var state: UInt64 = 0x2545_F491_4F6C_DD1D
            func random(_ bound: Int) -> Int {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                return Int(state >> 33) % bound
            }
            for batch in 0..<400 {
                var expected = 0
                for _ in 0..<50 {
                    var bytes = models[random(models.count)]
                    for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
                    switch random(4) {
                    case 0: bytes.removeLast(random(bytes.count))
                    case 1: bytes.insert(UInt8(random(256)), at: random(bytes.count))
                    case 2: bytes += (0..<random(40)).map { _ in UInt8(random(256)) }
                    default: break
                    }
                    socket.sendFrame(bytes)
                    let digits = bytes.prefix(4).map { $0 &- 0x30 }
                    guard digits.count == 4, digits.allSatisfy({ $0 <= 9 }), digits[0] == 0 else { continue }
                    let mti = MTI(rawValue: digits.reduce(0) { $0 << 4 | UInt16($1) })
                    if mti.isWellFormed, mti.isRequest { expected += 1 }
                }
                let last = TestMessages.digits(900_000 + batch)
                echo.set(.stan, text: last)
                socket.sendFrame(try codec.encode(echo))
                var answers = 0
                while let frame = socket.receiveFrame(), try codec.decode(frame).text(.stan) != last {
                    answers += 1
                }
                #expect(answers == expected, "batch \(batch)")
            }
        }
    }

    @Test("Answers bring back what the link's list names, byte by byte, in the dialect's form")
    func echo() async throws {
        var link = try TestMessages.link("b")
        link.codec = MessageCodec(
            dialect: try Dialect(contentsOf: "\(TestMessages.root)/Config/iso8583/ebcdic87.json"))
        link.profile.responses.echo = [.stan, .merchantNameAndLocation]
        let codec = link.codec
        try await withHost([TestMessages.link(), link]) { host in
            var message = try TestMessages.codec().decode(TestMessages.request(stan: 5))
            let name = Array("Ångström\r\n\0".utf8) + [UInt8](repeating: 0x80, count: 27)
            message.set(.merchantNameAndLocation, bytes: name)
            message.set(.privateData62, bytes: [0, 1, 0xFF])
            message.set(.forwardingIdentifier, text: "12345")
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.codec().encode(message))
            let usual = try socket.receiveMessage()
            #expect(usual?.bytes(.privateData62).map(Array.init) == [0, 1, 0xFF])
            #expect(usual?.text(.forwardingIdentifier) == "12345" && usual?.text(.panSequenceNumber) == "001")
            #expect(usual?.has(.merchantNameAndLocation) == false)
            let other = try host.connect("b")
            other.sendFrame(try codec.encode(message))
            let frame = try #require(other.receiveFrame())
            let answer = try codec.decode(frame)
            #expect(answer.presentElements.map(\.rawValue) == [11, 39, 43])
            #expect(answer.bytes(.merchantNameAndLocation).map(Array.init) == name)
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
                    "issuer_connections_abandoned_total{reason=\"\(AbandonReason.frameTooSlow.label)\"} 1")
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
            #expect(text.contains("{reason=\"\(AbandonReason.peerDoesNotRead.label)\"} 1"))
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
