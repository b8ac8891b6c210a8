internal import EventLoops
internal import NIOCore
internal import Synchronization

/// Asks the sentinels who the primary is, every second and whenever one of them announces a change.
///
/// Sentinels may contradict each other, as those do that are cut off from the rest. Each says with what epoch its
/// configuration was made: the highest one counts. A lower one than was seen before counts only if most of the
/// sentinels have it, as after an operator has set them up anew.
final class SentinelWatch: Sendable {
    enum Finding: Sendable {
        case primary(RedisAddress)
        case nobody(String)
        /// It may be cut off: it has lost its replicas, and most of the sentinels do not name it.
        case doubtful(RedisAddress, String)
    }

    /// What one sentinel says.
    struct Word: Hashable, Sendable {
        let address: RedisAddress
        let epoch: Int
    }

    private struct State {
        var isStopped = false
        var isAsking = false
        var asksAgain = false
        var next: Scheduled<Void>?
        var epoch = 0
        /// A primary that has lost all its replicas.
        var lonely: RedisAddress?
    }

    static let interval = TimeAmount.seconds(1)
    /// While there is no connection.
    static let intervalWithout = TimeAmount.milliseconds(100)

    private let master: String
    private let sentinels: [RedisAddress]
    private let eventLoop: any EventLoop
    private let connections: [RedisConnection]
    private let state = Mutex(State())
    private let callbacks: NIOLoopBoundBox<Callbacks>
    private let subscriptions = Mutex<[RedisConnection]>([])

    private final class Callbacks {
        var found: (Finding) -> Void = { _ in }
        var isNeeded: () -> Bool = { false }
    }

    init(of master: String, by sentinels: [RedisAddress], on eventLoop: any EventLoop) {
        (self.master, self.sentinels, self.eventLoop) = (master, sentinels, eventLoop)
        connections = sentinels.map {
            RedisConnection(to: $0, on: eventLoop, settings: SentinelWatch.settings)
        }
        callbacks = NIOLoopBoundBox.makeBoxSendingValue(Callbacks(), eventLoop: eventLoop)
    }

    private static var settings: RedisConnectionSettings {
        var settings = RedisConnectionSettings()
        settings.connectTimeout = .milliseconds(500)
        settings.replyTimeout = .milliseconds(500)
        settings.stallTimeout = .seconds(1)
        settings.reconnectDelayMax = .milliseconds(500)
        return settings
    }

    // MARK: - On the loop

    /// Begins.
    /// - Parameters:
    ///   - found: what the sentinels say, after each time that they were asked.
    ///   - isNeeded: whether somebody waits for it.
    func start(_ found: @escaping (Finding) -> Void, isNeeded: @escaping () -> Bool) {
        callbacks.value.found = found
        callbacks.value.isNeeded = isNeeded
        let listening = sentinels.map { sentinel in
            RedisConnection(
                to: .fixed(sentinel), on: eventLoop, settings: SentinelWatch.settings,
                onPush: { [weak self] _ in self?.askNow() }
            ) { connection in
                _ = try await connection.sendFromAnywhere(RedisCommand("SUBSCRIBE", "+switch-master"))
            }
        }
        subscriptions.withLock { $0 = listening }
        askNow()
    }

    /// Does not wait for the next second.
    func askNow() {
        let begins = state.withLock { state in
            guard !state.isStopped else { return false }
            if state.isAsking { state.asksAgain = true }
            defer { state.isAsking = true }
            return !state.isAsking
        }
        guard begins else { return }
        state.withLock { $0.next?.cancel() }
        Task(executorPreference: EventLoopExecutor(eventLoop)) { await self.ask() }
    }

    private func ask() async {
        var words: [Word] = []
        var reasons: [String] = []
        await withTaskGroup(of: (RedisAddress, Result<Word, RedisError>).self) { group in
            for (sentinel, connection) in zip(sentinels, connections) {
                group.addTask { (sentinel, await SentinelWatch.word(of: self.master, from: connection)) }
            }
            for await (sentinel, result) in group {
                switch result {
                case .success(let word): words.append(word)
                case .failure(let error): reasons.append("\(sentinel): \(error)")
                }
            }
        }
        let (said, why) = (words, reasons.sorted().joined(separator: "; "))
        eventLoop.execute { self.conclude(said, why) }
    }

