internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// The listener of a server link.
struct ListeningEndpoint: Endpoint {
    private let channel: any Channel

    /// Listens from now on.
    init(_ served: ServedLink, _ loops: LoopTable, group: any EventLoopGroup) async throws {
        let configuration = served.settings.configuration
        // Those that can move begin together.
        let first: any EventLoopGroup = served.settings.tls == nil ? loops.contexts[0].eventLoop : group
        channel = try await ServerBootstrap(group: group, childGroup: first)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let loop = try loops.context(of: channel.eventLoop)
                    try channel.pipeline.syncOperations.addHandler(
                        ListenerRest { reason in
                            loop.refusals.log(
                                loop.logger, .warning, message: "no connection can be taken",
                                metadata: ["link": "\(served.name)", "reason": "\(reason)"])
                        })
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try AcquirerConnection.add(to: channel, served, loops: loops)
                }
            }
            .bind(host: configuration.host, port: configuration.port).get()
    }

    var address: String {
        let address = channel.localAddress
        return "\(address?.ipAddress ?? "?"):\(address?.port ?? 0)"
    }

    var trouble: String? { channel.isActive ? nil : "not listening" }

    func stop() async { try? await channel.close() }
}

/// The loops of the host, by event loop.
struct LoopTable: Sendable {
    let contexts: [LoopContext]

    func context(of eventLoop: any EventLoop) throws -> LoopContext {
        guard let context = contexts.first(where: { $0.services.eventLoop === eventLoop }) else {
            throw ChannelError.inappropriateOperationForState
        }
        return context
    }
}

extension AcquirerConnection {
    static func set(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try options.setOption(.socketOption(.so_keepalive), value: 1)
        try options.setOption(.allowRemoteHalfClosure, value: true)
        try options.setOption(.writeBufferWaterMark, value: .init(low: 65_536, high: 262_144))
        // Some hundreds of requests a turn of the loop: in a flood, one that takes many thousands finishes none for a second.
        // Fewer would wait in the socket, where nobody knows how old they are.
        try options.setOption(.maxMessagesPerRead, value: 4)
        try options.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 8_192, maximum: 16_384))
    }

    /// Makes a channel a connection of the link. On the channel's loop.
    static func add(to channel: any Channel, _ served: ServedLink, loops: LoopTable) throws {
        let loop = try loops.context(of: channel.eventLoop)
        let settings: ServedLink.Settings
        do {
            settings = try served.admit(channel)
        } catch {
            loop.metrics.peersRefused += 1
            let peer = channel.remoteAddress.map { "\($0)" } ?? "?"
            loop.refusals.log(
                loop.logger, .warning, message: "connection refused",
                metadata: ["link": "\(served.name)", "peer": "\(peer)", "reason": "\(error)"])
            throw error
        }
        try AcquirerConnection.set(channel)
        let pipeline = channel.pipeline.syncOperations
        let configuration = settings.configuration
        let connection = AcquirerConnection(configuration, served, loop: loop, tls: settings.tls)
        if let tls = settings.tls {
            let examine: NIOSSLCustomVerificationCallback = { [weak connection] certificates, promise in
                guard let connection else { return promise.succeed(.failed) }
                connection.examine(certificates, promise: promise)
            }
            switch configuration.role {
            case .server: try pipeline.addHandler(tls.serverHandler(examine: examine))
            case .client:
                try pipeline.addHandler(tls.clientHandler(host: configuration.host, examine: examine))
            }
        }
        try pipeline.addHandler(connection)
    }
}
