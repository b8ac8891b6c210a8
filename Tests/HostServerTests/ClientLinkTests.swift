import ISO8583
import SocketSupport
import Testing

@testable import HostServer

/// The host as the side that connects, and what it says by itself.
@Suite struct ClientLinkTests {
    @Test("A client link connects, signs on, answers requests, and connects again after a loss")
    func connects() async throws {
        let switchSide = try Listener()
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(switchSide.port), 1, true)
        try await withHost([link]) { host in
            for _ in 0..<2 {
                let socket = try switchSide.accept()
                let signOn = try #require(try socket.receiveMessage())
                #expect(signOn.mti == .networkManagementRequest)
                #expect(signOn.text(.networkManagementCode) == "001")
                var answer = Message(mti: .networkManagementResponse)
                for element in [DataElement.stan, .transmissionTime, .networkManagementCode] {
                    answer.copy(element, from: signOn)
                }
                answer.set(.responseCode, text: "00")
                socket.sendFrame(try TestMessages.codec().encode(answer))
                #expect(try socket.echoes(stan: 7))
                let links = try host.admin("/links")
                #expect(links.contains("\"role\":\"client\"") && links.contains("\"hostSignedOn\":true"))
            }
        }
    }

    @Test("On a link of ISO 8583:1993 the host signs on and asks with 1804 and DE24, and takes 800 for yes")
    func connects1993() async throws {
        let switchSide = try Listener()
        let codec = try TestMessages.codec("ascii93-binbitmap")
        var link = try TestMessages.link(codec: codec)
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(switchSide.port), 1, true)
        (link.echoAfterNanoseconds, link.echoAnswerNanoseconds) = (150_000_000, 2_000_000_000)
        try await withHost([link]) { host in
            let socket = try switchSide.accept()
            func asked(_ code: String) throws -> Message {
                let request = try codec.decode(try #require(socket.receiveFrame()))
                #expect(request.mti.rawValue == 0x1804 && request.text(.functionCode) == code)
                #expect(request.text(.localTime) == "26" + (request.text(.transmissionTime) ?? ""))
                return request
            }
            func answer(_ request: Message) throws {
                var answer = Message(mti: MTI(rawValue: 0x1814))
                for element in [DataElement.stan, .transmissionTime, .functionCode] {
                    answer.copy(element, from: request)
                }
                answer.set(.responseCode, text: "800")
                socket.sendFrame(try codec.encode(answer))
            }
            try answer(try asked("801"))
            try answer(try asked("831"))
            #expect(try host.admin("/links").contains("\"hostSignedOn\":true"))
            let notification = try codec.encode(Message(mti: MTI(rawValue: 0x1844)))
            socket.sendFrame(notification)
            try answer(try asked("831"))
            #expect(try host.metric("issuer_ignored_messages_total") == 1)
        }
    }

    @Test("A switch that is away is tried again, and found when it is there")
    func comesLater() async throws {
        // Not one of those that the system gives to outgoing connections: a connection to itself would be
        // one.
        let port = try freePort(in: 20_000..<32_000)
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax) = (.client, Int(port), 1)
        try await withHost([link]) { host in
            #expect(try !host.admin("/links").contains("\"state\":\"connected\""))
            let switchSide = try Listener(port: port)
            let socket = try switchSide.accept()
            #expect(try socket.echoes(stan: 1))
        }
    }

    @Test("A silent peer is sent an echo; one that answers stays, one that does not is closed")
    func idleEcho() async throws {
        var link = try TestMessages.link()
        (link.echoAfterNanoseconds, link.echoAnswerNanoseconds) = (150_000_000, 2_000_000_000)
        try await withHost([link]) { host in
            let socket = try host.connect()
            let echo = try #require(try socket.receiveMessage())
            #expect(echo.text(.networkManagementCode) == "301")
            #expect(echo.text(.transmissionTime) == "1118110640")
            var answer = Message(mti: .networkManagementResponse)
            answer.copy(.stan, from: echo)
            answer.set(.responseCode, text: "00")
            socket.sendFrame(try TestMessages.codec().encode(answer))
            #expect(try socket.receiveMessage()?.text(.networkManagementCode) == "301")
            // The second one stays without an answer.
            #expect(socket.receive(1) == nil)
        }
    }

    @Test("Where the link asks for it, requests are served between sign-on and sign-off only")
    func signOnRequired() async throws {
        var link = try TestMessages.link()
        link.signOnRequired = true
        try await withHost([link]) { host in
            let socket = try host.connect()
            func code(_ payload: [UInt8]) throws -> String? {
                socket.sendFrame(payload)
                return try socket.receiveMessage()?.text(.responseCode)
            }
            #expect(try code(TestMessages.request(stan: 1)) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 1)
            #expect(try code(TestMessages.network("001", stan: 2)) == "00")
            #expect(try host.admin("/links").contains("\"peerSignedOn\":true"))
            // Decided now, and by a token that is away.
            #expect(try code(TestMessages.request(stan: 3)) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 1)
            #expect(try code(TestMessages.network("002", stan: 4)) == "00")
            #expect(try code(TestMessages.request(stan: 5)) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 2)
        }
    }

    @Test("Waits grow with failures, never over the bound, and begin anew after a connection that worked")
    func backoff() {
        var backoff = Backoff()
        let waits = (0..<12).map { _ in backoff.failed(random: 0.999) }
        #expect(waits.first! <= 250)
        #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(waits.last! <= 5_000 && waits.last! > 4_900)
        #expect(backoff.lost(wasHeard: false, random: 0.5) == 3_750)
        #expect(backoff.lost(wasHeard: true, random: 0.5) == 187)
    }

    @Test("A connection that worked is dialled again at once, however short it was")
    func flaps() async throws {
        let switchSide = try Listener()
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax) = (.client, Int(switchSide.port), 1)
        try await withHost([link]) { host in
            let begun = ContinuousClock.now
            for number in 1...8 {
                let socket = try switchSide.accept()
                #expect(try socket.echoes(stan: number))
            }
            #expect(ContinuousClock.now - begun < .seconds(6), "eight connections, each with a first wait")
        }
    }

    @Test("A sign-on that is refused or not answered is told: links, ready, metric")
    func signOnRefused() async throws {
        let switchSide = try Listener()
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(switchSide.port), 1, true)
        link.signOnRequired = true
        link.echoAnswerNanoseconds = 300_000_000
        try await withHost([link]) { host in
            #expect(try host.admin("/ready").contains("not ready"))
            let socket = try switchSide.accept()
            let first = try #require(try socket.receiveMessage())
            #expect(first.text(.networkManagementCode) == "001")
            // No answer; it comes again.
            let second = try #require(try socket.receiveMessage())
            #expect(second.text(.networkManagementCode) == "001" && second.text(.stan) != first.text(.stan))
            #expect(try host.admin("/links").contains("the peer did not answer the sign-on"))
            #expect(try host.admin("/ready").contains("the peer did not answer the sign-on"))
            try answer(second, "91", socket)
            try eventually { try host.admin("/links").contains("the peer refused the sign-on") }
            #expect(try host.metric("issuer_sign_ons_refused_total") == 2)
            // Nothing is decided meanwhile, since the link asks for it.
            socket.sendFrame(try TestMessages.request(stan: 5))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            #expect(try host.metric("issuer_shed_requests_total") == 1)
        }
    }

    private func answer(_ request: Message, _ code: String, _ socket: Socket) throws {
        var answer = Message(mti: .networkManagementResponse)
        for element in [DataElement.stan, .transmissionTime, .networkManagementCode] {
            answer.copy(element, from: request)
        }
        answer.set(.responseCode, text: code)
        socket.sendFrame(try TestMessages.codec().encode(answer))
    }
}
