import EMV
import Foundation
import ISO8583
import Testing
import VirtualCard

@testable import TerminalSimulator

/// What scenarios have the issuer's program do, with a program that writes down what it is given.
@Suite struct IssuerStepTests {
    private let folder = TestData.temporaryFolder()

    /// - Parameter answer: what the program prints; with a status other than 0 it fails.
    private func program(_ answer: String, status: Int = 0) throws -> IssuerDesk {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/program"
        let text = """
            #!/bin/sh
            printf '%s\\n' "$@" >>'\(folder)/arguments'
            [ "$2" != import ] || { cat "$3" >'\(folder)/record'; stat -c %a "$3" >'\(folder)/mode'; }
            printf '%s\\n' '\(answer)'
            exit \(status)

            """
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o700])
        return IssuerDesk(program: path, configuration: "host.yaml")
    }

    private func run(_ steps: String, _ desk: IssuerDesk?) throws -> ScenarioResult {
        let bench = try Bench(TestData.configuration(portA: 1, portB: 2, state: "\(folder)/cards"))
        var options = ScenarioRunner.Options()
        options.issuer = desk
        var runner = ScenarioRunner(bench, options: options)
        let scenarios = try ScenarioFile.scenarios(
            yaml: "scenarios:\n  - name: x\n    steps:\n\(steps)\n", file: "t.yaml")
        return runner.run(scenarios).results[0]
    }

    private func written(_ name: String) throws -> String {
        try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
    }

    @Test func ordersComeToTheProgramsArguments() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let result = try run(
            """
                  - issuer: {card: visa-cvn18, status: stolen}
                    expect: {says: "as you like"}
                  - issuer: {script: put-data, tag: 9F58, data: 0A, before: true}
                  - issuer: {pin-tries: reset}
                  - issuer: {command: [cards, show, "{pan}", --psn, "{psn}"]}
            """, program("as you like"))
        #expect(result.passed)
        let pan = TestData.digits(
            of: try DemoIssuer(contentsOf: TestData.issuerPath).card("visa-cvn18").identity.pan)
        let arguments = try written("arguments").replacing(pan, with: "PAN").split(separator: "\n")
        let why = ["--reason", "scenario", "--config", "host.yaml"]
        #expect(
            arguments.map(String.init)
                == ["cards", "status", "PAN", "--psn", "01", "stolen"] + why
                + [
                    "cards", "script", "PAN", "--psn", "01", "put-data", "--before", "--tag", "9F58",
                    "--data", "0A",
                ]
                + why + ["cards", "unblock-pin", "PAN", "--psn", "01"] + why
                + ["cards", "show", "PAN", "--psn", "01", "--config", "host.yaml"])
    }

    @Test func aPINChangeGoesAsABlockUnderTheLinksKey() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let result = try run(
            "      - issuer: {card: mchip-10h, script: pin-change, pin: \"918273\"}", program("ok"))
        #expect(result.passed)
        let arguments = try written("arguments").split(separator: "\n").map(String.init)
        let place = try #require(arguments.firstIndex(of: "--pin-block"))
        #expect(arguments[place + 1].count == 16)
        #expect(arguments[(place + 2)...].prefix(2) == ["--zone-key", "zpk-acquirer-a"])
        #expect(!arguments.contains("918273"))
    }

    @Test func aRecordIsTheFilesWithChangesAndIsGoneAfterwards() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let steps = "      - issuer: {card: visa-cvn10, record: {pin: none, available: 12.50, status: lost}}"
        #expect(try run(steps, program("1 cards imported")).passed)
        let file =
            try JSONSerialization.jsonObject(with: Data(written("record").utf8)) as? [String: [[String: Any]]]
        let card = try #require(file?["cards"]?.first)
        // By themselves: a failing expectation prints its parts, and the entry holds the card's number.
        let (available, status) = (card["availableMinorUnits"] as? Int, card["status"] as? String)
        let (hasPIN, profile) = (card["pin"] != nil, card["cryptogramProfile"] as? String)
        #expect(available == 1_250 && status == "lost" && !hasPIN && profile == "visa-cvn10")
        #expect(try written("mode") == "600\n")
        let path = try written("arguments").split(separator: "\n")[2]
        #expect(!FileManager.default.fileExists(atPath: String(path)))
    }

    @Test func whatGoesWrongIsSaidWithoutTheAccount() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let step = "      - issuer: {card: visa-cvn10, status: active}"
        let failing = try run(step, program("no such thing", status: 3))
        #expect(failing.steps[0].complaints == ["the issuer's program: no such thing"])
        let other = try run(step + "\n        expect: {says: moon}", program("status active"))
        #expect(other.steps[0].complaints == ["\"moon\" is not in: status active"])
        let nobody = try run(step, nil)
        #expect(nobody.steps[0].complaints[0].contains("--issuer-program"))
        let pan = TestData.digits(
            of: try DemoIssuer(contentsOf: TestData.issuerPath).card("visa-cvn10").identity.pan)
        let telling = try run(step, program("4761739001010010 is active"))
        let shown = telling.steps[0].summary.contains(pan)
        #expect(!shown && telling.steps[0].summary.hasSuffix("is active"))
    }

    @Test func aScenarioThatNeedsTheIssuerSaysSo() throws {
        let found = try ScenarioFile.scenarios(
            yaml: """
                scenarios:
                  - {name: a, labels: [x], steps: [{echo: {}}]}
                  - {name: b, covers: [pinWrong], steps: [{issuer: {card: c, status: lost}}]}
                """, file: "t.yaml")
        #expect(found.map(\.needsIssuer) == [false, true])
        #expect(found[0].isNamed("x") && found[1].isNamed("pinW") && !found[0].isNamed("b"))
    }
}

/// Why something was declined, without asking a developer.
@Suite struct DeclineExplanationTests {
    @Test func theDecidingLineComesFirst() {
        let checks = [
            "The issuer's checks:", "  card status                   APPROVED  active",
            "  PIN                           DECLINED  wrong", "  ATC                           SKIPPED   -",
        ]
        #expect(DeclineExplanation.headline(checks) == "PIN: wrong")
        let found = ["The cryptogram is not the expected one. It comes out with:", "  - padding 2"]
        #expect(DeclineExplanation.headline(found + checks) == "- padding 2")
        #expect(DeclineExplanation.headline(["The cryptogram is right (visa-cvn18)."]) == nil)
    }

    @Test func aFailedCryptogramIsExplainedByTheKeysAtHand() throws {
        let bench = try Bench(TestData.configuration(portA: 1, portB: 2, state: TestData.temporaryFolder()))
        var card = try VirtualCard(bench.issuer, card: "visa-cvn18")
        var terminal = Terminal(surroundings: TestData.stillSurroundings())
        var purchase = Purchase(amount: 100, pin: .none)
        purchase.distortion.chip = .flippedCryptogramBit(3)
        let request = try terminal.request(
            purchase, card: &card, zonePINKey: nil, dialect: TestData.codec("ascii87-binbitmap").dialect)
        let explanation = DeclineExplanation(bench: bench, desk: nil)
        let lines = explanation.lines(request.message, code: "88")
        #expect(DeclineExplanation.headline(lines)?.contains("in bit 4 of byte 8") == true, "\(lines)")
        #expect(explanation.lines(request.message, code: "51").isEmpty)
    }
}
