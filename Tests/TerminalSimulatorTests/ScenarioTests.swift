import Foundation
import ISO8583
import Synchronization
import Testing
import VirtualCard

@testable import TerminalSimulator

@Suite struct ScenarioTests {
    private func scenarios(_ yaml: String) throws -> [Scenario] {
        try ScenarioFile.scenarios(yaml: yaml, file: "test.yaml")
    }

    private func fault(_ yaml: String) -> String {
        do {
            _ = try scenarios(yaml)
            return "read without a fault"
        } catch {
            return "\(error)"
        }
    }

    /// A host that is slow is not silent.
    @Test func silenceLastsAsLongAsTheScenarioSays() throws {
        let options = ScenarioRunner.Options()
        func patience(_ expectation: String) throws -> Duration {
            let found = try scenarios(
                "scenarios: [{name: x, steps: [{echo: {}, expect: {\(expectation)}}]}]")
            return try #require(found.first?.steps.first).expectation.patience(options)
        }
        #expect(try patience("answer: none, within: 2 s") == .seconds(2))
        #expect(try patience("answer: none") == options.silence)
        #expect(try patience("within: 2 s") == options.timeout)
    }

    @Test func mergeKeysAreTakenAndTheirFaultsPlaced() throws {
        let found = try scenarios(
            """
            anchors: {usual: &usual {card: visa-cvn18, amount: 4.20}}
            scenarios:
              - name: one
                steps: [{purchase: {<<: *usual, amount: 1.00}}]
              - name: two
                steps: [{purchase: {<<: [{amount: 2.00}, *usual]}}]
              - name: three
                steps: [{purchase: {card: visa-cvn18, amount: 1.00}}]
            """)
        func steps(_ index: Int) -> String { "\(found[index].steps.map(\.action))" }
        #expect(found.count == 3 && steps(0) == steps(2))
        #expect(steps(1).contains("200") && !steps(1).contains("420"))
        let place = "scenarios:\n  - name: x\n    steps: [{purchase: {"
        #expect(fault("\(place)<<: {crd: a}, amount: 1.00}}]").hasPrefix("test.yaml:3:30: unknown key crd"))
        #expect(fault("\(place)<<: usual, amount: 1.00}}]").hasPrefix("test.yaml:3:29: << takes a map"))
        #expect(fault("\(place)<<: [usual], amount: 1.00}}]").hasPrefix("test.yaml:3:29: << takes a map"))
    }

    @Test func aForUnrollsToEveryCombination() throws {
        let found = try scenarios(
            """
            vars: {all: [a, b]}
            scenarios:
              - name: ${card} over ${link} with ${kind.name}
                for:
                  card: "${all}"
                  link: [x, y]
                  kind: [{name: one, value: "1"}, {name: two, value: "2"}]
                steps:
                  - purchase: {card: "${card}", link: "${link}", fields: {18: "${kind.value}"}}
            """)
        #expect(found.count == 8)
        #expect(found[0].name == "a over x with one")
        #expect(found[7].name == "b over y with two")
        #expect(found[7].place.line == 3)
        guard case .transaction(let step) = found[7].steps[0].action else {
            Issue.record("no transaction")
            return
        }
        #expect(step.card == "b" && step.link == "y" && step.fields[0].text == "2")
    }

    @Test func aLoopRepeatsItsStepsWithItsCounter() throws {
        let found = try scenarios(
            """
            scenarios:
              - name: three
                steps:
                  - loop: {times: 3, as: n, steps: [{purchase: {card: c, amount: "${n}.50"}}]}
                  - echo: {}
            """)
        let amounts = found[0].steps.compactMap { step -> UInt64? in
            if case .transaction(let transaction) = step.action { transaction.amount.lowerBound } else { nil }
        }
        #expect(amounts == [150, 250, 350])
        #expect(found[0].steps.count == 4)
    }

