public import Authorisation
internal import EMV
internal import Redis

/// The `CardState` port on Redis, for the event loop that the store's connections live on.
public struct RedisCardState: CardState {
    private let store: StateStore
    let settings: CardStateSettings

    /// - Parameters:
    ///   - store: the way to the servers.
    ///   - settings: the same for every host on this store.
    public init(_ store: StateStore, settings: CardStateSettings) {
        self.store = store
        self.settings = settings
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
        switch try await send(command, keys, "read") {
        case .null: return CardReading(card: nil, answered: nil)
        case .string(let bytes):
            let reading = try StoredCard.reading(bytes)
            // An answer that only a master without replicas knows may never have been told and may yet be gone: it is
            // not told now either.
            if reading.answered != nil, settings.replicasMin > 0 { try await waitForReplicas(keys) }
            return reading
        default: throw StateUnavailable("read: unexpected reply")
        }
    }

    /// One `FCALL`: everything or nothing.
    public func commit(_ commit: AuthorisationCommit) async throws(StateUnavailable) -> CommitResult {
        let keys = CardKeys(commit.token, bucketCount: settings.bucketCount)
        var entry: [UInt8] = []
        entry.reserveCapacity(384)
        commit.entry.appendEncoded(into: &entry)
        // The usual request needs no word on how it is to be treated, and none on scripts.
        let special = commit.mode != .decide || commit.original != nil
        let count = (special ? 22 : 20) + (commit.scripts == nil ? 0 : 2)
        var command = RedisCommand(argumentCount: count, reserving: 1_024)
        command.append("FCALL")
        command.append(commit.scripts == nil ? "cardstate_commit" : "cardstate_commit_scripts")
        command.append("3")
        keys.appendCard(to: &command)
        keys.appendWindow(to: &command)
        keys.appendJournal(to: &command)
        if let scripts = commit.scripts {
            command.append(
                scripts.results.map { "\($0.state.rawValue)\($0.identifier)" }.joined(separator: " "))
            command.append(scripts.sent.map { "\($0)" } ?? "")
        }
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
        let cash = commit.countedCash
        command.append(commit.limits.map { StoredLimits.counted($0, cash: cash) } ?? "")
        command.append(StoredTaking(commit, cash: cash ?? 0))
        if special {
            command.append(commit.mode.stored)
            if let original = commit.original { command.append(original) } else { command.append("") }
        }
        guard case .string(let bytes) = try await send(command, keys, "commit"),
            let result = StoredResult(commit.scripts == nil ? bytes[...] : bytes.dropFirst())
        else { throw StateUnavailable("commit: unexpected reply") }
        if settings.replicasMin > 0 { try await waitForReplicas(keys) }
        var commitResult = result.commitResult
        commitResult.scriptIsClaimed = commit.scripts != nil && bytes.first == UInt8(ascii: "1")
        return commitResult
    }

    /// One `FCALL`: what was taken is given back, or the reversal is kept for its original.
    public func reverse(_ reversal: ReversalCommit) async throws(StateUnavailable) -> CommitResult {
        let keys = CardKeys(reversal.token, bucketCount: settings.bucketCount)
        var entry: [UInt8] = []
        reversal.entry.appendEncoded(into: &entry)
        var command = RedisCommand(argumentCount: 13, reserving: 768)
        command.append("FCALL")
        command.append("cardstate_reverse")
        command.append("2")
        keys.appendCard(to: &command)
        keys.appendJournal(to: &command)
        command.append(reversal.retransmission)
        command.append(bigEndian: reversal.retransmission.fingerprint)
        command.append(reversal.original)
        command.append(decimal: reversal.remaining.minorUnits)
        command.append(decimal: Int64(reversal.remaining.currency.rawValue))
        command.append(entry)
        command.append(keys.token)
        command.append(StoredTaking.reversalHead(day: reversal.entry.unixSeconds / 86_400))
        guard case .string(let bytes) = try await send(command, keys, "reverse"),
            let result = StoredResult(bytes[...])
        else { throw StateUnavailable("reverse: unexpected reply") }
        if settings.replicasMin > 0 { try await waitForReplicas(keys) }
        return result.commitResult
    }

    /// Creates a card or replaces its record.
    /// - Parameter forgettingATCs: true lets the card's next verified ATC be taken as it comes, as for a new
    ///   card. For test environments: it makes old cryptograms good again.
    public func importCard(
        _ card: CardRecord, token: CardToken, forgettingATCs: Bool = false
    ) async throws(StateUnavailable) {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: 14)
        command.append("FCALL")
        command.append("cardstate_import")
        command.append("2")
        keys.appendCard(to: &command)
        keys.appendWindow(to: &command)
        command.append(card.status.rawValue)
        command.append(card.expiry.description)
        command.append(StoredPIN.text(of: card))
        command.append(decimal: Int64(card.pinTriesMax))
        command.append(decimal: card.availableMinorUnits)
        command.append(decimal: Int64(card.currency.rawValue))
        command.append(card.profile)
        command.append(forgettingATCs ? "1" : "0")
        command.append(card.limits.map(StoredLimits.text) ?? "")
        _ = try await send(command, keys, "import")
    }

    /// What an operator may change of a card.
    public enum Change: Sendable {
        /// The next verified ATC is taken as it comes, as for a new card. Old cryptograms are good again.
        case resetATC
        /// No wrong PINs so far.
        case unblockPIN
        /// Active or why not.
        case status(CardStatus)
    }

    /// Changes a card, with an entry in the journal in the same step.
    /// - Parameter note: who, when and why; printable, without line breaks.
    /// - Returns: what stood there before; nil for a card that is unknown.
    public func change(
        _ token: CardToken, _ change: Change, note: String
    ) async throws(StateUnavailable) -> String? {
        let keys = CardKeys(token, bucketCount: settings.bucketCount)
        var command = RedisCommand(argumentCount: 10)
        command.append("FCALL")
        command.append("cardstate_change")
        command.append("3")
        keys.appendCard(to: &command)
        keys.appendWindow(to: &command)
        keys.appendJournal(to: &command)
        switch change {
        case .resetATC:
            command.append("reset-atc")
            command.append("")
        case .unblockPIN:
            command.append("unblock-pin")
            command.append("")
        case .status(let status):
            command.append("status")
            command.append(status.rawValue)
        }
        command.append(note)
        command.append(keys.token)
        return try await send(command, keys, "change").text
    }

    /// `WAIT`: what is booked but not yet elsewhere could be lost with the master, so it is not told to anybody.
    private func waitForReplicas(_ keys: CardKeys) async throws(StateUnavailable) {
        let wait = RedisCommand("WAIT", "\(settings.replicasMin)", "\(settings.replicaTimeoutMilliseconds)")
        guard case .integer(let count) = try await send(wait, keys, "wait") else {
            throw StateUnavailable("wait: unexpected reply")
        }
        guard count >= settings.replicasMin else {
            throw StateUnavailable("commit: on \(count) of \(settings.replicasMin) replicas in time")
        }
    }

    func send(
        _ command: RedisCommand, _ keys: CardKeys, _ name: String
    ) async throws(StateUnavailable) -> RedisReply {
        do { return try await store.send(command, bucket: keys.bucketNumber) } catch {
            throw StateUnavailable("\(name): \(error)")
        }
    }
}
