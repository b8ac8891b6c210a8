import ByteCoding
import EMV
import Testing

@testable import TerminalSimulator
@testable import VirtualCard

/// A failed expectation prints the values in it, and what these show of themselves. None of them shows a card's number.
@Suite struct UndescribedTests {
    @Test func noCardIsInWhatAConversationShows() throws {
        let issuer = try DemoIssuer(contentsOf: TestData.issuerPath)
        let card = try VirtualCard(issuer, card: "mchip-11h")
        var application = ChipApplication(for: card.definition.product)
        application.interchangeProfile = 0x3900
        application.authentication = try TestData.scheme().authentication(of: card.definition, application)
        let records = application.staticRecords(of: card.definition)
        application.authentication?.staticRecords = records
        var risk = TerminalRisk()
        risk.caKeys = try TestData.caKeys()
        var conversation = CardConversation(card, application: application, risk: risk)
        let proposal = try conversation.begin(
            TerminalTransaction(
                amount: 6_000, date: try #require(TransactionDate(year: 26, month: 11, day: 24)),
                unpredictableNumber: UnpredictableNumber(rawValue: 7)), pin: card.definition.pin)
        let pan = card.definition.identity.pan
        let digits = (0..<pan.digitCount).map { pan.digit(at: $0) }
        let packed = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        // As digits, as hex, and as Swift prints an array of bytes.
        let forms = [
            digits.map(String.init).joined(), Hex.encode(packed),
            "\(packed)".dropLast().dropFirst().description,
        ]
        let values: [(String, Any)] = [
            ("conversation", conversation), ("commands", conversation.commands), ("card", conversation.card),
            ("application", application), ("proposal", proposal), ("definition", card.definition),
            ("objects", conversation.objects), ("applet", conversation.applet),
        ]
        for (name, value) in values {
            var dumped = ""
            dump(value, to: &dumped)
            for text in [String(describing: value), String(reflecting: value), dumped] {
                let showsTheCard = forms.contains { text.contains($0) }
                #expect(!showsTheCard, "\(name)")
            }
        }
    }
}
