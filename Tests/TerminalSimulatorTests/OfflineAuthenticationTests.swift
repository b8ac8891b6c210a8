import ByteCoding
import EMV
import Foundation
import LibCrypto
import Testing
import VectorSupport

@testable import TerminalSimulator
@testable import VirtualCard

/// Offline data authentication between card and terminal: each way to fail is named, set in the TVR and in the trace.
@Suite struct OfflineAuthenticationTests {
    private let issuer: DemoIssuer
    private let scheme: TestScheme
    private let caKeys: CAKeys

    init() throws {
        issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        (scheme, caKeys) = (try TestData.scheme(), try TestData.caKeys())
    }

    private func conversation(
        _ profile: UInt16, fault: AuthenticationFault? = nil, pinKey: Bool = false,
        change: (inout ChipApplication, inout TerminalTransaction) throws -> Void = { _, _ in }
    ) throws -> (CardConversation, CardProposal) {
        let card = try VirtualCard(issuer, card: "visa-cvn18")
        var application = ChipApplication(for: card.definition.product)
        application.interchangeProfile = profile | 0x1C00
        var transaction = TerminalTransaction(
            amount: 6_000, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
            unpredictableNumber: UnpredictableNumber(rawValue: 0x0102_0304))
        var risk = TerminalRisk()
        risk.caKeys = caKeys
        risk.month = ExpiryDate(ascii: Array("2611".utf8))
        try change(&application, &transaction)
        application.authentication = try scheme.authentication(
            of: card.definition, application, fault: fault, pinKey: pinKey)
        var conversation = CardConversation(card, application: application, risk: risk)
        let proposal = try conversation.begin(transaction, pin: card.definition.pin)
        return (conversation, proposal)
    }

    private static let bits: UInt64 = 0xEE_0000_0000

    @Test(arguments: [(UInt16(0x4000), "SDA", UInt64(0x02)), (0x2000, "DDA", 0), (0x0100, "CDA", 0)])
    func aSoundCardPasses(profile: UInt16, name: String, bits: UInt64) throws {
        let (conversation, proposal) = try conversation(profile)
        // By itself: a failing expectation prints its parts, and the conversation holds the card.
        let found = conversation.authenticationFault?.reason
        #expect(found == nil)
        #expect(conversation.verificationResults & Self.bits == bits << 32)
        #expect(conversation.notes.contains { $0.hasPrefix("offline data authentication: \(name) passed") })
        guard case .online = proposal else {
            Issue.record("\(name): \(proposal)")
            return
        }
        let trace = ConversationText.lines(conversation).joined(separator: "\n")
        #expect(trace.contains("Issuer Public Key Certificate"))
        #expect(trace.contains("INTERNAL AUTHENTICATE") == (name == "DDA"))
        #expect(trace.contains("CDA [") || trace.contains(", CDA)") == (name == "CDA"))
    }

    /// Fault, AIP, reason, and bits of TVR byte 1.
    private static let faults: [(AuthenticationFault, UInt16, String, UInt64)] = [
        (.issuerExpired, 0x4000, "expired", 0x42), (.issuerExpired, 0x2000, "expired", 0x08),
        (.expired, 0x2000, "expired", 0x08), (.expired, 0x0100, "expired", 0x04),
        (.hash, 0x4000, "hash", 0x42), (.hash, 0x2000, "hash", 0x08), (.hash, 0x0100, "hash", 0x04),
        (.trailer, 0x4000, "trailer", 0x42), (.trailer, 0x2000, "trailer", 0x08),
        (.header, 0x4000, "header", 0x42), (.header, 0x0100, "header", 0x04),
        (.format, 0x4000, "format", 0x42), (.format, 0x2000, "format", 0x08),
        (.issuerIdentifier, 0x2000, "issuer-identifier", 0x08), (.pan, 0x2000, "pan", 0x08),
        (.pan, 0x0100, "pan", 0x04), (.revoked, 0x4000, "revoked", 0x42), (.revoked, 0x2000, "revoked", 0x08),
        (.recordMissing, 0x4000, "hash", 0x42), (.recordMissing, 0x2000, "hash", 0x08),
        (.dynamicSignature, 0x2000, "hash", 0x08), (.dynamicSignature, 0x0100, "hash", 0x04),
        (.cryptogram, 0x0100, "transaction-hash", 0x04), (.cryptogramInformation, 0x0100, "cid", 0x04),
        (.unknownCA, 0x2000, "unknown-ca-key", 0x08), (.missing, 0x4000, "missing", 0x62),
        (.missing, 0x2000, "missing", 0x28), (.missing, 0x0100, "missing", 0x24),
    ]

