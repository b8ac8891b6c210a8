internal import EMV
internal import Glibc
internal import ISO8583
internal import IssuerMessages
internal import NIOCore
internal import NIOPosix
internal import VirtualCard

/// Sends, receives and checks, all on one event loop.
final class LoadEngine: @unchecked Sendable {
    // Sendable because only its event loop touches it after `init`.

    /// How requests come about at the moment.
    enum Mode {
        case idle
        case closed(outstanding: Int)
        case open(ArrivalSchedule)
    }

    /// An approved request that may be sent again.
    struct Earlier {
        let request: PendingRequest
        let approvalCode: [UInt8]
        /// The card's count of requests, this one included.
        let requests: Int
    }

    /// A card's answers that the host keeps for repeats are eight; some of them may be under way.
    static let repeatableRequests = 6

    static let answerLimit: UInt64 = 10_000_000_000

    let eventLoop: any EventLoop
    let profile: LoadProfile
    @exclusivity(unchecked) var source: TransactionSource
    @exclusivity(unchecked) var builders: [RequestBuilder] = []
    @exclusivity(unchecked) private(set) var connections: [LoadConnection] = []
    @exclusivity(unchecked) var dirty: [LoadConnection] = []
    /// Those that an open load has to ask for answers.
    @exclusivity(unchecked) var waiting: [LoadConnection] = []
    @exclusivity(unchecked) var asked: [LoadConnection] = []
    @exclusivity(unchecked) private var nextConnection = 0
    @exclusivity(unchecked) var sequence: UInt64
    @exclusivity(unchecked) var earlier: [String: Earlier] = [:]
    let keepsEarlier: Bool

    @exclusivity(unchecked) var mode = Mode.idle
    @exclusivity(unchecked) var recorder: StageRecorder
    @exclusivity(unchecked) private(set) var startedAt: UInt64 = 0
    @exclusivity(unchecked) var endsAt: UInt64 = 0
    /// Of what is being sent, to the turn of the loop.
    @exclusivity(unchecked) var sendingAt: UInt64 = 0
    @exclusivity(unchecked) var nextIntended: UInt64?
    var alarm: NIOScheduledCallback?
    /// Answers are asked for, and not brought by the event loop.
    private(set) var polls = false
    /// Nil where the event loop has to wait for something itself.
    private(set) var sleep: PreciseSleep?
    /// Intended times of requests that could not be sent yet, oldest first.
    @exclusivity(unchecked) var backlog: [UInt64] = []
    @exclusivity(unchecked) var backlogNext = 0
    @exclusivity(unchecked) var outstanding = 0
    /// Requests whose connection ended before their answer, with that connection.
    @exclusivity(unchecked) var homeless: [(request: PendingRequest, before: LoadConnection)] = []
    private var drained: EventLoopPromise<Void>?
    private var isStopping = false

    init(_ profile: LoadProfile, issuer: DemoIssuer, links: [LoadLink], eventLoop: any EventLoop) throws {
        self.profile = profile
        self.eventLoop = eventLoop
        let now = Int(time(nil))
        var seconds = time_t(now)
        var today = tm()
        gmtime_r(&seconds, &today)
        guard
            let date = TransactionDate(
                year: Int(today.tm_year % 100), month: Int(today.tm_mon + 1), day: Int(today.tm_mday))
        else { throw LoadSetupError("the clock shows no date") }
        source = try TransactionSource(profile, issuer: issuer, date: date, links: links)
        // Begins with the time, so that a second run does not look like a repeat of the first.
        sequence = UInt64(now % 10_000) * 100_000_000
        keepsEarlier = (profile.mix[.repeat] ?? 0) > 0 || (profile.mix[.reversal] ?? 0) > 0
        recorder = StageRecorder(startedAt: 0)
        // A terminal of its own for each run: with the same one, a card whose counter was used in an earlier load would be taken
        // for a repeat of it, answered by what was kept and measured as if it had been decided; with another one it is 63.
        let terminal = "LOAD" + digits(now % 10_000, count: 4)
        builders = try links.map {
            try RequestBuilder($0, products: source.population.products, terminal: terminal)
        }
        guard !builders.isEmpty else { throw LoadSetupError("there is no link") }
        connections = (0..<profile.connections).map {
            LoadConnection(number: $0, builder: builders[$0 % builders.count], engine: self)
        }
        setClock()
    }

    // MARK: - Connections

    /// Opens all connections.
    func connect() async throws {
        for index in 0..<profile.connections {
            do { try await eventLoop.flatSubmit { self.open(self.connections[index]) }.get() } catch {
                let link = connections[index].link
                throw LoadSetupError(
                    "no connection to \(link.host):\(link.port): \(LoadEngine.reason(error)); does the host run there?"
                )
            }
        }
    }

