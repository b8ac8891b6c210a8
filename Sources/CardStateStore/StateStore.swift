internal import Authorisation
package import NIOCore
package import Redis
internal import Synchronization

/// Where the state is kept.
package enum StoreLocation: Hashable, Sendable {
    /// One server, or whichever of several is the master now.
    case server(RedisSource)
    /// A cluster, found through these nodes.
    case cluster([RedisAddress])

    /// Whether another server may take over.
    var failsOver: Bool {
        switch self {
        case .server(.fixed): false
        case .server(.sentinels), .cluster: true
        }
    }
}

extension StateStore {
    /// Begins to connect.
    /// - Parameters:
    ///   - durable: true refuses a server that may lose what it has acknowledged.
    ///   - watch: looks at every connection before it is used; nil: whatever the store holds is taken for
    ///   right.
    ///   - migrates: true makes the store one that hosts of the layout before do not serve any more, and that old
    ///   records can be claimed of.
    package init(
        to location: StoreLocation, on eventLoop: any EventLoop, durable: Bool = false,
        watch: StoreWatch? = nil, migrates: Bool = false,
        settings: RedisConnectionSettings = RedisConnectionSettings()
    ) {
        watch?.listen(to: acknowledged)
        let prepare: @Sendable (RedisConnection) async throws -> Void = {
            try await StateStore.prepare($0, durable: durable)
            if migrates { try await FunctionLibrary.migration.ensure(on: $0) }
            try await watch?.check($0)
        }
        let waits = RouteReference()
        replicaWaits = ReplicaWaits(on: eventLoop) { waits.leave($0, because: $1) }
        switch location {
        case .server(let source):
            route = .server(RedisConnection(to: source, on: eventLoop, settings: settings, prepare: prepare))
        case .cluster(let seeds):
            route = .cluster(
                RedisCluster(seeds: seeds, on: eventLoop, settings: settings) {
                    try await StateStore.expectServing($0)
                    try await prepare($0)
                })
        }
        waits.set(route)
    }

    /// Ends every connection of now; the next ones are prepared and checked anew.
    func leave(because reason: String) {
        switch route {
        case .server(let connection): connection.leave(because: reason)
        case .cluster(let cluster): cluster.leave(because: reason)
        }
    }

    /// A node of a cluster that was made a moment ago has its slots, and refuses every key until it has heard of the others'.
    private static func expectServing(_ connection: RedisConnection) async throws {
        let reply = try await connection.sendFromAnywhere(RedisCommand("CLUSTER", "INFO"))
        let state = StoreCheck.value("cluster_state", reply.text ?? "")
        guard state == "ok" else {
            throw StateUnavailable("the cluster does not serve (cluster_state \(state ?? "not told"))")
        }
    }

    static func prepare(_ connection: RedisConnection, durable: Bool) async throws {
        _ = try await connection.sendFromAnywhere(RedisCommand("CLIENT", "SETNAME", "issuer-host"))
        for line in try await StoreCheck.lines(on: connection)
        where !line.passed && (line.required || durable) {
            throw StateUnavailable("\(line.subject): \(line.detail)")
        }
        try await FunctionLibrary.records.ensure(on: connection)
        let (replies, session) = await connection.sendTogether([RedisCommand("INFO", "replication")])
        session?.replicationID = StoreCheck.value("master_replid", try replies[0].get().text ?? "") ?? ""
    }

    /// The loop on which `send` has to be called.
    package var eventLoop: any EventLoop {
        switch route {
        case .server(let connection): connection.eventLoop
        case .cluster(let cluster): cluster.eventLoop
        }
    }

    /// The same from any thread.
    func replyFromAnywhere(
        to command: RedisCommand, bucket: Int
    ) async throws(RedisError) -> RedisAnswer {
        switch route {
        case .server(let connection): try await connection.replyFromAnywhere(to: [command])
        case .cluster(let cluster):
            try await cluster.replyFromAnywhere(to: command, slot: Self.slot(of: bucket))
        }
    }

    /// How full the servers are, one entry for each.
    func memory() async throws(RedisError) -> [StoreMemory] {
        switch route {
        case .server(let connection): return [try await StoreMemory(of: connection)]
        case .cluster(let cluster):
            var memory: [StoreMemory] = []
            for node in cluster.owners { memory.append(try await StoreMemory(of: node)) }
            return memory
        }
    }

    /// A connection to each master.
    var masters: [RedisConnection] {
        switch route {
        case .server(let connection): [connection]
        case .cluster(let cluster): cluster.owners
        }
    }

    /// The same from any thread, without saying who answered.
    func sendFromAnywhere(_ command: RedisCommand, bucket: Int) async throws(RedisError) -> RedisReply {
        switch route {
        case .server(let connection): try await connection.sendFromAnywhere(command)
        case .cluster(let cluster):
            try await cluster.replyFromAnywhere(to: command, slot: Self.slot(of: bucket)).reply
        }
    }

    static func slot(of bucket: Int) -> Int {
        bucket < slots.count ? slots[bucket] : HashSlot.of(StoreNames.bucketTag(bucket))
    }

    /// What is there to say about the server; for a cluster, that its nodes serve: each was checked when it was
    /// connected.
    package func check() async throws(RedisError) -> [StoreCheckLine] {
        switch route {
        case .server(let connection): return try await StoreCheck.lines(on: connection)
        case .cluster(let cluster):
            let why = await cluster.unavailability()
            return [
                StoreCheckLine(
                    subject: "Redis Cluster", passed: why == nil, required: true,
                    detail: why ?? "every slot has a node that serves")
            ]
        }
    }

    /// Nil when commands can be sent, otherwise why not.
    package func unavailability() async -> String? {
        switch route {
        case .server(let connection): await connection.unavailability()
        case .cluster(let cluster): await cluster.unavailability()
        }
    }

    /// Waits until commands can be sent.
    /// - Throws: the last reason if that takes longer than `timeout`.
    package func waitUntilReady(timeout: Duration) async throws {
        switch route {
        case .server(let connection): try await connection.waitUntilReady(timeout: timeout)
        case .cluster(let cluster): try await cluster.waitUntilReady(timeout: timeout)
        }
    }

    /// Commands sent since the start.
    package var commandsSent: UInt64 {
        switch route {
        case .server(let connection): connection.commandsSent
        case .cluster(let cluster): cluster.commandsSent
        }
    }

    /// Closes for good.
    package func close() async {
        switch route {
        case .server(let connection): await connection.close()
        case .cluster(let cluster): await cluster.close()
        }
        await replicaWaits.close()
    }
}

extension StateStore {
    /// The route, for who is made before it.
    final class RouteReference: Sendable {
        let route = Mutex<Route?>(nil)

        func set(_ new: Route) { route.withLock { $0 = new } }

        func leave(_ session: RedisSession, because reason: String) {
            switch route.withLock({ $0 }) {
            case .server(let connection): connection.leave(session, because: reason)
            case .cluster(let cluster): cluster.leave(session, because: reason)
            case nil: break
            }
        }
    }
}
