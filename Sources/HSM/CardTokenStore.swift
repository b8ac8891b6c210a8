internal import Authorisation
internal import EMV
internal import Synchronization

/// The tokens of accounts that the process has seen lately. Two generations: when the young one is full it becomes
/// the old one, so that nothing is moved at a hit and memory is bounded by twice the half.
final class CardTokenStore: Sendable {
    private struct Generations {
        var young: [PAN: CardToken] = [:]
        var old: [PAN: CardToken] = [:]
    }

    private let generations = Mutex(Generations())
    private let half: Int

    init(capacity: Int) { half = max(1, capacity / 2) }

    func token(of card: PAN) -> CardToken? {
        generations.withLock { generations in
            if let token = generations.young[card] { return token }
            guard let token = generations.old[card] else { return nil }
            insert(token, card, generations: &generations)
            return token
        }
    }

    func keep(_ token: CardToken, of card: PAN) {
        generations.withLock { insert(token, card, generations: &$0) }
    }

    private func insert(_ token: CardToken, _ card: PAN, generations: inout Generations) {
        if generations.young.count >= half {
            generations.old = generations.young
            generations.young = Dictionary(minimumCapacity: half)
        }
        generations.young[card] = token
    }
}
