import ByteCoding
import EMV
import Foundation
import LibCrypto
import Testing
import VirtualCard

@Suite("Virtual card")
struct VirtualCardTests {
    static func demoPath() -> String {
        URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Config/demo/demo-issuer.json").path
    }

    private func transaction(_ amount: UInt64 = 4250) throws -> TerminalTransaction {
        TerminalTransaction(
            amount: amount, date: try #require(TransactionDate(year: 26, month: 11, day: 23)),
            unpredictableNumber: UnpredictableNumber(rawValue: 0x1122_3344))
    }

    private func directory() -> String {
        FileManager.default.temporaryDirectory.appending(path: "virtual-card-\(UUID().uuidString)").path
    }

    /// The issuer's side, computed with the same library but from the message alone.
    private func issuerAnswer(
        _ issuer: DemoIssuer, _ definition: CardDefinition, _ chipData: [UInt8], approve: Bool
    ) throws -> (genuine: Bool, data: [UInt8]) {
        var chip = try ChipCryptography()
        let data = try ICCData(parsing: chipData)
        let iad = try IssuerApplicationData(parsing: data[.issuerApplicationData] ?? [])
        let profile = try CryptogramProfile.select(for: iad, among: [definition.product.profile])
        let card = try issuer.personalise(definition.identity, with: &chip)
        let signed = try chip.sign(
            profile.cryptogramInput(from: data, iad: iad), profile: profile, iccMasterKey: card.iccMasterKey,
            atc: #require(data.atc), unpredictableNumber: #require(data.unpredictableNumber))
        var writer = TLVWriter()
        if profile.responseMethod == .method1 {
            let code = try #require(AuthorisationResponseCode(approve ? "00" : "51"))
            let arpc = try chip.responseMethod1(key: signed.responseKey, signed.cryptogram, code: code)
            writer.append(IssuerAuthenticationData(arpc: arpc, code: code))
            writer.append(code)
        } else {
            let update: CardStatusUpdate = approve ? .approve : .decline
            let arpc = try #require(
                try chip.responseMethod2(
                    key: signed.responseKey, signed.cryptogram, statusUpdate: update, proprietary: []))
            writer.append(IssuerAuthenticationData(arpc: arpc, statusUpdate: update))
        }
        return (signed.cryptogram == data.cryptogram, writer.bytes)
    }

