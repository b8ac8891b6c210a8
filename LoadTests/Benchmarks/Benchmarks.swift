import Foundation

/// Benchmarks of the host's parts; see README.md.
@main
struct Benchmarks {
    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())

        func option(_ name: String) -> String? {
            guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
            let value = arguments[place + 1]
            arguments.removeSubrange(place...place + 1)
            return value
        }

        let save = option("--save")
        let baseline = option("--compare")
        let batches = option("--batches").flatMap { Int($0) }
        var harness = Harness(filter: arguments.first ?? "", batches: batches)
        let parts = try Parts()
        var cards = try Cards(parts, count: 200)
        print(Harness.header)
        do {
            try await pureBenchmarks(&harness, parts, cards: &cards)
            try await operationBenchmarks(&harness, parts)
            try await accessControlBenchmarks(&harness, parts)
            try await issuanceBenchmarks(&harness, parts)
            try await storeBenchmarks(&harness, parts, cards: &cards)
            try await wholeBenchmarks(&harness, parts, cards: &cards)
        } catch {
            print("failed: \(error)")
            parts.stop()
            exit(1)
        }
        parts.stop()
        if let save {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(harness.figures).write(to: URL(filePath: save))
        }
        if let baseline {
            let before = try JSONDecoder().decode(
                [Figure].self, from: Data(contentsOf: URL(filePath: baseline)))
            print("\nratio to \(baseline), CPU and wall (under 1 is less)")
            for figure in harness.figures {
                guard let old = before.first(where: { $0.name == figure.name }) else { continue }
                let name = figure.name.padding(toLength: 46, withPad: " ", startingAt: 0)
                print(name + String(format: "%8.2f%8.2f", figure.cpu / old.cpu, figure.wall / old.wall))
            }
        }
    }
}
