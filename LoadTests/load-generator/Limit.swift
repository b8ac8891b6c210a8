internal import ArgumentParser
internal import Foundation
internal import LoadGenerator
internal import VirtualCard

/// The generator's own limit.
struct Limit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how much load this program itself can make and check.",
        discussion: """
              load-generator limit --seconds 5 --passes 3 --against LoadTests/results/run-….json --at-least 4

            Starts `echo-server` as another process: it approves everything with a right ARPC, over real connections, \
            and derives less than the generator does. Every answer is checked as always. Where the generator's one \
            event loop is busy to the end, what is answered is its limit; otherwise the report says so.

            Exit code: 1 if an answer is wrong or lost, or if the median is less than --at-least times the result of \
            --against.
            """)

    @Option(help: "Seconds of each pass, behind two seconds of warming up.") var seconds = 5.0
    @Option(help: "How often.") var passes = 3
    @Option(help: "Connections.") var connections = 8
    @Option(help: "Requests under way on each.") var outstanding = 16
    @Option(help: "Cards.") var cards = 10_000
    @Option(help: "Event loops of the stand-in.") var threads = 1
    @Option(help: "A dialect of the folder, without .json.") var dialect = "ascii87-binbitmap"
    @Option(help: "Folder of dialects.") var dialects = "Config/iso8583"
    @Option(help: "How messages are told apart.") var framing = "2be"
    @Option(help: "The zone PIN key, a key of the issuer's file; empty for no PINs.") var zpk =
        "zpk-acquirer-a"
    @Option(help: "Test keys and kinds of card.") var issuer = "Config/demo/demo-issuer.json"
    @Option(help: ArgumentHelp("Result of a load on a host, to hold it against.", valueName: "result.json"))
    var against: String?
    @Option(help: ArgumentHelp("So many times that result.", valueName: "times")) var atLeast: Double?

    func validate() throws {
        guard seconds > 0, (1...100).contains(passes), (1...10_000).contains(connections),
            (1...10_000).contains(outstanding), (10...1_000_000).contains(cards), (1...64).contains(threads)
        else {
            throw ValidationError(
                "--seconds, --passes, --connections, --outstanding, --cards and --threads have to be above zero, and "
                    + "not beyond reason")
        }
        guard atLeast == nil || against != nil else { throw ValidationError("--at-least needs --against") }
    }

    func run() async throws {
        let host = try against.map { try LoadResult(contentsOf: $0) }
        let demo = try DemoIssuer(contentsOf: issuer)
        let standIn = try StandIn(arguments: options)
        defer { standIn.stop() }
        let link = try LoadLink(
            target: "127.0.0.1:\(standIn.port)", dialect: dialect, dialects: dialects, framing: framing,
            zonePINKey: zpk.isEmpty ? nil : zpk, issuer: demo)
        let load = LoadProfile.Stage.Load.closed(outstanding: outstanding)
        let profile = LoadProfile(
            name: "limit", cards: cards, connections: connections,
            stages: [
                .init(name: "warming up", role: .warmUp, seconds: 2, load: load),
                .init(name: "limit", role: .saturation, seconds: seconds, load: load),
            ])
        var results: [LoadResult] = []
        for _ in 0..<passes {
            results.append(
                try await LoadRun(
                    profile, issuer: demo, links: [link], hostPID: "\(standIn.processIdentifier)",
                    progress: Run.say
                ).perform())
        }
        let limit = try OwnLimit(results)
        print(limit.text(against: host))
        let isShort = host.map { limit.times($0) < atLeast ?? 0 } ?? false
        if isShort || limit.passes.contains(where: { $0.failed > 0 }) { throw ExitCode.failure }
    }

    private var options: [String] {
        let pins = zpk.isEmpty ? [] : ["--zpk", zpk]
        return [
            "echo-server", "--target", "127.0.0.1:1", "--port", "0", "--threads", "\(threads)", "--dialect",
            dialect,
            "--dialects", dialects, "--framing", framing, "--issuer", issuer,
        ] + pins
    }
}

/// This program once more, as another process.
private final class StandIn {
    let port: Int
    private let process = Process()

    var processIdentifier: Int32 { process.processIdentifier }

    init(arguments: [String]) throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            // As much as there is; nothing is the end.
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { break }
            line += String(decoding: data, as: UTF8.self)
        }
        guard let port = line.split(whereSeparator: \.isWhitespace).last.flatMap({ Int($0) }) else {
            process.terminate()
            throw LoadSetupError("the stand-in did not start")
        }
        self.port = port
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}

struct EchoServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo-server",
        abstract: "Approve everything with a right ARPC; see limit.",
        discussion: """
            With --target it listens on the loopback interface on that port and needs no configuration; --dialect, \
            --framing and --issuer say the rest. Prints one line with the port, and serves until it is ended.
            """)

    @OptionGroup var target: TargetOptions
    @Option(help: "Name of the configuration's link whose dialect, framing and port it takes.")
    var link = "acquirer-a"
    @Option(help: "Port, 0 for any free one; the link's where it is not given.") var port: Int?
    @Option(help: "Event loops.") var threads = 1

    func validate() throws {
        guard (1...64).contains(threads) else { throw ValidationError("--threads has to be 1 to 64") }
        guard port.map({ (0...65_535).contains($0) }) ?? true else {
            throw ValidationError("--port has to be 0 to 65535")
        }
    }

    func run() async throws {
        let (issuer, links, _) = try target.resolve(target.target == nil ? [link] : [])
        let server = try await EchoServer(
            links[0], issuer: issuer, port: port ?? links[0].port, threads: threads)
        print("ready on port \(server.port)")
        // Whoever reads it through a pipe waits for it.
        fflush(nil)
        try await server.run()
    }
}
