internal import NIOCore
internal import NIOPosix

/// How a channel connects, is prepared, follows sentinels and comes back.
extension RedisChannel {
    var unavailability: String? {
        switch phase {
        case .ready: nil
        case .waiting(let why): why
        case .preparing: "connection is being prepared"
        case .stopped: "stopped"
        }
    }

    /// Several commands, nothing of anybody else between them.
    func send(_ commands: [RedisCommand], _ batch: ReplyBatch, beforeReady: Bool) {
        var refusal: RedisError?
        switch phase {
        case .ready: break
        case .preparing where beforeReady: break
        default: refusal = .notConnected(unavailability ?? "")
        }
        if inFlight.count + commands.count > settings.inFlightCommandsMax { refusal = refusal ?? .overloaded }
        for command in commands {
            if let refusal {
                batch.add(.failure(refusal))
                continue
            }
            inFlight.append(InFlight(waiter: nil, batch: batch, sentAt: .now()))
            outbound.writeBytes(command.bytes)
        }
        if refusal == nil { scheduleFlush() }
    }

    // MARK: - Connection

    func connect() {
        guard case .waiting = phase else { return }
        switch source {
        case .fixed(let address): connect(to: address)
        case .sentinels: if let named { connect(to: named) }
        }
    }

    /// The sentinels name this address. Another one is left at once, even where it still answers: what it takes from
    /// now on may be lost.
    func sentinelsName(_ address: RedisAddress) {
        guard named != address else { return }
        let before = named ?? namedBefore
        named = address
        namedBefore = nil
        if case .stopped = phase { return }
        if let before, before != address { settings.primaryReplaced(before, address) }
        leave("the sentinels name \(address) now, no longer \(before.map(\.description) ?? "anybody")")
        connect()
    }

    /// What this primary takes from now on may be lost: it is left until it has replicas or most of the sentinels name it.
    func sentinelsDoubt(_ address: RedisAddress, _ reason: String) {
        guard named == address else { return }
        (named, namedBefore) = (nil, address)
        if case .stopped = phase { return }
        settings.primaryDoubted(address, reason)
        leave(reason)
    }

    /// No sentinel says where the primary is; a connection that works stays.
    func sentinelsNameNobody(_ reason: String) {
        guard named == nil, case .waiting = phase else { return }
        phase = .waiting(reason)
    }

    /// Ends the connection of now; the next one is made, prepared and checked like any other.
    func leave(_ reason: String) {
        let channel: (any Channel)? =
            switch phase {
            case .preparing(let channel), .ready(let channel): channel
            case .waiting, .stopped: nil
            }
        attempt += 1
        retry(reason)
        channel?.close(promise: nil)
    }

    private func connect(to address: RedisAddress) {
        guard case .waiting = phase else { return }
        retrying?.cancel()
        attempt += 1
        let number = attempt
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(settings.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [self = UncheckedChannel(self)] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        RedisChannelHandler(self.link, address, attempt: number))
                }
            }
        let connecting =
            switch address {
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            }
        connecting.assumeIsolated().whenFailure { error in
            // A later attempt may be under way to another address.
            if number == self.attempt { self.retry("\(address): \(error)") }
        }
    }

    func channelActive(_ channel: any Channel, _ address: RedisAddress, attempt number: Int) {
        guard case .waiting = phase, number == attempt, let reader = ReplyReader() else {
            channel.close(promise: nil)
            return
        }
        self.reader = reader
        session = RedisSession(address)
        phase = .preparing(channel)
        scheduleWatch()
        onConnected()
    }

    func prepared() {
        guard case .preparing(let channel) = phase else { return }
        phase = .ready(channel)
        failures = 0
    }

    func preparationFailed(_ reason: String) {
        guard case .preparing(let channel) = phase else { return }
        retry(reason)
        channel.close(promise: nil)
    }

    func channelInactive(_ channel: any Channel) {
        switch phase {
        case .preparing(let current), .ready(let current):
            if current === channel { retry("\(source): connection closed") }
        case .waiting, .stopped: break
        }
    }

    func stop() {
        let channel: (any Channel)? =
            switch phase {
            case .preparing(let channel), .ready(let channel): channel
            case .waiting, .stopped: nil
            }
        phase = .stopped
        retrying?.cancel()
        release()
        channel?.close(promise: nil)
    }

    private func retry(_ reason: String) {
        if case .stopped = phase { return }
        phase = .waiting(reason)
        release()
        failures += 1
        let doubled = settings.reconnectDelayMin.nanoseconds << Int64(min(failures - 1, 16))
        let bounded = min(doubled, settings.reconnectDelayMax.nanoseconds)
        // Jitter, so that many hosts do not come back in step.
        let delay = TimeAmount.nanoseconds(bounded / 2 + Int64.random(in: 0...max(1, bounded / 2)))
        retrying?.cancel()
        retrying = eventLoop.assumeIsolated().scheduleTask(in: delay) { self.connect() }
        // The reason may be that it is the primary no more.
        askSentinels()
    }

    private func release() {
        watch?.cancel()
        watch = nil
        session?.end()
        session = nil
        outbound.clear()
        while var lost = inFlight.popFirst() { lost.end(.failure(.connectionLost)) }
    }

    private func scheduleWatch() {
        watch = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
            self.failOverdue()
            if self.watch != nil { self.scheduleWatch() }
        }
    }

    /// Replies come in order, so only the oldest need to be looked at.
    private func failOverdue() {
        let now = NIODeadline.now()
        if let oldest = inFlight.first, now - oldest.sentAt > settings.stallTimeout {
            switch phase {
            case .preparing(let channel), .ready(let channel): channel.close(promise: nil)
            case .waiting, .stopped: break
            }
            return
        }
        for index in inFlight.indices {
            guard now - inFlight[index].sentAt > settings.replyTimeout else { return }
            inFlight[index].end(.failure(.timedOut))
        }
    }
}

/// Carries the link to its own event loop, where alone it is used.
private struct UncheckedChannel: @unchecked Sendable {
    let link: RedisChannel
    init(_ link: RedisChannel) { self.link = link }
}

final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: RedisChannel
    private let address: RedisAddress
    private let attempt: Int

    init(_ link: RedisChannel, _ address: RedisAddress, attempt: Int) {
        (self.link, self.address, self.attempt) = (link, address, attempt)
    }

    func channelActive(context: ChannelHandlerContext) {
        link.channelActive(context.channel, address, attempt: attempt)
    }

    func channelInactive(context: ChannelHandlerContext) { link.channelInactive(context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        link.received(unwrapInboundIn(data), context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
