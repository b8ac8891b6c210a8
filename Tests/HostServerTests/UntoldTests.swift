import ISO8583
import NIOCore
import SocketSupport
import Synchronization
import Testing

@testable import Authorisation
@testable import HostServer

/// Approvals that the peer never gets: each has its note, and a drain makes none.
@Suite(.timeLimit(.minutes(5))) struct UntoldTests {
    /// An approval without a chip, as the store and the token would make it.
    static func approval(_ request: AuthorisationRequest, code: String = "123456") -> Decision {
        var trace = DecisionTrace()
        let question = CardValueQuestion(cardVerificationKey: KeyName("cvk"), candidates: [], value: 0)
        let policy = NonChipPolicy(cardVerificationKey: KeyName("cvk"))
        let (value, _) = NonChipCheck.evaluate(
            .askValue(question, policy), .matches(0), request: request, trace: &trace)
        return Decision(
            .final(nil, approvalCode: Array(code.utf8), basis: value.map { .cardValue($0) }),
            trace: trace, times: StageTimes())
    }

    @Test("An approval that the dialect cannot carry is told as 96, and noted")
    func tooLong() async throws {
        try await withHost(
            [try TestMessages.link()], decide: { .success(Self.approval($0, code: "1234567")) }
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "96")
            try eventually { host.notes.map(\.event) == [.toldOtherwise] }
            #expect(try host.metric("issuer_untold_approvals_total") == 1)
        }
    }

    /// Approvals that come until the end of the stream.
    private func approvals(_ socket: Socket) throws -> Int {
        var count = 0
        while let message = try socket.receiveMessage() {
            if message.text(.responseCode) == "00" { count += 1 }
        }
        return count
    }

    @Test("A peer that reads nothing: what it has not got is noted and counted, to the last one")
    func peerReadsNothing() async throws {
        var link = try TestMessages.link()
        link.frameTimeoutNanoseconds = 500_000_000
        let decided = Count()
        try await withHost(
            [link],
            decide: { request in
                decided.add()
                return .success(Self.approval(request))
            }
        ) { host in
            let socket = try Socket(port: host.port("a"), receiveBufferBytes: 4_096)
            let request = try TestMessages.request(stan: 1)
            let frame = [UInt8(request.count >> 8), UInt8(request.count & 0xFF)] + request
            var sent = 0
            while sent < 400_000, socket.send((0..<100).flatMap { _ in frame }) { sent += 100 }
            try eventually { try host.metric("issuer_connections") == 0 }
            let told = try approvals(socket)
            func untold() -> Int {
                host.notes.filter { $0.event == .untold || $0.event == .lateForConnection }.count
            }
            // Tens of thousands take a moment.
            try eventually { decided.now == told + untold() }
            #expect(untold() > 0)
            let late = host.notes.filter { $0.event == .lateForConnection }.count
            try eventually { try host.metric("issuer_untold_approvals_total") == untold() - late }
        }
    }

    @Test("A peer that hung up before its answer came: noted. One that closed its sending side alone: told")
    func hungUp() async throws {
        let decided = Count()
        try await withHost(
            [TestMessages.link()],
            decide: { request in
                try? await Task.sleep(for: .milliseconds(300))
                decided.add()
                return .success(Self.approval(request))
            }
        ) { host in
            func ask(stan: Int) throws -> Socket {
                let socket = try host.connect()
                socket.sendFrame(try TestMessages.request(stan: stan))
                return socket
            }
            // Each is gone as soon as it has asked.
            for stan in 1...3 { _ = try ask(stan: stan) }
            try eventually { try decided.now == 3 && host.metric("issuer_connections") == 0 }
            #expect(host.notes.filter { $0.event == .untold }.map(\.stan).sorted() == [1, 2, 3])
            #expect(try host.metric("issuer_untold_approvals_total") == 3)
            let listening = try ask(stan: 4)
            listening.shutdownWriting()
            #expect(try listening.receiveMessage()?.text(.responseCode) == "00")
            #expect(listening.receive(1) == nil)
            try eventually { try host.metric("issuer_connections") == 0 }
            #expect(try host.metric("issuer_untold_approvals_total") == 3)
        }
    }

    @Test("With hundreds of connections each is asked in its turn what has arrived")
    func hundreds() async throws {
        try await withHost([try TestMessages.link()], decide: { .success(Self.approval($0)) }) { host in
            let sockets = try (1...300).map { stan in
                let socket = try host.connect()
                socket.sendFrame(try TestMessages.request(stan: stan))
                return socket
            }
            for socket in sockets { #expect(try socket.receiveMessage()?.text(.responseCode) == "00") }
            let loop = host.server.loops.contexts[0]
            func onTheirWay() throws -> Int {
                try loop.eventLoop.submit {
                    loop.connections().reduce(0) { $0 + $1.underWay.approvals.count }
                }.wait()
            }
            try eventually { try onTheirWay() == 0 }
            #expect(try host.metric("issuer_connections") == 300)
        }
    }

    @Test("A drain under load tells everything that was approved, without a reset")
    func drain() async throws {
        var link = try TestMessages.link()
        link.inFlightMax = 8
        let decided = Count()
        try await withHost(
            [link],
            decide: { request in
                try? await Task.sleep(for: .milliseconds(1))
                decided.add()
                return .success(Self.approval(request))
            }
        ) { host in
            let socket = try host.connect()
            // More than is taken: the rest waits unread when the drain comes, and more comes during it.
            for stan in 1...3_000 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            host.beginDrain()
            for stan in 3_001...3_500 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            let told = try approvals(socket)
            #expect(
                told == decided.now && decided.now > 0 && decided.now < 3_500, "\(told) of \(decided.now)")
            #expect(host.notes.isEmpty)
        }
    }
}
