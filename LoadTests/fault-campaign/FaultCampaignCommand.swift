internal import ArgumentParser
internal import BuildVersion
internal import FaultCampaign
internal import Foundation
internal import ProgramEntry

@main
struct FaultCampaignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault-campaign",
        abstract: "Breaks an issuer host under load, and counts afterwards.",
        discussion: """
            Starts two hosts, Redis as the set-up says, and terminals with virtual cards. Kills, stops, cuts and delays \
            them at moments that follow from the seed. Then holds every answer that a terminal was told \
            against the journal and the cards' records. The last line on standard output is the path of the result as \
            JSON. The status is 1 if anything was lost, doubled, accepted twice or forgotten.
            """, version: BuildVersion.text)

    @Option(help: "How many faults.") var faults = 200
    @Option(
        name: .customLong("set-up"),
        help: ArgumentHelp(
            "What stands behind the hosts: \(SetUp.allCases.map(\.rawValue).joined(separator: ", ")). Those that filter packets "
                + "need a network namespace of their own."))
    var setUp = SetUp.sentinel
    @Option(help: "Only these kinds, divided by commas; by their names in the table of results.") var kinds:
        String?
    @Option(help: "Replays the plan of a campaign; random where it is not given.") var seed: UInt64?
    @Option(help: "Terminals.") var terminals = 12
    @Option(help: "Folder of the project.") var root = FileManager.default.currentDirectoryPath
    @Option(help: "Folder for the result.") var results = "LoadTests/results"
    @Flag(help: "Keep logs, journal and stores of the campaign.") var keep = false

    func validate() throws {
        guard (1...100_000).contains(faults) else { throw ValidationError("--faults: 1 to 100,000") }
        guard (1...1_000).contains(terminals) else { throw ValidationError("--terminals: 1 to 1,000") }
        _ = try faultKinds()
    }

    func run() async throws {
        for file in ["Config/redis.conf", "Config/demo/demo-issuer.json"]
        where !FileManager.default.isReadableFile(atPath: "\(root)/\(file)") {
            throw Refused("--root \(root): is no folder of this project, \(file) is not in it")
        }
        do {
            try FileManager.default.createDirectory(atPath: results, withIntermediateDirectories: true)
        } catch {
            throw Refused("--results \(results): the folder cannot be made: \(error.localizedDescription)")
        }
        let seed = seed ?? UInt64.random(in: 1...999_999)
        say("seed \(seed)")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fault-campaign-\(seed)")
        try? FileManager.default.removeItem(at: folder)
        let beside = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        var campaign = Campaign(
            FaultPlan(seed: seed, count: faults, kinds: try faultKinds()), root: root, binaries: beside.path,
            folder: folder.path)
        (campaign.lanes, campaign.setUp) = (terminals, setUp)
        campaign.progress = { say($0) }
        let result = try await campaign.run()
        if !keep { try? FileManager.default.removeItem(at: folder) }
        print(result.summary)
        let path = "\(results)/faults-\(setUp.rawValue)-\(seed).json"
        try result.write(to: path)
        print(path)
        if !result.violations.isEmpty { throw ExitCode.failure }
    }

    private func faultKinds() throws -> [FaultKind] {
        guard let kinds else { return setUp.kinds }
        return try kinds.split(separator: ",").map { name in
            guard let kind = FaultKind(rawValue: String(name)), setUp.kinds.contains(kind) else {
                let all = setUp.kinds.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--kinds: \(name) is none of \(all)")
            }
            return kind
        }
    }

    static func main() async { await ProgramEntry.run(Self.self, ProgramEntry.arguments) }
}

/// What the program was refused.
private struct Refused: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

private func say(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }

extension SetUp: ExpressibleByArgument {}
