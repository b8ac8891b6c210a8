internal import Authorisation

/// The keys of one card: all in the hash slot of its bucket.
struct CardKeys {
    let card: String
    let window: String
    let journal: String
    let token: String

    init(_ token: CardToken, bucketCount: Int) {
        let bucket = CardKeys.bucketTag(token.bucket(of: bucketCount))
        self.token = CardKeys.hex(token)
        card = "\(bucket):card:\(self.token)"
        window = "\(bucket):atc:\(self.token)"
        journal = "\(bucket):journal"
    }

    static func bucketTag(_ bucket: Int) -> String { bucket < 10 ? "{b0\(bucket)}" : "{b\(bucket)}" }

    private static func hex(_ token: CardToken) -> String {
        String(unsafeUninitializedCapacity: 32) { text in
            for index in 0..<16 {
                text[index] = digit(token.high >> UInt64(60 - 4 * index))
                text[16 + index] = digit(token.low >> UInt64(60 - 4 * index))
            }
            return 32
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        let nibble = UInt8(truncatingIfNeeded: value & 0x0F)
        return nibble < 10 ? 0x30 + nibble : 0x57 + nibble
    }
}
