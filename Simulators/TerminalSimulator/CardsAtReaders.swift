package import CardReaders
internal import EMV
internal import Foundation
package import VirtualCard

/// Cards in readers, known by what they say of themselves.
package final class CardsAtReaders: Sendable {
    private let chips: [CardIdentity: RemoteChip]

    /// Opens every card of a rack, or the one in a real reader, and asks each who it is.
    /// - Parameters:
    ///   - wanted: cards that the terminal has a model of; others are left alone.
    ///   - waiting: seconds for a card to be put into a real reader.
    package init(_ place: CardPlace, wanted: [CardDefinition], waiting: Int = 60) throws {
        var found: [CardIdentity: RemoteChip] = [:]
        var readersMax = 1
        if case .tcp = place { readersMax = 10_000 }
        let identifiers = Set(wanted.map(\.product.dedicatedFileName))
        let identities = Set(wanted.map(\.identity))
        // Held until the end: a rack would put a card that was given back into the next reader again.
        var others: [CardContact] = []
        defer { withExtendedLifetime(others) {} }
        for _ in 0..<readersMax where found.count < identities.count {
            let contact = CardContact(try place.open(waiting: waiting))
            let chip = RemoteChip { try contact.transmit($0) }
            do {
                let identity = try CardsAtReaders.identity(chip, identifiers)
                if let identity, identities.contains(identity) {
                    found[identity] = chip
                } else {
                    others.append(contact)
                }
            } catch let error as CardReaderError where error.kind == .gone && readersMax > 1 {
                // No card is left in the rack.
                break
            }
        }
        guard !found.isEmpty else { throw StepError("\(place): no card there that the issuer's file has") }
        chips = found
    }

    /// Its chip; nil where it is in no reader.
    package func chip(of card: CardDefinition) -> RemoteChip? { chips[card.identity] }

    /// The cards that are there, of a list.
    package func present(among cards: [CardDefinition]) -> [CardDefinition] {
        cards.filter { chips[$0.identity] != nil }
    }

    private static func identity(_ chip: RemoteChip, _ identifiers: Set<[UInt8]>) throws -> CardIdentity? {
        for identifier in identifiers.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            if let identity = try chip.identity(identifier) { return identity }
        }
        return nil
    }
}

/// A reader that several conversations use, one at a time.
private final class CardContact: @unchecked Sendable {
    // Sendable because the reader is only touched under `lock`.
    private let lock = NSLock()
    private let reader: any CardReader

    init(_ reader: any CardReader) { self.reader = reader }

    func transmit(_ command: [UInt8]) throws -> [UInt8] {
        lock.lock()
        defer { lock.unlock() }
        return try reader.transmit(command)
    }
}
