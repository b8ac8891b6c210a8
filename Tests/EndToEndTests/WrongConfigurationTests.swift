import Foundation
import SocketSupport
import Testing

/// No wrong configuration and no wrong override is accepted, by `check` or by `serve`; each is refused with key, place
/// and remedy.
@Suite struct WrongConfigurationTests {
    @Test("Every wrong configuration and override is refused by check and by serve")
    func table() throws {
        let bench = try ConfigurationBench()
        defer { bench.stop() }
        let good = try bench.run("check", bench.good)
        #expect(good.status == 0, "\(good.output)")
        #expect(WrongConfigurations.all.count >= 60)
        for row in WrongConfigurations.all {
            for command in ["check", "serve"] {
                try expectRefusal(of: row, by: command, on: bench)
            }
        }
        try bench.expectServing(bench.good)
    }

    private func expectRefusal(of row: WrongConfiguration, by command: String, on bench: ConfigurationBench)
        throws
    {
        let written = bench.filled(row.written)
        let wrong = bench.filled(row.wrong)
        #expect(bench.good.contains(written) || written.isEmpty, "\(row): the good file has no such text")
        var text = bench.good
        var start = ""
        if let range = written.isEmpty ? nil : text.range(of: written) {
            start = String(text[..<range.lowerBound])
            text.replaceSubrange(range, with: wrong)
        }
        if row.remedy.contains("production") {
            text = text.replacingOccurrences(of: "profile: demo", with: "profile: production")
        }
        let result = try bench.run(command, text, variables: row.variables.mapValues(bench.filled))
        // 124 and 137: it served until it was ended.
        #expect(
            result.status == 1 || result.status == 64,
            "\(command), \(row): status \(result.status)\n\(result.output)")
        let place: String
        if let variable = row.variables.keys.first {
            // Where two keys do not go together, the other one's place will do.
            let isOfTwo = ["is missing", "exclude each other", "for server links"].contains(row.remedy)
            place = isOfTwo ? row.key : variable
        } else {
            let line = row.line.map { lineNumber(of: bench.filled($0), in: text) } ?? lines(start)
            place = line.map { "wrong.yaml:\($0)" } ?? ""
        }
        for words in [row.key, bench.filled(row.remedy), place] where !words.isEmpty {
            #expect(
                result.output.contains(words), "\(command), \(row): nothing of \(words) in\n\(result.output)")
        }
        #expect(!result.output.contains("Fatal error"), "\(command), \(row)")
    }

    private func lineNumber(of part: String, in text: String) -> Int? {
        guard !part.isEmpty, let range = text.range(of: part) else { return nil }
        return lines(String(text[..<range.lowerBound]))
    }

    /// The line that the end of a text is on.
    private func lines(_ text: String) -> Int? { text.count { $0 == "\n" } + 1 }
}

/// Token, store and files of a demo environment, and configurations of one's own on them.
final class ConfigurationBench {
    let good: String
    private let environment: DemoEnvironment
    private let values: [(String, String)]

    init() throws {
        environment = try DemoEnvironment(command: ["run"], variables: ["DEMO_SECURE": "1"])
        try environment.waitUntilReady()
        let folder = environment.directory
        let theirs = try String(contentsOfFile: environment.configuration, encoding: .utf8)
        let module = theirs.split(separator: "\n").first { $0.hasPrefix("  module: ") }?.dropFirst(10) ?? ""
        values = [
            ("PORT_ADMIN", "\(try freePort())"), ("PORT_A", "\(try freePort())"),
            ("PORT_B", "\(try freePort())"), ("PORT_S", "\(try freePort())"),
            ("DIRECTORY", folder.path), ("MODULE", String(module)),
        ]
        good = values.reduce(WrongConfigurations.good) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            .replacingOccurrences(of: "audit.log", with: "bench-audit.log")
            .replacingOccurrences(of: "zpk-acquirer-a", with: "zpk-acquirer-a")
        try makeFiles(folder)
    }

    /// A key that everybody may read, and dialects in which an answer has no place.
    private func makeFiles(_ folder: URL) throws {
        let open = folder.appendingPathComponent("open.key").path
        try FileManager.default.copyItem(atPath: folder.path + "/tls/host.key", toPath: open)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: open)
        let dialects = folder.appendingPathComponent("dialects")
        try FileManager.default.copyItem(
            at: DemoEnvironment.root.appendingPathComponent("Config/iso8583"), to: dialects)
        for (name, element, definition) in [
            ("digits-39", "39", #""type": "n", "max": 2"#), ("short-38", "38", #""type": "an", "max": 4"#),
            ("short-54", "54", #""type": "ans", "length": "lllvar", "max": 20"#),
            ("short-55", "55", #""type": "b", "length": "lllvar", "max": 12"#),
        ] {
            let text = """
                {"description": "too small", "extends": "ascii87-binbitmap",
                 "elements": {"\(element)": {"name": "small", \(definition)}}}
                """
            try text.write(
                to: dialects.appendingPathComponent(name + ".json"), atomically: true, encoding: .utf8)
        }
    }

    func filled(_ text: String) -> String {
        values.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            .replacingOccurrences(of: "log: audit.log", with: "log: bench-audit.log")
            .replacingOccurrences(of: "zonePINKey: zpk-a", with: "zonePINKey: zpk-acquirer-a")
    }

    /// Runs a command of the host on a configuration, at most so long that a host which serves is seen to.
    func run(_ command: String, _ text: String, variables: [String: String] = [:]) throws -> (
        status: Int32, output: String
    ) {
        let path = environment.directory.appendingPathComponent("wrong.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = [
            "-k", "2", "15", DemoEnvironment.executable("issuer-host"), command, "--config", path,
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
        return try DemoEnvironment.result(of: process)
    }

    func expectServing(_ text: String) throws {
        let path = environment.directory.appendingPathComponent("right.yaml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try HostProcess(configuration: path).stop()
    }

    func stop() { environment.stop() }
}