    @Test("every demo card signs, and knows its issuer's answer")
    func everyCard() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        #expect(issuer.cards.count == 11)
        for definition in issuer.cards {
            var card = try VirtualCard(issuer, card: definition.name)
            let answer = try card.answer(transaction())
            let data = try ICCData(parsing: answer.chipData)
            #expect(data.cryptogramKind == .arqc && data.amountAuthorised == 4250, "\(definition.name)")
            #expect(data.transactionCurrencyCode == 752 && data.atc?.rawValue == 1, "\(definition.name)")
            #expect(data.panSequenceNumber == definition.identity.panSequenceNumber, "\(definition.name)")
            for approve in [true, false] {
                let (genuine, response) = try issuerAnswer(
                    issuer, definition, answer.chipData, approve: approve)
                #expect(genuine, "\(definition.name)")
                let verdict = try card.verify(chipData: response, for: answer)
                #expect(verdict.isAuthentic && verdict.approves == approve, "\(definition.name)")
                var touched = response
                touched[2] ^= 0x01
                #expect(try card.verify(chipData: touched, for: answer) == .wrong, "\(definition.name)")
            }
            #expect(try card.verify(chipData: nil, for: answer) == .absent)
            #expect(try card.verify(chipData: [0x8A, 0x02, 0x30, 0x30], for: answer) == .absent)
            #expect(try card.verify(chipData: [0x91, 0x01, 0x30], for: answer) == .malformed(count: 1))
        }
    }

    @Test("an answer belongs to one transaction")
    func answerOfAnother() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        var card = try VirtualCard(issuer, card: "mchip-14h")
        let first = try card.answer(transaction())
        let second = try card.answer(transaction())
        let (_, response) = try issuerAnswer(issuer, card.definition, first.chipData, approve: true)
        #expect(try card.verify(chipData: response, for: first).approves)
        #expect(try card.verify(chipData: response, for: second) == .wrong)
    }

    @Test("the counter survives in its file, and a broken file stops the card")
    func counterFile() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        let directory = directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var card = try VirtualCard(issuer, card: "visa-cvn18", stateDirectory: directory)
        for expected in 1...3 { #expect(try card.answer(transaction()).atc.rawValue == UInt16(expected)) }
        var again = try VirtualCard(issuer, card: "visa-cvn18", stateDirectory: directory)
        #expect(again.atc.rawValue == 3)
        #expect(try again.answer(transaction()).atc.rawValue == 4)
        let other = try VirtualCard(issuer, card: "visa-cvn10", stateDirectory: directory)
        #expect(other.atc.rawValue == 0)
        let files = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(files == ["visa-cvn18.atc"])
        try Data("four\n".utf8).write(to: URL(filePath: "\(directory)/visa-cvn18.atc"))
        #expect(throws: DemoIssuerError.self) {
            _ = try VirtualCard(issuer, card: "visa-cvn18", stateDirectory: directory)
        }
    }

    @Test("a card whose counter has ended signs no more")
    func exhausted() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        try card.setATC(ApplicationTransactionCounter(rawValue: 65_534))
        #expect(try card.answer(transaction()).atc.rawValue == 65_535)
        #expect(throws: ChipCardError.counterExhausted) { _ = try card.answer(transaction()) }
    }

    @Test("each tampering does what it says and leaves the counter right")
    func tampering() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        var card = try VirtualCard(issuer, card: "visa-cvn18")
        func tampered(_ tampering: Tampering) throws -> CardAnswer {
            try card.answer(transaction(), tampering: tampering)
        }
        for bit in [0, 7, 8, 63] {
            let answer = try tampered(.flippedCryptogramBit(bit))
            let sent = try #require(try ICCData(parsing: answer.chipData).cryptogram)
            #expect(sent.rawValue ^ answer.signed.cryptogram.rawValue == 1 << UInt64(bit))
        }
        #expect(card.atc.rawValue == 4)
        let changed = try tampered(.changed(.amountAuthorised, to: [0, 0, 0, 0, 0, 1]))
        #expect(try ICCData(parsing: changed.chipData).amountAuthorised == 1)
        #expect(!(try issuerAnswer(issuer, card.definition, changed.chipData, approve: true).genuine))
        let replayed = try tampered(.atc(ApplicationTransactionCounter(rawValue: 2)))
        #expect(try ICCData(parsing: replayed.chipData).atc?.rawValue == 2)
        #expect(try issuerAnswer(issuer, card.definition, replayed.chipData, approve: true).genuine)
        #expect(card.atc.rawValue == 5)
        var without = Tampering()
        without.removed = [.unpredictableNumber]
        #expect(try ICCData(parsing: tampered(without).chipData).unpredictableNumber == nil)
        let broken: [Tampering.Malformation] = [
            .cut(toCount: 41), .lengthBeyondEnd, .indefiniteLength, .duplicate, .replaced([0xFF]),
        ]
        for malformation in broken {
            let answer = try tampered(.malformed(malformation))
            #expect(throws: TLVError.self, "\(malformation)") { _ = try ICCData(parsing: answer.chipData) }
        }
        // Filling is none of it.
        let filled = try tampered(.malformed(.trailingZeros(2)))
        #expect(filled.chipData.suffix(2) == [0, 0])
        #expect(try issuerAnswer(issuer, card.definition, filled.chipData, approve: true).genuine)
    }

    @Test("the PIN block of the demo card opens under its link's key")
    func pinBlocks() throws {
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        let card = try VirtualCard(issuer, card: "mchip-14h")
        let key = try issuer.key("zpk-acquirer-b")
        for format in [PINBlockFormat.iso0, .iso1, .iso3] {
            let block = try card.pinBlock(format: format, zonePINKey: key)
            let pin = try PINBlockReader.pin(
                in: block, format: format, pan: card.definition.identity.pan, key: key)
            let same = pin == card.definition.pin
            #expect(same, "format \(format.rawValue)")
        }
        let block = try card.pinBlock16(zonePINKey: key)
        let pin = try PINBlockReader.pin(in: block, pan: card.definition.identity.pan, key: key)
        let same = pin == card.definition.pin
        #expect(same)
        let wrong = try #require(PIN("9999"))
        let different = try card.pinBlock(wrong, zonePINKey: key) != card.pinBlock(zonePINKey: key)
        #expect(different)
    }

    @Test("the demo file's faults are named")
    func demoFileFaults() throws {
        #expect(throws: DemoIssuerError.unreadable("cannot read nowhere.json")) {
            _ = try DemoIssuer(contentsOf: "nowhere.json")
        }
        let text = try String(contentsOfFile: Self.demoPath(), encoding: .utf8)
        func fault(_ old: String, _ new: String) -> DemoIssuerError? {
            do {
                _ = try DemoIssuer(json: Array(text.replacingOccurrences(of: old, with: new).utf8))
                return nil
            } catch {
                return error
            }
        }
        #expect(fault("\"08D7B4\"", "\"08D7B5\"") == .wrongCheckValue(key: "imk-ac-476173"))
        #expect(
            fault("\"pin\": \"4321\"", "\"pin\": \"432\"") == .badField(owner: "visa-cvn18", field: "pin"))
        #expect(
            fault("\"visa-cvn22\",\n   \"pin\"", "\"visa-cvn23\",\n   \"pin\"")
                == .badField(owner: "visa-cvn22", field: "cryptogramProfile"))
        #expect(fault("\"cards\"", "\"decks\"") == .unreadable("cards is missing"))
        let issuer = try DemoIssuer(contentsOf: Self.demoPath())
        #expect(throws: DemoIssuerError.noCard("gold")) { _ = try issuer.card("gold") }
        #expect(throws: DemoIssuerError.noKey("imk-ac-400000")) {
            _ = try issuer.issuerMasterKey(for: PAN("4000001234567890"))
        }
    }
}
