public import Logging
public import NIOCore
internal import NIOPosix
internal import ISO8583
internal import IssuerMessages
public import ServiceLifecycle

/// The listeners of all links, as one service that drains before it ends.
public final class HostServer: Service {
    private let links: [LinkConfiguration]
    private let contexts: [LoopContext]
    private let group: MultiThreadedEventLoopGroupBox
    private let admin: AdminAddress?
    private let drainTimeout: Duration
    private let logger: Logger
    private let clock: @Sendable () -> UInt64
    private let moreMetrics: @Sendable () async -> String
    private let ready: @Sendable ([BoundLink]) -> Void

    /// A link with the port that it really listens on.
    public struct BoundLink: Sendable {
        /// The link's name.
        public let name: String
        /// Address and port.
        public let address: String
        /// The dialect's name.
        public let dialect: String
    }

    /// Where the admin port listens.
    public struct AdminAddress: Sendable {
        /// Loopback unless the operator decides otherwise.
        public var host: String
        /// 0 takes a free one.
        public var port: Int

        /// Takes both.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// - Parameters:
    ///   - links: to listen for.
    ///   - group: the loops; `loops` has one entry for each of them.
    ///   - loops: how each loop decides.
    ///   - admin: the admin port, nil for none.
    ///   - drainTimeout: how long what is under way may take to finish at the end.
    ///   - clock: monotonic nanoseconds.
    ///   - moreMetrics: what others have to say on `/metrics`, in the same format.
    ///   - ready: called once every link accepts connections.
    public init(
        links: [LinkConfiguration], group: any EventLoopGroup, loops: [LoopServices], admin: AdminAddress?,
        drainTimeout: Duration = .seconds(10), logger: Logger, clock: @escaping @Sendable () -> UInt64,
        moreMetrics: @escaping @Sendable () async -> String = { "" },
        ready: @escaping @Sendable ([BoundLink]) -> Void
    ) {
        self.links = links
        self.group = MultiThreadedEventLoopGroupBox(group)
        contexts = loops.map(LoopContext.init)
        self.admin = admin
        self.drainTimeout = drainTimeout
        self.logger = logger
        self.clock = clock
        self.moreMetrics = moreMetrics
        self.ready = ready
    }

    /// Listens until a graceful shutdown is asked for, then drains.
    public func run() async throws {
        var listeners: [any Channel] = []
        var bound: [BoundLink] = []
        for link in links {
            let channel = try await listen(link)
            listeners.append(channel)
            bound.append(
                BoundLink(
                    name: link.profile.name, address: "\(channel.localAddress.map(address) ?? "?")",
                    dialect: link.codec.dialect.name))
        }
        if let admin {
            let channel = try await AdminServer.listen(admin, group: group.group, metrics: metricsText)
            listeners.append(channel)
            bound.append(
                BoundLink(
                    name: "admin", address: "\(channel.localAddress.map(address) ?? "?")", dialect: "http"))
        }
        ready(bound)
        try? await gracefulShutdown()
        logger.info("draining")
        for listener in listeners { try? await listener.close() }
        await drain()
    }

    private func address(_ address: SocketAddress) -> String {
        "\(address.ipAddress ?? "?"):\(address.port ?? 0)"
    }

    private func listen(_ link: LinkConfiguration) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group.group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 8)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 8_192, maximum: 65_536)
            )
            .childChannelInitializer { [contexts, logger, clock] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = contexts.first(where: { $0.services.eventLoop === channel.eventLoop })
                    else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    var logger = logger
                    logger[metadataKey: "link"] = "\(link.profile.name)"
                    try channel.pipeline.syncOperations.addHandler(
                        AcquirerConnection(link, loop, logger, clock: clock))
                }
            }
        return try await bootstrap.bind(host: link.host, port: link.port).get()
    }

    /// Waits for what is under way, but not for ever.
    private func drain() async {
        for context in contexts { context.services.eventLoop.execute { context.drain() } }
        let end = ContinuousClock.now + drainTimeout
        while ContinuousClock.now < end {
            var open = 0
            for context in contexts {
                open += (try? await context.services.eventLoop.submit { context.connectionCount }.get()) ?? 0
            }
            if open == 0 { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
        logger.warning("drain took too long, closing what is left")
        for context in contexts { context.services.eventLoop.execute { context.closeAll() } }
    }

    private func metricsText() async -> String {
        var sum = LoopMetrics()
        for context in contexts {
            if let metrics = try? await context.services.eventLoop.submit({ context.metrics }).get() {
                sum.add(metrics)
            }
        }
        return sum.text + (await moreMetrics())
    }
}

/// Holds the group; loops are shared by nature.
struct MultiThreadedEventLoopGroupBox: Sendable {
    let group: any EventLoopGroup
    init(_ group: any EventLoopGroup) { self.group = group }
}
