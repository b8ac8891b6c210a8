public import Authorisation
internal import Redis

/// An entry of the journal as an export gets it.
public enum JournalItem: Sendable {
    /// A decision, with the card's token in hexadecimal digits.
    case decision(JournalRecord, card: String)
    /// What an operator changed: operation, value, what stood there before, user, seconds since 1970, reason.
    case change(identifier: String, parts: [String], card: String)
    /// What happened to a request beside its decision; the card where it was known.
    case note(identifier: String, JournalNote, card: String)
    /// An entry that this version cannot read; never left out in silence.
    case unreadable(identifier: String)
}

/// Export and trimming, bucket by bucket (one hash slot each). How far an export has come is kept beside the stream,
/// in `{bNN}:exported`, so that nothing is trimmed that nobody has.
extension RedisJournal {
    /// Hands on every entry of every bucket after a place, oldest first within a bucket.
    /// - Parameters:
    ///   - since: milliseconds since 1970; nil: where the last marked export ended.
    ///   - body: gets each page; what it throws ends the export there.
    /// - Returns: the last identifier of each bucket that had entries.
    public func export(
        since: Int64?, _ body: (_ bucket: Int, [JournalItem]) async throws -> Void
    ) async throws -> [Int: String] {
        var ends: [Int: String] = [:]
        for bucket in 0..<settings.bucketCount {
            let journal = "\(CardKeys.bucketTag(bucket)):journal"
            var start: String
            if let since {
                start = "\(since)"
            } else {
                start = try await exported(bucket).map { "(" + $0 } ?? "-"
            }
            while true {
                let page = try await entries(
                    RedisCommand("XRANGE", journal, start, "+", "COUNT", "\(RedisJournal.pageEntries)"),
                    bucket)
                guard let last = page.last else { break }
                try await body(bucket, page.map { RedisJournal.item($0.identifier, $0.fields) })
                ends[bucket] = last.identifier
                start = "(" + last.identifier
            }
        }
        return ends
    }

    /// Remembers how far an export has come. Called once its output is safe.
    public func markExported(_ ends: [Int: String]) async throws(StateUnavailable) {
        for (bucket, identifier) in ends {
            if let known = try await exported(bucket), !RedisJournal.isBefore(known, identifier) { continue }
            _ = try await send(
                RedisCommand("SET", "\(CardKeys.bucketTag(bucket)):exported", identifier), bucket)
        }
    }

    /// Drops entries that are older than a moment and were exported.
    /// - Parameter before: milliseconds since 1970.
    /// - Returns: how many were dropped.
    public func trim(before: Int64) async throws(StateUnavailable) -> Int64 {
        var dropped: Int64 = 0
        for bucket in 0..<settings.bucketCount {
            guard let exported = try await exported(bucket) else { continue }
            let limit = "\(before)-0"
            // The exported entry itself may go: MINID keeps what is not below it.
            let end = RedisJournal.isBefore(exported, limit) ? RedisJournal.after(exported) : limit
            let reply = try await send(
                RedisCommand("XTRIM", "\(CardKeys.bucketTag(bucket)):journal", "MINID", end), bucket)
            if case .integer(let count) = reply { dropped += count }
        }
        return dropped
    }

    private func exported(_ bucket: Int) async throws(StateUnavailable) -> String? {
        try await send(RedisCommand("GET", "\(CardKeys.bucketTag(bucket)):exported"), bucket).text
    }

    private static func item(_ identifier: String, _ fields: [String: [UInt8]]) -> JournalItem {
        let card = fields["c"].map { String(decoding: $0, as: UTF8.self) } ?? ""
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
    private static func isBefore(_ left: String, _ right: String) -> Bool { place(left) < place(right) }

    private static func place(_ identifier: String) -> (UInt64, UInt64) {
        let parts = identifier.split(separator: "-").map { UInt64($0) ?? 0 }
        return (parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
    }

    private static func after(_ identifier: String) -> String {
        let (milliseconds, number) = place(identifier)
        return "\(milliseconds)-\(number + 1)"
    }
}
