package import EMV
internal import LibCrypto
package import VirtualCard

/// What cards of one kind have in common.
package struct LoadProduct: Sendable {
    /// The demo's card of this kind.
    package let definition: CardDefinition
    /// The seven digits before a card's number: the issuer's six, and one that no demo card has.
    let prefix: [UInt8]
    /// The same for cards that are never imported.
    let unknownPrefix: [UInt8]

    /// - Parameter definition: the demo's card of this kind.
    package init(_ definition: CardDefinition) {
        self.definition = definition
        let issuer = (0..<6).map { definition.identity.pan.digit(at: $0) }
        prefix = issuer + [8]
        unknownPrefix = issuer + [7]
    }

    /// The number of a card of this kind, with its check digit.
    package func pan(number: Int, unknown: Bool = false) throws(PANError) -> PAN {
        let count = definition.identity.pan.digitCount
        var digits = unknown ? unknownPrefix : prefix
        var divisor = 1
        for _ in digits.count..<count - 2 { divisor *= 10 }
        while divisor > 0 {
            digits.append(UInt8(number / divisor % 10))
            divisor /= 10
        }
        digits.append(checkDigit(digits))
        return try PAN(ascii: digits.map { $0 + 0x30 })
    }

    /// ISO/IEC 7812-1 annex B.
    private func checkDigit(_ digits: [UInt8]) -> UInt8 {
        var sum = 0
        for (index, digit) in digits.reversed().enumerated() {
            let doubled = Int(digit) * 2
            sum += index % 2 == 0 ? doubled / 10 + doubled % 10 : Int(digit)
        }
        return UInt8((10 - sum % 10) % 10)
    }
}

/// One card of the population, with all that the host should know about it.
struct LoadCard: Sendable {
    var chip: ChipCard
    let product: UInt8
    /// PIN tries that the host has counted.
    var triesUsed: UInt8 = 0
    /// A request is under way: the next one would have an answer that depends on which comes first.
    var busy = false
    /// The host and this model may no longer agree, or the counter is at its end: not used again.
    var retired = false
    /// The last ATC that the host has verified; 0 for none.
    var verifiedATC: UInt16 = 0
    var availableMinorUnits = Population.availableMinorUnits
    /// Requests so far: the host keeps the answers to the last few of a card.
    var requests = 0
}

/// The cards of a load. They follow from the profile alone, so that the list for the host and the load itself
/// can be made at different times.
struct Population: Sendable {
    static let availableMinorUnits: Int64 = 999_999_999_999
    static let unknownCount = 64

    let products: [LoadProduct]
    var cards: [LoadCard]
    /// Behind the others: never imported.
    var unknown: [LoadCard]
    private(set) var retiredCount = 0

    init(_ profile: LoadProfile, issuer: DemoIssuer) throws {
        var chip = try ChipCryptography()
        let plan = try CardPlan(profile, issuer: issuer)
        products = plan.products
        cards = []
        cards.reserveCapacity(profile.cards)
        let keys = try products.map { try issuer.issuerMasterKey(for: $0.definition.identity.pan) }
        func card(_ number: Int, unknown: Bool) throws -> LoadCard {
            let product = plan.product(of: number)
            let identity = try plan.identity(of: number, unknown: unknown)
            let key = try chip.iccMasterKey(issuerMasterKey: keys[product], option: .a, card: identity)
            return LoadCard(
                chip: ChipCard(identity: identity, iccMasterKey: key, atc: .init(rawValue: 0)),
                product: UInt8(product))
        }
        for number in 0..<profile.cards { cards.append(try card(number, unknown: false)) }
        unknown = try (0..<Population.unknownCount).map { try card($0, unknown: true) }
    }

    mutating func retire(_ index: Int) {
        guard !cards[index].retired else { return }
        cards[index].retired = true
        retiredCount += 1
    }

    /// The PIN of a card by its number.
    static func pin(of number: Int, wrong: Bool = false) -> PIN? {
        PIN(digits((number * 7_919 + 1_234 + (wrong ? 1 : 0)) % 10_000, count: 4))
    }
}

/// Which card has which number.
struct CardPlan {
    let products: [LoadProduct]
    private let pattern: [Int]

    init(_ profile: LoadProfile, issuer: DemoIssuer) throws {
        products = try profile.products.map { LoadProduct(try issuer.card($0.name)) }
        guard products.count <= 255 else { throw LoadSetupError("products: more than 255") }
        pattern = profile.products.enumerated().flatMap { index, product in
            [Int](repeating: index, count: product.weight)
        }
    }

    func product(of number: Int) -> Int { pattern[number % pattern.count] }

    func identity(of number: Int, unknown: Bool = false) throws -> CardIdentity {
        let product = products[product(of: number)]
        return CardIdentity(
            pan: try product.pan(number: number, unknown: unknown),
            panSequenceNumber: product.definition.identity.panSequenceNumber)
    }
}

/// A number with zeros before it.
func digits(_ number: Int, count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
}