    private func conclude(_ words: [Word], _ reasons: String) {
        let (chosen, lonely, isStopped) = state.withLock { state in
            let chosen = SentinelWatch.choose(words, knownEpoch: state.epoch, sentinels: sentinels.count)
            if let chosen { state.epoch = chosen.epoch }
            return (chosen, state.lonely, state.isStopped)
        }
        guard !isStopped else { return }
        if let lonely, !SentinelWatch.isOutvoted(lonely, by: chosen),
            !SentinelWatch.isNamedByMost(lonely, words, sentinels: sentinels.count)
        {
            let count = words.count { $0.address == lonely }
            callbacks.value.found(
                .doubtful(
                    lonely,
                    "\(lonely) has lost all its replicas, and \(count) of \(sentinels.count) sentinels name it"
                ))
        } else if let chosen {
            callbacks.value.found(.primary(chosen.address))
        } else {
            callbacks.value.found(.nobody("no sentinel knows \(master): \(reasons)"))
        }
        let interval = callbacks.value.isNeeded() ? Self.intervalWithout : Self.interval
        let again = state.withLock { state in
            defer { (state.isAsking, state.asksAgain) = (false, false) }
            if !state.asksAgain {
                state.next = eventLoop.scheduleTask(in: interval) { self.askNow() }
            }
            return state.asksAgain
        }
        // Announced while the answers were on their way: they may be of before. Not at once, lest a server that refuses
        // every connection is asked without a pause.
        guard again else { return }
        let soon = eventLoop.scheduleTask(in: .milliseconds(20)) { self.askNow() }
        state.withLock { $0.next = soon }
    }

    /// Another primary is named anyway.
    private static func isOutvoted(_ lonely: RedisAddress, by chosen: Word?) -> Bool {
        chosen.map { $0.address != lonely } ?? false
    }

    static func isNamedByMost(_ address: RedisAddress, _ words: [Word], sentinels: Int) -> Bool {
        2 * words.count { $0.address == address } > sentinels
    }

    /// - Returns: nil where nobody said anything that counts.
    static func choose(_ words: [Word], knownEpoch: Int, sentinels: Int) -> Word? {
        guard let newest = words.map(\.epoch).max() else { return nil }
        let candidates = words.filter { $0.epoch == newest }
        let counts = Dictionary(grouping: candidates, by: \.address).mapValues(\.count)
        guard let most = counts.max(by: { ($0.value, $0.key.description) < ($1.value, $1.key.description) })
        else { return nil }
        guard newest >= knownEpoch || 2 * most.value > sentinels else { return nil }
        return Word(address: most.key, epoch: newest)
    }

    private static func word(
        of master: String, from connection: RedisConnection
    ) async -> Result<Word, RedisError> {
        let (replies, _) = await connection.sendTogether([
            RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master),
            RedisCommand("SENTINEL", "MASTER", master),
        ])
        do throws(RedisError) {
            let parts = try replies[0].get().elements
            let fields = try replies[1].get()
            guard let parts, parts.count == 2, let host = parts[0].text,
                let port = parts[1].text.flatMap({ Int($0) })
            else {
                if case .error(let error) = fields { throw .refused(error) }
                throw .notConnected("does not know it")
            }
            return .success(Word(address: .tcp(host: host, port: port), epoch: epoch(fields)))
        } catch {
            return .failure(error)
        }
    }

    private static func epoch(_ fields: RedisReply) -> Int {
        let elements = fields.elements ?? []
        guard let name = elements.firstIndex(where: { $0.text == "config-epoch" }), name + 1 < elements.count
        else { return 0 }
        return elements[name + 1].text.flatMap { Int($0) } ?? 0
    }

    // MARK: - From anywhere

    /// A primary has lost all its replicas, or has some again.
    func replicasAreLost(_ areLost: Bool, of address: RedisAddress) {
        let isNew = state.withLock { state in
            let before = state.lonely
            if areLost { state.lonely = address } else if state.lonely == address { state.lonely = nil }
            return state.lonely != before
        }
        if isNew { askNow() }
    }

    func stop() async {
        state.withLock { state in
            state.isStopped = true
            state.next?.cancel()
        }
        let listening = subscriptions.withLock { $0 }
        for connection in connections + listening { await connection.close() }
    }
}
