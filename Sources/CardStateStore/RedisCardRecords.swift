package import Authorisation
internal import NIOCore
internal import Redis

/// The `CardRecords` port on Redis, for the event loop that the store's connections live on. It compares, replaces and
/// appends; what a record means is `CardTransition`'s matter.
package struct RedisCardRecords: CardRecords {
    let store: StateStore
    let settings: CardStateSettings

    /// - Parameters:
    ///   - store: the way to the servers.
    ///   - settings: the same for every host on this store.
    package init(_ store: StateStore, settings: CardStateSettings) {
        self.store = store
        self.settings = settings
    }

    /// One `GET`, or one `MGET` with what is filed away.
    package func read(
        _ token: CardToken, withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReading {
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: withPast ? 3 : 2)
        command.append(withPast ? "MGET" : "GET")
        keys.appendCard(to: &command)
        if withPast { keys.appendPast(to: &command) }
        if withPast { return try await readWithPast(command, keys, deadline: deadline) }
        let answer: RedisAnswer
        do throws(RedisError) { answer = try await send(command, keys, deadline: deadline) } catch {
            throw unavailable(error, "read")
        }
        return try reading(answer, answer.reply, past: nil)
    }

    /// One `FCALL`: everything or nothing.
    package func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReplacement {
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        let command = command(token, keys, change: change, lines: lines, withPast: withPast)
        let answer: RedisAnswer
        do throws(RedisError) { answer = try await send(command, keys, deadline: deadline) } catch {
            throw unavailable(error, "replace")
        }
        switch answer.reply {
        case .string(let identifier):
            guard let position = JournalPosition(identifier) else { throw unexpected("replace") }
            guard settings.replicasMin > 0 else {
                store.acknowledged.note(keys.bucketNumber, position, server: answer.session.address)
                return .done(unconfirmed: nil)
            }
            let place = WrittenPlace(keys.bucketNumber, position, session: answer.session)
            return .done(unconfirmed: CardReading(record: nil, past: nil, source: place))
        case .array(let parts) where parts.count == 2:
            return .conflict(try reading(answer, parts[0], past: withPast ? parts[1] : nil))
        default: throw unexpected("replace")
        }
    }

    /// The record in pieces where most of it stays as it is: what the server parses, hashes and writes to its file is
    /// then a fifth.
    func command(
        _ token: CardToken, _ keys: StoreNames, change: CardChange, lines: [JournalLine], withPast: Bool
    ) -> RedisCommand {
        var namesPast = withPast
        if case .untouched = change.past {} else { namesPast = true }
        var pieces: RecordPieces?
        if let read = change.read, let record = change.record {
            pieces = RecordPieces(from: read.bytes, to: record.bytes)
        }
        let pieceCount = pieces?.ranges.count ?? (change.record == nil ? 0 : 1)
        var command = RedisCommand(
            argumentCount: (namesPast ? 10 : 7) + 2 * pieceCount + 2 * lines.count, reserving: 960)
        command.append("FCALL")
        command.append(change.isUrgent ? "cardrecords_replace_always" : "cardrecords_replace")
        command.append(namesPast ? "3" : "2")
        keys.appendCard(to: &command)
        keys.appendJournal(to: &command)
        if namesPast { keys.appendPast(to: &command) }
        if let before = change.before {
            command.append(bigEndian: before.random, before.counter)
        } else {
            command.append("")
        }
        command.append(decimal: Int64(pieceCount))
        if let record = change.record {
            if let pieces {
                for range in pieces.ranges {
                    command.append(decimal: Int64(range.lowerBound))
                    command.append(record.bytes[range])
                }
            } else {
                command.append("")
                command.append(record.bytes)
            }
        }
        if namesPast { append(change.past, to: &command) }
        var before = change.before
        for line in lines { append(line, token, before: &before, after: change, to: &command) }
        return command
    }

    /// One field, place and text: each further one costs the server as much as a hundred bytes do. Of several lines of
    /// one write, the first one carries the tags; the others stand at the state after it.
    private func append(
        _ line: JournalLine, _ token: CardToken, before: inout RecordTag?, after change: CardChange,
        to command: inout RedisCommand
    ) {
        let after = change.record?.tag ?? change.before
        var value: [UInt8] = []
        value.reserveCapacity(512)
        JournalPlace.append(token, before, after: after, to: &value)
        before = after
        switch line {
        case .decision(let entry, let result):
            StoredResult.append(result, to: &value)
            value.append(UInt8(ascii: " "))
            entry.appendEncoded(into: &value)
            command.append(JournalPlace.decision)
        case .change(let text):
            value.append(contentsOf: text.utf8)
            command.append(JournalPlace.change)
        }
        command.append(value)
    }

    func reading(
        _ answer: RedisAnswer, _ record: RedisReply, past: RedisReply?
    ) throws(CouldNotDecide) -> CardReading {
        let filed: [UInt8]? = past.map { $0.bytes ?? [] }
        switch record {
        case .null: return CardReading(record: nil, past: filed, source: answer.session)
        case .string(let bytes):
            do throws(RecordDamage) {
                return CardReading(record: try CardRecord(bytes), past: filed, source: answer.session)
            } catch { throw unreadable(error) }
        default: throw unexpected("read")
        }
    }

    /// What the server refuses for a moment is tried again while the request has time; it was not carried
    /// out.
    func send(
        _ command: RedisCommand, _ keys: StoreNames, deadline: Deadline, isTriedAgain: Bool = true
    ) async throws(RedisError) -> RedisAnswer {
        do throws(RedisError) {
            return try await store.reply(to: command, bucket: keys.bucketNumber)
        } catch {
            guard isTriedAgain, error.isTryAgain else { throw error }
            return try await sendAgain(command, keys, deadline: deadline, after: error)
        }
    }
}