    @Test(arguments: [
        ("scenarios:\n  - name: x\n    steps:\n      - purchse: {}\n", "test.yaml:4:9: unknown key purchse"),
        (
            "scenarios:\n  - name: x\n    steps:\n      - purchase: {amount: ten}\n",
            "test.yaml:4:28: an amount"
        ),
        ("scenarios:\n  - name: x\n", "test.yaml:2:5: scenario \"x\" has no steps"),
        ("scenarios:\n  - steps: [{echo: {}}]\n", "test.yaml:2:5: key name is missing"),
        (
            "scenarios:\n  - name: ${who}\n    steps: [{echo: {}}]\n",
            "test.yaml:2:11: there is no variable who"
        ),
        (
            "scenarios:\n  - name: x\n    steps: [{echo: {}, wait: 1 s}]\n",
            "test.yaml:3:13: a step does exactly one of"
        ),
        (
            "scenarios:\n  - name: x\n    steps:\n      - echo: {}\n        expect: {de39: 0}\n",
            "test.yaml:5:24: DE39 has two characters"
        ),
        (
            "scenarios:\n  - name: x\n    for: {a: [1, 2]}\n    steps: [{echo: {}}]\n",
            "test.yaml:2:5: two scenarios are called \"x\""
        ),
        (
            "scenarios:\n  - name: x\n    steps:\n      - purchase: {entry: magnetic}\n",
            "test.yaml:4:27: magnetic is unknown; known here: chip, stripe"
        ),
        (
            "scenarios:\n  - name: x\n    steps:\n      - purchase: {service-code: 1}\n",
            "test.yaml:4:34: three digits of a service code"
        ),
        (
            "scenarios:\n  - name: x\n    steps:\n      - issuer: {card: c, status: lost, script: x}\n",
            "test.yaml:4:17: issuer does exactly one of"
        ),
        (
            "scenarios:\n  - name: x\n    steps:\n      - issuer: {record: {pin: 12}}\n",
            "test.yaml:4:32: 4 to 12 digits"
        ),
        ("scenarios:\n  - name: x\n    steps: [{card: {}}]\n", "test.yaml:3:20: card needs atc or new"),
        ("scenarios: [\n", "test.yaml:2:1:"),
        (
            "scenarios:\n  - name: x\n    steps:\n      - purchase: {amount: 1.00, amount: 2.00}\n",
            "test.yaml:4:20: key amount stands twice"
        ),
        ("name: x\n", "test.yaml:1:1: key scenarios is missing"),
    ])
    func aFaultNamesLineAndColumn(yaml: String, words: String) {
        let found = fault(yaml)
        #expect(found.hasPrefix(words), "\(found)")
    }

    @Test func theShippedScenariosAreReadAndAreMany() throws {
        let folder = TestData.root.appending(path: "Config/scenarios").path()
        let found = try ScenarioFile.scenarios(at: [folder])
        #expect(found.count >= 60)
        #expect(Set(found.map(\.name)).count == found.count)
    }

    @Test func theSameSeedDrawsTheSameAmounts() {
        func draws(_ seed: UInt64, _ name: String) -> [UInt64] {
            var chance = ScenarioChance(seed: seed, name: name)
            return (0..<50).map { _ in chance.draw(100...9_999) }
        }
        #expect(draws(7, "a") == draws(7, "a"))
        #expect(draws(7, "a") != draws(8, "a"))
        #expect(draws(7, "a") != draws(7, "b"))
        #expect(draws(7, "a").allSatisfy { (100...9_999).contains($0) })
        var chance = ScenarioChance(seed: 1, name: "")
        #expect(chance.draw(5...5) == 5)
    }

    // MARK: - Against an issuer

