import ByteCoding
import EMV
import Foundation
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// Card and terminal up to the final cryptogram, the issuer's answer made with the card's own key.
@Suite struct ConversationTests {
    private let issuer: DemoIssuer

    private let scheme: TestScheme
    private let caKeys: CAKeys

    init() throws {
        issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        (scheme, caKeys) = (try TestData.scheme(), try TestData.caKeys())
    }

    private func begin(
        _ name: String, amount: UInt64 = 6_000, pinEntered: Bool = true, fault: AuthenticationFault? = nil,
        change: (inout ChipApplication, inout TerminalRisk) -> Void = { _, _ in }
    ) throws -> (CardConversation, CardProposal) {
        let card = try VirtualCard(issuer, card: name)
        var application = ChipApplication(for: card.definition.product)
        var risk = TerminalRisk()
        change(&application, &risk)
        risk.caKeys = caKeys
        application.authentication = try scheme.authentication(of: card.definition, application, fault: fault)
        var conversation = CardConversation(card, application: application, risk: risk)
        let proposal = try conversation.begin(
            transaction(amount), pin: pinEntered ? card.definition.pin : nil)
        return (conversation, proposal)
    }

    private func transaction(_ amount: UInt64) throws -> TerminalTransaction {
        TerminalTransaction(
            amount: amount, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
            unpredictableNumber: UnpredictableNumber(rawValue: 0x0102_0304))
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
        let record = try #require(conversation.commands.first { $0.name == "READ RECORD 1 of file 2" })
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
        // Visa's AIP asks for a command of its own, the other cards' CDOL2 for tag 91 (EMV Book 3 10.9).
        let hasCommand = name.hasPrefix("visa")
        #expect(
            conversation.commands.map(\.name) == [
                "SELECT PSE", "SELECT AID", "GET PROCESSING OPTIONS", "READ RECORD 1 of file 2",
                "READ RECORD 2 of file 2", "READ RECORD 1 of file 1", "READ RECORD 2 of file 1",
                "READ RECORD 3 of file 1", "READ RECORD 4 of file 1", "GENERATE AC (first, ARQC, CDA)",
            ] + (hasCommand ? ["EXTERNAL AUTHENTICATE"] : []) + ["GENERATE AC (second, TC, CDA)"])
        let second = try #require(conversation.commands.last)
        let sent = second.sent.first { $0.tag == .issuerAuthenticationData }?.value
        #expect(sent == (hasCommand ? nil : Array(data.dropFirst(2))))
        #expect(conversation.verdict.approves)
    }

    @Test func aCardThatIsToldByNeitherWayGivesNoTC() throws {
        var (conversation, proposal) = try begin("mchip-10h") { application, _ in
            application.secondObjects = ChipApplication.usualObjects
        }
        guard case .online(let answer) = proposal else {
            Issue.record("not online")
            return
        }
        let final = try conversation.finish(
            approved: true, code: #require(AuthorisationResponseCode("00")),
            chipData: chipData(answer, "mchip-10h", approves: true))
        #expect("\(final)" == "AAC")
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
            // A terminal learns of it by EXTERNAL AUTHENTICATE only.
            #expect(failed == (flaw == "changed" && name == "visa-cvn18"), "\(flaw)")
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
        let (_, denied) = try begin("visa-cvn22", fault: .dynamicSignature) { application, _ in
            application.interchangeProfile = 0x3C00
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

    @Test(arguments: [(UInt64(0x8000), "AAC", "Z3"), (0, "TC", "Y3")])
    func withoutAnAnswerTheDefaultCodesDecide(action: UInt64, kind: String, code: String) throws {
        var (conversation, proposal) = try begin("visa-cvn10") { application, risk in
            application.actionDefault = 0
            risk.actionDefault = action
        }
        guard case .online = proposal else {
            Issue.record("not online")
            return
        }
        #expect("\(try conversation.finishOffline())" == kind)
        #expect(conversation.notes.contains { $0.hasSuffix("code \(code)") })
        let second = try #require(conversation.commands.last)
        // No signature comes with an AAC.
        #expect(second.name == "GENERATE AC (second, \(kind)\(kind == "TC" ? ", CDA" : ""))")
        let sent = second.sent.first { $0.tag == Tag(rawValue: 0x8A) }?.value
        #expect(sent == Array(code.utf8))
    }

    @Test func aTerminalWithoutALineDecidesByTheDefaultCodes() throws {
        for (action, approves) in [(UInt64(0), true), (0x8000, false)] {
            let (_, proposal) = try begin("visa-cvn10") { application, risk in
                application.actionDefault = 0
                risk.actionDefault = action
                risk.isOfflineOnly = true
            }
            switch proposal {
            case .approvedOffline: #expect(approves)
            case .declinedOffline: #expect(!approves)
            case .online: Issue.record("went online")
            }
        }
    }

    @Test func theShareOfRandomSelectionsRisesToTheFloorLimit() {
        let selection = TerminalRisk.RandomSelection(
            threshold: 1_000, targetPercentage: 20, maximumPercentage: 60)
        let shares = [0, 999, 1_000, 3_000, 4_999].map {
            selection.percentage(amount: $0, floorLimit: 5_000)
        }
        #expect(shares == [20, 20, 20, 40, 59])
        #expect(selection.percentage(amount: .max, floorLimit: .max) == 60)
    }

    @Test func theVelocityLimitsCountFromTheLastOnlineTransaction() throws {
        let card = try VirtualCard(issuer, card: "visa-cvn10")
        func bits(used: UInt16, lastOnline: UInt16) throws -> UInt64 {
            var application = ChipApplication(for: card.definition.product)
            application.consecutiveOffline = (lower: 2, upper: 4)
            var used = (card: card, atc: used)
            try used.card.setATC(.init(rawValue: used.atc))
            used.card.memory.lastOnlineCounter = .init(rawValue: lastOnline)
            var conversation = CardConversation(used.card, application: application, risk: TerminalRisk())
            _ = try conversation.begin(transaction(6_000), pin: nil)
            return conversation.verificationResults & 0x00_0800_6000
        }
        #expect(try bits(used: 11, lastOnline: 10) == 0)
        #expect(try bits(used: 12, lastOnline: 10) == 0x4000)
        #expect(try bits(used: 14, lastOnline: 10) == 0x6000)
        #expect(try bits(used: 0, lastOnline: 0) == 0x00_0800_0000)
    }

    /// Rules of annex C3: method, condition, transaction type, terminal type, and 9F34 that comes of it.
    @Test(arguments: [
        ("0201", UInt8(0x01), UInt8(0x14), "020100"), ("4204 1F00", 0x01, 0x22, "420400"),
        ("4202 1F00", 0x01, 0x22, "1F0002"), ("4202 1F00", 0x00, 0x22, "420200"),
        ("4205 1E03", 0x09, 0x22, "420500"), ("1E06", 0x00, 0x22, "3F0000"),
        ("0103", 0x00, 0x22, "010302"), ("0003", 0x00, 0x22, "000301"), ("4A03 1F03", 0x00, 0x22, "1F0302"),
    ])
    func theFirstMethodThatAppliesCounts(
        rules: String, type: UInt8, terminal: UInt8, results: String
    ) throws {
        let card = try VirtualCard(issuer, card: "mchip-11h")
        var application = ChipApplication(for: card.definition.product)
        let list = "0000000000000000" + rules.filter { $0 != " " }
        application.verificationMethods = try Hex.decode(list)
        var conversation = CardConversation(card, application: application, risk: TerminalRisk())
        var transaction = try transaction(6_000)
        transaction.type = type
        transaction.terminalType = terminal
        _ = try conversation.begin(transaction, pin: card.definition.pin)
        let expected = try #require(UInt32(results, radix: 16))
        #expect(conversation.verificationMethodResults == expected)
        let failed = conversation.verificationResults & 0x00_0080_0000 != 0
        #expect(failed == ["3F0000", "000301"].contains(results))
    }

    @Test func theCardCountsWrongPINsAndBlocksItself() throws {
        var card = try VirtualCard(issuer, card: "mchip-11h")
        var application = ChipApplication(for: card.definition.product)
        application.verificationMethods = try Hex.decode("00000000000000000103")
        let wrong = PIN(card.definition.pin == PIN("1111") ? "2222" : "1111")
        for triesLeft in [2, 1, 0, 0] {
            var conversation = CardConversation(card, application: application, risk: TerminalRisk())
            _ = try conversation.begin(transaction(6_000), pin: wrong)
            card = conversation.card
            #expect(card.memory.pinTriesLeft == triesLeft)
            #expect((conversation.verificationResults & 0x00_0020_0000 != 0) == (triesLeft == 0))
        }
        card.memory.pinTriesLeft = 1
        var conversation = CardConversation(card, application: application, risk: TerminalRisk())
        _ = try conversation.begin(transaction(6_000), pin: card.definition.pin)
        #expect(conversation.card.memory.pinTriesLeft == ChipMemory.pinTriesMax)
    }

    @Test func withoutContactTheReadersLimitsCount() throws {
        func conversation(_ amount: UInt64, pin: Bool) throws -> CardConversation {
            let card = try VirtualCard(issuer, card: "visa-cvn22")
            var risk = TerminalRisk()
            risk.interface = .contactless
            risk.verificationLimit = 5_000
            risk.contactlessLimit = 40_000
            var conversation = CardConversation(
                card, application: ChipApplication(for: card.definition.product), risk: risk)
            _ = try conversation.begin(transaction(amount), pin: pin ? card.definition.pin : nil)
            return conversation
        }
        #expect(try conversation(5_000, pin: false).verificationMethodResults == 0x1F0002)
        #expect(try conversation(5_001, pin: true).verificationMethodResults == 0x420300)
        #expect(try conversation(5_001, pin: true).commands.first?.name == "SELECT PPSE")
        #expect(throws: OtherInterfaceNeeded.self) { try conversation(40_001, pin: true) }
        var last = try conversation(6_000, pin: true)
        let code = try #require(AuthorisationResponseCode("00"))
        #expect("\(try last.finish(approved: true, code: code, chipData: nil))" == "TC")
        #expect(last.commands.last?.name == "GENERATE AC (first, ARQC)", "the card has left the field")
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
}
