internal import EventLoops
package import NIOCore
internal import Synchronization

/// The same from other threads, and the life of a connection.
extension RedisConnection {
    /// The same for a server whose address is known.
    package convenience init(
        to address: RedisAddress, on eventLoop: any EventLoop,
        settings: RedisConnectionSettings = RedisConnectionSettings(),
        prepare: @escaping @Sendable (RedisConnection) async throws -> Void = { _ in }
    ) {
        self.init(to: .fixed(address), on: eventLoop, settings: settings, prepare: prepare)
    }

    /// `send` from any thread: one hop. While the connection is being prepared, only this reaches the
    /// server.
    package func sendFromAnywhere(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        counter.wrappingAdd(1, ordering: .relaxed)
        let result = await withUnsafeContinuation { continuation in
            eventLoop.execute { self.link.value.send(command.bytes, continuation, beforeReady: true) }
        }
        return try RedisConnection.unwrap(result)
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

    /// Connects, and says what is done when sentinels name another server and when a connection stands.
    func begin(
        _ onPush: (@Sendable (RedisReply) -> Void)?,
        _ prepare: @escaping @Sendable (RedisConnection) async throws -> Void
    ) {
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
}

/// Commands of text arguments, for what is not hot.
extension RedisCommand {
    /// - Parameter arguments: the command's name first.
    package init(_ arguments: String...) { self.init(arguments) }

    /// The same from an array.
    package init(_ arguments: [String]) {
        self.init(argumentCount: arguments.count)
        for argument in arguments { append(argument) }
    }

    /// True once every announced argument has been appended.
    package var isComplete: Bool { missing == 0 }
}
