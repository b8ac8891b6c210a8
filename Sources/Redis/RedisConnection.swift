internal import EventLoops
package import NIOCore
internal import Synchronization

/// Where a server is.
package enum RedisAddress: Hashable, Sendable, CustomStringConvertible {
    /// A Unix socket.
    case unix(path: String)
    /// TCP.
    case tcp(host: String, port: Int)

    /// For people.
    package var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let host, let port): "\(host):\(port)"
        }
    }
}

/// Bounds of a connection. Zero never means without bound.
package struct RedisConnectionSettings: Sendable {
    /// Commands that may wait for their replies: more than a host has requests under way.
    package var inFlightCommandsMax = 65_536
    /// How long a command may wait for its reply.
    package var replyTimeout: TimeAmount = .seconds(2)
    /// A connection whose oldest command waits longer than this is given up. Its command was given up before;
    /// the next
    /// connection may find another master.
    package var stallTimeout: TimeAmount = .seconds(3)
    /// How long connecting may take.
    package var connectTimeout: TimeAmount = .seconds(2)
    /// Pause after the first failed attempt; doubled up to `reconnectDelayMax`, with jitter.
    package var reconnectDelayMin: TimeAmount = .milliseconds(20)
    /// See `reconnectDelayMin`.
    package var reconnectDelayMax: TimeAmount = .seconds(2)

    /// Told when the sentinels name another primary than before: the old one, then the new one.
    package var primaryReplaced: @Sendable (RedisAddress, RedisAddress) -> Void = { _, _ in }

    /// Told when a primary is left that may be cut off, with the reason.
    package var primaryDoubted: @Sendable (RedisAddress, String) -> Void = { _, _ in }

    /// The defaults above.
    package init() {}
}

