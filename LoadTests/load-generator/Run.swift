internal import ArgumentParser
internal import Foundation
internal import LoadGenerator
internal import VirtualCard

/// Where the load goes: a link of the host's configuration, or any host.
struct TargetOptions: ParsableArguments {
    @OptionGroup var host: HostOptions
    @Option(help: ArgumentHelp("Any host instead of a configuration.", valueName: "host:port"))
    var target: String?
    @Option(help: "With --target: a dialect of the folder, without .json.") var dialect = "ascii87-binbitmap"
    @Option(help: "With --target: folder of dialects.") var dialects = "Config/iso8583"
    @Option(help: "With --target: how messages are told apart, such as 2be or 4ascii-incl.")
    var framing = "2be"
    @Option(help: "With --target: the zone PIN key, a key of the issuer's file; without it no PINs are sent.")
    var zpk: String?
    @Option(
        help: "Test keys and kinds of card; by default the configuration's, or Config/demo/demo-issuer.json.")
    var issuer: String?

    func validate() throws {
        guard let target else { return }
        guard let colon = target.lastIndex(of: ":"), let port = UInt16(target[target.index(after: colon)...]),
            port > 0, colon > target.startIndex
        else { throw ValidationError("--target \(target) is no HOST:PORT") }
        guard LoadLink.framings.contains(framing) else {
            throw ValidationError(
                "--framing \(framing) is none of \(LoadLink.framings.joined(separator: ", "))")
        }
    }

    /// What a load needs of it.
    func resolve(
        _ names: [String]
    ) throws -> (issuer: DemoIssuer, links: [LoadLink], admin: (host: String, port: Int)?) {
        if let target {
            let issuer = try DemoIssuer(contentsOf: self.issuer ?? "Config/demo/demo-issuer.json")
            let link = try LoadLink(
                target: target, dialect: dialect, dialects: dialects, framing: framing, zonePINKey: zpk,
                issuer: issuer)
            return (issuer, [link], nil)
        }
        let configuration = try host.configuration()
        return (
            try DemoIssuer(contentsOf: issuer ?? configuration.issuerPath),
            try configuration.links(named: names), configuration.admin
        )
    }

