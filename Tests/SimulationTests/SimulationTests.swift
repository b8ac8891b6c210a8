import Foundation
import Simulation
import Testing

/// Two hosts under interleavings, conflicts, repeats, reversals, advices, operators, losses and crashes, by seed, judged by
/// the auditor. `SIMULATION_SEEDS=1000` runs so many seeds of a hundred messages each, `SIMULATION_SEED=17` replays one;
/// `make simulate` runs millions.
@Suite struct SimulationTests {
    private static let messages = 100

    @Test func noSeedBreaksAPromise() throws {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["SIMULATION_SEED"].flatMap({ UInt64($0) }) {
            try Simulation(seed: seed).run(messages: Self.messages)
            return
        }
        let count = environment["SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 60
        for seed in 1...count { try Simulation(seed: seed).run(messages: Self.messages) }
    }

    /// The seeds that find the planted faults of `Tests/Simulation/planted-faults.sh`: on the right code each is green.
    @Test(arguments: try PlantedFaults.seeds())
    func whatFindsAPlantedFaultIsGreenWithoutIt(seed: UInt64) throws {
        try Simulation(seed: seed).run(messages: Self.messages)
    }

    @Test func eightFaultsArePlanted() throws { #expect(try PlantedFaults.names().count >= 8) }

    @Test func theSameSeedIsTheSameRun() throws {
        let first = Simulation(seed: 5)
        let second = Simulation(seed: 5)
        try first.run(messages: Self.messages)
        try second.run(messages: Self.messages)
        #expect(first.seen == second.seen && first.stepCount == second.stepCount)
    }

    @Test func everythingThatCanHappenDoes() throws {
        var seen: [String: Int] = [:]
        for seed in 1...150 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            try simulation.run(messages: Self.messages)
            seen.merge(simulation.seen, uniquingKeysWith: +)
        }
        for what in [
            "purchase", "purchase, part allowed", "pre-authorisation", "refund", "cash",
            "purchase with cash back",
            "balance enquiry", "stripe, purchase", "e-commerce, purchase",
            "3-D Secure, purchase", "one authentication on two hosts at once",
            "declined authentication value used before", "declined authentication value wrong", "forgery",
            "completion",
            "further shipment",
            "advice", "advice of a decline", "reversal", "partial reversal", "repeat", "restamped repeat",
            "changed repeat", "damaged repeat", "genuine after damaged", "twin at another terminal",
            "shared DE37",
            "replica late", "connection lost before a replica answered", "answer lost", "message lost",
            "token failed", "read lost", "write lost before the store",
            "write lost after the store", "conflict", "crash", "the clock jumped", "not decided", "approved",
            "approved again", "accepted", "accepted again", "script sent", "operator done",
            "operator refused",
            "declined ATC replayed", "declined ATC out of range", "declined PIN wrong",
            "declined PIN tries exceeded",
            "declined ARQC wrong", "declined CVV wrong", "declined repeat with other content",
            "declined reversed before it came", "declined original not found", "declined insufficient funds",
            "declined completion over what was approved", "declined daily amount exceeded",
            "declined daily number of transactions exceeded",
            "declined transaction type differs from what the card signed",
            "declined merchant category blocked", "declined country blocked", "effect: given back",
            "effect: original unknown", "effect: original declined", "effect: reversed before",
            "effect: replaced",
            "effect: in part", "journal: import", "journal: status", "journal: unblock-pin",
            "journal: reset-atc",
            "journal: script-queue", "journal: hold-expired", "journal: renumbered",
            "declined over the limit of one transaction", "declined over the contactless limit",
            "declined cardholder verification needed", "declined daily cash exceeded",
            "declined daily number of cash withdrawals exceeded", "declined rolling amount exceeded",
            "declined rolling number of transactions exceeded", "declined PIN block unreadable",
            "PIN change ordered", "PIN changed", "move to a new PAN", "moved to a new PAN",
            "journal: take-over", "declined card restricted", "partial reversal abroad", "abroad, DE6",
            "abroad, DE6 wrong", "abroad, not served", "abroad, table",
        ] {
            #expect(seen[what] ?? 0 > 0, "\(what)")
        }
    }
}

/// The table of planted faults, as the script reads it.
enum PlantedFaults {
    static func rows() throws -> [[String]] {
        let table = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Simulation/planted-faults.txt")
        return try String(contentsOf: table, encoding: .utf8).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.map { $0.split(separator: "\t").map(String.init) }
    }

    static func names() throws -> Set<String> { Set(try rows().compactMap(\.first)) }

    static func seeds() throws -> [UInt64] { Set(try rows().compactMap { UInt64($0[1]) }).sorted() }
}
