internal import ArgumentParser
internal import Foundation
internal import LoadGenerator
internal import VirtualCard

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a profile, or look for the knee.",
        discussion: """
            ISSUER_HOST_PID and ISSUER_REDIS_PID name the processes whose CPU time and memory are taken. The \
            last line on standard output is the path of the result as JSON; an HTML report lies beside it. \
            The status is 1 if an answer was wrong or missing.
            """)

    @OptionGroup var host: HostOptions
    @Option(help: "The profile (YAML).") var profile: String
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

    func run() async throws {
        let host = try host.configuration()
        var profile = try LoadProfile(contentsOf: profile)
        if let cards { profile.cards = cards }
        if let connections { profile.connections = connections }
        let issuer = try DemoIssuer(contentsOf: host.issuerPath)
        if importCards { try importCards(of: profile, issuer) }
        let environment = ProcessInfo.processInfo.environment
        let run = LoadRun(
            profile, issuer: issuer, links: try host.links(named: profile.links), admin: host.admin,
            hostPID: environment["ISSUER_HOST_PID"], redisPID: environment["ISSUER_REDIS_PID"],
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
        print(try write(result))
        if result.answersMismatched + result.answersLost > 0 { throw ExitCode.failure }
    }

    private static func say(_ line: String) {
        FileHandle.standardError.write(Data("\(line)\n".utf8))
    }

    private func importCards(of profile: LoadProfile, _ issuer: DemoIssuer) throws {
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
        guard importer.terminationStatus == 0 else { throw ValidationError("the cards were not imported") }
        Run.say("import took \(Int(Date().timeIntervalSince(start))) s")
    }

    private func write(_ result: LoadResult) throws -> String {
        try FileManager.default.createDirectory(atPath: results, withIntermediateDirectories: true)
        let moment = result.startedAt.replacing(":", with: "").replacing("-", with: "")
        let base = "\(results)/\(result.profile)-\(moment)"
        try Data(result.json()).write(to: URL(filePath: "\(base).json"))
        try Data(result.html.utf8).write(to: URL(filePath: "\(base).html"))
        return "\(base).json"
    }
}
