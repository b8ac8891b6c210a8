internal import ArgumentParser
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import Foundation

extension Cards {
    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how many cards each issuer master key has, and until when.",
            discussion: """
                A card's key is known from its import: its range, the derivation key index of its \
                issuerApplicationData, its expiry date. `issuer-keys retire` takes the JSON.
                """)

        @OptionGroup var options: ConfigurationOption
        @Flag(name: .long, help: "As JSON, for `issuer-keys retire --cards`.") var json = false

        private struct Row: Encodable {
            let issuerMasterKey: String
            let expiry: String
            let cards: Int
        }

        func run() async throws {
            let desk = try await CardDesk(options.config)
            let register = desk.keyRegister
            let groups = try await onLoop(desk.store.eventLoop) { try await register.groups() }
            await desk.close()
            guard json else {
                for group in groups {
                    print("\(group.issuerMasterKey)  \(group.cards) cards until \(group.expiry) (YYMM)")
                }
                return
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            let rows = groups.map {
                Row(issuerMasterKey: $0.issuerMasterKey, expiry: $0.expiry.description, cards: $0.cards)
            }
            print(String(decoding: try encoder.encode(rows), as: UTF8.self))
        }
    }
}

/// A card on its way into the store.
struct ImportedCard: Sendable {
    let identity: CardIdentity
    let definition: CardDefinition
    /// Nil where the configuration does not tell.
    let issuerMasterKey: KeyName?
}

extension CardDesk {
    var keyRegister: CardKeyRegister { CardKeyRegister(store, settings: configuration.cardStateSettings) }
}

extension CardFile.Card {
    /// IMK-AC of this card, nil where the configuration does not tell: no range, or several versions and nothing that
    /// says which.
    func issuerMasterKey(_ ranges: IssuerRangeTable) throws -> KeyName? {
        guard let range = ranges.range(for: try identity().pan) else { return nil }
        let expiry = ExpiryDate(ascii: Array(self.expiry.utf8))
        guard let text = issuerApplicationData, let bytes = try? Hex.decode(text),
            let data = try? IssuerApplicationData(parsing: bytes[...])
        else { return range.keys.versions.count == 1 ? range.keys.versions[0].issuerMasterKey : nil }
        return try? range.keys.version(derivationKeyIndex: data.derivationKeyIndex, expiry: expiry)
            .issuerMasterKey
    }
}
