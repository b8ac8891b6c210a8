internal import EventLoops
internal import Authorisation
internal import NIOCore
internal import Redis
internal import Synchronization

/// Waits for replicas, for one event loop: on a connection of its own for each master, never in front of other cards'
/// commands.
///
/// One round is a command, `WAIT`, and a look at who the server is: it covers everything that the server had
/// acknowledged to anybody before. A round ends after `slice` at the latest, so that nobody waits long for the round of
/// somebody else, and each caller has its own bound. A round counts only for the session in which its callers' writes
/// were acknowledged.
final class ReplicaWaits: @unchecked Sendable {
    // Sendable because only its event loop touches it.
    private struct Waiter {
        let until: NIODeadline
        let continuation: UnsafeContinuation<Result<Void, StateUnavailable>, Never>
    }

    /// Everybody who waits for one master. On the loop only, as all of this.
    private final class Line: @unchecked Sendable {
        let session: RedisSession
        let connection: RedisConnection
        var waiting = CircularBuffer<Waiter>()
        /// Waiters that there ever were, and that there were before the oldest of now.
        var (joined, left) = (0, 0)
        var isRunning = false
        var reached: Int64 = 0

        init(_ session: RedisSession, on eventLoop: any EventLoop) {
            self.session = session
            connection = RedisConnection(to: session.address, on: eventLoop)
        }

        func end(_ result: Result<Void, StateUnavailable>) {
            guard let first = waiting.popFirst() else { return }
            left += 1
            first.continuation.resume(returning: result)
        }
    }

    private static let slice: Int64 = 10

    private let eventLoop: any EventLoop
    private let executor: EventLoopExecutor
    private var lines: [ObjectIdentifier: Line] = [:]
    private var isClosed = false
    /// Told of a server that is not the master any more that it was.
    private let leave: @Sendable (RedisSession, String) -> Void

    init(on eventLoop: any EventLoop, leave: @escaping @Sendable (RedisSession, String) -> Void) {
        self.eventLoop = eventLoop
        self.leave = leave
        executor = EventLoopExecutor(eventLoop)
    }

    /// Returns once what this session has acknowledged so far is on enough replicas. On the loop.
    func wait(
        for session: RedisSession, replicas: Int, milliseconds: Int
    ) async throws(StateUnavailable) {
        guard !session.isOver else { throw ReplicaWaits.broken }
        let line = line(session)
        let result = await withUnsafeContinuation { continuation in
            line.waiting.append(
                Waiter(until: .now() + .milliseconds(Int64(milliseconds)), continuation: continuation))
            line.joined += 1
            guard !line.isRunning else { return }
            line.isRunning = true
            expire(line, replicas)
            Task(executorPreference: executor) {
                await self.serve(line, replicas: replicas, slice: min(Self.slice, Int64(milliseconds)))
            }
        }
        try result.get()
    }

    func close() async {
        let connections = await withUnsafeContinuation { continuation in
            eventLoop.execute {
                self.isClosed = true
                let connections = self.lines.values.map(\.connection)
                self.lines = [:]
                continuation.resume(returning: connections)
            }
        }
        for connection in connections { await connection.close() }
    }

    private static let broken = StateUnavailable("wait: the connection that took the write broke")

    private func line(_ session: RedisSession) -> Line {
        if let known = lines[ObjectIdentifier(session)] { return known }
        for (key, old) in lines where old.session.isOver && !old.isRunning {
            lines[key] = nil
            Task { await old.connection.close() }
        }
        let line = Line(session, on: eventLoop)
        lines[ObjectIdentifier(session)] = line
        return line
    }

    private func serve(_ line: Line, replicas: Int, slice: Int64) async {
        while !line.waiting.isEmpty {
            if line.session.isOver || isClosed {
                while !line.waiting.isEmpty { line.end(.failure(ReplicaWaits.broken)) }
                break
            }
            let covered = line.joined
            switch await round(line, replicas, slice: slice) {
            case .success(let count):
                line.reached = count
                guard count >= replicas else { continue }
                while line.left < covered, !line.waiting.isEmpty {
                    line.end(line.session.isOver ? .failure(ReplicaWaits.broken) : .success(()))
                }
            case .failure(.anotherMaster):
                let words = "wait: the server is not the master any more that took the write"
                leave(line.session, words)
                while !line.waiting.isEmpty { line.end(.failure(StateUnavailable(words))) }
            case .failure(.noReply):
                // Whoever waits has a bound of his own.
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        line.isRunning = false
    }

    private enum RoundFailure: Error {
        case noReply
        case anotherMaster
    }

    private func round(
        _ line: Line, _ replicas: Int, slice: Int64
    ) async -> Result<Int64, RoundFailure> {
        // The first makes the connection's offset that of now. The last is asked after the replicas have answered:
        // under the same identifier, the server was the master all the time.
        let (replies, _) = await line.connection.sendTogether([
            RedisCommand("PING"), RedisCommand("WAIT", "\(replicas)", "\(slice)"),
            RedisCommand("INFO", "replication"),
        ])
        guard case .success(.integer(let count)) = replies[1], case .success(let info) = replies[2],
            let text = info.text
        else { return .failure(.noReply) }
        guard StoreCheck.value("role", text) == "master",
            StoreCheck.value("master_replid", text) == line.session.replicationID
        else { return .failure(.anotherMaster) }
        return .success(count)
    }

    /// Tells those whose time is over, oldest first.
    private func expire(_ line: Line, _ replicas: Int) {
        let now = NIODeadline.now()
        while let first = line.waiting.first, first.until <= now {
            line.end(
                .failure(
                    StateUnavailable(
                        "commit: on \(line.reached) of \(replicas) replicas in time", recordTells: false)))
        }
        guard line.isRunning else { return }
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(5)) { self.expire(line, replicas) }
    }
}

extension StateStore {
    /// Whether all that a session has acknowledged is on the replicas that are asked for; waits as long as they may take.
    /// From any thread.
    func isSafe(_ session: RedisSession, _ settings: CardStateSettings) async -> Bool {
        guard settings.replicasMin > 0 else { return true }
        return await Task(executorPreference: EventLoopExecutor(eventLoop)) {
            do throws(StateUnavailable) {
                try await replicaWaits.wait(
                    for: session, replicas: settings.replicasMin,
                    milliseconds: settings.replicaTimeoutMilliseconds)
                return true
            } catch { return false }
        }.value
    }
}
