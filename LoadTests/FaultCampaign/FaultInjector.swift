internal import Dispatch
internal import FaultProxy
internal import Glibc

/// Does to the parts what the plan says; to the hosts in turn.
struct FaultInjector {
    let hosts: [CampaignHost]
    let store: any StoreUnderTest
    let flood: Flood

    /// - Parameter turn: which host it is that something is done to.
    /// - Returns: when the cause was over, monotonic nanoseconds; for a kill, when it happened.
    func inject(_ fault: PlannedFault, turn: Int) async throws -> UInt64 {
        let lasting = Duration.milliseconds(fault.lastingMilliseconds)
        let host = hosts[turn % hosts.count]
        let moment = now()
        switch fault.kind {
        case .hostKilled:
            host.kill()
            try host.start()
            return moment
        case .terminalLinkCut:
            try await host.proxy.cut()
            return moment
        case .terminalLinkBad: try await host.proxy.disturb(for: lasting)
        case .tokenRemoved: try await token("r", of: host, for: lasting)
        case .tokenFails: try await token("f", of: host, for: lasting)
        case .tokenStalled: try await token("s", of: host, for: lasting)
        case .packetsLost:
            try filter("-I")
            try await Task.sleep(for: lasting)
            try filter("-D")
        case .clockSet:
            // Ahead and back, of either host.
            let days: [Int64] = [30, -30, 1, -1]
            try host.setClock(aheadMilliseconds: days[turn / 2 % days.count] * 86_400_000)
            try await Task.sleep(for: lasting)
            try host.setClock(aheadMilliseconds: 0)
        case .flood: try await flood.run(on: hosts)
        default: return try await store.inject(fault)
        }
        return now()
    }

    private func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    private func token(_ letter: Character, of host: CampaignHost, for lasting: Duration) async throws {
        try host.setToken(letter)
        try await Task.sleep(for: lasting)
        try host.setToken("o")
    }

    private func filter(_ operation: String) throws {
        let (status, text) = try ChildProcess.output(of: [
            "iptables", operation, "INPUT", "-p", "tcp", "-m", "statistic", "--mode", "random",
            "--probability", "0.05", "-j", "DROP",
        ])
        guard status == 0 else { throw CampaignError("iptables: \(text.suffix(200))") }
    }
}

extension FaultProxy {
    /// Slow and lossy for a while.
    func disturb(for lasting: Duration) async throws {
        var bad = Behaviour()
        bad.delay = .milliseconds(10)
        bad.jitter = .milliseconds(150)
        bad.cutsPerMillion = 20_000
        for direction in Direction.allCases { try await set(bad, direction) }
        try await Task.sleep(for: lasting)
        for direction in Direction.allCases { try await set(Behaviour(), direction) }
    }
}
