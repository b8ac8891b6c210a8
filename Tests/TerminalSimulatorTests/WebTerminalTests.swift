import EMV
import Foundation
import Glibc
import Synchronization
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// What the page asks for, without a browser.
@Suite struct WebTerminalTests {
    private let issuer: DemoIssuer

    init() throws { issuer = try DemoIssuer(contentsOf: TestData.issuerPath) }

    private func web(_ port: UInt16) throws -> WebTerminal {
        let bench = try Bench(
            TestData.configuration(portA: port, portB: port, state: TestData.temporaryFolder()))
        return WebTerminal(Till(bench, timeout: .seconds(2)))
    }

    @Test func thePageGetsItsChoicesMasked() throws {
        let reply = try web(LoopbackServer.closedPort()).reply(method: "GET", path: "/choices", body: [])
        #expect(reply.status == 200)
        #expect(reply.body.contains("visa-cvn18") && reply.body.contains("acquirer-b"))
        for secret in try TestData.secrets(issuer) {
            let shown = reply.body.contains(secret)
            #expect(!shown)
        }
    }

    @Test(arguments: [
        "", "{", "{}", "{\"card\":\"nobody\"}", "{\"card\":\"visa-cvn18\",\"amount\":\"ten\"}",
        "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\",\"pin\":\"12\"}",
        "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\",\"deed\":\"x\"}",
        "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\",\"link\":\"x\"}",
        "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\",\"entry\":\"x\"}",
    ])
    func anImpossibleOrderIsRefused(body: String) throws {
        let reply = try web(LoopbackServer.closedPort())
            .reply(method: "POST", path: "/pay", body: Array(body.utf8))
        #expect(reply.status == 400 && reply.body.contains("error"))
    }

    @Test func aHostThatIsAwayIsSaidSo() throws {
        let order = "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\"}"
        let reply = try web(LoopbackServer.closedPort())
            .reply(method: "POST", path: "/pay", body: Array(order.utf8))
        #expect(reply.status == 200 && reply.body.contains("no answer"))
        #expect(reply.body.contains("\"approved\":false"))
    }

    @Test(arguments: [
        ("{\"kind\":\"element\",\"name\":\"1\"}", "1 is no data element"),
        ("{\"kind\":\"element\",\"name\":\"DE55\",\"content\":\"xyz\"}", "hex digits"),
        ("{\"kind\":\"tag\",\"name\":\"zz\"}", "is no tag"),
        ("{\"kind\":\"tag\",\"name\":\"9F02\",\"content\":\"0\"}", "9F02: hex digits"),
    ])
    func anImpossibleChangeIsRefusedByName(edit: String, words: String) throws {
        let order = "{\"card\":\"visa-cvn18\",\"amount\":\"1.00\",\"edits\":[\(edit)]}"
        let reply = try web(LoopbackServer.closedPort())
            .reply(method: "POST", path: "/pay", body: Array(order.utf8))
        #expect(reply.status == 400 && reply.body.contains(words), "\(reply.body)")
    }

    @Test func aLinkWithoutAHostIsSaidToBeDown() throws {
        let reply = try web(LoopbackServer.closedPort()).reply(
            method: "GET", path: "/state?link=acquirer-a", body: [])
        #expect(reply.body.contains("\"up\":false") && reply.body.contains("refused"))
    }

    @Test func aDiagnosisIsOneJSONObject() throws {
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        let date = try #require(TransactionDate(year: 26, month: 11, day: 24))
        let answer = try card.answer(
            TerminalTransaction(
                amount: 100, date: date, unpredictableNumber: UnpredictableNumber(rawValue: 7)),
            tampering: .flippedCryptogramBit(0))
        let evidence = CryptogramEvidence(
            chip: try ICCData(parsing: answer.chipData), identity: card.definition.identity)
        let diagnosis = try CryptogramDiagnosis(
            of: evidence, keys: issuer.namedKeys, expected: "imk-ac-476173", option: .a)
        let json = try DiagnosisReport(diagnosis).json()
        #expect(json.contains("\"verdict\":\"changed on the way\""))
        #expect(json.contains("bit 1 of byte 8 of 9F26") && json.contains("\"profile\":\"visa-cvn18\""))
    }

    @Test func otherPathsAreNotFound() throws {
        let terminal = try web(LoopbackServer.closedPort())
        #expect(terminal.reply(method: "GET", path: "/pay", body: []).status == 404)
        #expect(terminal.reply(method: "GET", path: "/../etc/passwd", body: []).status == 404)
        #expect(terminal.reply(method: "POST", path: "/repeat", body: []).status == 400)
    }

