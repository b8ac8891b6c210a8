package import Authorisation
internal import NIOCore
internal import Redis

/// The `CardRecords` port on Redis, for the event loop that the store's connections live on. It compares, replaces and
/// appends; what a record means is `CardTransition`'s matter.
package struct RedisCardRecords: CardRecords {
    private let store: StateStore
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
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: withPast ? 3 : 2)
        command.append(withPast ? "MGET" : "GET")
        keys.appendCard(to: &command)
        if withPast { keys.appendPast(to: &command) }
        let result = await send(command, keys, deadline: deadline, isTriedAgain: !withPast)
        if withPast, case .failure(let error) = result, error.isTryAgain {
            let (answer, filed) = try await readApart(keys, deadline)
            return try reading(answer, answer.reply, past: filed)
        }
        let answer = try get(result, "read")
        guard withPast else { return try reading(answer, answer.reply, past: nil) }
        guard let parts = answer.reply.elements, parts.count == 2 else { throw unexpected("read") }
        return try reading(answer, parts[0], past: parts[1])
    }

    /// A command with several keys is refused while their slot moves and one of them is missing, which filed
    /// transactions often are. The record comes first: what leaves it between the two reads is then found twice, never
    /// not at all.
    private func readApart(
        _ keys: CardKeys, _ deadline: Deadline
    ) async throws(CouldNotDecide) -> (RedisAnswer, RedisReply) {
        var (card, past) = (RedisCommand(argumentCount: 2), RedisCommand(argumentCount: 2))
        card.append("GET")
        keys.appendCard(to: &card)
        past.append("GET")
        keys.appendPast(to: &past)
        let answer = try get(await send(card, keys, deadline: deadline), "read")
        return (answer, try get(await send(past, keys, deadline: deadline), "read").reply)
    }

    /// One `FCALL`: everything or nothing.
    package func replace(
        _ token: CardToken, _ change: CardChange, lines: [JournalLine], withPast: Bool, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReplacement {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        let command = command(token, keys, change: change, lines: lines, withPast: withPast)
        let answer = try get(await send(command, keys, deadline: deadline), "replace")
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

    /// Nothing, or a `WAIT` where replicas are asked for: on the master that the reading came from, or that took the write.
    package func confirm(_ reading: CardReading, deadline: Deadline) async throws(CouldNotDecide) {
        guard settings.replicasMin > 0 else { return }
        if let place = reading.source as? WrittenPlace {
            try await waitForReplicas(place.session)
            store.acknowledged.note(place.bucket, place.position, server: place.session.address)
        } else if let session = reading.source as? RedisSession {
            try await waitForReplicas(session)
        } else {
            throw unexpected("confirm")
        }
    }

    /// The record in pieces where most of it stays as it is: what the server parses, hashes and writes to its file is
    /// then a fifth.
    private func command(
        _ token: CardToken, _ keys: CardKeys, change: CardChange, lines: [JournalLine], withPast: Bool
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

    private func append(_ past: CardChange.Past, to command: inout RedisCommand) {
        switch past {
        case .untouched:
            command.append("")
            command.append("")
        case .append(let bytes):
            command.append("a")
            command.append(bytes)
        case .replace(let bytes):
            command.append("s")
            command.append(bytes)
        }
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

    private func reading(
        _ answer: RedisAnswer, _ record: RedisReply, past: RedisReply?
    ) throws(CouldNotDecide) -> CardReading {
        let filed: [UInt8]? = past.map { $0.bytes ?? [] }
        switch record {
        case .null: return CardReading(record: nil, past: filed, source: answer.session)
        case .string(let bytes):
            do throws(RecordDamage) {
                return CardReading(record: try CardRecord(bytes), past: filed, source: answer.session)
            } catch {
                // Written by a newer release: nothing is wrong with it, and nothing can be said of it here.
                if error.isNewer { throw .state(StateUnavailable("card record: \(error)")) }
                throw .damaged(error)
            }
        default: throw unexpected("read")
        }
    }

    private func unexpected(_ name: String) -> CouldNotDecide {
        .state(StateUnavailable("\(name): unexpected reply"))
    }

    /// What is booked but not yet elsewhere could be lost with the master, so it is not told to anybody.
    private func waitForReplicas(_ session: RedisSession) async throws(CouldNotDecide) {
        do throws(StateUnavailable) {
            try await store.replicaWaits.wait(
                for: session, replicas: settings.replicasMin,
                milliseconds: settings.replicaTimeoutMilliseconds)
        } catch {
            throw .state(error)
        }
    }

    private func get(
        _ result: Result<RedisAnswer, RedisError>, _ name: String
    ) throws(CouldNotDecide) -> RedisAnswer {
        switch result {
        case .success(let answer): return answer
        case .failure(let error):
            let isUnknown = error == .timedOut || error == .connectionLost
            throw .state(StateUnavailable("\(name): \(error.inWords)", recordTells: isUnknown))
        }
    }

    /// What the server refuses for a moment is tried again while the request has time; it was not carried
    /// out.
    private func send(
        _ command: RedisCommand, _ keys: CardKeys, deadline: Deadline, isTriedAgain: Bool = true
    ) async -> Result<RedisAnswer, RedisError> {
        var pause: Int64 = 1
        let end = min(deadline.nanoseconds, NIODeadline.now().uptimeNanoseconds &+ 30_000_000_000)
        var result = await once(command, keys)
        while isTriedAgain, case .failure(let error) = result, error.isTryAgain,
            NIODeadline.now().uptimeNanoseconds &+ UInt64(pause) * 1_000_000 < end
        {
            try? await Task.sleep(for: .milliseconds(pause))
            pause = min(2 * pause, 20)
            result = await once(command, keys)
        }
        return result
    }

    private func once(_ command: RedisCommand, _ keys: CardKeys) async -> Result<RedisAnswer, RedisError> {
        do throws(RedisError) {
            return .success(try await store.reply(to: command, bucket: keys.bucketNumber))
        } catch {
            return .failure(error)
        }
    }
}

extension RedisError {
    /// The server refuses now, carried nothing out, and will take the same command in a moment: a slot moves, its
    /// memory is being loaded.
    var isTryAgain: Bool {
        guard case .refused(let error) = self else { return false }
        return ["LOADING", "CLUSTERDOWN"].contains(error.code) || isMoving
    }

    /// A slot moves.
    var isMoving: Bool {
        guard case .refused(let error) = self else { return false }
        return error.code == "TRYAGAIN" || error.description.contains("non local key")
    }

    /// With what the server's word means, where an operator has to do something.
    var inWords: String {
        guard case .refused(let error) = self, let meaning = RedisError.meanings[error.code] else {
            return "\(self)"
        }
        return "\(self) (\(meaning))"
    }

    private static let meanings = [
        "BUSY": "a script holds the store up; SCRIPT KILL or FUNCTION KILL ends it",
        "MASTERDOWN": "this server is a replica without its master",
        "READONLY": "this server is a replica, the host looks for the master",
        "OOM": "the store is full: raise maxmemory, or export and trim the journal",
        "MISCONF": "the store cannot write to its disk",
        "NOREPLICAS": "the store has fewer replicas than its min-replicas-to-write",
        "LOADING": "the store is loading its file",
        "TRYAGAIN": "the card's slot is moving to another node",
        "CLUSTERDOWN": "the cluster does not serve this slot",
    ]
}
