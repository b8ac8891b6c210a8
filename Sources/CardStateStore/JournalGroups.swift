package import Authorisation
internal import Redis

/// An export has marked a bucket while another one was under way: both have handed on the same entries.
package struct MarkMoved: Error, Sendable, CustomStringConvertible {
    /// The bucket.
    package let bucket: Int

    /// Takes it.
    package init(bucket: Int) { self.bucket = bucket }

    /// One line.
    package var description: String {
        "bucket \(bucket) was marked by another export meanwhile; nothing more was marked here"
    }
}

/// Readers in groups, by the consumer groups of the store's own streams: each entry goes to one reader of a group, at
/// least once, and stays in the journal until the group has acknowledged it.
extension RedisJournal {
    /// Another reader of the group gets what one has not acknowledged for so long, in milliseconds.
    static let claimedAfter = 30_000

    /// Makes a group where it is not there; it begins with the oldest entry that the journal has.
    package func makeGroup(_ group: String) async throws(StateUnavailable) {
        for bucket in 0..<settings.bucketCount {
            do throws(StateUnavailable) {
                _ = try await send(
                    RedisCommand("XGROUP", "CREATE", journal(bucket), group, "0", "MKSTREAM"), bucket)
            } catch {
                guard error.reason.contains("BUSYGROUP") else { throw error }
            }
        }
    }

    /// Entries of a bucket for one reader: first what this reader or a silent one was given and has not acknowledged,
    /// then new ones.
    /// - Parameters:
    ///   - reader: its name within the group.
    ///   - again: true asks for what was given and not acknowledged.
    /// - Returns: the entries and what to acknowledge.
    package func next(
        _ bucket: Int, group: String, reader: String, again: Bool
    ) async throws(StateUnavailable) -> (items: [JournalItem], identifiers: [String]) {
        let count = "\(RedisJournal.pageEntries)"
        var page: [(identifier: String, fields: [String: [UInt8]])] = []
        if again {
            page = try await read(bucket, group, reader: reader, from: "0", count: count)
            if page.isEmpty {
                let reply = try await send(
                    RedisCommand(
                        "XAUTOCLAIM", journal(bucket), group, reader, "\(RedisJournal.claimedAfter)", "0",
                        "COUNT", count),
                    bucket)
                if let parts = reply.elements, parts.count >= 2 { page = RedisJournal.entries(parts[1]) }
            }
        } else {
            page = try await read(bucket, group, reader: reader, from: ">", count: count)
        }
        return (try await items(page, bucket), page.map(\.identifier))
    }

    private func read(
        _ bucket: Int, _ group: String, reader: String, from: String, count: String
    ) async throws(StateUnavailable) -> [(identifier: String, fields: [String: [UInt8]])] {
        let reply = try await send(
            RedisCommand(
                "XREADGROUP", "GROUP", group, reader, "COUNT", count, "STREAMS", journal(bucket), from),
            bucket)
        guard let streams = reply.elements, let stream = streams.first?.elements, stream.count == 2 else {
            return []
        }
        return RedisJournal.entries(stream[1])
    }

    /// The group has them for good.
    package func acknowledge(
        _ identifiers: [String], _ bucket: Int, group: String
    ) async throws(StateUnavailable) {
        guard !identifiers.isEmpty else { return }
        _ = try await send(RedisCommand(["XACK", journal(bucket), group] + identifiers), bucket)
    }

    /// Ends a group: what it had not acknowledged may be trimmed from now on.
    package func removeGroup(_ group: String) async throws(StateUnavailable) {
        for bucket in 0..<settings.bucketCount {
            do throws(StateUnavailable) {
                _ = try await send(RedisCommand("XGROUP", "DESTROY", journal(bucket), group), bucket)
            } catch {
                // A bucket without a journal has no group either.
                guard error.reason.contains("requires the key to exist") else { throw error }
            }
        }
    }

    /// For each group of a bucket the first entry that it has not acknowledged.
    func firstWanted(_ bucket: Int) async throws(StateUnavailable) -> [String] {
        let reply: RedisReply
        do throws(StateUnavailable) {
            reply = try await send(RedisCommand("XINFO", "GROUPS", journal(bucket)), bucket)
        } catch {
            guard error.reason.contains("no such key") else { throw error }
            return []
        }
        var wanted: [String] = []
        for group in reply.elements ?? [] {
            let fields = group.elements ?? []
            guard let name = RedisJournal.field("name", fields)?.text,
                let delivered = RedisJournal.field("last-delivered-id", fields)?.text
            else { continue }
            let pending =
                try await send(RedisCommand("XPENDING", journal(bucket), name), bucket).elements ?? []
            let first = pending.count > 1 ? pending[1].text : nil
            wanted.append(first ?? RedisJournal.after(delivered))
        }
        return wanted
    }

    private static func field(_ name: String, _ fields: [RedisReply]) -> RedisReply? {
        guard let index = fields.firstIndex(where: { $0.text == name }), index + 1 < fields.count else {
            return nil
        }
        return fields[index + 1]
    }

    private func journal(_ bucket: Int) -> String { "\(StoreNames.bucketTag(bucket)):journal" }
}