    /// Takes three seconds, which are many times what the page needs for all else, and hangs up then.
    private final class SlowHost: Sendable {
        private let count = Mutex(0)

        var asked: Int { count.withLock { $0 } }

        func server() throws -> LoopbackServer {
            try LoopbackServer { [self] _ in
                count.withLock { $0 += 1 }
                usleep(3_000_000)
                return .close
            }
        }

        func waitUntilAsked() async throws {
            for _ in 0..<2_000 where asked == 0 { try await Task.sleep(for: .milliseconds(5)) }
            try #require(asked > 0)
        }
    }

    /// Visitors who wait, each on a thread of its own: the test's own tasks go on.
    private final class Visitors: Sendable {
        private let replies = Mutex<[String]>([])

        var served: [String] { replies.withLock { $0 } }

        func send(_ ask: @escaping @Sendable () -> String) {
            Thread.detachNewThread { [self] in
                let reply = ask()
                replies.withLock { $0.append(reply) }
            }
        }

        func waitUntilServed(_ count: Int) async throws {
            for _ in 0..<6_000 where served.count < count { try await Task.sleep(for: .milliseconds(10)) }
            try #require(served.count == count)
        }
    }

    private func pay(_ link: String, session: String) -> [UInt8] {
        Array(
            """
            {"card":"visa-cvn18","amount":"1.00","link":"\(link)","session":"\(session)"}
            """.utf8)
    }

    @Test(
        "While a slow host is asked, everything else of the page is answered, other payments with the same card too"
    )
    func nobodyWaitsForAnothersHost() async throws {
        let (host, visitors) = (SlowHost(), Visitors())
        let state = TestData.temporaryFolder()
        let bench = try Bench(
            TestData.configuration(
                portA: try host.server().port, portB: LoopbackServer.closedPort(), state: state))
        let web = WebTerminal(Till(bench, timeout: .seconds(20)))
        let order = pay("acquirer-a", session: "slow")
        visitors.send {
            let late = web.reply(method: "POST", path: "/pay", body: order)
            return "\(late.status) \(late.body)"
        }
        try await host.waitUntilAsked()

        let quick = pay("acquirer-b", session: "second tab")
        for (method, path, body) in [
            ("GET", "/history?session=slow", []), ("GET", "/choices", []),
            ("GET", "/card?card=visa-cvn18", []),
            ("GET", "/state?link=acquirer-b", []), ("POST", "/pay", quick), ("POST", "/repeat", quick),
            ("GET", "/history.csv?session=slow", []),
        ] as [(String, String, [UInt8])] {
            _ = web.reply(method: method, path: path, body: body)
            #expect(visitors.served.isEmpty, "\(method) \(path) waited for the slow host")
        }
        try await visitors.waitUntilServed(1)
        let late = try #require(visitors.served.first)
        #expect(late.hasPrefix("200 ") && late.contains("no answer"))

        // Each request has a counter of its own, and a page its own history.
        _ = web.reply(method: "POST", path: "/pay", body: quick)
        let counter = try String(contentsOfFile: "\(state)/visa-cvn18.atc", encoding: .utf8)
        #expect(counter == "3\n")
        for (session, count) in [("slow", 1), ("second%20tab", 2)] {
            let history = web.reply(method: "GET", path: "/history?session=\(session)", body: []).body
            #expect(history.components(separatedBy: "\"receipt\"").count - 1 == count, "\(session)")
        }
    }

    @Test("More slow payments than the machine has cores leave the page alone")
    func threadsForSlowHosts() async throws {
        let (host, visitors) = (SlowHost(), Visitors())
        let bench = try Bench(
            TestData.configuration(
                portA: try host.server().port, portB: LoopbackServer.closedPort(),
                state: TestData.temporaryFolder()))
        let server = try WebServer(Till(bench, timeout: .seconds(5)), port: 0)
        defer { try? server.close() }
        let (port, order) = (UInt16(server.port), pay("acquirer-a", session: "slow"))
        let count = ProcessInfo.processInfo.activeProcessorCount + 2
        for _ in 0..<count {
            visitors.send {
                (try? LoopbackServer.web(port, method: "POST", path: "/pay", body: order)) ?? "no answer"
            }
        }
        try await host.waitUntilAsked()
        for path in ["/", "/history?session=slow", "/choices", "/state?link=acquirer-b"] {
            let page = try LoopbackServer.web(port, method: "GET", path: path, body: [])
            #expect(page.hasPrefix("HTTP/1.1 200"), "\(path)")
            #expect(visitors.served.isEmpty, "\(path) waited for the slow host")
        }
        try await visitors.waitUntilServed(count)
        for reply in visitors.served { #expect(reply.hasPrefix("HTTP/1.1 200")) }
    }
}
