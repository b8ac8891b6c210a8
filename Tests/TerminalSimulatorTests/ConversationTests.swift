import ByteCoding
import EMV
import Foundation
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// Card and terminal up to the final cryptogram, the issuer's answer made with the card's own key.
@Suite struct ConversationTests {
    private let issuer: DemoIssuer

    init() throws { issuer = try DemoIssuer(contentsOf: TestData.issuerPath) }

    private func begin(
        _ name: String, amount: UInt64 = 6_000, pinEntered: Bool = true,
        change: (inout ChipApplication, inout TerminalRisk) -> Void = { _, _ in }
    ) throws -> (CardConversation, CardProposal) {
        let card = try VirtualCard(issuer, card: name)
        var application = ChipApplication(for: card.definition.product)
        var risk = TerminalRisk()
        change(&application, &risk)
        var conversation = CardConversation(card, application: application, risk: risk)
        let transaction = TerminalTransaction(
            amount: amount, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
            unpredictableNumber: UnpredictableNumber(rawValue: 0x0102_0304))
        let proposal = try conversation.begin(transaction, pinEntered: pinEntered)
        return (conversation, proposal)
    }

    private func chipData(_ answer: CardAnswer, _ name: String, approves: Bool) throws -> [UInt8] {
        var chip = try ChipCryptography()
        var writer = TLVWriter()
        if try issuer.card(name).product.profile.responseMethod == .method1 {
            let code = try #require(AuthorisationResponseCode(approves ? "00" : "51"))
            let arpc = try chip.responseMethod1(
                key: answer.signed.responseKey, answer.signed.cryptogram, code: code)
            writer.append(IssuerAuthenticationData(arpc: arpc, code: code))
        } else {
            let update = approves ? CardStatusUpdate.approve : .decline
            let computed = try chip.responseMethod2(
                key: answer.signed.responseKey, answer.signed.cryptogram, statusUpdate: update,
                proprietary: [])
            let arpc = try #require(computed)
            writer.append(IssuerAuthenticationData(arpc: arpc, statusUpdate: update))
        }
        return writer.bytes
    }

    @Test func theRecordCarriesTheExpiryInDecimalDigits() throws {
        let (conversation, _) = try begin("visa-cvn18")
        let record = try #require(conversation.commands.first { $0.name == "READ RECORD 1" })
        let content = try #require(try TLVReader.objects(in: record.received[...]).first)
        let value = try TLVReader.objects(in: content.1).first { $0.0 == Tag(rawValue: 0x5F24) }?.1
        let digits = value.map {
            $0.map { String($0, radix: 16) }.map { $0.count == 1 ? "0" + $0 : $0 }.joined()
        }
        #expect(digits == "\(try issuer.card("visa-cvn18").expiry)28")
    }

    @Test(arguments: ["visa-cvn10", "visa-cvn18", "visa-cvn22", "mchip-10h", "mchip-15h", "ccd-19-digits"])
    func anOnlineApprovalEndsInATC(name: String) throws {
        var (conversation, proposal) = try begin(name)
        guard case .online(let answer) = proposal else {
            Issue.record("\(name): not online")
            return
        }
        let data = try chipData(answer, name, approves: true)
        let code = try #require(AuthorisationResponseCode("00"))
        let final = try conversation.finish(approved: true, code: code, chipData: data)
        #expect("\(final)" == "TC")
        #expect(conversation.card.atc == answer.atc, "the second cryptogram counts no second transaction")
        #expect(
            conversation.commands.map(\.name) == [
                "SELECT PSE", "SELECT AID", "GET PROCESSING OPTIONS", "READ RECORD 1", "READ RECORD 2",
                "GENERATE AC (first, ARQC)", "EXTERNAL AUTHENTICATE", "GENERATE AC (second, TC)",
            ])
    }

    @Test(arguments: ["visa-cvn18", "mchip-10h"])
    func withoutAnAuthenticApprovalThereIsNoTC(name: String) throws {
        let code = try #require(AuthorisationResponseCode("00"))
        for flaw in ["changed", "declines", "absent"] {
            var (conversation, proposal) = try begin(name)
            guard case .online(let answer) = proposal else { continue }
            var data = try chipData(answer, name, approves: flaw != "declines")
            if flaw == "changed" { data[2] ^= 1 }
            let final = try conversation.finish(
                approved: true, code: code, chipData: flaw == "absent" ? nil : data)
            #expect("\(final)" == "AAC", "\(flaw)")
            let failed = conversation.verificationResults & 0x40 != 0
            #expect(failed == (flaw == "changed"), "\(flaw)")
        }
    }

    @Test func actionCodesAndFloorLimitDecide() throws {
        let (_, offline) = try begin("ccd-19-digits", amount: 4_999, pinEntered: false) { application, risk in
            application.verificationMethods = [UInt8](repeating: 0, count: 8) + [0x1F, 0x03]
            risk.floorLimit = 5_000
        }
        guard case .approvedOffline = offline else {
            Issue.record("below the floor limit: \(offline)")
            return
        }
        let (_, denied) = try begin("visa-cvn22") { application, _ in
            application.offlineAuthentication = .failed
            application.actionDenial = 0x08_0000_0000
        }
        guard case .declinedOffline = denied else {
            Issue.record("IAC denial: \(denied)")
            return
        }
        let (_, declining) = try begin("visa-cvn22") { application, _ in application.attitude = .declines }
        guard case .declinedOffline = declining else {
            Issue.record("declining card: \(declining)")
            return
        }
    }

    @Test func theTraceNamesEveryObjectAndShowsNoAccount() throws {
        let (conversation, _) = try begin("visa-cvn18")
        let text = ConversationText.lines(conversation).joined(separator: "\n")
        #expect(!text.contains("not in the table"))
        #expect(text.contains("9F02 Amount, Authorised"))
        for secret in try TestData.secrets(issuer) {
            let shown = text.contains(secret)
            #expect(!shown)
        }
    }

    @Test func theShippedChipsAreRead() throws {
        let folder = TestData.root.appending(path: "Config/demo/cards")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
        #expect(files.count >= 5)
        for file in files {
            let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            _ = try ChipFile(yaml: text, file: file, issuer: issuer)
        }
        #expect(throws: ScenarioError.self) {
            try ChipFile(yaml: "card: visa-cvn10\ncolour: red\n", file: "x", issuer: issuer)
        }
    }

    // MARK: - The page's requests

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

    @Test func otherPathsAreNotFound() throws {
        let terminal = try web(LoopbackServer.closedPort())
        #expect(terminal.reply(method: "GET", path: "/pay", body: []).status == 404)
        #expect(terminal.reply(method: "GET", path: "/../etc/passwd", body: []).status == 404)
        #expect(terminal.reply(method: "POST", path: "/repeat", body: []).status == 400)
    }
}
