internal import ArgumentParser
internal import BuildVersion
internal import FoundationEssentials
internal import Glibc
internal import TerminalSimulator
internal import VirtualCard

/// Scenarios from files.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run scenarios from YAML files against a host.",
        discussion: """
            The form of the files is in Config/scenarios/README.md. A folder stands for all of its .yaml files.

              terminal-simulator run Config/scenarios/ --junit result.xml --report result.html
              terminal-simulator run my.yaml --only "wrong PIN" --verbose
              terminal-simulator run my.yaml --trace=hex --pcap run.pcap
              terminal-simulator run my.yaml --target 192.0.2.7:8583 --dialect bcd87-rightF --zpk my-zpk \\
                --issuer my-keys-and-cards.json

            Exit code: 0 all passed, 1 one or more failed, or a file or a name is wrong, 64 a wrong option.
            """)

    @Argument(help: ArgumentHelp("Files and folders of scenarios.", valueName: "path"))
    var paths: [String]

    @Option(
        help: ArgumentHelp(
            "Only scenarios whose name, label or covered rule contains this.", valueName: "text"))
    var only: String?

    @Option(
        help: ArgumentHelp("Not those whose name, label or covered rule contains this.", valueName: "text"))
    var except: String?

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Run everything so often.", valueName: "times"))
    var repeats = 1

    @Option(help: ArgumentHelp("Draws the amounts: the same seed draws the same ones.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Write the result for CI.", valueName: "file"))
    var junit: String?

    @Option(help: ArgumentHelp("Write the result as a page with all messages, decoded.", valueName: "file"))
    var report: String?

    @Option(help: ArgumentHelp("So many terminals work at once.", valueName: "number"))
    var terminals = 1

    @Flag(help: "Show every step, not only what went wrong.")
    var verbose = false

    @Flag(help: "Show every message, and what card and terminal say to each other, object by object.")
    var trace = false

    @Flag(help: "With --trace, and in --report: every message as hex as well. `--trace=hex` says both.")
    var hex = false

    @Flag(
        name: .customLong("report-everything"),
        help: "In --report: messages of what passed too, whatever the size.")
    var reportEverything = false

    @Option(help: ArgumentHelp("Write every byte to a capture file for Wireshark.", valueName: "file"))
    var pcap: String?

    @Flag(help: "Read the files and list the scenarios, without a host.")
    var list = false

    @Option(
        name: .customLong("issuer-program"),
        help: ArgumentHelp(
            "What changes cards for steps `issuer`: takes the arguments of issuer-host. By default the issuer-host beside this program.",
            valueName: "path"))
    var issuerProgram: String?

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func validate() throws {
        guard (1...100_000).contains(repeats) else {
            throw ValidationError("--repeat has to be 1 to 100000")
        }
        guard issuerProgram.map({ access($0, X_OK) == 0 }) ?? true else {
            throw ValidationError("--issuer-program \(issuerProgram ?? "") is no program that can be run")
        }
        guard !hex || trace || report != nil else {
            throw ValidationError("--hex needs --trace or --report: there is no message to show as hex")
        }
        guard !reportEverything || report != nil else {
            throw ValidationError("--report-everything needs --report")
        }
        guard (1...ScenarioFleet.terminalsMax).contains(terminals) else {
            throw ValidationError("--terminals has to be 1 to \(ScenarioFleet.terminalsMax)")
        }
    }

    func run() throws {
        try reportingFailures {
            var scenarios = try ScenarioFile.scenarios(at: paths)
            if let only { scenarios = scenarios.filter { $0.isNamed(only) } }
            if let except { scenarios = scenarios.filter { !$0.isNamed(except) } }
            if desk() == nil {
                let needing = scenarios.count(where: \.needsIssuer)
                scenarios = scenarios.filter { !$0.needsIssuer }
                if needing > 0 {
                    print("\(needing) scenarios left out: they change cards, see --issuer-program")
                }
            }
            guard !scenarios.isEmpty else {
                throw ValidationError(
                    "no scenario is left to run: --only and --except look into names, labels and covered rules; "
                        + "--list shows the names")
            }
            if list {
                for scenario in scenarios { print(scenario.name) }
                return
            }
            // A run of minutes must not end at a folder that is not there.
            for path in [junit, report].compactMap({ $0 }) { try OutputFile.require(path) }
            let run = try perform(scenarios)
            print("\n" + ScenarioText.summary(run))
            try write(JUnitReport.xml(run), to: junit)
            try write(ScenarioPage.html(run, hex: hex, everything: reportEverything), to: report)
            if !run.passed { throw ExitCode(1) }
        }
    }

    private func perform(_ scenarios: [Scenario]) throws -> ScenarioRun {
        let bench = try environment.bench(for: linkOptions)
        var options = ScenarioRunner.Options()
        options.timeout = environment.wait
        options.seed = seed
        options.repeats = repeats
        if linkOptions.target != nil || linkOptions.link != nil {
            options.link = try linkOptions.link(of: bench)
        }
        options.refine = linkOptions.refined
        options.issuer = desk()
        try ScenarioCheck(bench, options: options).check(scenarios)
        options.capture = try pcap.map { try CaptureFile(path: $0) }
        let about = about(bench)
        var run: ScenarioRun
        if terminals > 1 {
            var fleet = ScenarioFleet(bench, options: options, terminals: terminals)
            run = try fleet.run(scenarios, report: show)
        } else {
            var runner = ScenarioRunner(bench, options: options)
            run = runner.run(scenarios, report: show)
        }
        run.about = about
        return run
    }

    private func about(_ bench: Bench) -> ScenarioRunAbout {
        let target = linkOptions.target.map {
            "\($0), \(linkOptions.usedDialect), \(linkOptions.usedFraming)"
        }
        let filter = [only.map { "only \"\($0)\"" }, except.map { "except \"\($0)\"" }].compactMap { $0 }
        return ScenarioRunAbout(
            startedAt: Date().formatted(.iso8601), host: target ?? ScenarioRunAbout.hosts(bench),
            version: BuildVersion.text,
            filter: filter.joined(separator: ", "))
    }

    /// Another host's cards are nobody's business but its own program's.
    private func desk() -> IssuerDesk? {
        if let issuerProgram {
            return IssuerDesk(
                program: issuerProgram, configuration: linkOptions.target == nil ? environment.config : nil)
        }
        return linkOptions.target == nil ? environment.desk() : nil
    }

    private func show(_ result: ScenarioResult) {
        for line in ScenarioText.lines(result, allSteps: verbose || trace) { print(line) }
        for line in ScenarioText.messages(result, allSteps: trace, hex: hex) { print(line) }
        fflush(nil)
    }

    private func write(_ text: String, to path: String?) throws {
        if let path { try OutputFile.write(text, to: path) }
    }
}