    /// With the `issuer-host` beside this program; counters of an earlier load are forgotten.
    func importCards(of profile: LoadProfile, _ issuer: DemoIssuer) throws {
        let start = Date()
        let folder = FileManager.default.temporaryDirectory
        let file = folder.appendingPathComponent(
            "load-cards-\(ProcessInfo.processInfo.processIdentifier).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try CardList.write(profile, issuer: issuer, to: file.path)
        let importer = Process()
        let beside = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        importer.executableURL = beside.appendingPathComponent("issuer-host")
        importer.arguments = ["cards", "import", "--forget-atcs", file.path]
        if let path = host.path { importer.arguments?.append(contentsOf: ["--config", path]) }
        importer.standardOutput = FileHandle.standardError
        try importer.run()
        importer.waitUntilExit()
        guard importer.terminationStatus == 0 else { throw LoadSetupError("the cards were not imported") }
        Run.say("import took \(Int(Date().timeIntervalSince(start))) s")
    }

    func expectImportable(_ importCards: Bool) throws {
        guard !importCards || target == nil else {
            throw ValidationError(
                "--import-cards needs the host's configuration: it goes with --config, not --target")
        }
    }
}

/// Where results go: what cannot be written is said before the load, not after it.
enum ResultFolder {
    static func require(_ folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw LoadSetupError(
                "--results \(folder): the folder cannot be made: \(error.localizedDescription)")
        }
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw LoadSetupError("--results \(folder): the folder cannot be written to")
        }
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a rate or a profile's stages on a host, or look for the knee.",
        discussion: """
              load-generator run --rate 2000 --duration 30s --connections 8 --target 127.0.0.1:8583
              load-generator run --profile LoadTests/profiles/standard.yaml --import-cards \\
                --threshold "p99 < 5 ms in half of saturation" --threshold "wrong == 0"

            DEMO_HOST_PID and DEMO_REDIS_PID name the processes whose CPU time and memory are taken. The last \
            line on standard output is the path of the result as JSON; beside it lie an HTML report, a CSV of \
            seconds and a log for HdrHistogram's tools (.hlog). docs/load-testing.md has every key of a profile.

            Exit code: 1 if a threshold is broken. Without any, nothing may be wrong, lost (sent, no answer) or \
            unsent. 64 for an option that is wrong.
            """)

    @OptionGroup(title: "Where to") var target: TargetOptions
    @Option(help: "The profile (YAML).") var profile: String?
    @Option(help: "Requests a second, without a profile.") var rate: Double?
    @Option(help: "Requests under way on each connection, without a profile.") var outstanding: Int?
    @Option(help: "How long, such as 30s or 5m, without a profile.") var duration = "30s"
    @Option(
        help: ArgumentHelp(
            "What the load has to keep to, such as \"p99 < 5 ms\"; may be given several times."))
    var threshold: [String] = []
    @Option(help: "Folder for the results.") var results = "LoadTests/results"
    @Option(help: "Cards instead of the profile's number.") var cards: Int?
    @Option(help: "Connections instead of the profile's number.") var connections: Int?
    @Flag(help: "Import the cards before the load, with the issuer-host beside this tool.")
    var importCards = false
    @Flag(help: "Raise the rate until p99 or failures break their bounds, instead of the profile's stages.")
    var findKnee = false
    @Option(help: "First rate of the search.") var kneeStart = 1_000.0
    @Option(help: "p99 in milliseconds that the search allows.") var kneeP99 = 10.0
    @Option(help: "Seconds of each step of the search.") var kneeSeconds = 10.0

    func validate() throws {
        let given = [profile != nil, rate != nil, outstanding != nil].count { $0 }
        guard given == 1 || given == 0 && findKnee else {
            throw ValidationError("exactly one of --profile, --rate and --outstanding")
        }
        guard rate.map({ $0 > 0 && $0 <= 1_000_000 }) ?? true else {
            throw ValidationError("--rate has to be above 0 and at most 1,000,000 a second")
        }
        guard outstanding.map({ (1...10_000).contains($0) }) ?? true else {
            throw ValidationError("--outstanding has to be 1 to 10,000")
        }
        guard connections.map({ (1...10_000).contains($0) }) ?? true else {
            throw ValidationError("--connections has to be 1 to 10,000")
        }
        guard cards.map({ (10...1_000_000).contains($0) }) ?? true else {
            throw ValidationError("--cards has to be 10 to 1,000,000")
        }
        guard Run.seconds(duration) != nil else {
            throw ValidationError("--duration has to be a time such as 30s, 5m or 1h")
        }
        guard kneeStart > 0, kneeStart <= 1_000_000, kneeP99 > 0, kneeP99 <= 60_000, kneeSeconds >= 1,
            kneeSeconds <= 3_600
        else {
            throw ValidationError(
                "--knee-start has to be above 0 and at most 1,000,000 a second, --knee-p99 above 0 and at most 60,000 "
                    + "milliseconds, --knee-seconds 1 to 3,600")
        }
        try target.expectImportable(importCards)
        do { for text in threshold { _ = try Threshold(text) } } catch { throw ValidationError("\(error)") }
    }

    func run() async throws {
        let profile = try plan()
        try ResultFolder.require(results)
        for text in threshold where !findKnee {
            try Threshold(text).expectStage(of: profile, path: "--threshold")
        }
        let (issuer, links, admin) = try target.resolve(profile.links)
        if importCards { try target.importCards(of: profile, issuer) }
        let run = LoadRun(
            profile, issuer: issuer, links: links, admin: admin,
            hostPID: try Run.processes("DEMO_HOST_PID"), redisPID: try Run.processes("DEMO_REDIS_PID"),
            progress: Run.say)
        var result: LoadResult
        if findKnee {
            var knee = LoadRun.Knee(start: kneeStart, p99Milliseconds: kneeP99)
            knee.seconds = kneeSeconds
            result = try await run.findKnee(knee)
        } else {
            result = try await run.perform()
        }
        print(result.summary)
        let verdicts = try thresholds(profile).map { $0.verdict(on: result) }
        for verdict in verdicts { print(verdict.words) }
        print(try write(result))
        if verdicts.contains(where: { !$0.holds }) { throw ExitCode.failure }
    }

    /// The profile, or one of a single stage.
    private func plan() throws -> LoadProfile {
        var plan: LoadProfile
        if let profile {
            plan = try LoadProfile(contentsOf: profile)
        } else {
            let load: LoadProfile.Stage.Load =
                outstanding.map { .closed(outstanding: $0) } ?? .open(.constant(rate ?? kneeStart), .poisson)
            plan = LoadProfile(
                name: "run", cards: 10_000, connections: 8,
                stages: [
                    .init(
                        name: rate.map { "\(Int($0)) a second" } ?? "closed",
                        role: outstanding == nil ? nil : .saturation,
                        seconds: Run.seconds(duration) ?? 30, load: load)
                ])
        }
        if let cards { plan.cards = cards }
        if let connections { plan.connections = connections }
        return plan
    }

    private func thresholds(_ profile: LoadProfile) throws -> [Threshold] {
        let given = try profile.thresholds + threshold.map { try Threshold($0) }
        return given.isEmpty ? try Threshold.usual.map { try Threshold($0) } : given
    }

    /// Processes whose CPU is taken: numbers with commas between them; nil where the variable is not set.
    static func processes(_ variable: String) throws -> String? {
        guard let numbers = ProcessInfo.processInfo.environment[variable], !numbers.isEmpty else {
            return nil
        }
        if let missing = LoadRun.missingProcess(in: numbers) {
            throw LoadSetupError(
                "\(variable): there is no process \(missing); numbers with commas between them are expected")
        }
        return numbers
    }

    /// `30s`, `5m`, `1h`, `500ms`; a bare number is seconds.
    static func seconds(_ text: String) -> Double? {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("", 1)]
        guard let unit = units.first(where: { text.hasSuffix($0.0) }),
            let number = Double(text.dropLast(unit.0.count)), number > 0, number * unit.1 <= 86_400
        else { return nil }
        return number * unit.1
    }

    static func say(_ line: String) {
        FileHandle.standardError.write(Data("\(line)\n".utf8))
    }

    private func write(_ result: LoadResult) throws -> String {
        let moment = result.startedAt.replacing(":", with: "").replacing("-", with: "")
        let base = "\(results)/\(result.profile)-\(moment)"
        try Data(result.json()).write(to: URL(filePath: "\(base).json"))
        try Data(result.html.utf8).write(to: URL(filePath: "\(base).html"))
        try Data(result.csv.utf8).write(to: URL(filePath: "\(base).csv"))
        try Data(result.histogramLog.utf8).write(to: URL(filePath: "\(base).hlog"))
        return "\(base).json"
    }
}

