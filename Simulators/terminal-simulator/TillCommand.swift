internal import ArgumentParser
internal import TerminalSimulator

/// The terminal on the whole screen.
struct TillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "till",
        abstract: "A payment terminal on the whole screen: what runs without a command.",
        discussion: """
            Choose a card, type amount and PIN, and see what card, terminal and issuer say to each other, request \
            and answer side by side. Repeats, reverses and tampers. Needs a terminal of 60 columns and 18 rows.
            """)

    @OptionGroup var environment: Environment

    func run() throws {
        try reportingFailures {
            let bench = try environment.bench()
            guard !bench.configuration.links.isEmpty else {
                throw ValidationError("the configuration has no links")
            }
            try FullScreen.run(Till(bench, timeout: environment.wait, desk: environment.desk()))
        }
    }
}
