internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The connections of a client link: as many as the configuration says, each opened again after every loss.
final class DiallingEndpoint: Endpoint {
    private struct State {
        var stopped = false
        var trouble: [Int: String] = [:]
        var backoffs: [Int: Backoff] = [:]
    }

    private let served: ServedLink
    private let loops: LoopTable
    private let group: any EventLoopGroup
    private let logger: Logger
    private let clock: @Sendable () -> UInt64
    private let state = Mutex(State())
    let address: String

    /// Begins to connect.
    init(
        _ served: ServedLink, _ loops: LoopTable, group: any EventLoopGroup, logger: Logger,
        clock: @escaping @Sendable () -> UInt64
    ) {
        let configuration = served.settings.configuration
        self.served = served
        self.loops = loops
        self.group = group
        self.clock = clock
        var logger = logger
        logger[metadataKey: "link"] = "\(served.name)"
        self.logger = logger
        address = "\(configuration.host):\(configuration.port)"
        for number in 0..<configuration.connectionsMax {
            state.withLock { $0.trouble[number] = "connecting" }
            dial(number)
        }
    }

    var trouble: String? { state.withLock { $0.trouble.min { $0.key < $1.key }?.value } }

    func stop() async { state.withLock { $0.stopped = true } }

    private func dial(_ number: Int) {
        guard !state.withLock({ $0.stopped }) else { return }
        let configuration = served.settings.configuration
        ClientBootstrap(group: group.next())
            .connectTimeout(.seconds(5))
            .channelInitializer { [served, loops] channel in
                channel.eventLoop.makeCompletedFuture {
                    try AcquirerConnection.add(to: channel, served, loops: loops)
                }
            }
            .connect(host: configuration.host, port: configuration.port)
            .whenComplete { [self] result in
                switch result {
                case .success(let channel): connected(channel, number)
                case .failure(let error): failed(number, "\(error)")
                }
            }
    }

    private func connected(_ channel: any Channel, _ number: Int) {
        state.withLock { $0.trouble[number] = nil }
        let connection = try? channel.pipeline.syncOperations.handler(type: AcquirerConnection.self)
        channel.closeFuture.whenComplete { [self] _ in
            let wasHeard = connection?.state.wasHeard ?? false
            let delay = state.withLock { state in
                state.trouble[number] = "connection lost"
                return state.backoffs[number, default: Backoff()]
                    .lost(wasHeard: wasHeard, random: .random(in: 0..<1))
            }
            again(number, in: delay)
        }
    }

    private func failed(_ number: Int, _ reason: String) {
        let (delay, isNew) = state.withLock { state in
            defer { state.trouble[number] = reason }
            return (
                state.backoffs[number, default: Backoff()].failed(random: .random(in: 0..<1)),
                state.trouble[number] != reason
            )
        }
        // The same reason again says nothing new.
        logger.log(
            level: isNew ? .warning : .debug, "no connection",
            metadata: ["address": "\(address)", "reason": "\(reason)", "retryMilliseconds": "\(delay)"])
        again(number, in: delay)
    }

    private func again(_ number: Int, in milliseconds: Int) {
        // At the end another loop than this connection's may have shut down already.
        guard !state.withLock({ $0.stopped }) else { return }
        group.next().scheduleTask(in: .milliseconds(Int64(milliseconds))) { [self] in dial(number) }
    }
}
