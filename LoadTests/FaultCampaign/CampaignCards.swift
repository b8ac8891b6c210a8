internal import EMV
internal import Foundation
internal import LoadGenerator
internal import Synchronization
internal import VirtualCard

/// A card of the campaign. Its counter is shared by all lanes that hold it.
final class CampaignCard: Sendable {
    let number: Int
    /// Index in the products.
    let product: Int
    let definition: CardDefinition
    let identity: CardIdentity
    /// The bound of its range over thirty days; nil for a range without.
    let rollingAmount: Int64?
    private let chip: Mutex<ChipCard>

    init(number: Int, product: Int, products: [LoadProduct], chip: ChipCard) {
        (self.number, self.product) = (number, product)
        definition = products[product].definition
        identity = chip.identity
        rollingAmount =
            definition.product.profile.name.hasPrefix("mc-") ? CampaignConfiguration.rollingAmount : nil
        self.chip = Mutex(chip)
    }

    /// What may be spent at first: half of the cards run out of it.
    var openingMinorUnits: Int64 { number % 2 == 0 ? 5_000_000 : 10_000 }

    var pin: PIN? { PIN("\(1_000 + number * 37 % 9_000)") }
    var wrongPIN: PIN? { PIN("\(1_000 + (number * 37 + 1) % 9_000)") }

    /// Signs a transaction, with the next ATC or one of the test's choice.
    func answer(
        _ transaction: TerminalTransaction, with cryptography: inout ChipCryptography, tampering: Tampering
    ) throws -> CardAnswer {
        try chip.withLock {
            try $0.answer(
                transaction, product: definition.product, with: &cryptography, tampering: tampering)
        }
    }
}

/// The cards: some that all lanes use, some that one lane has for itself.
struct CampaignCards: Sendable {
    static let sharedCount = 6
    static let ownCount = 6
    let products: [LoadProduct]
    let all: [CampaignCard]

    init(lanes: Int, issuer: DemoIssuer) throws {
        let products = try ["visa-cvn18", "mchip-14h", "ccd-19-digits"].map {
            LoadProduct(try issuer.card($0))
        }
        var chip = try ChipCryptography()
        var cards: [CampaignCard] = []
        for number in 0..<(Self.sharedCount + lanes * Self.ownCount) {
            let product = number % products.count
            let identity = CardIdentity(
                pan: try products[product].pan(number: number),
                panSequenceNumber: products[product].definition.identity.panSequenceNumber)
            cards.append(
                CampaignCard(
                    number: number, product: product, products: products,
                    chip: try issuer.personalise(identity, with: &chip)))
        }
        self.products = products
        all = cards
    }

    var shared: ArraySlice<CampaignCard> { all.prefix(Self.sharedCount) }

    func own(lane: Int) -> ArraySlice<CampaignCard> {
        all.dropFirst(Self.sharedCount + lane * Self.ownCount).prefix(Self.ownCount)
    }

    /// As `issuer-host cards import` reads them.
    func write(to path: String) throws {
        let cards: [[String: Any]] = all.map { card in
            let pan = card.identity.pan
            var fields: [String: Any] = [
                "name": "campaign-\(card.number)",
                "pan": String(decoding: (0..<pan.digitCount).map { 0x30 + pan.digit(at: $0) }, as: UTF8.self),
                "expiry": card.definition.expiry.description, "status": "active", "currency": "752",
                "cryptogramProfile": card.definition.product.profile.name,
                "availableMinorUnits": card.openingMinorUnits,
                "pin": "\(1_000 + card.number * 37 % 9_000)",
            ]
            fields["panSequenceNumber"] = card.identity.panSequenceNumber?.description
            return fields
        }
        try JSONSerialization.data(withJSONObject: ["cards": cards]).write(to: URL(fileURLWithPath: path))
    }
}
