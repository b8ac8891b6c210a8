import Authorisation
import Foundation
import Redis
import RedisSupport
import Synchronization
import Testing

@testable import CardStateStore

/// Nodes of a cluster that go backwards: their cards are refused until an operator has accepted the store, the others are
/// served.
@Suite(.timeLimit(.minutes(5))) struct ClusterLifeTests {
    /// Nodes that have just been started know all slots and serve none of them for two seconds, as those of a cluster do that
    /// was made a moment ago.
    @Test func aClusterThatDoesNotServeYetIsWaitedFor() async throws {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        for port in ports { servers.kill(port) }
        for port in ports { try servers.start(port: port, options: TestServers.clusterOptions) }
        let state = try servers.cli(["-p", "\(ports[0])", "cluster", "info"])
        #expect(state.contains("cluster_state:fail"))
        let location = StoreLocation.cluster(ports.map { .tcp(host: "127.0.0.1", port: $0) })
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("place-\(UInt32.random(in: .min ... .max))").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = StateStore(to: location, on: StateBench.loop)
        #expect(await store.unavailability() != nil)
        try await store.waitUntilReady(timeout: .seconds(30))
        _ = try await StoreLife(store, settings: CardStateSettings()).initialise(path: path)
        await store.close()
    }

    /// Bytes that a node loses: nil for all of them.
    @Test(arguments: [[nil], [400], [1, 6_000], [nil, 3_000, 900]] as [[Int?]])
    func nodes(losses: [Int?]) async throws {
        let servers = try TestServers()
        let ports = try servers.startCluster()
        let location = StoreLocation.cluster(ports.map { .tcp(host: "127.0.0.1", port: $0) })
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("place-\(UInt32.random(in: .min ... .max))").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let events = Mutex<[StoreEvent]>([])
        let watch = try StoreWatch(path: path, location: location, settings: CardStateSettings()) { event in
            events.withLock { $0.append(event) }
        }
        let operators = StateStore(to: location, on: StateBench.loop)
        try await operators.waitUntilReady(timeout: .seconds(30))
        let life = StoreLife(operators, settings: CardStateSettings())
        _ = try await life.initialise(path: path)
        let bench = try await StateBench(
            servers, at: location, first: .tcp(host: "127.0.0.1", port: ports[0]), watch: watch)
        for bucket in 0..<64 {
            try await bench.importCard(bucket)
            for atc in 1...2 as ClosedRange<UInt16> {
                #expect(try await bench.decline(bucket, atc: atc) == nil)
            }
        }
        for (port, bytes) in zip(ports, losses) {
            servers.kill(port)
            try servers.shorten(port, by: bytes)
            try servers.start(port: port, options: TestServers.clusterOptions)
        }
        for _ in 0..<3_000 where watch.refusal == nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(watch.refusal?.contains("store accept") == true, "\(watch.refusal ?? "not refused")")
        // Nothing of a node that lost something is decided, everything of the others is; for longer than a round.
        for _ in 0..<3 {
            await watch.round([bench.store])
            try await Task.sleep(for: .milliseconds(300))
            for bucket in 0..<64 {
                let spoilt = try servers.owner(of: bucket, ports)
                if ports.prefix(losses.count).contains(spoilt) {
                    await #expect(throws: CouldNotDecide.self) {
                        try await bench.decline(bucket, atc: 2, minorUnits: 7)
                    }
                } else {
                    #expect(try await bench.decline(bucket, atc: 2, minorUnits: 7) == .atcReplayed)
                }
            }
        }
        let refused = events.withLock { $0.filter { if case .refused = $0 { true } else { false } }.count }
        #expect((1...losses.count).contains(refused) && !events.withLock { $0.contains(.taken) })
        // Nodes that were all away take some seconds until they say that the cluster serves.
        try await operators.waitUntilReady(timeout: .seconds(30))
        _ = try await life.accept(path: path, note: "ann;17;restored")
        try await bench.store.waitUntilReady(timeout: .seconds(20))
        #expect(watch.refusal == nil)
        for store in [bench.store, operators] { await store.close() }
    }
}

extension TestServers {
    /// The node that has a bucket's slot.
    fileprivate func owner(of bucket: Int, _ ports: [Int]) throws -> Int {
        let slot = HashSlot.of(bucket < 10 ? "{b0\(bucket)}" : "{b\(bucket)}")
        return ports[min(2, slot * 3 / HashSlot.count)]
    }
}
