internal import Authorisation
internal import Redis

/// The keys of one card: all in the hash slot of its bucket.
struct CardKeys {
    /// The beginnings of a bucket's keys, `{bNN}` in front.
    private struct Prefixes {
        let card: String
        let past: String
        let journal: String

        init(_ bucket: Int) {
            let tag = CardKeys.bucketTag(bucket)
            (card, past, journal) = (tag + ":card:", tag + ":past:", tag + ":journal")
        }
    }

    /// Those of the first hundred buckets, so that no string is put together for each command.
    private static let prefixes = (0..<100).map(Prefixes.init)

    private let prefix: Prefixes
    /// 0…
    let bucketNumber: Int
    /// The token in hexadecimal digits.
    let token: [UInt8]

    init(_ token: CardToken, bucketCount: Int) {
        bucketNumber = token.bucket(of: bucketCount)
        let prefixes = CardKeys.prefixes
        prefix = bucketNumber < prefixes.count ? prefixes[bucketNumber] : Prefixes(bucketNumber)
        self.token = CardKeys.hex(token)
    }

    /// Appends the key of the account's record.
    func appendCard(to command: inout RedisCommand) { command.append(prefix.card, token) }

    /// Appends the key of the transactions that are filed away.
    func appendPast(to command: inout RedisCommand) { command.append(prefix.past, token) }

    /// Appends the key of the bucket's journal.
    func appendJournal(to command: inout RedisCommand) { command.append(prefix.journal) }

    static func bucketTag(_ bucket: Int) -> String { bucket < 10 ? "{b0\(bucket)}" : "{b\(bucket)}" }

    private static func hex(_ token: CardToken) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { text, count in
            for index in 0..<16 {
                text[index] = digit(token.high >> UInt64(60 - 4 * index))
                text[16 + index] = digit(token.low >> UInt64(60 - 4 * index))
            }
            count = 32
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        let nibble = UInt8(truncatingIfNeeded: value & 0x0F)
        return nibble < 10 ? 0x30 + nibble : 0x57 + nibble
    }
}

extension CardToken {
    /// The bucket that all state of the card lives in.
    /// - Parameter count: number of buckets, at least 1.
    func bucket(of count: Int) -> Int { Int(high % UInt64(count)) }
}
