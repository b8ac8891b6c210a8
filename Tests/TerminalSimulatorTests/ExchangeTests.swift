import ISO8583
import IssuerMessages
import Synchronization
import TerminalSimulator
import Testing

@Suite("Exchange", .timeLimit(.minutes(1)))
struct ExchangeTests {
    private let form: WireForm
    private let codec: MessageCodec

    init() throws {
        codec = try TestData.codec("ascii87-binbitmap")
        form = WireForm(codec: codec, framing: .twoByteBigEndian)
    }

    private func echo(_ terminal: inout Terminal) -> Message { terminal.echoRequest(dialect: codec.dialect) }

    private func connect(_ server: LoopbackServer) throws -> Exchange {
        try Exchange(to: Endpoint(host: "127.0.0.1", port: server.port), form: form, timeout: .seconds(5))
    }

    /// What an honest host answers, framed; with another trace number if asked.
    private static func answer(_ frame: [UInt8], _ codec: MessageCodec, stan: String? = nil) -> [UInt8] {
        guard let request = try? codec.decode(frame),
            var response = ResponseMapping().answer(request, .approved)
        else { return [] }
        if let stan { response.set(.stan, text: stan) }
        return (try? codec.encode(response)).map(LoopbackServer.framed) ?? []
    }

    private func failure(
        _ exchange: inout Exchange, timeout: Duration = .seconds(5)
    ) -> ExchangeError? {
        var terminal = Terminal()
        do throws(ExchangeError) {
            _ = try exchange.perform(echo(&terminal), timeout: timeout)
            return nil
        } catch {
            return error
        }
    }

    @Test("An answer byte by byte, and the next one on the same connection")
    func trickle() throws {
        let codec = codec
        let server = try LoopbackServer { .trickle(Self.answer($0, codec)) }
        var exchange = try connect(server)
        var terminal = Terminal()
        for _ in 1...2 {
            let answer = try exchange.perform(echo(&terminal), timeout: .seconds(5))
            #expect(answer.message.text(.responseCode) == "00")
            #expect(answer.discrepancies.isEmpty)
            #expect(answer.strayMessages == 0)
        }
    }

    @Test("Answers to other requests, before the right one, are left aside and counted")
    func lateAnswers() throws {
        let codec = codec
        let server = try LoopbackServer { frame in
            let late = Self.answer(frame, codec, stan: "000000")
            return .send(late + late + Self.answer(frame, codec))
        }
        var exchange = try connect(server)
        var terminal = Terminal()
        let answer = try exchange.perform(echo(&terminal), timeout: .seconds(5))
        #expect(answer.strayMessages == 2)
        #expect(answer.message.text(.responseCode) == "00")
    }

    @Test("An answer that comes after the time-out is not taken for the next request's")
    func answerAfterTimeOut() throws {
        let codec = codec
        let kept = Mutex<[UInt8]>([])
        let server = try LoopbackServer { frame in
            let answer = Self.answer(frame, codec)
            return .send(
                kept.withLock { kept in
                    defer { kept = answer }
                    return kept.isEmpty ? [] : kept + answer
                })
        }
        var exchange = try connect(server)
        var terminal = Terminal()
        let start = ContinuousClock.now
        #expect(throws: ExchangeError.self) {
            _ = try exchange.perform(echo(&terminal), timeout: .milliseconds(100))
        }
        #expect(start.duration(to: .now) >= .milliseconds(100))
        #expect(start.duration(to: .now) < .seconds(4))
        let answer = try exchange.perform(echo(&terminal), timeout: .seconds(5))
        #expect(answer.strayMessages == 1)
        #expect(answer.message.text(.responseCode) == "00")
    }

    @Test("Garbled answers say where; the connection serves the next request")
    func garbled() throws {
        let codec = codec
        let calls = Atomic<Int>(0)
        let server = try LoopbackServer { frame in
            guard calls.add(1, ordering: .relaxed).newValue == 1 else {
                return .send(Self.answer(frame, codec))
            }
            return .send(LoopbackServer.framed([0x30, 0x38, 0x31, 0x30, 0xFF]))
        }
        var exchange = try connect(server)
        guard case .garbled(let error) = failure(&exchange) else {
            Issue.record("not found to be garbled")
            return
        }
        #expect(error.place == .bitmap)
        let next = failure(&exchange) == nil
        #expect(next)
    }

    @Test("Silence, a closed connection, half an answer, an impossible length")
    func faults() throws {
        let silent = try LoopbackServer { _ in .send([]) }
        var exchange = try connect(silent)
        guard case .connection(.timedOut) = failure(&exchange, timeout: .milliseconds(50)) else {
            Issue.record("silence")
            return
        }
        let closing = try LoopbackServer { _ in .close }
        exchange = try connect(closing)
        guard case .connection(.closed(afterBytes: 0)) = failure(&exchange) else {
            Issue.record("closed")
            return
        }
        let empty = try LoopbackServer { _ in .send([0, 0]) }
        exchange = try connect(empty)
        guard case .outOfStep(.emptyFrame) = failure(&exchange) else {
            Issue.record("length")
            return
        }
        let half = try LoopbackServer { _ in .send([0, 40, 0x30, 0x38]) }
        exchange = try connect(half)
        guard case .incomplete(bytes: 4, _) = failure(&exchange, timeout: .milliseconds(50)) else {
            Issue.record("half")
            return
        }
        let codec = codec
        let elsewhere = try LoopbackServer { frame in .send(Self.answer(frame, codec, stan: "000000")) }
        exchange = try connect(elsewhere)
        guard case .unmatched(messages: 1, _) = failure(&exchange, timeout: .milliseconds(500)) else {
            Issue.record("an answer to something else")
            return
        }
    }

    @Test("Nobody there")
    func refused() throws {
        let endpoint = Endpoint(host: "127.0.0.1", port: try LoopbackServer.closedPort())
        #expect(throws: ConnectionError.refused(endpoint)) {
            _ = try Exchange(to: endpoint, form: form, timeout: .seconds(5))
        }
        #expect(ConnectionError.refused(endpoint).description.contains("refused"))
    }

    @Test("What the answer repeats wrongly is named")
    func discrepancies() throws {
        let codec = codec
        let server = try LoopbackServer { frame in
            guard let request = try? codec.decode(frame),
                var response = ResponseMapping().answer(request, .approved)
            else { return .close }
            response.set(.networkManagementCode, text: "001")
            response.remove(.responseCode)
            return .send((try? codec.encode(response)).map(LoopbackServer.framed) ?? [])
        }
        var exchange = try connect(server)
        var terminal = Terminal()
        let answer = try exchange.perform(echo(&terminal), timeout: .seconds(5))
        #expect(answer.discrepancies == ["DE70 is not that of the request", "DE39 is missing"])
    }
}
