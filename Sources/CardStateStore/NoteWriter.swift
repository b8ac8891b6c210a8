package import Authorisation
internal import Redis
internal import Synchronization

/// Brings notes into the journal: at once where the store is there, otherwise when it is there again. What is decided
/// never waits for it.
///
/// A note whose answer was lost is written again, so that the same one may stand there twice.
package final class NoteWriter: Sendable {
    /// Notes that wait for the store, at most; about 300 bytes each. What comes then is counted, and the
    /// count noted.
    package static let waitingMax = 10_000

    private static let batchCount = 128

    private struct State {
        var waiting: [JournalNote] = []
        var notKept = 0
        var notKeptSince: Int64 = 0
        var notKeptTotal = 0
        var isWriting = false
        var isStopped = false
    }

    private let store: StateStore
    private let settings: CardStateSettings
    private let retryAfter: Duration
    private let state = Mutex(State())

    /// - Parameters:
    ///   - store: the way to the servers.
    ///   - settings: the same as for the decisions.
    ///   - retryAfter: from a failure to the next attempt.
    package init(_ store: StateStore, settings: CardStateSettings, retryAfter: Duration = .milliseconds(500))
    {
        (self.store, self.settings, self.retryAfter) = (store, settings, retryAfter)
    }

    /// Takes a note; from any thread, without waiting.
    package func add(_ note: JournalNote) {
        let begins = state.withLock { state in
            if state.waiting.count < Self.waitingMax {
                state.waiting.append(note)
            } else {
                if state.notKept == 0 { state.notKeptSince = note.unixSeconds }
                state.notKept += 1
                state.notKeptTotal += 1
            }
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { Task { await write() } }
    }

    /// Notes that wait for the store.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Requests since the start that are in a count only.
    package var notKeptCount: Int { state.withLock { $0.notKeptTotal } }

    /// Waits for what is left, but not for ever.
    /// - Returns: notes that the store has not got.
    package func finish(within timeout: Duration) async -> Int {
        let end = ContinuousClock.now + timeout
        while state.withLock({ $0.isWriting }), ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(20))
        }
        return state.withLock { state in
            state.isStopped = true
            return state.waiting.count + state.notKept
        }
    }

    private func write() async {
        while let notes = next() {
            var written = 0
            var sessions: [ObjectIdentifier: RedisSession] = [:]
            do {
                for note in notes {
                    let answer = try await store.replyFromAnywhere(
                        to: command(note), bucket: bucket(note))
                    sessions[ObjectIdentifier(answer.session)] = answer.session
                    written += 1
                }
            } catch {
                try? await Task.sleep(for: retryAfter)
            }
            for session in sessions.values where await !isSafe(session) { written = 0 }
            state.withLock { [written] in $0.waiting.removeFirst(written) }
        }
    }

    /// What only a master has that is replaced would be gone with it: a note is kept here until replicas have it.
    /// - Returns: false where that master is not the master any more: its notes are written again.
    private func isSafe(_ session: RedisSession) async -> Bool {
        guard settings.replicasMin > 0 else { return true }
        while !state.withLock({ $0.isStopped }) {
            if await store.isSafe(session, settings) { return true }
            guard !session.isOver else { return false }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// The oldest notes, or that some were not kept; nil when all are written.
    private func next() -> ArraySlice<JournalNote>? {
        state.withLock { state in
            if state.isStopped {
                state.isWriting = false
                return nil
            }
            if state.waiting.isEmpty, state.notKept > 0 {
                state.waiting.append(JournalNote(notKept: state.notKept, unixSeconds: state.notKeptSince))
                state.notKept = 0
            }
            if state.waiting.isEmpty {
                state.isWriting = false
                return nil
            }
            return state.waiting.prefix(Self.batchCount)
        }
    }

    /// Beside the card's decisions where the card is known.
    private func bucket(_ note: JournalNote) -> Int { note.card?.bucket(of: settings.bucketCount) ?? 0 }

    private func command(_ note: JournalNote) -> RedisCommand {
        var line: [UInt8] = []
        note.appendEncoded(into: &line)
        var command = RedisCommand(argumentCount: note.card == nil ? 6 : 8)
        command.append("FCALL")
        command.append("cardrecords_note")
        command.append("1")
        command.append("\(StoreNames.bucketTag(bucket(note))):journal")
        command.append("n")
        command.append(line)
        if let card = note.card {
            command.append("c")
            command.append(bigEndian: card.high, card.low)
        }
        return command
    }
}
