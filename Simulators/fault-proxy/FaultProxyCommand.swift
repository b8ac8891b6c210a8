internal import ArgumentParser
internal import BuildVersion
internal import FaultProxy
internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import ProgramEntry

/// What the program was refused.
private struct Refused: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// `fault-proxy`: a bad network between two programs.
@main
struct FaultProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault-proxy",
        abstract: "Pass TCP connections on to a target, late, cut or not at all.",
        discussion: """
            Listens on 127.0.0.1. Prints `ready on port N`, and what it has done when SIGINT or SIGTERM ends it. \
            Delays and holds are for what the target answers; --both for both directions.
            """, version: BuildVersion.text)

    @Option(help: "Port to listen on; 0 takes a free one.") var port = 0
    @Option(help: "host:port of the target.") var target: String
    @Option(help: "Milliseconds that everything takes longer.") var delay = 0.0
    @Option(help: "Up to so many milliseconds more, at random.") var jitter = 0.0
    @Option(help: "Hold everything for so many milliseconds ...") var hold = 0.0
    @Option(help: "... every so many seconds.") var every = 10.0
    @Option(help: "Of a million reads, so many end their connection with a reset.") var cuts: UInt32 = 0
    @Option(help: "Seed of delays and cuts.") var seed: UInt64 = 1
    @Flag(help: "Faults in both directions.") var both = false

    func run() async throws {
        guard let colon = target.lastIndex(of: ":"),
            let targetPort = Int(target[target.index(after: colon)...]), (1...65_535).contains(targetPort)
        else { throw ValidationError("--target: host:port, not \(target)") }
        guard (0...65_535).contains(port) else { throw ValidationError("--port: 0 to 65535, not \(port)") }
        // An hour. Beyond it nobody waits, and what is far beyond it is no number of nanoseconds.
        guard [delay, jitter, hold].allSatisfy({ (0...3_600_000).contains($0) }) else {
            throw ValidationError("--delay, --jitter and --hold: 0 to 3,600,000 milliseconds")
        }
        guard every > 0, every <= 86_400 else {
            throw ValidationError("--every: above 0 and at most 86,400 seconds")
        }
        guard cuts <= 1_000_000 else { throw ValidationError("--cuts: 0 to 1,000,000 of a million") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let proxy: FaultProxy
        do {
            proxy = try await FaultProxy(
                to: .tcp(host: String(target[..<colon]), port: targetPort), port: port, seed: seed,
                on: group.next())
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode))
            throw Refused(
                "127.0.0.1:\(port) cannot be listened on: \(reason); --port names another one, 0 any free one"
            )
        }
        let directions = both ? Direction.allCases : [.toClient]
        var behaviour = Behaviour()
        behaviour.delay = .seconds(delay / 1_000)
        behaviour.jitter = .seconds(jitter / 1_000)
        behaviour.cutsPerMillion = cuts
        for direction in directions { try await proxy.set(behaviour, direction) }
        print("ready on port \(proxy.port)")
        fflush(nil)
        let holding = Task {
            while hold > 0 {
                try await Task.sleep(for: .seconds(every))
                try await proxy.hold(for: .seconds(hold / 1_000), directions)
            }
        }
        await untilSignal()
        holding.cancel()
        let counts = try await proxy.counts()
        print(
            """
            connections \(counts.connections), unreachable \(counts.unreachable), cut \(counts.cuts), \
            bytes to target \(counts.bytesToTarget), to client \(counts.bytesToClient)
            """)
        try await proxy.stop()
        try await group.shutdownGracefully()
    }

    private func untilSignal() async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
        for await _ in stream { break }
        for source in sources { source.cancel() }
    }

    static func main() async { await ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}