    private func run(_ yaml: String, flaw: TestIssuer.Flaw = .none) throws -> ScenarioRun {
        let state = TestData.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: state) }
        let demo = try DemoIssuer(contentsOf: TestData.issuerPath)
        let issuer = Mutex(TestIssuer(demo, flaw: flaw))
        let codec = try TestData.codec("ascii87-binbitmap")
        let key = try demo.key("zpk-acquirer-a")
        let server = try LoopbackServer { frame in
            let answer = issuer.withLock { try? $0.answer(frame, codec: codec, zonePINKey: key) }
            guard let bytes = answer ?? nil else { return .close }
            return .send(LoopbackServer.framed(bytes))
        }
        let bench = try Bench(
            TestData.configuration(portA: server.port, portB: LoopbackServer.closedPort(), state: state))
        var options = ScenarioRunner.Options()
        options.timeout = .seconds(5)
        var runner = ScenarioRunner(bench, options: options)
        return runner.run(try scenarios(yaml))
    }

    private static let purchases = """
        scenarios:
          - name: good & <plain>
            steps:
              - purchase: {card: visa-cvn18, amount: 12.00, pin: right}
                expect: {de39: "00", arpc: approves, card: {atc-moved: 1}}
              - purchase: {amount: 12.00, pin: wrong}
                expect: {de39: "55", arpc: declines}
          - name: flipped
            steps:
              - purchase: {card: mchip-10h, amount: 12.00, fault: {flip: {9F26: 3}}}
                expect: {de39: "88", arpc: absent}
          - name: nobody there
            steps:
              - echo: {link: acquirer-a}
                expect: {de39: "00"}
        """

    @Test func scenariosPassAgainstAnIssuerThatDecidesRightly() throws {
        let run = try run(ScenarioTests.purchases)
        #expect(run.passed, "\(run.failed.flatMap { ScenarioText.lines($0, allSteps: true) })")
        #expect(run.results.count == 3)
    }

    @Test(arguments: [
        ("flip: {9F26: 64}", "9F26 has bits 0 to 63, none with number 64"),
        ("flip: {9F99: 0}", "no bit of 9F99 can be flipped"),
        ("remove-tags: [9F99]", "9F99 cannot be removed"),
        ("flip-answer: {9F99: 0}", "no bit of 9F99 can be flipped"),
    ])
    func aFaultThatChangesNothingFails(fault: String, words: String) throws {
        let run = try run(
            """
            scenarios:
              - name: x
                steps:
                  - purchase: {card: visa-cvn18, amount: 12.00, fault: {\(fault)}}
            """)
        let complaints = run.results[0].steps[0].complaints.joined()
        #expect(!run.passed && complaints.contains(words), "\(complaints)")
    }

    @Test func aCardThatIsNotThereIsRefusedWithThoseThatAre() throws {
        let bench = try Bench(TestData.configuration(portA: 1, portB: 2, state: TestData.temporaryFolder()))
        let check = ScenarioCheck(bench, options: ScenarioRunner.Options())
        let found = try scenarios("scenarios: [{name: x, steps: [{purchase: {card: nobody}}]}]")
        #expect(throws: ScenarioFaults.self) { try check.check(found) }
        do { try check.check(found) } catch {
            let known = bench.issuer.cards.map(\.name) + [DemoTable.stranger]
            #expect("\(error)".hasSuffix("one of: " + known.joined(separator: ", ")))
        }
    }

    @Test func anIssuerThatApprovesEverythingFails() throws {
        let run = try run(ScenarioTests.purchases, flaw: .approvesEverything)
        #expect(run.failed.map(\.name) == ["good & <plain>", "flipped"])
        #expect(run.failed[1].steps[0].complaints[0].contains("expected 88"))
    }

    @Test func aWrongARPCFails() throws {
        let run = try run(ScenarioTests.purchases, flaw: .wrongARPC)
        #expect(run.failed.map(\.name) == ["good & <plain>"])
        #expect(run.failed[0].skipped == 1)
    }

    @Test func reportsAreWellFormedAndShowNoSecrets() throws {
        let run = try run(ScenarioTests.purchases, flaw: .approvesEverything)
        let junit = JUnitReport.xml(run)
        let page = ScenarioPage.html(run)
        let parser = XMLCheck()
        #expect(parser.isWellFormed(junit))
        #expect(parser.names.filter { $0 == "testcase" }.count == 3)
        #expect(parser.names.filter { $0 == "failure" }.count == 2)
        #expect(page.contains("good &amp; &lt;plain&gt;"))
        for secret in try TestData.secrets(DemoIssuer(contentsOf: TestData.issuerPath)) {
            let shown = junit.contains(secret) || page.contains(secret)
            #expect(!shown)
        }
    }

    @Test func aReportOfFiveHundredStaysBelowAMegabyte() {
        let place = ScenarioPlace(file: "many.yaml", line: 3, column: 5)
        let exchange = DecodedExchange(
            request: String(repeating: "DE2 element\n", count: 400),
            response: String(repeating: "x", count: 4_000))
        for failing in [false, true] {
            var run = ScenarioRun(seed: 1)
            run.results = (1...500).map { number in
                let step = StepResult(
                    name: "purchase", place: place, summary: "00 approved, ARPC ok",
                    complaints: failing ? ["DE39 is 00 approved, expected 55 wrong PIN"] : [], elapsed: nil,
                    exchanges: [exchange], cardTrace: [], why: [])
                return ScenarioResult(
                    name: "scenario \(number)", place: place, steps: [step, step, step, step], skipped: 0,
                    elapsed: .zero)
            }
            let page = ScenarioPage.html(run)
            #expect(page.utf8.count < ScenarioPage.bytesMax)
            #expect(
                page.contains("scenario 500") && page.contains("500 scenarios, \(failing ? 500 : 0) failed"))
            #expect(page.contains("Messages left out for size") == failing)
            #expect(ScenarioPage.html(run, everything: true).utf8.count > ScenarioPage.bytesMax)
        }
    }

    @Test func aReversalNamesItsOriginal() throws {
        let bench = try Bench(TestData.configuration(portA: 1, portB: 2, state: TestData.temporaryFolder()))
        let link = try bench.link(bench.configuration.links[0])
        var card = try VirtualCard(bench.issuer, card: "visa-cvn18")
        var terminal = Terminal(surroundings: TestData.stillSurroundings())
        let dialect = link.form.codec.dialect
        let request = try terminal.request(
            Purchase(amount: 5_000, pin: .right), card: &card, zonePINKey: link.zonePINKey, dialect: dialect)
        let reversal = terminal.reversal(
            of: request.message, answer: nil, mti: .reversalAdvice, completed: 2_000, dialect: dialect)
        let decoded = try link.form.codec.decode(link.form.codec.encode(reversal))
        let stan = request.message.text(.stan) ?? ""
        let time = request.message.text(.transmissionTime) ?? ""
        #expect(decoded.mti == .reversalAdvice)
        #expect(decoded.text(.originalDataElements) == "0100\(stan)\(time)0000012345600000000000")
        #expect(decoded.text(.replacementAmounts) == "000000002000000000000000D00000000D00000000")
        #expect(decoded.text(.stan) != stan)
        #expect(decoded.text(.retrievalReferenceNumber) == request.message.text(.retrievalReferenceNumber))
        #expect(!decoded.has(.pinData))
    }
}

/// Tags opened and closed in order, attributes quoted, no stray ampersand.
private final class XMLCheck {
    private(set) var names: [String] = []

    func isWellFormed(_ text: String) -> Bool {
        var open: [String] = []
        for part in text.split(separator: "<").dropFirst() {
            guard let end = part.firstIndex(of: ">") else { return false }
            let inside = part[..<end]
            if inside.hasPrefix("?") { continue }
            let name = String(inside.drop { $0 == "/" }.prefix { $0 != " " && $0 != "/" })
            if inside.hasPrefix("/") {
                guard open.popLast() == name else { return false }
            } else {
                names.append(name)
                guard inside.count(where: { $0 == "\"" }).isMultiple(of: 2) else { return false }
                if !inside.hasSuffix("/") { open.append(name) }
            }
        }
        let strays = text.split(separator: "&", omittingEmptySubsequences: false).dropFirst().contains {
            rest in
            !["amp;", "lt;", "gt;", "quot;", "#10;"].contains { rest.hasPrefix($0) }
        }
        return open.isEmpty && !strays
    }
}
