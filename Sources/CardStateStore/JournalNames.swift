internal import Authorisation
internal import Redis

/// Entries of the layout before name a card: PAN and sequence number. Which account a card belongs to is kept when its record
/// is taken over, in `{bNN}:names` of the bucket in which the record was.
extension RedisJournal {
    /// Entries with the accounts of now; those whose card is not taken over keep its name.
    func items(
        _ page: [(identifier: String, fields: [String: [UInt8]])], _ bucket: Int
    ) async throws(StateUnavailable) -> [JournalItem] {
        let accounts = try await accounts(page: page, bucket)
        return page.map { RedisJournal.item($0.identifier, $0.fields, accounts: accounts) }
    }

    /// The account of each card that the entries name in the old way.
    func accounts(
        page: [(identifier: String, fields: [String: [UInt8]])], _ bucket: Int
    ) async throws(StateUnavailable) -> [String: String] {
        let cards = Set(
            page.compactMap { $0.fields["c"] }.filter(JournalPlace.isOld).map(JournalPlace.card))
        guard !cards.isEmpty else { return [:] }
        let names = cards.sorted()
        let reply = try await send(RedisCommand(["HMGET", OldStoreNames.names(bucket)] + names), bucket)
        var accounts: [String: String] = [:]
        for (name, account) in zip(names, reply.elements ?? []) { accounts[name] = account.text }
        return accounts
    }
}
