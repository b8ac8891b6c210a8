import EMV
import Foundation
import ISO8583
import IssuerMessages
import Synchronization
import TerminalSimulator
import Testing
import VirtualCard

@Suite("Demo", .timeLimit(.minutes(2)))
struct DemoTests {
    /// One issuer for both links' threads.
    private final class Box: Sendable {
        let issuer: Mutex<TestIssuer>
        init(_ issuer: TestIssuer) { self.issuer = Mutex(issuer) }
    }

    /// A test issuer behind two links, and the demo before them.
    private final class Stage: Sendable {
        let bench: Bench
        private let box: Box
        private let folder: String

        init(flaw: TestIssuer.Flaw = .none) throws {
            let issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
            let folder = TestData.temporaryFolder()
            self.folder = folder
            let box = Box(TestIssuer(issuer, flaw: flaw))
            self.box = box
            let ports = try [("ascii87-binbitmap", "zpk-acquirer-a"), ("bcd87-rightF", "zpk-acquirer-b")].map
            {
                dialect, key in
                let codec = try TestData.codec(dialect)
                let zonePINKey = try issuer.key(key)
                return try LoopbackServer { frame in
                    let answer = box.issuer.withLock {
                        try? $0.answer(frame, codec: codec, zonePINKey: zonePINKey)
                    }
                    return answer.flatMap { $0 }.map { .send(LoopbackServer.framed($0)) } ?? .close
                }.port
            }
            bench = try Bench(TestData.configuration(portA: ports[0], portB: ports[1], state: folder))
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func importCards() { box.issuer.withLock { $0.importCards() } }

        func run(_ steps: [DemoStep] = DemoTable.steps) throws -> DemoSummary {
            let links = try bench.configuration.links.map { try bench.link($0) }
            var demo = try Demo(
                bench, links: links, terminal: Terminal(surroundings: TestData.stillSurroundings()),
                timeout: .seconds(5))
            return try demo.run(steps)
        }
    }

    @Test("Every outcome of a right issuer is the expected one, as often as it is run")
    func rightIssuer() throws {
        let stage = try Stage()
        for _ in 1...3 {
            stage.importCards()
            let summary = try stage.run()
            let complaints = summary.complaints.map(Printing.line)
            #expect(complaints == [])
            #expect(summary.isAsExpected)
            #expect(summary.lines.count == DemoTable.steps.count)
            #expect(Printing.summary(summary).hasSuffix("every outcome was the expected one."))
        }
    }

    @Test("Without an import between them, the second run says what to do")
    func exhaustedTries() throws {
        let stage = try Stage()
        _ = try stage.run()
        let summary = try stage.run()
        #expect(!summary.isAsExpected)
        #expect(Printing.summary(summary).contains("issuer-host cards import"))
    }

    @Test("An issuer that approves everything is found out at every decline")
    func carelessIssuer() throws {
        let summary = try Stage(flaw: .approvesEverything).run()
        let unexpected = Set(summary.complaints.map { $0.step.expected })
        let declines = Set(DemoTable.steps.map(\.expected)).subtracting([
            .approved, .formatError, .unknownCard,
        ])
        #expect(unexpected == declines)
        let approvals = summary.complaints.filter { $0.step.expected == .approved }
        #expect(approvals.isEmpty)
    }

    @Test("A wrong ARPC is found out at every approval")
    func wrongARPC() throws {
        let summary = try Stage(flaw: .wrongARPC).run()
        let approvals = summary.lines.filter { $0.step.expected == .approved }
        #expect(approvals.count > 16)
        #expect(approvals.allSatisfy { $0.complaint != nil })
        let words = summary.lines.first.map(Printing.line) ?? ""
        #expect(
            words.contains("✗") && words.contains("ARPC wrong") && words.contains("expected an ARPC that"))
    }

    @Test("The table has every card, every deed and every decline that the demo promises")
    func table() throws {
        let steps = DemoTable.steps
        let issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        #expect(Set(steps.map(\.card)) == Set(issuer.cards.map(\.name)).union([DemoTable.stranger]))
        #expect(Set(steps.map(\.deed)) == Set(Deed.allCases))
        #expect(
            Set(steps.map(\.expected.rawValue)) == [
                "00", "14", "30", "41", "51", "54", "55", "63", "75", "88",
            ])
        let shops = DemoTable.webShops
        #expect(shops.allSatisfy { $0.authentication != nil } && Set(shops.map(\.link)) == [0, 1])
        #expect(Set(shops.map(\.expected.rawValue)) == ["00", "63", "82"])
        let approvedOnBoth = Dictionary(grouping: steps.prefix(16), by: \.card)
        #expect(approvedOnBoth.count == 8)
        #expect(approvedOnBoth.values.allSatisfy { Set($0.map(\.link)) == [0, 1] })
        for (index, step) in steps.enumerated() where step.expected != .approved {
            #expect(steps[index + 1].expected == .approved && steps[index + 1].link == step.link)
        }
    }

    @Test("No line and no transcript holds a PAN, PIN, key, track or PIN block")
    func nothingLeaks() throws {
        let stage = try Stage()
        let summary = try stage.run()
        var texts = summary.lines.map(Printing.line)
        texts += [Printing.summary(summary), Printing.cards(stage.bench.issuer.cards)]
        var secrets = try TestData.secrets(stage.bench.issuer) + ["4761739001019094"]
        for description in stage.bench.configuration.links {
            let link = try stage.bench.link(description)
            texts.append("\(link)")
            var exchange = try Exchange(to: link.endpoint, form: link.form, timeout: .seconds(5))
            var terminal = Terminal(surroundings: TestData.stillSurroundings())
            for name in ["visa-cvn22", "mchip-14h", "ccd-19-digits"] {
                var card = try stage.bench.card(name)
                let request = try terminal.request(
                    Purchase(amount: 4_250, pin: .right), card: &card, zonePINKey: link.zonePINKey,
                    dialect: link.form.codec.dialect)
                let answer = try exchange.perform(request.message, timeout: .seconds(5))
                let outcome = try PurchaseOutcome(answer, to: request, card: card)
                #expect(outcome.isApproved)
                texts.append(Printing.purchase(request, outcome, link: link))
                secrets.append(hex(request.message.bytes(.pinData)))
                secrets.append("=29122010")
                secrets.append("D29122010")
            }
        }
        let all = texts.joined(separator: "\n").uppercased()
        #expect(all.contains("639999*********4568"))
        #expect(secrets.count > 20)
        let leaked = secrets.indices.filter { secrets[$0].isEmpty || all.contains(secrets[$0]) }
        #expect(leaked == [], "indices of secrets that were printed")
    }

    private func hex(_ bytes: ArraySlice<UInt8>?) -> String {
        (bytes ?? []).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().uppercased()
    }

    @Test("A host that hangs up costs the step, and the next one gets a new connection")
    func hangingUp() throws {
        let server = try LoopbackServer { _ in .close }
        let folder = TestData.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let bench = try Bench(
            TestData.configuration(portA: server.port, portB: server.port, state: folder))
        let link = try bench.link(bench.configuration.link("acquirer-a"))
        var demo = try Demo(bench, links: [link], timeout: .seconds(5))
        let summary = try demo.run(Array(DemoTable.steps.prefix(2)))
        #expect(summary.complaints.count == 2)
        let line = summary.lines.last.map(Printing.line) ?? ""
        #expect(line.contains("no answer") && line.contains("closed the connection"))
    }
}
