public import Authorisation
internal import EMV
public import NIOCore
public import Redis

/// The `CardState` port on one Redis connection, for the event loop that the connection lives on.
public struct RedisCardState: CardState {
    private let connection: RedisConnection
    private let settings: CardStateSettings

    /// - Parameters:
    ///   - connection: prepared with `prepare`.
    ///   - settings: the same for every host on this store.
    public init(_ connection: RedisConnection, settings: CardStateSettings) {
        self.connection = connection
        self.settings = settings
    }

    /// Opens a connection that checks the server and its function library before it serves, again after every
    /// reconnect.
    /// - Parameter durable: true refuses a server that may lose what it has acknowledged.
    public static func connect(
        to address: RedisAddress, on eventLoop: any EventLoop, durable: Bool = false,
        settings: RedisConnectionSettings = RedisConnectionSettings()
    ) -> RedisConnection {
        RedisConnection(to: address, on: eventLoop, settings: settings) { connection in
            _ = try await connection.sendFromAnywhere(RedisCommand("CLIENT", "SETNAME", "issuer-host"))
            for line in try await StoreCheck.lines(on: connection)
            where !line.passed && (line.required || durable) {
                throw StateUnavailable("\(line.subject): \(line.detail)")
            }
            try await FunctionLibrary.ensure(on: connection)
        }
    }

    /// One `FCALL_RO`: card and earlier answer.
    public func read(
        _ token: CardToken, retransmission: RetransmissionKey, deadline: Deadline
    ) async throws(StateUnavailable) -> CardReading {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: 5)
        command.append("FCALL_RO")
        command.append("cardstate_read")
        command.append("1")
        keys.appendCard(to: &command)
        command.append(retransmission)
        switch try await send(command, "read") {
        case .null: return CardReading(card: nil, answered: nil)
        case .string(let bytes): return try StoredCard.reading(bytes)
        default: throw StateUnavailable("read: unexpected reply")
        }
    }

    /// One `FCALL`: everything or nothing.
    public func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult {
        let keys = CardKeys(commit.token, bucketCount: settings.bucketCount)
        var entry: [UInt8] = []
        entry.reserveCapacity(384)
        commit.entry.appendEncoded(into: &entry)
        var command = RedisCommand(argumentCount: 18, reserving: 1_024)
        command.append("FCALL")
        command.append("cardstate_commit")
        command.append("3")
        keys.appendCard(to: &command)
        keys.appendWindow(to: &command)
        keys.appendJournal(to: &command)
        if let retransmission = commit.retransmission {
            command.append(retransmission)
        } else {
            command.append("")
        }
        command.append(bigEndian: commit.retransmission?.fingerprint ?? 0)
        command.append(decimal: Int64(commit.declined?.rawValue ?? 0))
        if let atc = commit.verifiedATC {
            command.append(decimal: Int64(atc.rawValue))
        } else {
            command.append("")
        }
        command.append(decimal: Int64(commit.pin.rawValue))
        command.append(decimal: commit.amount.minorUnits)
        command.append(decimal: Int64(commit.amount.currency.rawValue))
        command.append(commit.approvalCode)
        command.append(decimal: Int64(settings.atcJumpMax))
        command.append(settings.lateATCAccepted ? "1" : "0")
        command.append(entry)
        command.append(keys.token)
        guard case .string(let bytes) = try await send(command, "commit"),
            let result = StoredResult(bytes[...])
        else { throw StateUnavailable("commit: unexpected reply") }
        return result.commitResult
    }

    /// Creates a card or replaces its record.
    /// - Parameter forgettingATCs: true lets the card's next verified ATC be taken as it comes, as for a new
    ///   card. For test environments: it makes old cryptograms good again.
    public func importCard(
        _ card: CardRecord, token: CardToken, forgettingATCs: Bool = false
    ) async throws(StateUnavailable) {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: 13)
        command.append("FCALL")
        command.append("cardstate_import")
        command.append("2")
        keys.appendCard(to: &command)
        keys.appendWindow(to: &command)
        command.append(card.status.rawValue)
        command.append(card.expiry.description)
        command.append(card.pinReference.map { String($0.rawValue, radix: 16) } ?? "")
        command.append(decimal: Int64(card.pinTriesMax))
        command.append(decimal: card.availableMinorUnits)
        command.append(decimal: Int64(card.currency.rawValue))
        command.append(card.profile)
        command.append(forgettingATCs ? "1" : "0")
        _ = try await send(command, "import")
    }

    private func send(_ command: RedisCommand, _ name: String) async throws(StateUnavailable) -> RedisReply {
        do { return try await connection.send(command) } catch { throw StateUnavailable("\(name): \(error)") }
    }
}
