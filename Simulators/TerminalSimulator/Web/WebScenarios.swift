internal import Foundation
internal import Synchronization

/// Scenarios that the page lists, starts and watches: one run at a time.
final class WebScenarios: Sendable {
    struct Line: Sendable, Encodable {
        let name: String
        let file: String
        let passed: Bool
        let milliseconds: String
        let text: String
    }

    struct Progress: Sendable, Encodable {
        var running = false
        var total = 0
        var done: [Line] = []
        var error = ""
    }

    struct Choice: Encodable {
        let name: String
        let file: String
        let labels: [String]
    }

    private let paths: [String]
    private let bench: Bench
    private let desk: IssuerDesk?
    private let timeout: Duration
    private let version: String
    private let progress = Mutex(Progress())
    private let last = Mutex<ScenarioRun?>(nil)

    /// - Parameter paths: files and folders; empty for a page without scenarios.
    init(_ paths: [String], bench: Bench, version: String, desk: IssuerDesk?, timeout: Duration) {
        self.paths = paths
        self.version = version
        self.bench = bench
        self.desk = desk
        self.timeout = timeout
    }

    /// The files are read at every call: they are edited meanwhile.
    func choices() throws -> [Choice] {
        try ScenarioFile.scenarios(at: paths).map {
            Choice(name: $0.name, file: $0.place.file, labels: $0.labels)
        }
    }

    /// The last run that has ended; nil where there is none.
    var finished: ScenarioRun? { last.withLock { $0 } }

    /// - Parameter from: results before this one are left out.
    func progress(from: Int) -> Progress {
        progress.withLock { progress in
            var part = progress
            part.done = Array(progress.done.dropFirst(from))
            return part
        }
    }

    /// Starts a run and returns.
    /// - Parameters:
    ///   - only: a part of names, labels or covered rules; empty for all.
    ///   - finished: called at its end, on another thread.
    func start(only: String, finished: @escaping @Sendable () -> Void) throws {
        let chosen = try ScenarioFile.scenarios(at: paths)
            .filter { (only.isEmpty || $0.isNamed(only)) && (desk != nil || !$0.needsIssuer) }
        guard !chosen.isEmpty else { throw StepError("no scenario has \"\(only)\" in its name or labels") }
        try ScenarioCheck(bench, options: options).check(chosen)
        let about = ScenarioRunAbout(
            startedAt: Date().formatted(.iso8601), host: ScenarioRunAbout.hosts(bench), version: version,
            filter: only.isEmpty ? "" : "only \"\(only)\"")
        try progress.withLock { progress in
            guard !progress.running else { throw StepError("scenarios are running already") }
            progress = Progress(running: true, total: chosen.count)
        }
        // A run takes its time, and a pool's thread with it.
        Thread.detachNewThread { [self] in
            var runner = ScenarioRunner(bench, options: options)
            var run = runner.run(chosen) { result in
                let line = Line(
                    name: result.name, file: result.place.file, passed: result.passed,
                    milliseconds: Printing.milliseconds(result.elapsed),
                    text: (ScenarioText.lines(result, allSteps: true)
                        + ScenarioText.messages(result)).joined(separator: "\n"))
                progress.withLock { $0.done.append(line) }
            }
            run.about = about
            last.withLock { $0 = run }
            progress.withLock { $0.running = false }
            finished()
        }
    }

    private var options: ScenarioRunner.Options {
        var options = ScenarioRunner.Options()
        options.timeout = timeout
        options.issuer = desk
        return options
    }
}