/// The names of one card in the store: all in the hash slot of its bucket.
struct StoreNames {
    /// The beginnings of a bucket's names, `{bNN}` in front.
    typealias Beginnings = (card: String, past: String, journal: String)

    /// Those of the first hundred buckets, so that no string is put together for each command.
    private static let known = (0..<100).map(beginnings)

    private static func beginnings(_ bucket: Int) -> Beginnings {
        let tag = bucketTag(bucket)
        return (tag + ":card:", tag + ":past:", tag + ":journal")
    }

    let beginnings: Beginnings
    /// 0…
    let bucketNumber: Int
    /// The token in hexadecimal digits.
    let token: [UInt8]

    init(_ token: CardToken, bucketCount: Int) {
        bucketNumber = token.bucket(of: bucketCount)
        let known = StoreNames.known
        beginnings = bucketNumber < known.count ? known[bucketNumber] : StoreNames.beginnings(bucketNumber)
        self.token = StoreNames.hex(token)
    }

    /// Appends the key of the account's record.
    func appendCard(to command: inout RedisCommand) { command.append(beginnings.card, token) }

    /// Appends the key of the bucket's journal.
    func appendJournal(to command: inout RedisCommand) { command.append(beginnings.journal) }

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

/// The way to the state, for one event loop: a connection to a server, or to every node of a cluster. Each checks the
/// server and its function library before it is used, again after every reconnect.
package struct StateStore: Sendable {
    enum Route: Sendable {
        case server(RedisConnection)
        case cluster(RedisCluster)
    }

    let route: Route
    let replicaWaits: ReplicaWaits
    let acknowledged = AcknowledgedPlaces()

    /// Sends a command about one bucket. On the event loop.
    func reply(to command: RedisCommand, bucket: Int) async throws(RedisError) -> RedisAnswer {
        switch route {
        case .server(let connection): try await connection.reply(to: command)
        case .cluster(let cluster): try await cluster.reply(to: command, slot: Self.slot(of: bucket))
        }
    }

    static let slots = (0..<1_024).map { HashSlot.of(StoreNames.bucketTag($0)) }
}