struct Capacity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Step through rates, find the knee, and say what more cores, hosts and masters would carry.",
        discussion: """
            DEMO_HOST_PID and DEMO_REDIS_PID name the processes whose CPU the model is made of, several with commas \
            between them. The steps end with the first that breaks a bound; saturation is measured behind them. Text \
            goes to standard output, JSON and HTML beside the last line's path. The model, what it leaves out and its \
            error are part of the report. Each load needs cards whose counters the host has not seen: --import-cards.
            """)

    @OptionGroup(title: "Where to") var target: TargetOptions
    @Option(help: ArgumentHelp("Rates, rising.", valueName: "a,b,c"))
    var rates = "500,1000,2000,4000,8000,12000,16000,24000,32000"
    @Option(help: "Seconds of each rate.") var seconds = 10.0
    @Option(help: "p99 in milliseconds that a step may have.") var p99 = 10.0
    @Option(help: "Cards.") var cards = 10_000
    @Option(help: "Connections.") var connections = 8
    @Flag(help: "Import the cards before the first step, with the issuer-host beside this tool.")
    var importCards = false
    @Option(help: "Folder for the results.") var results = "LoadTests/results"

    private var steps: [Double] { rates.split(separator: ",").compactMap { Double($0) } }

    func validate() throws {
        guard steps.count >= 2, steps.count == rates.split(separator: ",").count, steps == steps.sorted(),
            steps.allSatisfy({ $0 > 0 })
        else { throw ValidationError("--rates has to be two or more rising numbers, such as 500,1000,2000") }
        guard seconds > 0, seconds <= 3_600, p99 > 0, p99 <= 60_000, (10...1_000_000).contains(cards),
            (1...10_000).contains(connections)
        else {
            throw ValidationError(
                "--seconds has to be above 0 and at most 3,600, --p99 above 0 and at most 60,000 milliseconds, "
                    + "--cards 10 to 1,000,000, --connections 1 to 10,000")
        }
        try target.expectImportable(importCards)
    }

    func run() async throws {
        try ResultFolder.require(results)
        let (issuer, links, admin) = try target.resolve([])
        let profile = LoadProfile(name: "capacity", cards: cards, connections: connections, stages: [])
        if importCards { try target.importCards(of: profile, issuer) }
        let run = LoadRun(
            profile, issuer: issuer, links: links, admin: admin,
            hostPID: try Run.processes("DEMO_HOST_PID"), redisPID: try Run.processes("DEMO_REDIS_PID"),
            progress: Run.say)
        let report = try await run.capacity(
            CapacityPlan(rates: steps, seconds: seconds, p99Milliseconds: p99))
        print(report.text)
        let moment = report.result.startedAt.replacing(":", with: "").replacing("-", with: "")
        let base = "\(results)/capacity-\(moment)"
        try Data(report.json()).write(to: URL(filePath: "\(base).json"))
        try Data(report.html.utf8).write(to: URL(filePath: "\(base).html"))
        print("\(base).json")
    }
}
