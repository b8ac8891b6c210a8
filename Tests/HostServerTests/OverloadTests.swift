import Glibc
import ISO8583
import SocketSupport
import Synchronization
import Testing

@testable import Authorisation
@testable import HostServer

/// More than can be answered, and machinery that stands still.
@Suite struct OverloadTests {
    @Test("While decisions stand still echoes are answered, requests over the cap get 91, none is forgotten")
    func stalled() async throws {
        var link = try TestMessages.link()
        (link.inFlightMax, link.answerTimeoutNanoseconds) = (8, 2_500_000_000)
        let gate = Gate()
        try await withHost(
            [link],
            decide: { request in
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            for stan in 1...20 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            socket.sendFrame(try TestMessages.network(stan: 99))
            var answers: [String: String] = [:]
            // Twelve over the cap, and the echo behind them; the eight accepted ones wait.
            for _ in 0..<13 {
                let answer = try #require(try socket.receiveMessage())
                answers[answer.text(.stan) ?? ""] = answer.text(.responseCode)
            }
            #expect(answers["000099"] == "00")
            #expect(answers.filter { $0.value == "91" }.count == 12)
            // The newest are refused; the oldest are still under way.
            #expect((1...8).allSatisfy { answers[TestMessages.digits($0)] == nil })
            gate.open()
            for _ in 0..<8 {
                let answer = try #require(try socket.receiveMessage())
                answers[answer.text(.stan) ?? ""] = answer.text(.responseCode)
            }
            #expect((1...20).allSatisfy { answers[TestMessages.digits($0)] == "91" })
        }
    }

    @Test("At its deadline a request is answered with 91; what is decided after that is sent to nobody")
    func deadline() async throws {
        var link = try TestMessages.link()
        link.answerTimeoutNanoseconds = 200_000_000
        let gate = Gate()
        try await withHost(
            [link],
            decide: { request in
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            #expect(try host.metric("issuer_expired_requests_total") == 1)
            gate.open()
            // The late decision is not the answer to the echo, nor does it come before it.
            #expect(try socket.echoes(stan: 2))
            try eventually { try host.metric("issuer_late_answers_total") >= 1 }
            #expect(try socket.echoes(stan: 3))
        }
    }

    @Test("The journal is told of what was not decided, and of decisions that nobody was told")
    func notes() async throws {
        var link = try TestMessages.link()
        link.answerTimeoutNanoseconds = 200_000_000
        let gate = Gate()
        let declined = Decision(.declined(.cardLost), trace: DecisionTrace(), times: StageTimes())
        try await withHost(
            [link],
            decide: { request in
                if request.transmission.stan == 1 { return await TestHost.unavailable(request) }
                await gate.pass()
                return .success(declined)
            }
        ) { host in
            let socket = try host.connect()
            var other: Socket? = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            socket.sendFrame(try TestMessages.request(stan: 2))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            other?.sendFrame(try TestMessages.request(stan: 3))
            #expect(try other?.receiveMessage()?.text(.responseCode) == "91")
            other?.sendFrame(try TestMessages.request(stan: 4))
            other = nil
            try eventually { try host.metric("issuer_connections") <= 1 }
            gate.open()
            try eventually { host.notes.count >= 4 }
            let notes = Dictionary(host.notes.map { ($0.stan, $0.event) }, uniquingKeysWith: { $1 })
            let away = StateUnavailable("away").description
            #expect(notes[1] == .undecided(reason: away) && notes[2] == .lateForDeadline)
            #expect(notes[3] == .lateForDeadline)
            #expect(notes[4] == .lateForConnection || notes[4] == .lateForDeadline)
            // Decided and told in time: nothing to say beside the decision.
            socket.sendFrame(try TestMessages.request(stan: 5))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "41")
            #expect(host.notes.count == 4)
        }
    }

    @Test("Of a burst some are decided at a time, oldest first, and all are answered")
    func burst() async throws {
        var link = try TestMessages.link()
        link.inFlightMax = 4_000
        let gate = Gate()
        let begun = Mutex<[UInt32]>([])
        try await withHost(
            [link],
            decide: { request in
                begun.withLock { $0.append(request.transmission.stan) }
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            for stan in 1...3_000 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            try eventually { try host.metric("issuer_requests_in_flight") == 3_000 }
            #expect(begun.withLock { $0.count } < 2_000)
            gate.open()
            var answered: Set<String> = []
            for _ in 1...3_000 { answered.insert(try socket.receiveMessage()?.text(.stan) ?? "") }
            #expect(answered == Set((1...3_000).map { TestMessages.digits($0) }))
            #expect(begun.withLock { $0 } == Array(1...3_000))
        }
    }

    @Test("What waits for its turn until its deadline is not decided, and the journal is told")
    func overBeforeItsTurn() async throws {
        var link = try TestMessages.link()
        (link.inFlightMax, link.answerTimeoutNanoseconds) = (2_000, 500_000_000)
        let gate = Gate()
        let begun = Mutex<Set<UInt32>>([])
        try await withHost(
            [link],
            decide: { request in
                begun.withLock { _ = $0.insert(request.transmission.stan) }
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            for stan in 1...1_500 { socket.sendFrame(try TestMessages.request(stan: stan)) }
            for _ in 1...1_500 { #expect(try socket.receiveMessage()?.text(.responseCode) == "91") }
            gate.open()
            try eventually { host.notes.count == 1_500 }
            let decided = begun.withLock { $0 }
            #expect(decided.count < 1_500)
            for note in host.notes where !decided.contains(note.stan) {
                #expect(note.event == .undecided(reason: AcquirerConnection.notBegun.description))
            }
            #expect(try socket.echoes(stan: 2_000))
        }
    }

    @Test("What waits for its turn when its connection goes is not decided, and the journal is told")
    func goneBeforeItsTurn() async throws {
        var link = try TestMessages.link()
        link.inFlightMax = 2_000
        let gate = Gate()
        let begun = Mutex<Set<UInt32>>([])
        try await withHost(
            [link],
            decide: { request in
                begun.withLock { _ = $0.insert(request.transmission.stan) }
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            var socket: Socket? = try host.connect()
            // An answer that is left unread makes a reset of the close.
            socket?.sendFrame(try TestMessages.network(stan: 2_000))
            for stan in 1...1_500 { socket?.sendFrame(try TestMessages.request(stan: stan)) }
            try eventually { try host.metric("issuer_requests_in_flight") == 1_500 }
            socket = nil
            try eventually { try host.metric("issuer_connections") == 0 }
            gate.open()
            try eventually { host.notes.count == 1_500 }
            let decided = begun.withLock { $0 }
            #expect(decided.count < 1_500)
            for note in host.notes where !decided.contains(note.stan) {
                #expect(note.event == .undecided(reason: AcquirerConnection.notBegun.description))
            }
        }
    }

    @Test("A loop that is held up loses none of its counts")
    func heldUp() async throws {
        try await withHost(
            [TestMessages.link()],
            decide: { request in
                if request.transmission.stan == 2 { usleep(3_000_000) }
                return await TestHost.unavailable(request)
            }
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(try TestMessages.request(stan: 1))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            #expect(try host.metric("issuer_connections") == 1)
            socket.sendFrame(try TestMessages.request(stan: 2))
            try eventually { try host.admin("/ready").contains("held up") }
            #expect(try host.metric("issuer_connections") == 1)
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
        }
    }

    @Test("The answer of a connection that is gone goes to no other")
    func connectionGone() async throws {
        let gate = Gate()
        let begun = Gate()
        try await withHost(
            [TestMessages.link()],
            decide: { request in
                begun.open()
                await gate.pass()
                return await TestHost.unavailable(request)
            }
        ) { host in
            var first: Socket? = try host.connect()
            first?.sendFrame(try TestMessages.request(stan: 1))
            try waiting { await begun.pass() }
            first = nil
            let second = try host.connect()
            #expect(try second.echoes(stan: 2))
            try eventually { try host.metric("issuer_connections") <= 1 }
            gate.open()
            try eventually { try host.metric("issuer_late_answers_total") >= 1 }
            #expect(try second.echoes(stan: 3))
        }
    }

    @Test(
        "Once it shows how slow decisions are, new requests are refused on arrival, old ones keep their time")
    func sheddingOverSockets() async throws {
        var link = try TestMessages.link()
        (link.inFlightMax, link.answerTimeoutNanoseconds) = (2_000, 10_000_000_000)
        let (turn, hurry) = (Turn(), Gate())
        try await withHost(
            [link],
            decide: { request in
                // One at a time, as a token with one worker does it; fifty a second at most.
                await turn.take()
                if !hurry.isOpen { try? await Task.sleep(for: .milliseconds(20)) }
                await turn.give()
                return await TestHost.unavailable(request)
            }
        ) { host in
            // Half a minute of work, on ten connections.
            let sockets = try (0..<10).map { _ in try host.connect() }
            let codec = try TestMessages.codec()
            var request = try codec.decode(try TestMessages.request(stan: 1))
            func send(_ stan: Int, _ socket: Socket) throws {
                request.set(.stan, text: TestMessages.digits(stan))
                socket.sendFrame(try codec.encode(request))
            }
            for stan in 1...1_500 { try send(stan, sockets[stan % 10]) }
            var stan = 20_000
            let probe = try host.connect()
            try eventually {
                stan += 1
                try send(stan, probe)
                return try host.metric("issuer_shed_requests_total") > 0
            }
            // Those that were accepted are being answered all the while.
            #expect(try sockets[1].receiveMessage()?.text(.stan) == "000001")
            hurry.open()
        }
    }

    @Test("A stop answers what is under way, within its bound")
    func drain() async throws {
        let gate = Gate()
        let begun = Gate()
        let received = Mutex<String?>(nil)
        let host = try await TestHost(
            [TestMessages.link()],
            decide: { request in
                begun.open()
                await gate.pass()
                return await TestHost.unavailable(request)
            })
        let socket = try host.connect()
        socket.sendFrame(try TestMessages.request(stan: 1))
        await begun.pass()
        async let stopped: Void = host.stop()
        gate.open()
        received.withLock { $0 = (try? socket.receiveMessage())?.text(.responseCode) }
        try await stopped
        #expect(received.withLock { $0 } == "91")
        #expect(socket.receiveFrame() == nil)
    }

    @Test("A stop does not wait for ever")
    func drainBound() async throws {
        let gate = Gate()
        let host = try await TestHost(
            [TestMessages.link()], drainTimeout: .milliseconds(100),
            decide: { request in
                await gate.pass()
                return await TestHost.unavailable(request)
            })
        let socket = try host.connect()
        socket.sendFrame(try TestMessages.request(stan: 1))
        #expect(try socket.echoes(stan: 2))
        try await host.stop()
        #expect(socket.receiveFrame() == nil)
        gate.open()
    }
}

/// One at a time, in the order of asking.
private actor Turn {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if isTaken {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isTaken = true
        }
    }

    func give() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