/// A pipelined connection, bound to one event loop, that comes back by itself.
///
/// All commands of one turn of the loop leave in one write. Replies come in order. A command that was in
/// flight when the connection broke fails: whether it was carried out is unknown, so it is never sent again.
package final class RedisConnection: Sendable {
    /// The loop on which `send` has to be called.
    package let eventLoop: any EventLoop
    private let link: NIOLoopBoundBox<RedisChannel>
    private let counter = Atomic<UInt64>(0)
    private let watch: SentinelWatch?

    /// Begins to connect at once.
    ///
    /// - Parameters:
    ///   - address: of the server.
    ///   - eventLoop: the loop it lives on.
    ///   - settings: its bounds.
    ///   - prepare: run on every new connection before others may use it; a thrown error closes it again.
    package convenience init(
        to address: RedisAddress, on eventLoop: any EventLoop,
        settings: RedisConnectionSettings = RedisConnectionSettings(),
        prepare: @escaping @Sendable (RedisConnection) async throws -> Void = { _ in }
    ) {
        self.init(to: .fixed(address), on: eventLoop, settings: settings, prepare: prepare)
    }

    /// The same with an address that has to be found first.
    /// - Parameter onPush: gets what the server sends unasked, of channels that `prepare` has subscribed to.
    package init(
        to source: RedisSource, on eventLoop: any EventLoop,
        settings: RedisConnectionSettings = RedisConnectionSettings(),
        onPush: (@Sendable (RedisReply) -> Void)? = nil,
        prepare: @escaping @Sendable (RedisConnection) async throws -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        link = NIOLoopBoundBox.makeBoxSendingValue(
            RedisChannel(source: source, eventLoop: eventLoop, settings: settings), eventLoop: eventLoop)
        if case .sentinels(let master, let sentinels) = source {
            watch = SentinelWatch(of: master, by: sentinels, on: eventLoop)
        } else {
            watch = nil
        }
        eventLoop.execute { [self] in
            link.value.onPush = onPush
            if let watch {
                link.value.askSentinels = { [weak watch] in watch?.askNow() }
                watch.start { [weak self] finding in
                    switch finding {
                    case .primary(let address): self?.link.value.sentinelsName(address)
                    case .nobody(let why): self?.link.value.sentinelsNameNobody(why)
                    case .doubtful(let address, let why):
                        self?.link.value.sentinelsDoubt(address, why)
                    }
                } isNeeded: { [weak self] in
                    self?.link.value.unavailability != nil
                }
            }
            link.value.onConnected = { [weak self] in
                guard let self else { return }
                Task(executorPreference: EventLoopExecutor(self.eventLoop)) {
                    do {
                        try await prepare(self)
                        self.eventLoop.execute { self.link.value.prepared() }
                    } catch {
                        let reason = String(describing: error)
                        self.eventLoop.execute { self.link.value.preparationFailed(reason) }
                    }
                }
            }
            link.value.connect()
        }
    }

    /// Sends a command and waits for the reply. Call it on the event loop's executor.
    /// - Throws: `RedisError`; an error reply becomes `.refused`.
    package func send(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        counter.wrappingAdd(1, ordering: .relaxed)
        let result = await withUnsafeContinuation { continuation in
            link.value.send(command.bytes, continuation, beforeReady: false)
        }
        return try RedisConnection.unwrap(result)
    }

    /// The same from any thread: one hop. While the connection is being prepared, only this reaches the
    /// server.
    package func sendFromAnywhere(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        counter.wrappingAdd(1, ordering: .relaxed)
        let result = await withUnsafeContinuation { continuation in
            eventLoop.execute { self.link.value.send(command.bytes, continuation, beforeReady: true) }
        }
        return try RedisConnection.unwrap(result)
    }

    /// Sends a command and says which connection answered it. Call it on the event loop's executor.
    /// - Throws: `RedisError`; an error reply becomes `.refused`.
    package func reply(to command: RedisCommand) async throws(RedisError) -> RedisAnswer {
        let session = link.value.session
        let reply = try await send(command)
        guard let session else { throw .connectionLost }
        return RedisAnswer(reply: reply, session: session)
    }

    /// Sends several commands with nothing of anybody else between them. Replies in the same order; an error reply is
    /// one of them. From any thread, and while the connection is being prepared.
    package func sendTogether(
        _ commands: [RedisCommand]
    ) async -> (replies: [Result<RedisReply, RedisError>], session: RedisSession?) {
        guard !commands.isEmpty else { return ([], nil) }
        counter.wrappingAdd(UInt64(commands.count), ordering: .relaxed)
        return await withUnsafeContinuation { continuation in
            eventLoop.execute {
                let session = self.link.value.session
                let batch = ReplyBatch(count: commands.count) {
                    continuation.resume(returning: ($0, session))
                }
                self.link.value.send(commands, batch, beforeReady: true)
            }
        }
    }

    /// Sends commands together and says which connection answered the last one.
    package func replyFromAnywhere(to commands: [RedisCommand]) async throws(RedisError) -> RedisAnswer {
        let (replies, session) = await sendTogether(commands)
        guard let last = replies.last else { throw .notConnected("nothing was sent") }
        let reply = try RedisConnection.unwrap(last)
        guard let session else { throw .connectionLost }
        return RedisAnswer(reply: reply, session: session)
    }

    /// The connection of now; nil where there is none. From any thread.
    package func session() async -> RedisSession? {
        await withUnsafeContinuation { continuation in
            eventLoop.execute { continuation.resume(returning: self.link.value.session) }
        }
    }

    /// Ends the connection of now, if it is this one or none is named: the next one is prepared anew. From
    /// any thread.
    package func leave(_ session: RedisSession? = nil, because reason: String) {
        eventLoop.execute {
            guard let current = self.link.value.session, session == nil || session === current else { return }
            self.link.value.leave(reason)
        }
    }

    /// A primary of the sentinels has lost all its replicas, or has some again: without them it counts only while most of the
    /// sentinels name it. From any thread.
    package func replicasAreLost(_ areLost: Bool, of address: RedisAddress) {
        watch?.replicasAreLost(areLost, of: address)
    }

    /// Nil when commands can be sent, otherwise why not. From any thread.
    package func unavailability() async -> String? {
        await withUnsafeContinuation { continuation in
            eventLoop.execute { continuation.resume(returning: self.link.value.unavailability) }
        }
    }

    /// Waits until the connection is ready.
    /// - Throws: the last reason if that takes longer than `timeout`.
    package func waitUntilReady(timeout: Duration) async throws {
        let clock = ContinuousClock()
        let end = clock.now + timeout
        while let reason = await unavailability() {
            guard clock.now < end else { throw RedisError.notConnected(reason) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Commands sent since the start.
    package var commandsSent: UInt64 { counter.load(ordering: .relaxed) }

    /// Closes for good; commands in flight fail.
    package func close() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            eventLoop.execute {
                self.link.value.stop()
                continuation.resume()
            }
        }
        await watch?.stop()
    }

    static func unwrap(
        _ result: Result<RedisReply, RedisError>
    ) throws(RedisError) -> RedisReply {
        let reply = try result.get()
        if case .error(let error) = reply { throw .refused(error) }
        return reply
    }
}
