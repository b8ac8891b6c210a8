internal import ArgumentParser
internal import BuildVersion
internal import Foundation
internal import LoadGenerator
internal import VirtualCard
internal import ProgramEntry

@main
struct LoadGeneratorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load-generator",
        abstract: "Puts load on an issuer host and checks every answer.",
        version: BuildVersion.text,
        subcommands: [
            Run.self, Capacity.self, Limit.self, CardsCommand.self, Compare.self, Medians.self,
            EchoServerCommand.self,
        ])

    static func main() async { await ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}

struct HostOptions: ParsableArguments {
    @Option(help: "The host's configuration; DEMO_CONFIG where it is not given.")
    var config: String?

    func configuration() throws -> HostConfiguration {
        let environment = ProcessInfo.processInfo.environment
        guard let path = config ?? environment["DEMO_CONFIG"] else {
            throw ValidationError("--config or DEMO_CONFIG has to name the host's configuration")
        }
        return try HostConfiguration(contentsOf: path)
    }

    var path: String? { config ?? ProcessInfo.processInfo.environment["DEMO_CONFIG"] }
}

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put two loads side by side, each of one or several runs.",
        discussion: """
              load-generator compare old.json new.json
              load-generator compare --first old-1.json old-2.json old-3.json --second new-1.json new-2.json new-3.json

            Latencies at other offered rates are not compared. With several runs a change is called better or worse \
            only outside of its 95 % interval. Exit code: 1 if the offered rates differ.
            """)

    @Argument(help: "The older result and the newer one (JSON).") var pair: [String] = []
    @Option(parsing: .upToNextOption, help: "Several runs of the older one.") var first: [String] = []
    @Option(parsing: .upToNextOption, help: "Several runs of the newer one.") var second: [String] = []

    func validate() throws {
        let isPair = pair.count == 2 && first.isEmpty && second.isEmpty
        guard isPair || pair.isEmpty && !first.isEmpty && !second.isEmpty else {
            throw ValidationError("two results, or --first and --second with some each")
        }
    }

    func run() throws {
        func read(_ paths: [String]) throws -> [LoadResult] {
            try paths.map { try LoadResult(contentsOf: $0) }
        }
        let comparison = try ResultComparison(
            read(pair.isEmpty ? first : [pair[0]]), read(pair.isEmpty ? second : [pair[1]]))
        print(comparison.text)
        if comparison.rateWarning != nil { throw ExitCode(1) }
    }
}

struct Medians: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print several results of the same load as one row of a Markdown table.")

    @Option(help: "What the row is called.") var name: String
    @Flag(help: "Print the table's head before it.") var head = false
    @Argument(help: "Results (JSON).") var results: [String]

    func run() throws {
        let results = try results.map { try LoadResult(contentsOf: $0) }
        if head { print(ResultMedians.head) }
        print(ResultMedians(name, results).row)
    }
}

struct CardsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cards", abstract: "Write the cards of a load for issuer-host cards import.")

    @OptionGroup var host: HostOptions
    @Option(help: "The demo issuer's file; that of the host's configuration where it is not given.")
    var issuer: String?
    @Option(help: "The profile whose cards these are.") var profile: String?
    @Option(help: "How many; the profile's number where it is not given.") var count: Int?
    @Option(help: "File to write.") var out: String
    @Flag(name: .customLong("clear-pins"), help: "PINs as they are instead of reference blocks.")
    var clearPINs = false

    func validate() throws {
        guard count.map({ (1...1_000_000).contains($0) }) ?? true else {
            throw ValidationError("--count has to be 1 to 1,000,000")
        }
    }

    func run() throws {
        let issuer = try issuer ?? host.configuration().issuerPath
        var profile =
            try profile.map { try LoadProfile(contentsOf: $0) }
            ?? LoadProfile(name: "cards", cards: count ?? 10_000, connections: 1, stages: [])
        if let count { profile.cards = count }
        try CardList.write(
            profile, issuer: DemoIssuer(contentsOf: issuer), to: out, clearPINs: clearPINs)
        FileHandle.standardError.write(Data("\(profile.cards) cards written\n".utf8))
    }
}
