internal import ArgumentParser
internal import ISO8583
internal import TerminalSimulator
internal import VirtualCard

/// One purchase, shown from all sides.
struct PurchaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purchase",
        abstract: "Pay with one card and see request and answer decoded.",
        discussion: """
            Prints both messages element by element, the chip data tag by tag, what DE39 means and what the \
            card makes of the issuer's cryptogram. Account numbers are masked; PINs, PIN blocks and tracks \
            are not shown.

            Exit code: 0 approved and the card agrees, 1 any other answer or none.
            """)

    @Option(help: ArgumentHelp("A demo card; `terminal-simulator cards` lists them.", valueName: "name"))
    var card: String

    @Option(help: ArgumentHelp("In the card's currency, such as 42.50.", valueName: "amount"))
    var amount: String

    @Option(help: ArgumentHelp("What is typed at the PIN pad, 4 to 12 digits. Without it no PIN is sent."))
    var pin: String?

    @Flag(
        help: "Print both messages as hex too: what `issuer-host decode` and `explain-arqc --message` take.")
    var hex = false

    @Option(
        help: ArgumentHelp("Write the exchange as a scenario, to be played with `run`.", valueName: "file"))
    var record: String?

    @Option(help: ArgumentHelp("Write every byte to a capture file for Wireshark.", valueName: "file"))
    var pcap: String?

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func validate() throws {
        guard MoneyText.minorUnits(amount) != nil else {
            throw ValidationError(
                "--amount has to be a number such as 42.50, of at most ten digits before it")
        }
        if let pin, PIN(pin) == nil { throw ValidationError("--pin has to be 4 to 12 digits") }
    }

    func run() throws {
        try reportingFailures {
            if let record { try OutputFile.require(record) }
            let bench = try environment.bench(for: linkOptions)
            var card = try bench.card(card)
            var link = try linkOptions.link(of: bench)
            let tap = WireTap(capture: try pcap.map { try CaptureFile(path: $0) })
            link.tap = tap
            let entry = pin.flatMap { PIN($0) }.map { PINEntry.typed($0) } ?? .none
            var purchase = Purchase(amount: MoneyText.minorUnits(amount) ?? 0, pin: entry)
            purchase.setPINFormat(of: link)
            var terminal = Terminal()
            let counter = try ReaderPurchase(
                environment.readers([card.definition]), bench, terminal: terminal)
            var exchange = try Exchange(to: link, timeout: environment.wait)
            let request = try counter.request(purchase, &card, link: link, terminal: &terminal)
            defer { if hex { show(tap.take(), of: link) } }
            let answer = try exchange.perform(
                request.message, bytesCut: request.bytesCut, timeout: environment.wait)
            let outcome = try PurchaseOutcome(answer, to: request, card: card)
            print(Printing.purchase(request, outcome, link: link))
            for line in try counter.finish(outcome) { print(line) }
            if let record {
                let order = TillOrder(
                    card: self.card, link: link.name, amount: purchase.amount, pin: pin.flatMap { PIN($0) },
                    deed: .nothing)
                let recording = ScenarioRecording(
                    order, outcome, pin: card.definition.pin, named: linkOptions.target == nil)
                try OutputFile.write(recording.yaml(name: "\(self.card), \(amount)"), to: record)
            }
            guard !outcome.isApproved else { return }
            let desk = linkOptions.target == nil ? environment.desk() : nil
            for line in Printing.why(request, outcome, bench: bench, desk: desk) { print(line) }
            throw ExitCode(1)
        }
    }
    private func show(_ messages: [WireMessage], of link: Link) {
        print("\nBytes in dialect \(link.form.codec.dialect.name), without length (test data in clear):")
        for message in messages { print("\(message.direction.rawValue) \(message.hex)") }
    }
}
