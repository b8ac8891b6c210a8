internal import EventLoops
package import NIOCore
internal import Synchronization

/// The nodes of a Redis Cluster, for one event loop: commands go to the node that has their slot, redirections are
/// followed, and the map is asked for again when it proves wrong.
///
/// A command that a node has refused with MOVED or ASK was not carried out, so it is sent again. One that was lost with
/// its connection is not.
package final class RedisCluster: Sendable {
    /// The loop on which `send` has to be called.
    package let eventLoop: any EventLoop
    private static let redirectionsMax = 5
    /// How long a node that is new to this host may take until it can be used.
    private static let newNodeTimeout = Duration.seconds(1)
    /// Nodes tell each other within seconds who has which slot.
    private static let hearsayTimeout = Duration.seconds(60)

    private struct Map {
        var nodes: [RedisAddress: RedisConnection] = [:]
        var owners = [RedisAddress?](repeating: nil, count: HashSlot.count)
        /// Nodes that others have sent to, and when: a map of a node that has not heard of them yet says nothing against them.
        var told: [RedisAddress: ContinuousClock.Instant] = [:]
        var isRefreshing = false
        var isClosed = false
    }

    private let map = Mutex(Map())
    private let seeds: [RedisAddress]
    private let settings: RedisConnectionSettings
    private let prepare: @Sendable (RedisConnection) async throws -> Void

    /// Asks for the map at once.
    /// - Parameters:
    ///   - seeds: nodes to ask first; one that answers is enough.
    ///   - prepare: run on every new connection to a node before it is used.
    package init(
        seeds: [RedisAddress], on eventLoop: any EventLoop,
        settings: RedisConnectionSettings = RedisConnectionSettings(),
        prepare: @escaping @Sendable (RedisConnection) async throws -> Void = { _ in }
    ) {
        self.seeds = seeds
        self.eventLoop = eventLoop
        self.settings = settings
        self.prepare = prepare
        refresh()
    }

    /// Sends a command to the node of a slot and waits for the reply. On the event loop.
    package func reply(to command: RedisCommand, slot: Int) async throws(RedisError) -> RedisAnswer {
        try await send(command, slot: slot, fromAnywhere: false)
    }

    /// The same from any thread.
    package func replyFromAnywhere(
        to command: RedisCommand, slot: Int
    ) async throws(RedisError) -> RedisAnswer {
        try await send(command, slot: slot, fromAnywhere: true)
    }

    private func send(
        _ command: RedisCommand, slot: Int, fromAnywhere: Bool
    ) async throws(RedisError) -> RedisAnswer {
        guard var node = owner(of: slot) else {
            refresh()
            throw .notConnected("no node is known for slot \(slot)")
        }
        var asking = false
        for _ in 0...Self.redirectionsMax {
            do {
                if !fromAnywhere, !asking { return try await node.reply(to: command) }
                // ASKING is good for the next command alone, so nobody's may come between the two.
                return try await node.replyFromAnywhere(
                    to: asking ? [RedisCommand("ASKING"), command] : [command])
            } catch .refused(let error) {
                guard let target = Redirection(error) else { throw .refused(error) }
                asking = !target.isPermanent
                map.withLock { $0.told[target.address] = .now }
                if target.isPermanent { refresh() }
                node = connection(to: target.address)
                // The node may be new to this host. Until it can be used, others go by the old way and wait here too.
                do { try await node.waitUntilReady(timeout: RedisCluster.newNodeTimeout) } catch {
                    throw .notConnected("\(target.address): \(error)")
                }
                if target.isPermanent { map.withLock { $0.owners[slot] = target.address } }
            } catch {
                // The node may have lost its slots to another one.
                if case .overloaded = error {} else { refresh() }
                throw error
            }
        }
        throw .notConnected("slot \(slot) was redirected too often")
    }

    /// Ends the connections of now to all nodes: the next ones are prepared anew.
    package func leave(because reason: String) {
        let nodes = map.withLock { Array($0.nodes.values) }
        for node in nodes { node.leave(because: reason) }
    }

    /// Ends the connection with this session, wherever it is.
    package func leave(_ session: RedisSession, because reason: String) {
        let node = map.withLock { $0.nodes[session.address] }
        node?.leave(session, because: reason)
    }

    /// Nil when every slot has a node that can be reached, otherwise why not.
    package func unavailability() async -> String? {
        let (owners, nodes) = map.withLock { (Set($0.owners), $0.nodes) }
        if owners.contains(nil) {
            refresh()
            for seed in seeds { if let why = await connection(to: seed).unavailability() { return why } }
            return "not every slot of the cluster has a node"
        }
        for address in owners.compactMap(\.self) {
            guard let node = nodes[address] else { return "\(address): connecting" }
            if let why = await node.unavailability() { return why }
        }
        return nil
    }

    /// Waits until it is ready.
    /// - Throws: the last reason if that takes longer than `timeout`.
    package func waitUntilReady(timeout: Duration) async throws {
        let end = ContinuousClock.now + timeout
        while let reason = await unavailability() {
            guard ContinuousClock.now < end else { throw RedisError.notConnected(reason) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The connections to the nodes that have slots.
    package var owners: [RedisConnection] {
        map.withLock { map in Set(map.owners.compactMap(\.self)).compactMap { map.nodes[$0] } }
    }

    /// Commands sent since the start.
    package var commandsSent: UInt64 {
        map.withLock { $0.nodes.values.reduce(0) { $0 + $1.commandsSent } }
    }

    /// Closes all connections for good.
    package func close() async {
        let nodes = map.withLock { map in
            map.isClosed = true
            return Array(map.nodes.values)
        }
        for node in nodes { await node.close() }
    }

    // MARK: - The map

    private func owner(of slot: Int) -> RedisConnection? {
        map.withLock { map in map.owners[slot].flatMap { map.nodes[$0] } }
    }

    private func connection(to address: RedisAddress) -> RedisConnection {
        map.withLock { map in
            if let known = map.nodes[address] { return known }
            let connection = RedisConnection(
                to: address, on: eventLoop, settings: settings, prepare: prepare)
            map.nodes[address] = connection
            return connection
        }
    }

    /// Asks the nodes for the map, one after the other, until one tells. At most one such question at a time.
    private func refresh() {
        let begins = map.withLock { map in
            guard !map.isRefreshing, !map.isClosed else { return false }
            map.isRefreshing = true
            return true
        }
        guard begins else { return }
        Task(executorPreference: EventLoopExecutor(eventLoop)) { [self] in
            let known = map.withLock { Array($0.nodes.keys) }
            for address in known + seeds.filter({ !known.contains($0) }) {
                guard
                    let reply = try? await connection(to: address).sendFromAnywhere(
                        RedisCommand("CLUSTER", "SLOTS")),
                    let owners = RedisCluster.owners(reply, from: address)
                else { continue }
                await connect(to: Set(owners.compactMap(\.self)))
                await take(owners)
                break
            }
            // Not again at once, whatever fails.
            try? await Task.sleep(for: .milliseconds(50))
            map.withLock { $0.isRefreshing = false }
        }
    }

    /// Nobody is sent to a node before it can be used, for as long as that takes no longer than it may. At the start there is
    /// no other way yet.
    private func connect(to owners: Set<RedisAddress>) async {
        let isFirst = map.withLock { !$0.owners.contains { $0 != nil } }
        let fresh = map.withLock { map in
            // One that others were sent to just now may be connecting still.
            owners.filter { owner in
                let told = map.told[owner].map { $0.duration(to: .now) < RedisCluster.newNodeTimeout }
                return map.nodes[owner] == nil || told == true
            }
        }
        let nodes = owners.map { (address: $0, connection: connection(to: $0)) }
        guard !isFirst else { return }
        let end = ContinuousClock.now + RedisCluster.newNodeTimeout
        for node in nodes where fresh.contains(node.address) {
            try? await node.connection.waitUntilReady(timeout: ContinuousClock.now.duration(to: end))
        }
    }

    /// Goes by a new map, and leaves the nodes that it does not know any more.
    private func take(_ owners: [RedisAddress?]) async {
        let left = map.withLock { map -> [RedisConnection] in
            map.owners = owners
            let now = ContinuousClock.now
            map.told = map.told.filter { $0.value.duration(to: now) < RedisCluster.hearsayTimeout }
            let known = Set(owners.compactMap(\.self)).union(seeds).union(map.told.keys)
            let gone = map.isClosed ? Array(map.nodes.keys) : map.nodes.keys.filter { !known.contains($0) }
            return gone.compactMap { map.nodes.removeValue(forKey: $0) }
        }
        for node in left { await node.close() }
    }

    /// Reads `CLUSTER SLOTS`: per range first slot, last slot, master (host, port, …), replicas.
    static func owners(_ reply: RedisReply, from address: RedisAddress) -> [RedisAddress?]? {
        guard let ranges = reply.elements, !ranges.isEmpty else { return nil }
        var owners = [RedisAddress?](repeating: nil, count: HashSlot.count)
        for range in ranges {
            guard let parts = range.elements, parts.count >= 3, case .integer(let first) = parts[0],
                case .integer(let last) = parts[1], let node = parts[2].elements, node.count >= 2,
                let host = node[0].text, case .integer(let port) = node[1], first >= 0, first <= last,
                last < HashSlot.count
            else { return nil }
            // An empty host means the node that was asked.
            var name = host
            if host.isEmpty, case .tcp(let asked, _) = address { name = asked }
            for slot in Int(first)...Int(last) { owners[slot] = .tcp(host: name, port: Int(port)) }
        }
        return owners
    }
}

/// `MOVED 3999 127.0.0.1:6381` and `ASK 3999 127.0.0.1:6381`.
package struct Redirection {
    /// The error sends the asker to another node.
    package static func isOne(_ error: RedisServerError) -> Bool { Redirection(error) != nil }

    let address: RedisAddress
    /// False: for this command only.
    let isPermanent: Bool

    init?(_ error: RedisServerError) {
        let parts = error.description.split(separator: " ")
        guard parts.count == 3, ["MOVED", "ASK"].contains(parts[0]), let colon = parts[2].lastIndex(of: ":"),
            let port = Int(parts[2][parts[2].index(after: colon)...])
        else { return nil }
        isPermanent = parts[0] == "MOVED"
        address = .tcp(host: String(parts[2][..<colon]), port: port)
    }
}
