internal import Authorisation
internal import CardStateStore
internal import CoreFoundation
internal import Foundation
internal import HostServer
internal import IssuerConfiguration
internal import Logging
internal import NIOCore
internal import Redis
internal import ServiceLifecycle
internal import Synchronization

/// The state store of a running host: its connections, and what is watched while they serve.
final class StoreSide: Sendable {
    let stores: [StateStore]
    let watch: StoreWatch
    let clock: StoreClock
    let primaries: PrimaryWatch
    private let replicasMin: Int
    /// Of all loops.
    let conflicts = ConflictCount()
    private let primaryChanges = Counter()
    private let primariesDoubted = Counter()

    private final class Counter: Sendable {
        let value = Atomic<UInt64>(0)
    }

    /// Begins to connect.
    init(_ configuration: IssuerConfiguration, _ group: any EventLoopGroup, logger: Logger) throws {
        let location = try configuration.storeLocation()
        let report = StoreSide.report(logger)
        let watch: StoreWatch
        do throws(StorePlaceError) {
            watch = try StoreWatch(
                path: configuration.redis.placeFile, location: location,
                settings: configuration.cardStateSettings, report: report)
        } catch {
            throw WiringError("redis.placeFile: \(error)")
        }
        let counter = primaryChanges
        let last = Mutex("")
        var settings = configuration.connectionSettings
        settings.primaryReplaced = { old, new in
            // Every loop hears of it; one line and one count are enough.
            let isNew = last.withLock { last in
                defer { last = "\(new)" }
                return last != "\(new)"
            }
            guard isNew else { return }
            counter.value.wrappingAdd(1, ordering: .relaxed)
            logger.warning(
                "the sentinels have replaced the state store's primary",
                metadata: ["before": "\(old)", "now": "\(new)"])
        }
        let doubted = primariesDoubted
        let lastDoubt = Mutex(ContinuousClock.Instant?.none)
        settings.primaryDoubted = { address, why in
            // Every loop hears of it within a second.
            let isNew = lastDoubt.withLock { last in
                defer { last = .now }
                return last.map { $0 + .seconds(5) < .now } ?? true
            }
            guard isNew else { return }
            doubted.value.wrappingAdd(1, ordering: .relaxed)
            logger.critical(
                "the state store's primary is left: it may be cut off",
                metadata: ["primary": "\(address)", "reason": "\(why)"])
        }
        replicasMin = configuration.redis.replicasMin
        primaries = PrimaryWatch(
            bound: .milliseconds(configuration.redis.replicasLostMilliseconds), location: location,
            report: report)
        let connection = settings
        self.watch = watch
        stores = group.makeIterator().map {
            StateStore(
                to: location, on: $0, durable: configuration.profile == .production, watch: watch,
                migrates: configuration.redis.migration,
                settings: connection)
        }
        clock = StoreClock(
            name: "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)",
            report: report)
    }

    private static func report(_ logger: Logger) -> @Sendable (StoreEvent) -> Void {
        { event in
            switch event {
            case .refused, .lostInFailover: logger.critical("\(event)")
            case .placeNotKept: logger.error("\(event)")
            case .clock, .replicasLost: logger.warning("\(event)")
            case .taken, .replicasBack: logger.notice("\(event)")
            }
        }
    }

