internal import Authorisation
internal import Redis

/// The times of which the store lacks decisions, in the store itself: `{b00}:lost`, each `from-until` in seconds since 1970.
enum LostTimes {
    private static let key = StoreNames.bucketTag(0) + ":lost"
    /// Older ones than that say nothing any more: reversals come within weeks.
    private static let countMax = 16

    static var question: RedisCommand { RedisCommand("GET", key) }

    static func command(_ times: [LostTime]) -> RedisCommand {
        RedisCommand(
            "SET", key, times.suffix(countMax).map { "\($0.from)-\($0.until)" }.joined(separator: " "))
    }

    /// - Returns: nil for a reply of another kind.
    static func read(_ reply: RedisReply) -> [LostTime]? {
        if reply == .null { return [] }
        return reply.text?.split(separator: " ").compactMap { part in
            let ends = part.split(separator: "-").compactMap { Int64($0) }
            return ends.count == 2 ? LostTime(from: ends[0], until: ends[1]) : nil
        }
    }
}
