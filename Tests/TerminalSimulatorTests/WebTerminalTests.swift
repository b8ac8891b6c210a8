import EMV
import Foundation
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
}