    /// Until every loop has its connection.
    /// - Returns: at once where the store is refused: it may be accepted while the host runs.
    /// - Throws: the reason after five seconds.
    func waitUntilReady() async throws {
        for store in stores {
            let end = ContinuousClock.now + .seconds(5)
            while let why = await store.unavailability() {
                if watch.refusal != nil { return }
                guard ContinuousClock.now < end else { throw RedisError.notConnected(why) }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        await watch.round(stores)
        await clock.round(stores[0])
    }

    func close() async {
        watch.keep(stores)
        for store in stores { await store.close() }
    }

    // MARK: - What operators see

    /// - Parameter loopsHeldUp: would not answer, and are not asked.
    func health(without loopsHeldUp: Set<Int>) async -> [HealthLine] {
        var lines: [HealthLine] = []
        for (index, store) in stores.enumerated() where !loopsHeldUp.contains(index) {
            let why = await store.unavailability()
            lines.append(
                HealthLine("state store, loop \(index)", passed: why == nil, detail: why ?? "connected"))
        }
        // Without them nothing that is decided may be told.
        if replicasMin > 0 {
            let fewest = primaries.last.fewest
            lines.append(
                HealthLine(
                    "state store replicas", passed: (fewest ?? 0) >= replicasMin,
                    detail: "\(fewest.map { "\($0)" } ?? "not known, none") of \(replicasMin) follow"))
        }
        for (index, memory) in watch.memory.enumerated() {
            lines.append(
                HealthLine(
                    "state store memory, server \(index)", passed: memory.hasRoom, detail: memory.words))
        }
        lines.append(HealthLine("clock", passed: clock.held.fault == nil, detail: clock.verdict.words))
        return lines
    }

    func metrics() async -> [MetricFamily] {
        var ready = 0
        for store in stores where await store.unavailability() == nil { ready += 1 }
        let commands = stores.reduce(0) { $0 + $1.commandsSent }
        let memory = watch.memory
        let looked = primaries.last
        return [
            .counter(
                "issuer_redis_commands_total", help: "Commands sent to the state store.",
                value: UInt64(commands)),
            .gauge(
                "issuer_redis_connections", help: "Connections to the state store.",
                value: Int64(stores.count)),
            .gauge("issuer_redis_connections_ready", help: "Of those, usable now.", value: Int64(ready)),
            .counter(
                "issuer_store_primary_changes_total",
                help: "Primaries that were left because the sentinels named another one.",
                value: UInt64(primaryChanges.value.load(ordering: .relaxed))),
            .counter(
                "issuer_store_primaries_left_total",
                help:
                    "Primaries that were left because they had lost their replicas and most sentinels did not name them.",
                value: UInt64(primariesDoubted.value.load(ordering: .relaxed))),
            .counter(
                "issuer_store_conflicts_total",
                help: "Writes that another host was quicker than; each was decided anew.",
                value: conflicts.value),
            .gauge(
                "issuer_store_replicas", help: "Replicas that follow the primaries.",
                value: Int64(looked.replicas)),
            .gauge(
                "issuer_store_replicas_fewest",
                help: "Replicas that follow the primary that has the fewest.",
                value: Int64(looked.fewest ?? 0)),
            .gauge(
                "issuer_store_replicas_wanted",
                help: "Replicas that have to have a decision before it is told.", value: Int64(replicasMin)),
            .gauge(
                "issuer_store_replication_lag_seconds",
                help: "Seconds since the replica that is furthest behind was heard of by its primary.",
                value: Int64(looked.lagSeconds)),
            .gauge(
                "issuer_store_replication_lag_bytes",
                help: "Bytes of the replication stream that the replica furthest behind lacks.",
                value: looked.lagBytes),
            .labelled(
                "issuer_store_role", .gauge,
                help: "1 for each server of the state store that this host works with, by its role.",
                values: looked.roles.map { ([("server", $0.address), ("role", $0.role)], "1") }),
            .gauge(
                "issuer_store_refused",
                help: "1 while the store is refused: empty, another one, or cut short.",
                value: watch.refusal == nil ? 0 : 1),
            .counter(
                "issuer_store_failover_losses_total",
                help: "Buckets that lacked acknowledged entries after a failover without replicasMin.",
                value: UInt64(watch.lossesInFailovers)),
            .gauge(
                "issuer_store_clock_offset_seconds", help: "This host's clock less the store's.",
                milliseconds: clock.offsetMilliseconds),
            .gauge(
                "issuer_store_memory_used_bytes", help: "Of the fullest server of the store.",
                value: Int64(fullest(memory)?.used ?? 0)),
            .gauge(
                "issuer_store_memory_max_bytes", help: "Its maxmemory; 0 for none.",
                value: Int64(fullest(memory)?.bound ?? 0)),
        ]
    }

    private func fullest(_ memory: [StoreMemory]) -> StoreMemory? {
        memory.max { Double($0.used) / Double(max(1, $0.bound)) < Double($1.used) / Double(max(1, $1.bound)) }
    }
}

/// Looks at the store while the host serves.
struct StoreWatching: Service {
    let side: StoreSide

    func run() async throws {
        var turn = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            turn += 1
            side.watch.keep(side.stores)
            if turn % 5 == 0 {
                await side.watch.round(side.stores)
                await side.primaries.round(side.stores)
            }
            if turn % 15 == 0 { await side.clock.round(side.stores[0]) }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
