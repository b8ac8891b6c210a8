internal import ArgumentParser
internal import BuildVersion
internal import Glibc
internal import TerminalSimulator

/// The terminal as a page.
struct WebCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web",
        abstract: "Serve a payment terminal as a web page, on loopback only.",
        discussion: """
            Pays, repeats and reverses; edits elements and tags before sending; shows every message decoded and as \
            hex; keeps the history of each page and exports it as JSON, CSV and JUnit; runs scenarios. Digits, \
            Enter, Tab and Escape work as on a terminal's keys. Ends with SIGINT.
            """)

    @Option(help: ArgumentHelp("Where to listen; 0 for any free port.", valueName: "port"))
    var port = 8080

    @Option(
        help: ArgumentHelp(
            "A file or folder of scenarios for the page; may be given several times.", valueName: "path"))
    var scenarios: [String] = []

    @Option(help: ArgumentHelp("Write every byte to a capture file for Wireshark.", valueName: "file"))
    var pcap: String?

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port has to be 0 to 65535") }
    }

    func run() throws {
        try reportingFailures {
            let bench = try environment.bench(choosing: linkOptions)
            // Another host's cards are nobody's business but its own program's.
            let desk = linkOptions.target == nil ? environment.desk() : nil
            _ = try ScenarioFile.scenarios(at: scenarios)
            let capture = try pcap.map { try CaptureFile(path: $0) }
            let server = try WebServer(
                Till(bench, timeout: environment.wait, desk: desk, capture: capture), port: port,
                scenarios: scenarios, version: BuildVersion.text, desk: desk, timeout: environment.wait)
            print("ready: http://127.0.0.1:\(server.port)/")
            fflush(nil)
            try server.wait()
        }
    }
}
