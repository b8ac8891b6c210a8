import Foundation
import Simulation
import Testing

/// The domain under interleavings, repeats, reversals, advices, losses and crashes, by seed. `SIMULATION_SEEDS=1000` runs
/// so many seeds of a hundred messages each, `SIMULATION_SEED=17` replays one; `make simulate` runs millions.
@Suite struct SimulationTests {
    private static let messages = 100

    @Test func noSeedBreaksAnInvariant() throws {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SIMULATION_SEED"].flatMap({ UInt64($0) }) {
            try Simulation(seed: seed).run(messages: Self.messages)
            return
        }
        let count = environment["SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 100
        for seed in 1...count { try Simulation(seed: seed).run(messages: Self.messages) }
    }

    /// Seeds that broke a promise once: a late original slipped past its reversal, since a completion under the same
    /// reference had been declined.
    @Test(arguments: [385, 1602, 7137] as [UInt64])
    func whatWasBrokenOnceHolds(seed: UInt64) throws {
        try Simulation(seed: seed).run(messages: Self.messages)
    }

    @Test func theSameSeedIsTheSameRun() throws {
        let first = Simulation(seed: 5)
        let second = Simulation(seed: 5)
        try first.run(messages: Self.messages)
        try second.run(messages: Self.messages)
        #expect(first.seen == second.seen && first.stepCount == second.stepCount)
    }

    @Test func everythingThatCanHappenDoes() throws {
        var seen: [String: Int] = [:]
        for seed in 1...60 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            try simulation.run(messages: Self.messages)
            seen.merge(simulation.seen, uniquingKeysWith: +)
        }
        for what in [
            "purchase", "purchase, part allowed", "pre-authorisation", "refund", "completion", "advice",
            "advice of a decline", "reversal", "partial reversal", "repeat", "changed repeat",
            "answer lost", "message lost", "token failed", "read lost", "commit lost before the store",
            "commit lost after the store", "crash", "not decided", "approved", "approved again", "accepted",
            "accepted again", "declined ATC replayed", "declined ATC out of range", "declined PIN wrong",
            "declined PIN tries exceeded", "declined ARQC wrong", "declined repeat with other content",
            "declined reversed before it came", "declined insufficient funds",
            "declined daily amount exceeded", "declined daily number of transactions exceeded",
            "effect: given back", "effect: original unknown", "effect: original declined",
            "effect: reversed before", "effect: replaced", "effect: in part",
        ] {
            #expect(seen[what] ?? 0 > 0, "\(what)")
        }
    }
}