    /// What the system says, without what NIO says around it.
    private static func reason(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.first.map { reason($0.error) } ?? "the name leads nowhere"
        }
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return "\(error)"
    }

    private func open(_ connection: LoadConnection) -> EventLoopFuture<Void> {
        // Both the closure and the handler live on this event loop.
        let handler = NIOLoopBound(connection, eventLoop: eventLoop)
        return ClientBootstrap(group: eventLoop)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = handler.value.link
                    if let tls = link.tls {
                        try channel.pipeline.syncOperations.addHandler(tls.handler(for: link.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(host: connection.link.host, port: connection.link.port).map { _ in }
    }

    func opened(_ connection: LoadConnection) {
        repeatUnanswered()
        if case .closed = mode { refill(connection) }
        sendBacklog()
        flush()
    }

    func closed(_ connection: LoadConnection) {
        for (_, request) in connection.pending.all {
            if profile.repeatsUnanswered {
                homeless.append((request, connection))
            } else {
                lose(request, connection, why: "connection closed")
            }
        }
        connection.pending.removeAll()
        repeatUnanswered()
        guard !isStopping else { return }
        recorder.counts.reconnects += 1
        reopen(connection, after: .zero)
        finishIfDrained()
    }

    private func reopen(_ connection: LoadConnection, after delay: TimeAmount) {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: delay) { [self] in
            guard !isStopping else { return }
            open(bound.value).whenFailure { _ in self.reopen(bound.value, after: .milliseconds(200)) }
        }
    }

    func outOfStep(_ connection: LoadConnection, _ error: FrameError) {
        recorder.counts.stray += 1
        recorder.fault("connection \(connection.number): impossible frame: \(error)")
    }

    /// Lets one connection finish what it has and opens it again.
    func renewOneConnection() {
        guard let connection = takeConnection() else { return }
        connection.isLeaving = true
        leaveIfDone(connection)
    }

    func leaveIfDone(_ connection: LoadConnection) {
        if connection.isLeaving, connection.pending.isEmpty { connection.close() }
    }

    /// The next connection in turn that takes requests.
    func takeConnection() -> LoadConnection? {
        for _ in connections {
            let connection = connections[nextConnection]
            nextConnection = nextConnection + 1 == connections.count ? 0 : nextConnection + 1
            if connection.isOpen, !connection.isLeaving { return connection }
        }
        return nil
    }

    func stop() {
        isStopping = true
        for connection in connections { connection.close() }
    }

    // MARK: - Stages

    /// Computes chip data beforehand. Blocks the loop; nothing is under way then.
    func prepare(_ count: Int) throws { try source.prepare(count) }

    /// Begins to send; the future is done when the sending is over.
    func begin(_ load: LoadProfile.Stage.Load, seconds: Double, seed: UInt64) -> EventLoopFuture<Void> {
        setClock()
        startedAt = NIODeadline.now().uptimeNanoseconds
        endsAt = startedAt + UInt64(seconds * 1e9)
        recorder = StageRecorder(startedAt: startedAt)
        switch load {
        case .closed(let outstanding):
            mode = .closed(outstanding: outstanding)
            for connection in connections { refill(connection) }
            flush()
        case .open(let curve, let spacing):
            var schedule = ArrivalSchedule(curve, seconds: seconds, spacing: spacing, seed: seed)
            nextIntended = schedule.next().map { $0 + startedAt }
            mode = .open(schedule)
            setPolls(true)
            setAlarm()
        case .fraction: preconditionFailure("a fraction is turned into a rate before the stage begins")
        }
        return eventLoop.scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) { self.endSending() }
            .futureResult
    }

    private func endSending() {
        // What the schedule has left lies before the end and only the clock's grain kept it back.
        sendWhatIsDue()
        mode = .idle
        nextIntended = nil
        alarm?.cancel()
        setPolls(false)
    }

    private func setPolls(_ polls: Bool) {
        self.polls = polls
        for connection in connections { connection.setPolled(polls) }
        sleep = polls && connections.allSatisfy(\.isPolled) ? PreciseSleep() : nil
    }

    /// Done when every request has its answer, or the limit is over.
    func drain() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        drained = promise
        eventLoop.scheduleTask(in: .nanoseconds(Int64(Self.answerLimit))) { [self] in
            giveUp()
            finishIfDrained()
        }
        finishIfDrained()
        return promise.futureResult
    }

    func finishIfDrained() {
        guard let drained, outstanding == 0, backlogNext == backlog.count else { return }
        self.drained = nil
        drained.succeed()
    }

    private func giveUp() {
        guard drained != nil else { return }
        recorder.counts.unsent += backlog.count - backlogNext
        backlog.removeAll()
        backlogNext = 0
        for connection in connections {
            for (_, request) in connection.pending.all { lose(request, connection, why: "no answer") }
            connection.pending.removeAll()
        }
        for (request, connection) in homeless { lose(request, connection, why: "no answer") }
        homeless.removeAll()
    }
}
