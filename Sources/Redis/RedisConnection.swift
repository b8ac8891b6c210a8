package import NIOCore
internal import NIOPosix
internal import Synchronization

/// A pipelined connection, bound to one event loop, that comes back by itself.
///
/// All commands of one turn of the loop leave in one write. Replies come in order. A command that was in
/// flight when the connection broke fails: whether it was carried out is unknown, so it is never sent again.
package final class RedisConnection: Sendable {
    /// The loop on which `send` has to be called.
    package let eventLoop: any EventLoop
    let link: NIOLoopBoundBox<RedisChannel>
    let counter = Atomic<UInt64>(0)
    let watch: SentinelWatch?

    /// Begins to connect at once.
    ///
    /// - Parameters:
    ///   - source: where the server is, or who knows where.
    ///   - eventLoop: the loop it lives on.
    ///   - settings: its bounds.
    ///   - onPush: gets what the server sends unasked, of channels that `prepare` has subscribed to.
    ///   - prepare: run on every new connection before others may use it; a thrown error closes it again.
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
        begin(onPush, prepare)
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

    /// Sends a command and says which connection answered it. Call it on the event loop's executor.
    /// - Throws: `RedisError`; an error reply becomes `.refused`.
    package func reply(to command: RedisCommand) async throws(RedisError) -> RedisAnswer {
        let session = link.value.session
        let reply = try await send(command)
        guard let session else { throw .connectionLost }
        return RedisAnswer(reply: reply, session: session)
    }

    static func unwrap(
        _ result: Result<RedisReply, RedisError>
    ) throws(RedisError) -> RedisReply {
        let reply = try result.get()
        if case .error(let error) = reply { throw .refused(error) }
        return reply
    }
}

/// The state of a connection; only its event loop touches it.
final class RedisChannel {
    typealias Waiter = UnsafeContinuation<Result<RedisReply, RedisError>, Never>

    struct InFlight {
        /// Nil once it was told that no reply came in time; its reply is still to be read over.
        var waiter: Waiter?
        /// Where it is one of several that are told together.
        var batch: ReplyBatch?
        let sentAt: NIODeadline

        mutating func end(_ result: Result<RedisReply, RedisError>) {
            waiter?.resume(returning: result)
            batch?.add(result)
            (waiter, batch) = (nil, nil)
        }
    }

    enum Phase {
        case waiting(String)
        case preparing(any Channel)
        case ready(any Channel)
        case stopped
    }

    var onConnected: () -> Void = {}
    /// Gets what the server sends without having been asked.
    var onPush: ((RedisReply) -> Void)?
    /// The connection of now.
    var session: RedisSession?
    /// Asks the sentinels again.
    var askSentinels: () -> Void = {}
    /// Where the sentinels say that the primary is.
    var named: RedisAddress?
    /// What they named before they did not any more.
    var namedBefore: RedisAddress?
    var attempt = 0
    var retrying: Scheduled<Void>?
    let source: RedisSource
    let eventLoop: any EventLoop
    let settings: RedisConnectionSettings
    var phase = Phase.waiting("connecting")
    var reader = ReplyReader()
    var inFlight = CircularBuffer<InFlight>()
    var outbound = ByteBuffer()
    var flushScheduled = false
    var watch: Scheduled<Void>?
    var failures = 0

    init(source: RedisSource, eventLoop: any EventLoop, settings: RedisConnectionSettings) {
        self.source = source
        self.eventLoop = eventLoop
        self.settings = settings
    }

    // MARK: - Commands

    func send(_ bytes: [UInt8], _ waiter: Waiter, beforeReady: Bool) {
        switch phase {
        case .ready: break
        case .preparing where beforeReady: break
        default: return waiter.resume(returning: .failure(.notConnected(unavailability ?? "")))
        }
        guard inFlight.count < settings.inFlightCommandsMax else {
            return waiter.resume(returning: .failure(.overloaded))
        }
        inFlight.append(InFlight(waiter: waiter, batch: nil, sentAt: .now()))
        outbound.writeBytes(bytes)
        scheduleFlush()
    }

    func scheduleFlush() {
        guard !flushScheduled else { return }
        flushScheduled = true
        // Everything else that this turn of the loop sends goes out in the same write.
        eventLoop.assumeIsolated().execute { self.flush() }
    }

    func flush() {
        flushScheduled = false
        guard outbound.readableBytes > 0 else { return }
        switch phase {
        case .ready(let channel), .preparing(let channel):
            channel.writeAndFlush(outbound, promise: nil)
            // Used again if the write is over, which it nearly always is; but one burst's size is not kept for ever. A server
            // that takes nothing holds every buffer, and each has the size of what is in it.
            if outbound.capacity > 262_144 { outbound = ByteBuffer() }
            outbound.clear(minimumCapacity: 512)
        case .waiting, .stopped:
            outbound.clear()
        }
    }

    func received(_ buffer: ByteBuffer, _ channel: any Channel) {
        guard let reader, buffer.withUnsafeReadableBytes({ reader.feed($0) }) else {
            return channel.close(promise: nil)
        }
        do throws(RedisError) {
            while let reply = try reader.next() {
                guard var first = inFlight.popFirst() else {
                    guard let onPush else { return channel.close(promise: nil) }
                    onPush(reply)
                    continue
                }
                first.end(.success(reply))
                // While it is being prepared, the preparation itself decides.
                if case .error(let error) = reply, error.needsNewConnection, case .ready = phase {
                    channel.close(promise: nil)
                }
            }
        } catch {
            channel.close(promise: nil)
        }
    }
}

/// A reply, and the connection that it came over.
package struct RedisAnswer: Sendable {
    package let reply: RedisReply
    package let session: RedisSession
}
