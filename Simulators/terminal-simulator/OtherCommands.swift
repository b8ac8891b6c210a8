internal import ArgumentParser
internal import Glibc
internal import ISO8583
internal import TerminalSimulator
internal import VirtualCard
/// Every card and every decline.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Pay with every demo card on every link, and provoke every decline.",
        discussion: """
            One line for each transaction: card, amount, cryptogram profile, what was done, DE39 with its \
            words, the card's verdict on the issuer's cryptogram, milliseconds. ✓ where the outcome is the \
            expected one. Each decline is followed by a good request on the same connection.

            The demo uses up PIN tries of the card no-funds: run `issuer-host cards import` before a \
            second demo on the same environment (`make demo` does).

            Exit code: 0 only if every outcome was the expected one, 1 if not.
            """)

    @OptionGroup var environment: Environment

    func run() throws {
        try reportingFailures {
            let bench = try environment.bench()
            let links = try bench.configuration.links.map { try bench.link($0) }
            guard !links.isEmpty else { throw ValidationError("the configuration has no links") }
            let readers = try environment.readers(bench.issuer.cards)
            var demo = try Demo(bench, links: links, timeout: environment.wait, readers: readers)
            if let readers, let place = environment.reader {
                print("\(readers.present(among: bench.issuer.cards).count) cards are in readers at \(place)")
            }
            for link in links {
                print("\(link.name): \(link.endpoint), dialect \(link.form.codec.dialect.name)")
            }
            print("\n" + Printing.demoHeadings)
            let summary = try demo.run { line in
                print(Printing.line(line))
                fflush(nil)
            }
            print("\n" + Printing.summary(summary))
            if !summary.isAsExpected { throw ExitCode(1) }
        }
    }
}

/// Is anybody there?
struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Ask a link whether it is there (0800 with DE70 301, or 1804 with DE24 831).",
        discussion: "Exit code: 0 for an answer with DE39 00 or 800, 1 for any other or none.")

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func run() throws {
        try reportingFailures {
            let link = try linkOptions.link(of: environment.bench(for: linkOptions))
            var exchange = try Exchange(to: link, timeout: environment.wait)
            var terminal = Terminal()
            let dialect = link.form.codec.dialect
            let request = terminal.echoRequest(dialect: dialect)
            let answer = try exchange.perform(request, timeout: environment.wait)
            print(Printing.message(request, title: "Request to \(link.name)", dialect: dialect))
            print(Printing.message(answer.message, title: "Response", dialect: dialect))
            print("Took: \(Printing.milliseconds(answer.elapsed)) ms")
            for discrepancy in answer.discrepancies { print("Attention: \(discrepancy)") }
            guard answer.isAccepted, answer.discrepancies.isEmpty else {
                throw ExitCode(1)
            }
        }
    }
}

/// What cards there are.
struct CardsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cards",
        abstract: "List the demo's cards.",
        discussion: "Their PINs are in the demo issuer's file, Config/demo/demo-issuer.json.")

    @OptionGroup var environment: Environment

    func run() throws {
        try reportingFailures { print(Printing.cards(try environment.bench().issuer.cards)) }
    }
}

/// Runs a command; an error becomes one line on standard error and exit code 1.
func reportingFailures(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch {
        let line = Array("terminal-simulator: \(error)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        throw ExitCode(1)
    }
}
