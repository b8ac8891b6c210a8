public import Authorisation
public import NIOCore

/// How one event loop decides requests.
public struct LoopServices: Sendable {
    /// The loop whose connections use it.
    public let eventLoop: any EventLoop
    /// Decides one request; called on the loop.
    public let decide: @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide>

    /// Takes both.
    public init(
        eventLoop: any EventLoop,
        decide: @escaping @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide>
    ) {
        self.eventLoop = eventLoop
        self.decide = decide
    }
}

/// Everything that the connections of one event loop share.
final class LoopContext: @unchecked Sendable {
    // Sendable because only its event loop touches the mutable parts.
    let services: LoopServices
    let executor: EventLoopExecutor
    var metrics = LoopMetrics()
    private var connections: [ObjectIdentifier: AcquirerConnection] = [:]

    init(_ services: LoopServices) {
        self.services = services
        executor = EventLoopExecutor(services.eventLoop)
    }

    func opened(_ connection: AcquirerConnection) {
        connections[ObjectIdentifier(connection)] = connection
        metrics.connections += 1
    }

    func closed(_ connection: AcquirerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        metrics.connections -= 1
    }

    /// Asks every connection to finish. On the loop.
    func drain() { for connection in connections.values { connection.drain() } }

    /// Closes what is left. On the loop.
    func closeAll() { for connection in connections.values { connection.close() } }

    var connectionCount: Int { connections.count }
}
