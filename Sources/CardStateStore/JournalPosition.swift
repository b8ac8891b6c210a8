internal import Redis
internal import Synchronization

extension JournalPosition {
    init(milliseconds: UInt64, number: UInt64) { (self.milliseconds, self.number) = (milliseconds, number) }

    init?(_ text: String) { self.init(text.utf8) }

    static func < (left: JournalPosition, right: JournalPosition) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }

    var description: String { "\(milliseconds)-\(number)" }

    /// The smallest one behind it.
    var next: JournalPosition { JournalPosition(milliseconds: milliseconds, number: number + 1) }
}

extension AcknowledgedPlaces {
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
