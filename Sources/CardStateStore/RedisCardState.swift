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
        command.append(keys.card)
        command.append(retransmission.bytes)
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
        command.append(keys.card)
        command.append(keys.window)
        command.append(keys.journal)
        command.append(commit.retransmission?.bytes ?? [])
        command.append(String(commit.retransmission?.fingerprint ?? 0, radix: 16))
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
            let result = StoredResult(
                bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false))
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
        command.append(keys.card)
        command.append(keys.window)
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

/// The card as `cardstate_read` joins it.
enum StoredCard {
    /// `status;expiry;PIN reference;tries;used;ATC;available;currency;profile;answer`.
    static func reading(_ bytes: [UInt8]) throws(StateUnavailable) -> CardReading {
        let parts = bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard parts.count == 10, let status = CardStatus(rawValue: String(decoding: parts[0], as: UTF8.self)),
            let expiry = ExpiryDate(ascii: parts[1]), let triesMax = parts[3].decimal,
            let triesUsed = parts[4].decimal, let available = parts[6].decimal,
            let number = parts[7].decimal.flatMap({ UInt16(exactly: $0) }),
            let currency = CurrencyCode(rawValue: number)
        else { throw StateUnavailable("read: the card's record is damaged") }
        let reference = UInt64(String(decoding: parts[2], as: UTF8.self), radix: 16)
        let card = CardRecord(
            status: status, expiry: expiry, pinReference: reference.map(EncipheredPINBlock.init(rawValue:)),
            pinTriesMax: Int(triesMax), pinTriesUsed: Int(triesUsed),
            highestATC: parts[5].decimal.flatMap { UInt16(exactly: $0) }
                .map(ApplicationTransactionCounter.init(rawValue:)),
            availableMinorUnits: available, currency: currency,
            profile: String(decoding: parts[8], as: UTF8.self))
        return CardReading(card: card, answered: try answer(parts[9]))
    }

    private static func answer(_ bytes: ArraySlice<UInt8>) throws(StateUnavailable) -> RecordedAnswer? {
        if bytes.isEmpty { return nil }
        let parts = bytes.split(separator: UInt8(ascii: " "))
        guard parts.count == 3,
            let fingerprint = UInt64(String(decoding: parts[0], as: UTF8.self), radix: 16),
            let outcome = StoredResult.declined(parts[1])
        else { throw StateUnavailable("read: the recorded answer is damaged") }
        return RecordedAnswer(
            fingerprint: fingerprint, declined: outcome.reason, approvalCode: Array(parts[2]))
    }
}

/// The outcome as `cardstate_commit` joins it.
struct StoredResult {
    let commitResult: CommitResult

    /// - Parameter parts: repeated, declined, code, ATC finding, tries left, available.
    init?(_ parts: [ArraySlice<UInt8>]) {
        guard parts.count == 6, let outcome = StoredResult.declined(parts[1]),
            let finding = parts[3].decimal.flatMap({ UInt8(exactly: $0) }).flatMap(
                ATCFinding.init(rawValue:)),
            let tries = parts[4].decimal, let available = parts[5].decimal
        else { return nil }
        commitResult = CommitResult(
            declined: outcome.reason, approvalCode: outcome.reason == nil ? Array(parts[2]) : [],
            repeated: parts[0].first == UInt8(ascii: "1"), atc: finding, pinTriesLeft: Int(tries),
            availableMinorUnits: available)
    }

    /// 0 for an approval, otherwise a reason; nil for a number that is none.
    static func declined(_ digits: ArraySlice<UInt8>) -> (reason: DeclineReason?, Void)? {
        guard let number = digits.decimal.flatMap({ UInt8(exactly: $0) }) else { return nil }
        if number == 0 { return (nil, ()) }
        guard let reason = DeclineReason(rawValue: number) else { return nil }
        return (reason, ())
    }
}

extension ArraySlice<UInt8> {
    /// Decimal digits with an optional minus; nil where it is something else or too long.
    var decimal: Int64? {
        guard let first, count <= 19 else { return nil }
        let negative = first == UInt8(ascii: "-")
        var value: Int64 = 0
        for digit in negative ? dropFirst() : self {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = product + Int64(digit - 0x30)
        }
        return negative ? -value : value
    }
}