    @Test(arguments: faults.indices)
    func eachFaultIsNamed(index: Int) throws {
        let (fault, profile, reason, bits) = Self.faults[index]
        let (conversation, proposal) = try conversation(profile, fault: fault)
        let found = conversation.authenticationFault?.reason
        #expect(found == reason, "\(fault)")
        #expect(conversation.verificationResults & Self.bits == bits << 32, "\(fault)")
        let trace = ConversationText.lines(conversation).joined(separator: "\n")
        #expect(trace.contains("failed, \(reason)"), "\(fault)")
        // A signature over the cryptogram that does not hold is no cryptogram (EMV Book 4 6.3.2.1).
        let isRefused =
            [.cryptogram, .cryptogramInformation].contains(fault)
            || fault == .dynamicSignature && profile == 0x0100
        if case .declinedOffline = proposal {
            #expect(isRefused, "\(fault)")
        } else {
            #expect(!isRefused, "\(fault)")
        }
        #expect(conversation.commands.contains { $0.name.hasPrefix("GENERATE AC (second, AAC") } == isRefused)
    }

    @Test func aRecordThatIsNotThereEndsTheTransaction() throws {
        #expect(throws: CardConversationError.self) { try conversation(0x2000, fault: .recordAbsent) }
    }

    @Test func aTerminalWithoutTheMethodsPerformsNone() throws {
        let (conversation, _) = try conversation(0x6100) { _, transaction in
            transaction.terminalCapabilities = 0xE0F800
        }
        #expect(conversation.verificationResults & 0xEE_0000_0000 == 0x80_0000_0000)
        let (weaker, _) = try self.conversation(0x6100) { _, transaction in
            transaction.terminalCapabilities = 0xE0F880
        }
        #expect(weaker.offlineMethod == .static && weaker.authenticationFault == nil)
    }

    @Test(arguments: [false, true])
    func thePINReachesTheCardEnciphered(ownKey: Bool) throws {
        let (right, _) = try conversation(0x2000, pinKey: ownKey) { application, _ in
            application.verificationMethods = try Hex.decode("00000000000000000403")
        }
        #expect(right.verificationMethodResults == 0x040302)
        #expect(right.commands.map(\.name).suffix(3).prefix(2) == ["GET CHALLENGE", "VERIFY (enciphered)"])
        let pinned = right.commands.first { $0.name == "VERIFY (enciphered)" }
        #expect(pinned?.sent.isEmpty == true)
        // No key that verifies, no PIN.
        let (failing, _) = try conversation(0x2000, fault: .issuerExpired, pinKey: ownKey) { application, _ in
            application.verificationMethods = try Hex.decode("00000000000000000403")
        }
        #expect(failing.verificationMethodResults == 0x040301)
        #expect(!failing.commands.contains { $0.name == "VERIFY (enciphered)" })
    }

    /// One changed bit anywhere in a certificate, a remainder, an exponent or a signed record is found, and named. Each card is
    /// a sound one with one change: a second change could undo the first.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func ahundredChangedCardsAreRefused(seed: UInt64) throws {
        let card = try VirtualCard(issuer, card: "mchip-11h")
        var application = ChipApplication(for: card.definition.product)
        application.interchangeProfile = 0x3900
        var sound = try scheme.authentication(of: card.definition, application)
        sound.staticRecords = application.staticRecords(of: card.definition)
        var generator = SeededGenerator(seed: seed)
        var reasons: Set<String> = []
        for round in 0..<100 {
            let isStatic = round % 4 == 0
            var records = isStatic ? try #require(sound.staticRecords) : sound.certificateRecords
            let number = Int.random(in: 0..<records.count, using: &generator)
            // The value of an object, so that it still is a record. The DDOL is not signed, and CDA does not look at it.
            let template = try #require(try TLVReader.objects(in: records[number][...]).first)
            let object = try #require(
                try TLVReader.objects(in: template.1).filter { $0.0 != .dynamicDataObjects }
                    .randomElement(using: &generator))
            let place = Int.random(in: object.1.indices, using: &generator)
            records[number][place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            application.authentication = sound
            if isStatic {
                application.authentication?.staticRecords = records
            } else {
                application.authentication?.certificateRecords = records
            }
            let reason = try reason(card, application)
            #expect(
                reason != nil, "round \(round), record \(number) of file \(isStatic ? 2 : 1), byte \(place)")
            if let reason { reasons.insert(reason) }
        }
        #expect(reasons.isSuperset(of: ["hash", "trailer"]))
        application.authentication = sound
        let fault = try reason(card, application)
        #expect(fault == nil)
    }

    /// Why a terminal with the scheme's CA keys refuses the card; nil where it does not.
    private func reason(_ card: VirtualCard, _ application: ChipApplication) throws -> String? {
        var risk = TerminalRisk()
        risk.caKeys = caKeys
        var conversation = CardConversation(card, application: application, risk: risk)
        try conversation.authenticate(
            TerminalTransaction(
                amount: 1, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
                unpredictableNumber: UnpredictableNumber(rawValue: 7)))
        return conversation.authenticationFault?.reason
    }
}
