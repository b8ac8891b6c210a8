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

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func run() throws {
        try reportingFailures {
            let bench = try environment.bench(choosing: linkOptions)
            let desk = linkOptions.target == nil ? environment.desk() : nil
            try FullScreen.run(Till(bench, timeout: environment.wait, desk: desk))
        }
    }
}
