internal import ArgumentParser
internal import Glibc
internal import TerminalSimulator

/// The terminal as a page.
struct WebCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web",
        abstract: "Serve a payment terminal as a web page, on loopback only.",
        discussion: "Digits, Enter, Backspace and Escape work as on the terminal's keys. Ends with SIGINT.")

    @Option(help: ArgumentHelp("Where to listen; 0 for any free port.", valueName: "port"))
    var port = 8080

    @OptionGroup var environment: Environment

    func run() throws {
        try reportingFailures {
            let bench = try environment.bench()
            guard !bench.configuration.links.isEmpty else {
                throw ValidationError("the configuration has no links")
            }
            let server = try WebServer(
                Till(bench, timeout: environment.wait, desk: environment.desk()), port: port)
            print("ready: http://127.0.0.1:\(server.port)/")
            fflush(nil)
            try server.wait()
        }
    }
}
