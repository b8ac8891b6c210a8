internal import Synchronization
internal import Redis

/// The place of an entry in a bucket's journal: `milliseconds-number`.
struct JournalPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    let milliseconds: UInt64
    let number: UInt64

    init(milliseconds: UInt64, number: UInt64) { (self.milliseconds, self.number) = (milliseconds, number) }

    /// Nil where it is no identifier.
    init?(_ bytes: some Collection<UInt8>) {
        var (values, isNumber): ((UInt64, UInt64), Bool) = ((0, 0), false)
        var digits = 0
        for byte in bytes {
            if byte == UInt8(ascii: "-"), !isNumber, digits > 0 {
                (isNumber, digits) = (true, 0)
                continue
            }
            guard case 0x30...0x39 = byte, digits < 19 else { return nil }
            digits += 1
            let digit = UInt64(byte - 0x30)
            if isNumber { values.1 = values.1 * 10 + digit } else { values.0 = values.0 * 10 + digit }
        }
        guard isNumber, digits > 0 else { return nil }
        (milliseconds, number) = values
    }

    init?(_ text: String) { self.init(text.utf8) }

    static func < (left: JournalPosition, right: JournalPosition) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }

    var description: String { "\(milliseconds)-\(number)" }

    /// The smallest one behind it.
    var next: JournalPosition { JournalPosition(milliseconds: milliseconds, number: number + 1) }
}

/// The last entry of each bucket that one loop's writes were acknowledged with, and where.
final class AcknowledgedPlaces: Sendable {
    struct Place: Hashable, Sendable {
        let position: JournalPosition
        /// Of the server that acknowledged it.
        let server: RedisAddress
    }

    private let places = Mutex<[Int: Place]>([:])

    func note(_ bucket: Int, _ position: JournalPosition, server: RedisAddress) {
        places.withLock { places in
            if let known = places[bucket], known.position >= position { return }
            places[bucket] = Place(position: position, server: server)
        }
    }

    /// What was not taken yet.
    var all: [Int: Place] { places.withLock { $0 } }

    /// What other servers than this one acknowledged of a bucket is lost, and that was told.
    func forget(_ bucket: Int, butOf server: RedisAddress) {
        places.withLock { if $0[bucket]?.server != server { $0[bucket] = nil } }
    }

    /// What came since the last time.
    func take() -> [Int: Place] {
        places.withLock { places in
            defer { places.removeAll(keepingCapacity: true) }
            return places
        }
    }
}

/// What a write was acknowledged with, and by whom: what replicas may not have yet.
final class WrittenPlace: Sendable {
    let bucket: Int
    let position: JournalPosition
    let session: RedisSession

    init(_ bucket: Int, _ position: JournalPosition, session: RedisSession) {
        (self.bucket, self.position, self.session) = (bucket, position, session)
    }
}
