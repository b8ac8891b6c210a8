internal import FaultProxy
internal import Foundation
internal import Glibc
internal import LoadGenerator
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
    /// Terminals.
    package var lanes = 12
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
        let store = try await CampaignStore(
            configuration: root + "/Config/redis.conf", folder: folder, seed: plan.seed, on: loop)
        do {
            let host = try await CampaignHost(
                root: root, binaries: binaries, folder: folder, sentinelPort: store.sentinelPort,
                seed: plan.seed, on: loop)
            do {
                let result = try await run(host, store)
                try? await host.proxy.stop()
                await store.stop()
                return result
            } catch {
                host.kill()
                throw error
            }
        } catch {
            await store.stop()
            throw error
        }
    }

    private func run(_ host: CampaignHost, _ store: CampaignStore) async throws -> CampaignResult {
        let configuration = try HostConfiguration(contentsOf: host.configurationPath)
        let issuer = try DemoIssuer(contentsOf: configuration.issuerPath)
        let cards = try CampaignCards(lanes: lanes, issuer: issuer)
        try cards.write(to: folder + "/cards.json")
        try host.importCards(folder + "/cards.json")
        try host.start()
        let ledger = Ledger(lanes: lanes)
        let link = try configuration.links(named: ["acquirer-a"])[0]
        guard let date = TransactionDate(year: 26, month: 11, day: 24) else { throw CampaignError("date") }
        let terminals = try (0..<lanes).map {
            try Lane(
                number: $0, cards: cards, link: link, port: host.proxy.port, ledger: ledger, seed: plan.seed,
                date: date)
        }
        for terminal in terminals { terminal.start() }
        let injected: Result<CampaignResult, any Error>
        do { injected = .success(try await injectAll(host, store, ledger)) } catch {
            injected = .failure(error)
        }
        for terminal in terminals { terminal.askToStop() }
        for terminal in terminals { terminal.waitUntilStopped() }
        var result = try injected.get()
        for failure in terminals.compactMap(\.failure) {
            throw CampaignError("a terminal failed: \(failure)")
        }
        result.hostStartsRepeated = host.failedStarts
        progress("counting")
        var audit = Audit(
            requests: ledger.requests,
            cards: cards.all.map {
                AuditedCard(openingMinorUnits: $0.openingMinorUnits, rollingAmount: $0.rollingAmount)
            })
        try audit.run(JournalledDecision.read(host.exportJournal())) { try store.card($0, bucket: $1) }
        result.add(audit, ledger)
        if !host.stop() { result.violations.append("the host did not end when it was asked to") }
        return result
    }

    private func injectAll(
        _ host: CampaignHost, _ store: CampaignStore, _ ledger: Ledger
    ) async throws -> CampaignResult {
        var result = CampaignResult(seed: plan.seed, lanes: lanes)
        let injector = FaultInjector(host: host, store: store)
        try await recovered(ledger, from: DispatchTime.now().uptimeNanoseconds, "the first answers")
        let begun = Date()
        var times: [FaultKind: [(first: Int, all: Int)]] = [:]
        for (index, fault) in plan.faults.enumerated() {
            try await Task.sleep(for: .milliseconds(fault.afterMilliseconds))
            let end = try await injector.inject(fault)
            let name = "fault \(index + 1) of \(plan.faults.count): \(fault.kind.rawValue)"
            var time = try await recovered(ledger, from: end, name)
            // A sentinel that has lost patience goes on although its master is back: that belongs to this fault.
            while try !store.isSettled() {
                try wait("a settled store", seconds: 60) { try store.isSettled() }
                let settled = DispatchTime.now().uptimeNanoseconds
                time.all =
                    try await recovered(ledger, from: settled, name).all + Int((settled - end) / 1_000_000)
            }
            times[fault.kind, default: []].append(time)
            result.faults += 1
            progress(
                "\(name), \(fault.lastingMilliseconds) ms; served after \(time.first), all after \(time.all) ms"
            )
        }
        result.seconds = Int(Date().timeIntervalSince(begun))
        result.add(times)
        return result
    }

    /// Waits until every terminal was told a decision for a request sent after a moment; milliseconds after it.
    @discardableResult
    private func recovered(
        _ ledger: Ledger, from moment: UInt64, _ what: String
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
