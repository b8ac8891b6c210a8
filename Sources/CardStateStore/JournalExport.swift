package import Authorisation
internal import Redis

/// An entry of the journal as an export gets it.
package enum JournalItem: Sendable {
    /// A decision, with the card's token in hexadecimal digits.
    case decision(JournalRecord, card: String)
    /// What an operator changed: operation, value, what stood there before, user, seconds since 1970, reason.
    case change(identifier: String, parts: [String], card: String)
    /// What happened to a request beside its decision; the card where it was known.
    case note(identifier: String, JournalNote, card: String)
    /// One with the name of a card of the layout before, whose account is named in it.
    indirect case former(JournalItem, card: String)
    /// An entry that this version cannot read; never left out in silence.
    case unreadable(identifier: String)
}

/// Export and trimming, bucket by bucket (one hash slot each). How far an export has come is kept beside the stream, in
/// `{bNN}:exported`, so that nothing is trimmed that nobody has.
extension RedisJournal {
    /// Hands on every entry of every bucket after a place, oldest first within a bucket.
    /// - Parameters:
    ///   - since: milliseconds since 1970; nil: after the marks.
    ///   - marks: see there.
    ///   - body: gets each page; what it throws ends the export there.
    /// - Returns: the last identifier of each bucket that had entries.
    package func export(
        since: Int64?, marks: [Int: String] = [:], body: (_ bucket: Int, [JournalItem]) async throws -> Void
    ) async throws -> [Int: String] {
        var ends: [Int: String] = [:]
        for bucket in 0..<settings.bucketCount {
            let journal = "\(StoreNames.bucketTag(bucket)):journal"
            var start: String
            if let since {
                start = "\(since)"
            } else {
                start = marks[bucket].map { "(" + $0 } ?? "-"
            }
            while true {
                let page = try await entries(
                    RedisCommand("XRANGE", journal, start, "+", "COUNT", "\(RedisJournal.pageEntries)"),
                    bucket)
                guard let last = page.last else { break }
                try await body(bucket, try await items(page, bucket))
                ends[bucket] = last.identifier
                start = "(" + last.identifier
            }
        }
        return ends
    }

    /// Remembers how far an export has come. Called once its output is safe.
    /// - Parameter since: where the export began, by bucket; a mark that stands elsewhere now was moved by
    /// another export.
    /// - Throws: `MarkMoved`, where another export has handed on the same entries and marked them first.
    package func markExported(_ ends: [Int: String], since: [Int: String]) async throws {
        for (bucket, identifier) in ends.sorted(by: { $0.key < $1.key }) {
            let reply = try await send(
                RedisCommand(
                    "FCALL", "cardrecords_mark", "1", "\(StoreNames.bucketTag(bucket)):exported",
                    since[bucket] ?? "",
                    identifier), bucket)
            guard reply == .integer(1) else { throw MarkMoved(bucket: bucket) }
        }
    }

    /// The mark of each bucket that has one.
    package func marks() async throws(StateUnavailable) -> [Int: String] {
        var marks: [Int: String] = [:]
        for bucket in 0..<settings.bucketCount { marks[bucket] = try await exported(bucket) }
        return marks
    }

    /// Keeps every other export with a mark away until it is released or its holder has been silent for a
    /// while.
    /// - Returns: whether it is this holder's now.
    package func takeExport(_ holder: String) async throws(StateUnavailable) -> Bool {
        let key = StoreNames.bucketTag(0) + ":export-lock"
        let taken = try await send(RedisCommand("SET", key, holder, "NX", "PX", "30000"), 0)
        if taken.text == "OK" { return true }
        guard try await send(RedisCommand("GET", key), 0).text == holder else { return false }
        return try await send(RedisCommand("PEXPIRE", key, "30000"), 0) == .integer(1)
    }

    /// See `takeExport`.
    package func releaseExport(_ holder: String) async throws(StateUnavailable) {
        let key = StoreNames.bucketTag(0) + ":export-lock"
        guard try await send(RedisCommand("GET", key), 0).text == holder else { return }
        _ = try await send(RedisCommand("DEL", key), 0)
    }

    /// Drops entries that are older than a moment and were exported.
    /// - Parameter before: milliseconds since 1970.
    /// - Returns: how many were dropped.
    package func trim(before: Int64) async throws(StateUnavailable) -> Int64 {
        var dropped: Int64 = 0
        for bucket in 0..<settings.bucketCount {
            guard let exported = try await exported(bucket) else { continue }
            let limit = "\(before)-0"
            // The exported entry itself may go: MINID keeps what is not below it.
            var end = RedisJournal.isBefore(exported, limit) ? RedisJournal.after(exported) : limit
            // What a group of readers has not acknowledged stays, whatever was exported.
            for wanted in try await firstWanted(bucket) where RedisJournal.isBefore(wanted, end) {
                end = wanted
            }
            let reply = try await send(
                RedisCommand("XTRIM", "\(StoreNames.bucketTag(bucket)):journal", "MINID", end), bucket)
            if case .integer(let count) = reply { dropped += count }
        }
        return dropped
    }

    private func exported(_ bucket: Int) async throws(StateUnavailable) -> String? {
        try await send(RedisCommand("GET", "\(StoreNames.bucketTag(bucket)):exported"), bucket).text
    }

    static func item(
        _ identifier: String, _ fields: [String: [UInt8]], accounts: [String: String] = [:]
    ) -> JournalItem {
        let name = fields["c"].map(JournalPlace.card) ?? ""
        if let account = accounts[name], let former = fields["c"], JournalPlace.isOld(former) {
            var renamed = fields
            renamed["c"] = Array(account.utf8)
            return .former(item(identifier, renamed), card: name)
        }
        let card = name
        if let record = record(identifier, fields) { return .decision(record, card: card) }
        if let note = note(fields) { return .note(identifier: identifier, note, card: card) }
        if let change = fields["o"] {
            let parts = change.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            if parts.count == 6 { return .change(identifier: identifier, parts: parts, card: card) }
        }
        return .unreadable(identifier: identifier)
    }

    /// Identifiers are `milliseconds-number`.
    static func isBefore(_ left: String, _ right: String) -> Bool { place(left) < place(right) }

    private static func place(_ identifier: String) -> (UInt64, UInt64) {
        let parts = identifier.split(separator: "-").map { UInt64($0) ?? 0 }
        return (parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
    }

    static func after(_ identifier: String) -> String {
        let (milliseconds, number) = place(identifier)
        return "\(milliseconds)-\(number + 1)"
    }
}
