package import Authorisation
internal import Redis

/// The `Journal` port: reads the streams of all buckets, newest first, a page at a time.
package struct RedisJournal: Journal {
    /// Entries of one bucket that a search looks at, at most.
    static let entriesSearchedMax = 100_000
    static let pageEntries = 1_000

    private let store: StateStore
    let settings: CardStateSettings

    /// Takes a store that is ready.
    package init(_ store: StateStore, settings: CardStateSettings) {
        self.store = store
        self.settings = settings
    }

    /// Every bucket, newest entries first, `entriesSearchedMax` of each at most.
    package func find(retrievalReferenceNumber: String) async throws(StateUnavailable) -> JournalFindings {
        var found = JournalFindings()
        let start = Array(retrievalReferenceNumber.utf8) + [UInt8(ascii: ";")]
        for bucket in 0..<settings.bucketCount { try await search(bucket, start, found: &found) }
        found.records.sort { ($0.entry.unixSeconds, $0.identifier) < ($1.entry.unixSeconds, $1.identifier) }
        found.notes.sort { $0.unixSeconds < $1.unixSeconds }
        return found
    }

    private func search(
        _ bucket: Int, _ start: [UInt8], found: inout JournalFindings
    ) async throws(StateUnavailable) {
        var end = "+"
        var seen = 0
        while seen < RedisJournal.entriesSearchedMax {
            let page = try await page(bucket, end)
            for (identifier, fields) in page {
                if RedisJournal.parts(fields)?.entry.starts(with: start) == true {
                    guard var record = RedisJournal.record(identifier, fields), let place = fields["c"] else {
                        continue
                    }
                    record.card = JournalPlace.card(place)
                    if let account = try await accounts(page: [(identifier, fields)], bucket)[record.card] {
                        (record.card, record.formerCard) = (account, record.card)
                    }
                    found.records.append(record)
                } else if fields["n"]?.starts(with: start) == true {
                    if let note = RedisJournal.note(fields) { found.notes.append(note) }
                }
            }
            guard let last = page.last, page.count == RedisJournal.pageEntries else { break }
            end = "(" + last.identifier
            seen += page.count
        }
    }

    private func page(
        _ bucket: Int, _ end: String
    ) async throws(StateUnavailable) -> [(identifier: String, fields: [String: [UInt8]])] {
        try await entries(
            RedisCommand(
                "XREVRANGE", "\(StoreNames.bucketTag(bucket)):journal", end, "-", "COUNT",
                "\(RedisJournal.pageEntries)"), bucket)
    }

    func send(_ command: RedisCommand, _ bucket: Int) async throws(StateUnavailable) -> RedisReply {
        do { return try await store.sendFromAnywhere(command, bucket: bucket) } catch {
            throw StateUnavailable("journal: \(error)")
        }
    }

    func entries(
        _ command: RedisCommand, _ bucket: Int
    ) async throws(StateUnavailable) -> [(identifier: String, fields: [String: [UInt8]])] {
        RedisJournal.entries(try await send(command, bucket))
    }

    static func entries(_ reply: RedisReply) -> [(identifier: String, fields: [String: [UInt8]])] {
        (reply.elements ?? []).compactMap { entry in
            guard let parts = entry.elements, parts.count == 2, let identifier = parts[0].text,
                let values = parts[1].elements
            else { return nil }
            var fields: [String: [UInt8]] = [:]
            for index in stride(from: 0, to: values.count - 1, by: 2) {
                guard let name = values[index].text, let value = values[index + 1].bytes else { continue }
                JournalPlace.add(name, value, to: &fields)
            }
            return (identifier, fields)
        }
    }

    static func note(_ fields: [String: [UInt8]]) -> JournalNote? {
        fields["n"].flatMap { JournalNote(decoding: $0) }
    }

    static func record(_ identifier: String, _ fields: [String: [UInt8]]) -> JournalRecord? {
        guard let parts = parts(fields), let entry = JournalEntry(decoding: parts.entry),
            let result = StoredResult(journal: Array(parts.result))?.commitResult
        else { return nil }
        return JournalRecord(
            identifier: identifier, entry: entry, declined: result.declined,
            approvalCode: result.approvalCode, atc: result.atc, pinTriesLeft: result.pinTriesLeft,
            availableMinorUnits: result.availableMinorUnits, effect: result.effect)
    }

    /// A decision's text: its result, a blank, the host's entry. The layout before had two fields for them.
    private static func parts(
        _ fields: [String: [UInt8]]
    ) -> (result: ArraySlice<UInt8>, entry: ArraySlice<UInt8>)? {
        guard let text = fields["e"] else { return nil }
        if let result = fields["r"] { return (result[...], text[...]) }
        guard let blank = text.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        return (text[..<blank], text[(blank + 1)...])
    }
}
