package import NIOCore
internal import NIOPosix

/// A TCP proxy on loopback that holds, delays and cuts what passes: what a network does on its worst day, when one
/// wants it. Everything happens on one event loop; memory is bounded because a side whose other side takes nothing
/// is not read any more.
package final class FaultProxy: Sendable {
    /// The port it listens on.
    package let port: Int
    /// The Unix socket it listens on, nil for TCP.
    package let socketPath: String?
    private let listener: any Channel
    private let hub: NIOLoopBoundBox<ProxyHub>

    /// Listens at once.
    /// - Parameters:
    ///   - target: where connections go; connected anew for each.
    ///   - port: on 127.0.0.1; 0 takes a free one.
    ///   - socketPath: listens there instead of on a port.
    ///   - seed: for jitter and cuts.
    package init(
        to target: Target, port: Int = 0, socketPath: String? = nil, seed: UInt64 = 1,
        on eventLoop: any EventLoop
    ) async throws {
        let hub = NIOLoopBoundBox.makeBoxSendingValue(ProxyHub(target, seed: seed), eventLoop: eventLoop)
        self.hub = hub
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if socketPath == nil {
                        try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
                    }
                    try channel.pipeline.syncOperations.addHandler(ProxySide(.toTarget, hub.value))
                }
            }
        if let socketPath {
            listener = try await bootstrap.bind(
                unixDomainSocketPath: socketPath, cleanupExistingSocketFile: true
            )
            .get()
        } else {
            listener = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
        }
        self.socketPath = socketPath
        self.port = listener.localAddress?.port ?? 0
    }

    /// Changes one direction of all connections, those that are there and those to come.
    package func set(_ behaviour: Behaviour, _ direction: Direction) async throws {
        try await onLoop { $0.set(behaviour, direction) }
    }

    /// Holds both directions for so long.
    package func hold(for duration: Duration, _ directions: [Direction] = Direction.allCases) async throws {
        let before = try await onLoop { hub in directions.map { hub.behaviour($0) } }
        for (direction, var behaviour) in zip(directions, before) {
            behaviour.isHeld = true
            try await set(behaviour, direction)
        }
        do { try await Task.sleep(for: duration) } catch {
            for (direction, behaviour) in zip(directions, before) { try await set(behaviour, direction) }
            throw error
        }
        for (direction, behaviour) in zip(directions, before) { try await set(behaviour, direction) }
    }

    /// Ends all connections with a reset.
    package func cut() async throws { try await onLoop { $0.cut() } }

    /// What it has done so far.
    package func counts() async throws -> FaultCounts { try await onLoop { $0.counts } }

    /// Bytes of one direction that are kept back now.
    package func keptBytes(_ direction: Direction) async throws -> Int {
        try await onLoop { $0.keptBytes(direction) }
    }

    /// Ends everything.
    package func stop() async throws {
        try await listener.close().get()
        try await cut()
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (ProxyHub) -> Value) async throws
        -> Value
    {
        try await hub.eventLoop.submit { body(self.hub.value) }.get()
    }
}

/// What all connections of a proxy share; only its event loop touches it.
final class ProxyHub {
    let target: Target
    var numbers: SeededNumbers
    var counts = FaultCounts()
    private var toTarget = Behaviour()
    private var toClient = Behaviour()
    private var sides: [ObjectIdentifier: ProxySide] = [:]

    init(_ target: Target, seed: UInt64) {
        self.target = target
        numbers = SeededNumbers(seed: seed)
    }

    func behaviour(_ direction: Direction) -> Behaviour {
        switch direction {
        case .toTarget: toTarget
        case .toClient: toClient
        }
    }

    func set(_ behaviour: Behaviour, _ direction: Direction) {
        switch direction {
        case .toTarget: toTarget = behaviour
        case .toClient: toClient = behaviour
        }
        for side in sides.values { side.pump() }
    }

    func cut() { for side in sides.values where side.direction == .toTarget { side.reset() } }

    func keptBytes(_ direction: Direction) -> Int {
        sides.values.reduce(0) { $0 + ($1.direction == direction ? $1.keptBytes : 0) }
    }

    func opened(_ side: ProxySide) { sides[ObjectIdentifier(side)] = side }

    func closed(_ side: ProxySide) { sides[ObjectIdentifier(side)] = nil }

    func passed(_ count: Int, _ direction: Direction) {
        switch direction {
        case .toTarget: counts.bytesToTarget += count
        case .toClient: counts.bytesToClient += count
        }
    }
}
