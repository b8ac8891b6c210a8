package import Authorisation
package import EMV
package import NIOCore
internal import Redis
internal import Synchronization

/// Makes accounts of records of the layout before, for the event loop of the store. Each step can be repeated after a kill,
/// and several hosts may do it at once: the old records are sealed, the account's record is made of them if there is none,
/// and they are removed once it is as safe as the configuration asks.
package final class OldRecordClaims: OldRecords {
    /// The old names of a PAN, one for each sequence number 00…99, in order.
    package typealias Names =
        @Sendable (PAN, Deadline) async throws(CryptographyUnavailable) -> [CardToken]

    /// What came of one PAN.
    package enum Outcome: Sendable {
        /// There is no old record.
        case nothing
        /// So many old records have become its account.
        case claimed(cards: Int)
        /// They belonged to the account already, and were removed.
        case removed(cards: Int)
    }

    /// PANs that are known to have no old record, at most; then they are looked for again.
    private static let withoutMax = 65_536

    let store: StateStore
    let settings: CardStateSettings
    private let names: Names
    private let surroundings: Surroundings
    private let who: String
    private let without = Mutex<Set<CardToken>>([])

    /// - Parameters:
    ///   - who: for the journal; without `;`.
    ///   - names: asks the token.
    package init(
        _ store: StateStore, settings: CardStateSettings, surroundings: Surroundings, who: String,
        names: @escaping Names
    ) {
        (self.store, self.settings, self.names) = (store, settings, names)
        (self.surroundings, self.who) = (surroundings, who)
    }

    /// Of the store.
    package var eventLoop: any EventLoop { store.eventLoop }

    /// On the way of a message whose PAN has no record. Asks the store about a hundred names once, and never again where
    /// there is nothing: no old record is made any more.
    package func claim(
        _ pan: PAN, for token: CardToken, deadline: Deadline
    ) async throws(CouldNotDecide) -> Bool {
        if without.withLock({ $0.contains(token) }) { return false }
        let names: [CardToken]
        do { names = try await self.names(pan, deadline) } catch { throw .cryptography(error) }
        var present: [(UInt8, CardToken)] = []
        for index in try await self.present(names) { present.append((UInt8(index), names[index])) }
        switch try await claim(present, for: token, merging: nil) {
        case .success(.nothing):
            // Another host may have been quicker.
            guard present.isEmpty else { return true }
            without.withLock { known in
                if known.count >= Self.withoutMax { known.removeAll() }
                known.insert(token)
            }
            return false
        case .success: return true
        case .failure(let obstacle):
            throw .state(StateUnavailable("migration: \(obstacle); see `store migrate`", recordTells: false))
        }
    }

    private func present(_ names: [CardToken]) async throws(CouldNotDecide) -> [Int] {
        do {
            return try await withThrowingTaskGroup(of: Int?.self) { group in
                for (index, name) in names.enumerated() {
                    let keys = OldStoreNames(name, bucketCount: settings.bucketCount)
                    group.addTask {
                        let reply = try await self.store.sendFromAnywhere(
                            RedisCommand("EXISTS", keys.card), bucket: keys.bucket)
                        return reply == .integer(1) ? index : nil
                    }
                }
                var found: [Int] = []
                for try await index in group { if let index { found.append(index) } }
                return found.sorted()
            }
        } catch {
            throw .state(StateUnavailable("migration: \(error)", recordTells: false))
        }
    }

    /// Makes an account of old records. On the loop.
    /// - Parameters:
    ///   - names: sequence number and name of every old record of the PAN.
    ///   - merging: what becomes of balances that differ.
    /// - Returns: what came of it, or why they are left as they are.
    package func claim(
        _ names: [(UInt8, CardToken)], for token: CardToken, merging: MergedBalance?
    ) async throws(CouldNotDecide) -> Result<Outcome, MigrationObstacle> {
        var cards: [OldCard] = []
        var found: [CardToken] = []
        for (number, name) in names {
            guard let sealed = try await seal(name, token) else { continue }
            found.append(name)
            do throws(RecordDamage) {
                cards.append(try OldCard(sealed, name: name, sequenceNumber: number))
            } catch { return .failure(.damaged(sequenceNumber: number, error)) }
        }
        guard !cards.isEmpty else { return .success(.nothing) }
        let change: CardChange
        do throws(MigrationObstacle) {
            change = try CardTransition.migrate(
                cards, merging: merging, now: surroundings.unixSeconds(), random: surroundings.random())
        } catch {
            // It may have been made before, with somebody's word.
            guard case .belong = try await whatWasMade(token, found) else { return .failure(error) }
            return .success(.removed(cards: try await remove(found, cards, token: token)))
        }
        let isNew = try await create(change, token, names: found)
        if !isNew {
            switch try await whatWasMade(token, found) {
            case .belong: break
            case .gone: return .success(.nothing)
            case .other: return .failure(.hasRecordAlready)
            }
        }
        let removed = try await remove(found, cards, token: token)
        return .success(isNew ? .claimed(cards: cards.count) : .removed(cards: removed))
    }

    // MARK: - Steps

    private func seal(
        _ name: CardToken, _ token: CardToken
    ) async throws(CouldNotDecide) -> [RedisReply]? {
        let keys = OldStoreNames(name, bucketCount: settings.bucketCount)
        let answer = try await call(
            "cardstate_seal", [keys.card, keys.window, keys.register], bucket: keys.bucket,
            arguments: [Array(keys.name.utf8), Array(token.digits.utf8)])
        return answer.reply.elements
    }

    /// - Returns: false where the account has a record already.
    private func create(
        _ change: CardChange, _ token: CardToken, names: [CardToken]
    ) async throws(CouldNotDecide) -> Bool {
        guard let record = change.record, case .replace(let past) = change.past,
            case .change(let operation, let value, let before)? = change.lines.first
        else { throw .state(StateUnavailable("migration: no record")) }
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        var place: [UInt8] = []
        JournalPlace.append(token, nil, after: record.tag, to: &place)
        let line = "\(operation);\(value);\(before);\(who);\(surroundings.unixSeconds());store migrate"
        let answer = try await call(
            "cardstate_create", accountKeys(token), bucket: keys.bucketNumber,
            arguments: [
                record.bytes, past, Array(names.map(\.digits).joined(separator: " ").utf8),
                Array("c".utf8), place, Array("o".utf8), Array(line.utf8),
            ])
        guard let parts = answer.reply.elements, let first = parts.first else { throw unexpected }
        guard let identifier = first.bytes else { return false }
        guard let position = JournalPosition(identifier) else { throw unexpected }
        store.acknowledged.note(keys.bucketNumber, position, server: answer.session.address)
        try await waitForReplicas(answer.session)
        return true
    }

    private enum Made {
        /// The account's record was made of these.
        case belong
        /// Somebody else has ended it: there are no old records any more.
        case gone
        case other
    }

    private func whatWasMade(_ token: CardToken, _ names: [CardToken]) async throws(CouldNotDecide) -> Made {
        let keys = StoreNames(token, bucketCount: settings.bucketCount)
        let answer = try await send(
            RedisCommand("GET", accountKeys(token)[3]), bucket: keys.bucketNumber)
        let made = Set((answer.reply.text ?? "").split(separator: " ").map(String.init))
        if names.allSatisfy({ made.contains($0.digits) }) {
            // Written by somebody else, perhaps not yet as safe as it has to be.
            try await waitForReplicas(answer.session)
            return .belong
        }
        return try await present(names).isEmpty ? .gone : .other
    }

    private func remove(
        _ names: [CardToken], _ cards: [OldCard], token: CardToken
    ) async throws(CouldNotDecide) -> Int {
        let register = CardKeyRegister(store, settings: settings)
        for card in cards where !card.issuerMasterKey.isEmpty {
            do throws(StateUnavailable) { try await register.take(over: card, for: token) } catch {
                throw .state(error)
            }
        }
        var removed = 0
        for name in names where try await removeOne(name, token) { removed += 1 }
        _ = try await send(
            RedisCommand("DEL", accountKeys(token)[3]), bucket: token.bucket(of: settings.bucketCount))
        return removed
    }

    private func removeOne(_ name: CardToken, _ token: CardToken) async throws(CouldNotDecide) -> Bool {
        let keys = OldStoreNames(name, bucketCount: settings.bucketCount)
        let line = "migrated;\(token.digits);\(keys.name);\(who);\(surroundings.unixSeconds());store migrate"
        let answer = try await call(
            "cardstate_remove", [keys.card, keys.window, keys.register, keys.names, keys.journal],
            bucket: keys.bucket,
            arguments: [
                Array(keys.name.utf8), Array(token.digits.utf8), Array("c".utf8), Array(keys.name.utf8),
                Array("o".utf8), Array(line.utf8),
            ])
        guard let identifier = answer.reply.bytes, let position = JournalPosition(identifier) else {
            return false
        }
        store.acknowledged.note(keys.bucket, position, server: answer.session.address)
        return true
    }

    // MARK: - The store

    private func accountKeys(_ token: CardToken) -> [String] {
        let tag = StoreNames.bucketTag(token.bucket(of: settings.bucketCount))
        return [
            "\(tag):card:\(token.digits)", "\(tag):past:\(token.digits)", "\(tag):journal",
            "\(tag):made-of:\(token.digits)",
        ]
    }

    private func waitForReplicas(_ session: RedisSession) async throws(CouldNotDecide) {
        guard settings.replicasMin > 0 else { return }
        do throws(StateUnavailable) {
            try await store.replicaWaits.wait(
                for: session, replicas: settings.replicasMin,
                milliseconds: settings.replicaTimeoutMilliseconds)
        } catch { throw .state(error) }
    }

    private var unexpected: CouldNotDecide {
        .state(StateUnavailable("migration: another reply than that of its function"))
    }

    private func call(
        _ function: String, _ keys: [String], bucket: Int, arguments: [[UInt8]]
    ) async throws(CouldNotDecide) -> RedisAnswer {
        var command = RedisCommand(argumentCount: 3 + keys.count + arguments.count, reserving: 2_048)
        command.append("FCALL")
        command.append(function)
        command.append("\(keys.count)")
        for key in keys { command.append(key) }
        for argument in arguments { command.append(argument) }
        return try await send(command, bucket: bucket)
    }

    /// What the server refuses for a moment is tried again: each step can be repeated.
    private func send(_ command: RedisCommand, bucket: Int) async throws(CouldNotDecide) -> RedisAnswer {
        for attempt in 1... {
            do throws(RedisError) {
                return try await store.reply(to: command, bucket: bucket)
            } catch {
                guard error.isTryAgain, attempt < 50 else {
                    throw .state(StateUnavailable("migration: \(error.inWords)"))
                }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        throw unexpected
    }
}
