internal import ArgumentParser
internal import BuildVersion
internal import Foundation
internal import Simulation
internal import Synchronization
internal import ProgramEntry

@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the decisions of hosts under random interleavings, losses and crashes, by seed.",
        discussion: """
            Requests, repeats, reversals, completions and advices of several terminals, operators, one store and two \
            hosts that die. \
            After each step what was promised is checked. A seed that breaks a promise is printed and is the same run \
            every time: --first SEED --seeds 1.
            """, version: BuildVersion.text)

    @Option(help: "How many seeds.") var seeds: UInt64 = 10_000
    @Option(help: "The first of them.") var first: UInt64 = 1
    @Option(help: "Messages a seed, repeats among them; every thirtieth seed sends ten times as many.")
    var messages = 100
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount

    @Flag(help: "Prints what happens in each seed.") var story = false

    func run() throws {
        let begun = ContinuousClock.now
        let total = Mutex((steps: 0, messages: 0, seen: [String: Int]()))
        let failures = Mutex<[String]>([])
        let next = Atomic(first)
        DispatchQueue.concurrentPerform(iterations: max(1, threads)) { _ in
            while true {
                let seed = next.add(1, ordering: .relaxed).oldValue
                guard seed < first + seeds, failures.withLock({ $0.count < 10 }) else { return }
                let simulation = Simulation(seed: seed)
                if story { simulation.story = { print($0) } }
                do { try simulation.run(messages: messages) } catch {
                    failures.withLock { $0.append("\(error)") }
                }
                total.withLock { total in
                    total.steps += simulation.stepCount
                    total.messages += simulation.messageCount
                    total.seen.merge(simulation.seen, uniquingKeysWith: +)
                }
            }
        }
        let (steps, sent, seen) = total.withLock { $0 }
        for (what, count) in seen.sorted(by: { $0.key < $1.key }) {
            print(what.padding(toLength: 40, withPad: " ", startingAt: 0) + "\(count)")
        }
        let seconds = Int((ContinuousClock.now - begun) / .seconds(1))
        print("seeds \(first) to \(first + seeds - 1): \(sent) messages, \(steps) steps in \(seconds) s")
        let broken = failures.withLock { $0 }
        for line in broken { print("BROKEN \(line)") }
        if !broken.isEmpty { throw ExitCode.failure }
        print("nothing lost, nothing doubled, no ATC twice, no PIN try forgotten, no limit passed")
    }

    static func main() { ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}
