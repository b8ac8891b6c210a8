import Foundation
import Testing

/// The domain under interleavings, repeats, losses and crashes, by seed. `SIMULATION_SEEDS=100000` runs so many seeds
/// of a hundred transactions each, `SIMULATION_SEED=17` replays one.
@Suite struct SimulationTests {
    private static let transactions = 100

    @Test func noSeedBreaksAnInvariant() throws {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SIMULATION_SEED"].flatMap({ UInt64($0) }) {
            try Simulation(seed: seed).run(transactions: Self.transactions)
            return
        }
        let count = environment["SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 60
        for seed in 1...count { try Simulation(seed: seed).run(transactions: Self.transactions) }
    }

    @Test func theSameSeedIsTheSameRun() throws {
        let first = Simulation(seed: 5)
        let second = Simulation(seed: 5)
        try first.run(transactions: Self.transactions)
        try second.run(transactions: Self.transactions)
        #expect(first.seen == second.seen)
    }

    @Test func everythingThatCanHappenDoes() throws {
        var seen: [String: Int] = [:]
        for seed in 1...20 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            try simulation.run(transactions: Self.transactions)
            seen.merge(simulation.seen, uniquingKeysWith: +)
        }
        for what in [
            "repeat", "changed repeat", "answer lost", "token failed", "read lost",
            "commit lost before the store",
            "commit lost after the store", "crash", "not decided", "approved", "approved again",
            "declined ATC replayed", "declined ATC out of range", "declined PIN wrong",
            "declined PIN tries exceeded", "declined ARQC wrong", "declined repeat with other content",
        ] {
            #expect(seen[what] ?? 0 > 0, "\(what)")
        }
    }
}
