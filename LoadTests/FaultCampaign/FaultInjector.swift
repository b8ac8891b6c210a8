internal import Dispatch
internal import FaultProxy
internal import Glibc

/// Does to the parts what the plan says.
struct FaultInjector {
    let host: CampaignHost
    let store: CampaignStore

    /// - Returns: when the cause was over, monotonic nanoseconds; for a kill, when it happened.
    func inject(_ fault: PlannedFault) async throws -> UInt64 {
        let lasting = Duration.milliseconds(fault.lastingMilliseconds)
        let primary = try store.primary()
        var moment = now()
        switch fault.kind {
        case .hostKilled:
            host.kill()
            try host.start()
            return moment
        case .storeKilled:
            store.kill(primary)
            try store.start(primary)
            return moment
        case .storeFailedOver:
            store.kill(primary)
            try store.waitForFailover(from: primary)
            try store.startAsReplica(primary)
            return moment
        case .terminalLinkCut:
            try await host.proxy.cut()
            return moment
        case .storeLinkCut:
            try await store.proxy(primary).cut()
            return moment
        case .storeStopped:
            store.signal(primary, SIGSTOP)
            try await Task.sleep(for: lasting)
            store.signal(primary, SIGCONT)
        case .terminalLinkBad: try await disturb(host.proxy, for: lasting)
        case .storeLinkBad: try await disturb(store.proxy(primary), for: lasting)
        case .storeLinkHeld: try await store.proxy(primary).hold(for: lasting)
        case .tokenRemoved: try await token("r", for: lasting)
        case .tokenFails: try await token("f", for: lasting)
        case .tokenStalled: try await token("s", for: lasting)
        }
        moment = now()
        return moment
    }

    private func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    private func token(_ letter: Character, for lasting: Duration) async throws {
        try host.setToken(letter)
        try await Task.sleep(for: lasting)
        try host.setToken("o")
    }

    private func disturb(_ proxy: FaultProxy, for lasting: Duration) async throws {
        var bad = Behaviour()
        bad.delay = .milliseconds(10)
        bad.jitter = .milliseconds(150)
        bad.cutsPerMillion = 20_000
        for direction in Direction.allCases { try await proxy.set(bad, direction) }
        try await Task.sleep(for: lasting)
        for direction in Direction.allCases { try await proxy.set(Behaviour(), direction) }
    }
}
