package import Authorisation
internal import NIOCore
internal import Redis

/// Replicas that are waited for, slots that move, and what a server refuses.
extension RedisCardRecords {
    func readWithPast(
        _ command: RedisCommand, _ keys: StoreNames, deadline: Deadline
    ) async throws(CouldNotDecide) -> CardReading {
        let answer: RedisAnswer
        do throws(RedisError) {
            answer = try await send(command, keys, deadline: deadline, isTriedAgain: false)
        } catch {
            guard error.isTryAgain else { throw unavailable(error, "read") }
            let (answer, filed) = try await readApart(keys, deadline)
            return try reading(answer, answer.reply, past: filed)
        }
        guard let parts = answer.reply.elements, parts.count == 2 else { throw unexpected("read") }
        return try reading(answer, parts[0], past: parts[1])
    }

    /// A command with several keys is refused while their slot moves and one of them is missing, which filed
    /// transactions often are. The record comes first: what leaves it between the two reads is then found twice, never
    /// not at all.
    func readApart(
        _ keys: StoreNames, _ deadline: Deadline
    ) async throws(CouldNotDecide) -> (RedisAnswer, RedisReply) {
        var (card, past) = (RedisCommand(argumentCount: 2), RedisCommand(argumentCount: 2))
        card.append("GET")
        keys.appendCard(to: &card)
        past.append("GET")
        keys.appendPast(to: &past)
        do throws(RedisError) {
            let answer = try await send(card, keys, deadline: deadline)
            return (answer, try await send(past, keys, deadline: deadline).reply)
        } catch {
            throw unavailable(error, "read")
        }
    }

    func unexpected(_ name: String) -> CouldNotDecide {
        .state(StateUnavailable("\(name): unexpected reply"))
    }

    func unavailable(_ error: RedisError, _ name: String) -> CouldNotDecide {
        let isUnknown = error == .timedOut || error == .connectionLost
        return .state(StateUnavailable("\(name): \(error.inWords)", recordTells: isUnknown))
    }

    func unreadable(_ damage: RecordDamage) -> CouldNotDecide {
        // Written by a newer release: nothing is wrong with it, and nothing can be said of it here.
        damage.isNewer ? .state(StateUnavailable("card record: \(damage)")) : .damaged(damage)
    }

    func sendAgain(
        _ command: RedisCommand, _ keys: StoreNames, deadline: Deadline, after first: RedisError
    ) async throws(RedisError) -> RedisAnswer {
        var refused = first
        var pause: Int64 = 1
        let end = min(deadline.nanoseconds, NIODeadline.now().uptimeNanoseconds &+ 30_000_000_000)
        while true {
            let next = NIODeadline.now().uptimeNanoseconds &+ UInt64(pause) * 1_000_000
            guard refused.isTryAgain, next < end else { throw refused }
            try? await Task.sleep(for: .milliseconds(pause))
            pause = min(2 * pause, 20)
            do throws(RedisError) {
                return try await store.reply(to: command, bucket: keys.bucketNumber)
            } catch { refused = error }
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

    func append(_ past: CardChange.Past, to command: inout RedisCommand) {
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

extension StoreNames {
    /// Appends the key of the transactions that are filed away.
    func appendPast(to command: inout RedisCommand) { command.append(beginnings.past, token) }
}
