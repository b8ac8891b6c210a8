import Foundation
import Glibc

/// What one benchmark came to. Microseconds per operation.
struct Figure: Codable {
    var name: String
    var wall: Double
    var wallFastest: Double
    var wallSlowest: Double
    var cpu: Double
    var note: String
}

/// Runs batches and takes the median: one slow batch of a shared machine must not count.
struct Harness {
    private let filter: String
    private let batches: Int?
    private(set) var figures: [Figure] = []

    /// - Parameters:
    ///   - filter: only benchmarks whose name contains it are run; empty for all.
    ///   - batches: instead of each benchmark's own number, so that a profiler sees enough of it.
    init(filter: String, batches: Int?) {
        self.filter = filter
        self.batches = batches
    }

    /// Whether a benchmark will be run: what only it needs need not be prepared otherwise.
    func runs(_ name: String) -> Bool { filter.isEmpty || name.contains(filter) }

    /// How many batches a benchmark with its own number of them will run, without the warm-up.
    func batchCount(_ own: Int) -> Int { batches ?? own }

    mutating func measure(
        _ name: String, operations: Int, batches: Int = 15, note: () -> String = { "" },
        batch: () async throws -> Void
    ) async rethrows {
        guard runs(name) else { return }
        let batches = batchCount(batches)
        try await batch()
        var walls: [Double] = []
        var cpus: [Double] = []
        for _ in 0..<batches {
            let (wall, cpu) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
            try await batch()
            walls.append((seconds(CLOCK_MONOTONIC) - wall) * 1e6 / Double(operations))
            cpus.append((seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / Double(operations))
        }
        walls.sort()
        cpus.sort()
        let figure = Figure(
            name: name, wall: walls[batches / 2], wallFastest: walls[0], wallSlowest: walls[batches - 1],
            cpu: cpus[batches / 2], note: note())
        figures.append(figure)
        print(row(figure))
    }

    static let header =
        "benchmark".padding(toLength: 46, withPad: " ", startingAt: 0)
        + "  wall µs   fastest   slowest    CPU µs"

    private func row(_ figure: Figure) -> String {
        figure.name.padding(toLength: 46, withPad: " ", startingAt: 0)
            + [figure.wall, figure.wallFastest, figure.wallSlowest, figure.cpu]
            .map { String(format: "%10.3f", $0) }.joined() + "  " + figure.note
    }

}

/// What a clock shows, in seconds.
func seconds(_ clock: clockid_t) -> Double {
    var now = timespec()
    clock_gettime(clock, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Keeps the optimiser from leaving out what is measured.
@inline(never)
func consume<Value>(_ value: borrowing Value) {}
