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

    @Test("A switch that is away is tried again, and found when it is there")
    func comesLater() async throws {
        // Not one of those that the system gives to outgoing connections: a connection to itself would be one.
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

    @Test("Waits grow with failures, never over the bound, and begin anew after a connection that held")
    func backoff() {
        var backoff = Backoff()
        let waits = (0..<12).map { _ in backoff.failed(random: 0.5) }
        #expect(waits.first == 75)
        #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(waits.last == 22_500)
        #expect(backoff.lost(afterMilliseconds: 10, random: 0.5) == 22_500)
        #expect(backoff.lost(afterMilliseconds: 10_000, random: 0.5) == 75)
    }
}
