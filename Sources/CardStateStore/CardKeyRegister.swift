package import Authorisation
package import EMV
internal import Redis

/// Which issuer master key each card was imported for, so that a key is not retired under cards that need it. One hash
/// beside the cards of a bucket, `{bNN}:imk`; not on the way of an authorisation.
package struct CardKeyRegister: Sendable {
    /// Cards of one key that end in one month.
    package struct Group: Hashable, Sendable {
        /// Label of IMK-AC.
        package let issuerMasterKey: String
        /// The last month of these cards.
        package let expiry: ExpiryDate
        /// How many they are.
        package let cards: Int
    }

    private let store: StateStore
    private let settings: CardStateSettings
    private static let pageCards = 1_000

    /// - Parameters:
    ///   - store: the way to the servers.
    ///   - settings: the same for every host on this store.
    package init(_ store: StateStore, settings: CardStateSettings) {
        self.store = store
        self.settings = settings
    }

    /// Remembers a card's key. For a card that was imported anew, the newest word counts.
    package func note(
        issuerMasterKey: KeyName, expiry: ExpiryDate, of token: CardToken, sequenceNumber: UInt8 = 0
    ) async throws(StateUnavailable) {
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        let member = String(decoding: keys.token, as: UTF8.self) + "-\(sequenceNumber)"
        _ = try await send(
            RedisCommand("HSET", name(keys.bucketNumber), member, "\(issuerMasterKey);\(expiry)"),
            keys.bucketNumber)
    }

    /// The word about a card of the layout before, under its account's name: unless a newer one is there. The old word goes
    /// with the old record.
    func take(over card: OldCard, for token: CardToken) async throws(StateUnavailable) {
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        let member = String(decoding: keys.token, as: UTF8.self) + "-\(card.sequenceNumber)"
        _ = try await send(
            RedisCommand(
                "HSETNX", name(keys.bucketNumber), member, "\(card.issuerMasterKey);\(card.expiry)"),
            keys.bucketNumber)
    }

    /// How many cards every key has, by the month in which they end.
    package func groups() async throws(StateUnavailable) -> [Group] {
        var counts: [String: Int] = [:]
        for bucket in 0..<settings.bucketCount {
            var cursor = "0"
            repeat {
                let reply = try await send(
                    RedisCommand("HSCAN", name(bucket), cursor, "COUNT", "\(Self.pageCards)"), bucket)
                guard let parts = reply.elements, parts.count == 2, let next = parts[0].text,
                    let pairs = parts[1].elements
                else { throw StateUnavailable("card keys: another reply than HSCAN's") }
                for index in stride(from: 1, to: pairs.count, by: 2) {
                    counts[pairs[index].text ?? "", default: 0] += 1
                }
                cursor = next
            } while cursor != "0"
        }
        return counts.compactMap { text, cards in
            let parts = text.split(separator: ";")
            guard parts.count == 2, let expiry = ExpiryDate(ascii: Array(parts[1].utf8)) else { return nil }
            return Group(issuerMasterKey: String(parts[0]), expiry: expiry, cards: cards)
        }.sorted { ($0.issuerMasterKey, $0.expiry.description) < ($1.issuerMasterKey, $1.expiry.description) }
    }

    private func name(_ bucket: Int) -> String { "\(StoreNames.bucketTag(bucket)):imk" }

    private func send(
        _ command: RedisCommand, _ bucket: Int
    ) async throws(StateUnavailable) -> RedisReply {
        do { return try await store.reply(to: command, bucket: bucket).reply } catch {
            throw StateUnavailable("card keys: \(error)")
        }
    }
}
