internal import FaultProxy
internal import Foundation
internal import Glibc
internal import LoadGenerator
internal import NIOCore
internal import NIOPosix

internal import VirtualCard

/// Faults under load, and the count after them.
package struct Campaign: Sendable {
    /// What goes wrong.
    package var plan: FaultPlan
    /// The project's folder, for its configuration files.
    package var root: String
    /// The folder of `issuer-host`, `issuer-keys` and `libFaultyToken.so`.
    package var binaries: String
    /// Where everything of the campaign lies; made anew.
    package var folder: String
    /// Terminals, each of which comes to one of the hosts.
    package var lanes = 12
    /// What stands behind the hosts.
    package var setUp = SetUp.sentinel
    private static let hosts = 2
    /// Called with a line about each step.
    package var progress: @Sendable (String) -> Void = { _ in }

    /// Takes what has no default.
    package init(_ plan: FaultPlan, root: String, binaries: String, folder: String) {
        (self.plan, self.root, self.binaries, self.folder) = (plan, root, binaries, folder)
    }

    /// Runs it.
    /// - Throws: `CampaignError` where a part does not start or does not come back; a broken promise is no error, it
    ///   stands in the result.
    package func run() async throws -> CampaignResult {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let store = try await makeStore(on: loop)
        var hosts: [CampaignHost] = []
        do {
            for number in 0..<Self.hosts {
                hosts.append(
                    try await CampaignHost(
                        number, root: root, binaries: binaries, folder: folder, store: store, setUp: setUp,
                        seed: plan.seed, on: loop))
            }
            let result = try await run(hosts, store)
            for host in hosts { try? await host.proxy.stop() }
            await store.stop()
            return result
        } catch {
            for host in hosts { host.kill() }
            await store.stop()
            throw error
        }
    }

    private func makeStore(on loop: any EventLoop) async throws -> any StoreUnderTest {
        let reference = root + "/Config/redis.conf"
        switch setUp {
        case .cluster: return try await ClusterStore(configuration: reference, folder: folder)
        case .partition, .safePartition:
            return try await PartitionStore(configuration: reference, folder: folder)
        case .alone, .sentinel, .loss, .clocks:
            return try await CampaignStore(
                configuration: reference, folder: folder, seed: plan.seed, isAlone: setUp == .alone,
                on: loop)
        }
    }

    private func run(_ hosts: [CampaignHost], _ store: any StoreUnderTest) async throws -> CampaignResult {
        let configuration = try HostConfiguration(contentsOf: hosts[0].configurationPath)
        let issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        let cards = try CampaignCards(lanes: lanes, issuer: issuer)
        try cards.write(to: folder + "/cards.json")
        try hosts[0].importCards(folder + "/cards.json")
        for host in hosts { try host.start() }
        let ledger = Ledger(lanes: lanes)
        let link = try configuration.links(named: ["acquirer-a"])[0]
        guard let date = TransactionDate(year: 26, month: 11, day: 24) else { throw CampaignError("date") }
        let terminals = try (0..<lanes).map {
            try Lane(
                number: $0, cards: cards, link: link, port: hosts[$0 % hosts.count].proxy.port,
                ledger: ledger, seed: plan.seed, date: date, sendsReplays: !setUp.mayLose)
        }
        let flood = try Flood(lane: lanes, cards: cards, link: link, ledger: ledger, date: date)
        for terminal in terminals { terminal.start() }
        let injected: Result<(CampaignResult, [Window]), any Error>
        do { injected = .success(try await injectAll(hosts, store, flood: flood, ledger: ledger)) } catch {
            injected = .failure(error)
        }
        for terminal in terminals { terminal.askToStop() }
        for terminal in terminals { terminal.waitUntilStopped() }
        var (result, windows) = try injected.get()
        for failure in terminals.compactMap(\.failure) {
            throw CampaignError("a terminal failed: \(failure)")
        }
        result.hostStartsRepeated = hosts.reduce(0) { $0 + $1.failedStarts }
        result.primaryMoves = (store as? PartitionStore)?.moves ?? []
        result.add(failovers: (store as? CampaignStore)?.failovers ?? [])
        progress("counting")
        var audit = Audit(
            requests: ledger.requests,
            cards: cards.all.map {
                AuditedCard(openingMinorUnits: $0.openingMinorUnits, rollingAmount: $0.rollingAmount)
            })
        (audit.windows, audit.mayLose) = (windows, setUp.mayLose)
        // What was still waiting to be noted is, at the end.
        for host in hosts where !host.stop() {
            result.violations.append("a host did not end when it was asked to")
        }
        let journal = try JournalledDecision.read(hosts[0].exportJournal())
        try audit.run(journal) { try store.card($0, bucket: $1) }
        result.add(audit, ledger)
        result.add(flood, journal)
        return result
    }

    private func injectAll(
        _ hosts: [CampaignHost], _ store: any StoreUnderTest, flood: Flood, ledger: Ledger
    ) async throws -> (CampaignResult, [Window]) {
        var result = CampaignResult(seed: plan.seed, setUp: setUp, lanes: lanes)
        let injector = FaultInjector(hosts: hosts, store: store, flood: flood)
        try await recovered(ledger, from: DispatchTime.now().uptimeNanoseconds, what: "the first answers")
        let begun = Date()
        var (times, windows) = ([FaultKind: [(first: Int, all: Int)]](), [Window]())
        for (index, fault) in plan.faults.enumerated() {
            try await Task.sleep(for: .milliseconds(fault.afterMilliseconds))
            let from = DispatchTime.now().uptimeNanoseconds
            let end = try await injector.inject(fault, turn: index)
            let name = "fault \(index + 1) of \(plan.faults.count): \(fault.kind.rawValue)"
            var time = try await recovered(ledger, from: end, what: name)
            // A sentinel that has lost patience goes on although its master is back: that belongs to this fault.
            while try !store.isSettled() {
                try wait("a settled store", seconds: 60) { try store.isSettled() }
                let settled = DispatchTime.now().uptimeNanoseconds
                time.all =
                    try await recovered(ledger, from: settled, what: name).all
                    + Int((settled - end) / 1_000_000)
            }
            windows.append(
                Window(kind: fault.kind, from: from, until: DispatchTime.now().uptimeNanoseconds))
            times[fault.kind, default: []].append(time)
            result.faults += 1
            progress(
                "\(name), \(fault.lastingMilliseconds) ms; served after \(time.first), all after \(time.all) ms"
            )
        }
        result.seconds = Int(Date().timeIntervalSince(begun))
        result.add(times)
        return (result, windows)
    }

    /// Waits until every terminal was told a decision for a request sent after a moment; milliseconds after it.
    @discardableResult
    private func recovered(
        _ ledger: Ledger, from moment: UInt64, what: String
    ) async throws -> (first: Int, all: Int) {
        var first: UInt64?
        for _ in 0..<24_000 {
            let served = ledger.served(after: moment)
            first = first ?? served.first
            if let first, let all = served.all {
                return (Int((first - moment) / 1_000_000), Int((all - moment) / 1_000_000))
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw CampaignError("\(what): no decision within two minutes; seed \(plan.seed)")
    }
}
