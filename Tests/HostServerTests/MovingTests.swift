import Foundation
import ISO8583
import NIOCore
import NIOPosix
import SocketSupport
import Synchronization
import Testing

@testable import Authorisation
@testable import HostServer

/// Connections that go over to another event loop while they are used.
@Suite(.timeLimit(.minutes(5))) struct MovingTests {
    /// On which loops decisions were made.
    private final class Places: Sendable {
        private let seen = Mutex<Set<ObjectIdentifier>>([])

        func approve(_ request: AuthorisationRequest) -> Result<Decision, CouldNotDecide> {
            if let loop = MultiThreadedEventLoopGroup.currentEventLoop {
                seen.withLock { _ = $0.insert(ObjectIdentifier(loop)) }
            }
            return .success(UntoldTests.approval(request))
        }

        var count: Int { seen.withLock { $0.count } }
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    /// Approves; the request with the first number once the gate is open.
    private func approving(firstBehind gate: Gate) -> TestHost.Decide {
        { request in
            if request.transmission.stan == 1 { await gate.pass() }
            return .success(UntoldTests.approval(request))
        }
    }

    private func move(_ host: TestHost, from: Int, to: Int) {
        host.server.loops.contexts[from].balancing?.carryOut(.init(from: from, to: to, share: 1))
    }

    private func moved(_ host: TestHost) throws -> Int {
        try host.metric("issuer_connections_moved_total")
    }

    @Test("Nothing is lost, doubled or out of step on the way to the other loop, in the middle of frames too")
    func nothingIsLost() async throws {
        let places = Places()
        try await withHost([try TestMessages.link()], loops: 2, decide: { places.approve($0) }) { host in
            let socket = try host.connect()
            #expect(try socket.echoes(stan: 1))
            let requests = try (1...2_000).flatMap { framed(try TestMessages.request(stan: $0)) }
            let answers = Mutex<[String]>([])
            Thread {
                while let answer = try? socket.receiveMessage() {
                    answers.withLock { $0.append(answer.text(.stan) ?? "") }
                }
            }.start()
            var sent = 0
            while sent < requests.count {
                // Pieces that end in the middle of frames.
                let piece = min(1_777, requests.count - sent)
                socket.send(Array(requests[sent..<sent + piece]))
                sent += piece
                move(host, from: 0, to: 1)
                usleep(2_000)
                move(host, from: 1, to: 0)
            }
            try eventually { answers.withLock { $0.count } == 2_000 }
            #expect(answers.withLock { $0.sorted() } == (1...2_000).map(TestMessages.digits))
            #expect(places.count == 2)
            #expect(try moved(host) > 10)
            #expect(try host.metric("issuer_connections") == 1)
            #expect(host.notes.isEmpty)
            socket.shutdownWriting()
            try eventually { try host.metric("issuer_connections") == 0 }
            #expect(host.notes.isEmpty)
        }
    }

    @Test("Many move some at a time, and all arrive")
    func someAtATime() async throws {
        try await withHost(
            [try TestMessages.link()], loops: 2, decide: { .success(UntoldTests.approval($0)) }
        ) { host in
            let sockets = try (1...30).map { stan in
                let socket = try host.connect()
                #expect(try socket.echoes(stan: stan))
                return socket
            }
            let loop = host.server.loops.contexts[0]
            let left = Mutex<Set<Int>>([])
            let looking = loop.eventLoop.scheduleRepeatedTask(
                initialDelay: .zero, delay: .milliseconds(1)
            ) { _ in
                left.withLock { _ = $0.insert(loop.connectionCount) }
            }
            move(host, from: 0, to: 1)
            try eventually { try moved(host) >= 30 && left.withLock { $0.contains(0) } }
            looking.cancel()
            // Between two parts others are served.
            #expect(left.withLock { $0.isSuperset(of: [22, 14, 6]) })
            for (place, socket) in sockets.enumerated() { #expect(try socket.echoes(stan: 100 + place)) }
        }
    }

    @Test("A connection whose requests are not answered soon stays, and is read again")
    func stays() async throws {
        let gate = Gate()
        try await withHost(
            [try TestMessages.link()], loops: 2,
            decide: approving(firstBehind: gate)
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            try eventually { try host.metric("issuer_requests_in_flight") == 1 }
            move(host, from: 0, to: 1)
            socket.sendFrame(try TestMessages.request(stan: 2))
            #expect(try socket.receiveMessage()?.text(.stan) == "000002")
            #expect(try moved(host) == 0)
            gate.open()
            #expect(try socket.receiveMessage()?.text(.stan) == "000001")
            move(host, from: 0, to: 1)
            try eventually { try moved(host) == 1 }
            #expect(try socket.echoes(stan: 3))
        }
    }

    @Test("A request that was answered at its deadline and is still decided keeps its connection where it is")
    func stillDecided() async throws {
        var link = try TestMessages.link()
        link.answerTimeoutNanoseconds = 200_000_000
        let gate = Gate()
        try await withHost(
            [link], loops: 2,
            decide: approving(firstBehind: gate)
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            move(host, from: 0, to: 1)
            #expect(try socket.echoes(stan: 2))
            #expect(try moved(host) == 0)
            gate.open()
            try eventually { try host.metric("issuer_late_answers_total") == 1 }
            move(host, from: 0, to: 1)
            try eventually { try moved(host) == 1 }
            #expect(try socket.echoes(stan: 3))
            #expect(try host.metric("issuer_requests_in_flight") == 0)
        }
    }

    @Test("What a reload or the end of the host asks of connections, it asks of those that moved too")
    func orders() async throws {
        let link = try TestMessages.link()
        let places = Places()
        try await withHost([link], loops: 2, decide: { places.approve($0) }) { host in
            let (first, second) = (try host.connect(), try host.connect())
            #expect(try first.echoes(stan: 1) && second.echoes(stan: 2))
            move(host, from: 0, to: 1)
            try eventually { try moved(host) == 2 }
            func reload(_ change: (inout LinkConfiguration) -> Void) throws {
                var new = link
                change(&new)
                let links = [new]
                try waiting { try await host.server.reload(links: links, loops: []) }
            }
            try reload { $0.connectionsMax = 2 }
            // Both count, on whichever loop: there is no room for a third.
            #expect(try host.connect().receive(1) == nil)
            try reload { $0.allowedPeers = [PeerNetwork("192.0.2.0/24")].compactMap(\.self) }
            #expect(first.receive(1) == nil && second.receive(1) == nil)
            try eventually { try host.metric("issuer_connections") == 0 }
        }
    }

    @Test("A peer that closes its side while its connection moves gets its answers")
    func closes() async throws {
        let places = Places()
        try await withHost([try TestMessages.link()], loops: 2, decide: { places.approve($0) }) { host in
            for round in 0..<50 {
                let socket = try host.connect()
                #expect(try socket.echoes(stan: 1))
                socket.sendFrame(try TestMessages.request(stan: 2))
                move(host, from: round % 2, to: (round + 1) % 2)
                socket.sendFrame(try TestMessages.request(stan: 3))
                socket.shutdownWriting()
                #expect(try socket.receiveMessage()?.text(.responseCode) == "00")
                #expect(try socket.receiveMessage()?.text(.responseCode) == "00")
                #expect(socket.receive(1) == nil)
            }
            try eventually { try host.metric("issuer_connections") == 0 }
            #expect(host.notes.isEmpty)
        }
    }

    @Test("Connections of a loop that has no time left spread by themselves")
    func spread() async throws {
        let places = Places()
        let isOver = Mutex(false)
        try await withHost(
            [try TestMessages.link()], loops: 2,
            decide: { request in
                // As much work as a loop has at its limit.
                let end = DispatchTime.now().uptimeNanoseconds + 2_000_000
                while DispatchTime.now().uptimeNanoseconds < end {}
                return places.approve(request)
            }
        ) { host in
            let sockets = try (0..<4).map { _ in try host.connect() }
            for socket in sockets {
                Thread {
                    var stan = 1
                    while !isOver.withLock({ $0 }) {
                        guard let request = try? TestMessages.request(stan: stan) else { return }
                        socket.sendFrame(request)
                        guard (try? socket.receiveMessage()) != nil else { return }
                        stan = stan % 900_000 + 1
                    }
                }.start()
            }
            try eventually { places.count == 2 }
            isOver.withLock { $0 = true }
            #expect(try moved(host) >= 1)
            #expect(try host.metric("issuer_connections") == 4)
        }
    }
}
