internal import ArgumentParser
internal import ByteCoding
internal import EMV
internal import HSM
internal import Issuance
internal import KeyManagement
internal import ProgramEntry

/// A list of cards as orders, with the products that they are of.
struct CardOrders {
    /// Cards of one certificate and the same issuer master keys.
    struct Product {
        let issuer: Certification.Issuer
        let labels: [String]
        let option: MasterKeyOption
    }

    private(set) var orders: [CardOrder] = []
    private(set) var products: [Product] = []
    /// AIDs that cards of this list have.
    var identifiers: [[UInt8]] {
        var seen: Set<[UInt8]> = []
        return orders.map(\.identifier).filter { seen.insert($0).inserted }
    }

    /// - Parameter path: of the list, for error texts.
    init(
        _ cards: [(card: CardIdentity, keys: PersonalisationKeys, line: Personalise.CardList.Card)],
        _ certification: Certification, path: String
    ) throws {
        let profile = certification.profile
        try CardOrders.requireNoOfflinePIN(profile)
        let identifiers = try (profile.identifiers ?? []).map { text in
            guard let bytes = try? Hex.decode(text), (5...16).contains(bytes.count) else {
                throw Refusal("--application: identifiers: \(text) is no AID of 5 to 16 bytes")
            }
            return bytes
        }
        let label = profile.label ?? "CARD"
        guard (1...16).contains(label.utf8.count), label.utf8.allSatisfy({ (0x20..<0x7F).contains($0) })
        else {
            throw Refusal("--application: label has to be 1 to 16 characters of ASCII")
        }
        for (index, card) in cards.enumerated() {
            let place = "\(path), card \(index + 1)"
            let issuer = try certification.issuer(of: card.card, number: index + 1)
            guard let identifier = identifiers.first(where: { $0.starts(with: issuer.rid) }) else {
                throw Refusal(
                    "--application: identifiers has no AID of RID \(Hex.encode(issuer.rid)), which card \(index + 1) needs"
                )
            }
            let text = card.line.issuerApplicationData ?? profile.issuerApplicationData
            guard let data = text.flatMap({ try? Hex.decode($0) }),
                (try? IssuerApplicationData(parsing: data[...])) != nil
            else {
                throw Refusal("\(place): issuerApplicationData is missing, or in no known format")
            }
            let expiry = try Personalise.expiry(card.line.expiry, place)
            orders.append(
                CardOrder(
                    number: index + 1, card: CardToCertify(identity: card.card, expiry: expiry),
                    identifier: identifier, label: label, issuerData: data,
                    product: product(issuer, card.keys)))
        }
        let twice = Dictionary(grouping: cards.indices, by: { cards[$0].card }).values.first { $0.count > 1 }
        if let twice {
            throw Refusal("\(path): cards \(twice[0] + 1) and \(twice[1] + 1) are the same card")
        }
    }

    private mutating func product(_ issuer: Certification.Issuer, _ keys: PersonalisationKeys) -> Int {
        let labels = [.issuerMasterKeyAC, .issuerMasterKeySMI, .issuerMasterKeySMC].compactMap {
            keys.labels[$0]
        }
        if let found = products.firstIndex(where: {
            $0.issuer.name == issuer.name && $0.labels == labels && $0.option == keys.option
        }) {
            return found
        }
        products.append(Product(issuer: issuer, labels: labels, option: keys.option))
        return products.count - 1
    }

    /// No PIN goes onto a card: the host's PIN key wraps and cannot undo it.
    private static func requireNoOfflinePIN(_ profile: ApplicationProfile) throws {
        let objects = (try? Hex.decode(profile.objects)).flatMap { try? TLVReader.objects(in: $0[...]) } ?? []
        guard let list = objects.first(where: { $0.0 == Tag(rawValue: 0x8E) })?.1, list.count > 8 else {
            return
        }
        let rules = Array(list.dropFirst(8))
        let asksCard = stride(from: 0, to: rules.count - 1, by: 2).contains {
            [1, 3, 4, 5].contains(rules[$0] & 0x3F)
        }
        guard !asksCard else {
            throw Refusal(
                "--application: objects: 8E has the card check a PIN, and no PIN is personalised; PINs are verified online"
            )
        }
    }
}
