internal import FoundationEssentials
internal import VirtualCard

/// Scenarios that name what is not there: all the places, a line each.
package struct ScenarioFaults: Error, Sendable, CustomStringConvertible {
    /// In the order of the files.
    package let faults: [ScenarioError]

    /// `FILE:LINE:COLUMN: reason`, a line each; the same place once.
    package var description: String {
        var lines: [String] = []
        for fault in faults where !lines.contains(fault.description) { lines.append(fault.description) }
        let shown = lines.prefix(20)
        let more = lines.count > shown.count ? ["and \(lines.count - shown.count) more places"] : []
        return (shown + more).joined(separator: "\n")
    }
}

/// Looks at scenarios before anything is sent: cards, links, chips and files that steps name have to be there.
package struct ScenarioCheck {
    private let bench: Bench
    private let options: ScenarioRunner.Options
    private let cards: Set<String>
    private let cardNames: [String]

    /// - Parameter options: of the run that is to come.
    package init(_ bench: Bench, options: ScenarioRunner.Options) {
        self.bench = bench
        self.options = options
        cardNames = bench.issuer.cards.map(\.name) + [DemoTable.stranger]
        cards = Set(cardNames)
    }

    /// - Throws: `ScenarioFaults` with every place at fault.
    package func check(_ scenarios: [Scenario]) throws(ScenarioFaults) {
        let faults = scenarios.flatMap(faults)
        guard faults.isEmpty else { throw ScenarioFaults(faults: faults) }
    }

    private func faults(_ scenario: Scenario) -> [ScenarioError] {
        var faults: [ScenarioError] = []
        var named: String?
        var (linkName, entered) = (bench.configuration.links.first?.name, PINEntry.none)
        for step in scenario.steps {
            linkName = step.link ?? linkName
            checkPIN(step, linkName: linkName, entered: &entered, faults: &faults)
            let (card, needsCard) = step.card
            if let card { named = card }
            if let chip = step.chip {
                named = named ?? chip
                let chips = ChipFile.names(bench)
                check(step, "chip", faults: &faults) {
                    guard chips.contains(chip) else {
                        throw StepError(
                            "there is no chip \(chip); choose one of: \(chips.joined(separator: ", "))")
                    }
                    _ = try ChipFile(chip, bench: bench)
                }
            }
            if let card, !cards.contains(card) {
                faults.append(
                    step.fault(
                        "card",
                        "there is no card \(card); choose one of: \(cardNames.joined(separator: ", "))"
                    ))
            }
            if needsCard, named == nil {
                faults.append(step.fault("card", "no card is named here or before"))
            }
            if options.link == nil, let link = step.link {
                check(step, "link", faults: &faults) { _ = try bench.link(bench.configuration.link(link)) }
            }
            for (key, path) in step.files where !FileManager.default.isReadableFile(atPath: absolute(path)) {
                faults.append(step.fault(key, "cannot read \(path)"))
            }
        }
        if options.link == nil, bench.configuration.links.isEmpty {
            faults.append(ScenarioError(place: scenario.place, reason: "there is no link: name --target"))
        }
        return faults
    }

    /// A PIN needs a key to travel under.
    private func checkPIN(
        _ step: ScenarioStep, linkName: String?, entered: inout PINEntry, faults: inout [ScenarioError]
    ) {
        if case .pinEntry(let entry) = step.action { entered = entry }
        guard case .transaction(let transaction) = step.action, transaction.pin ?? entered != .none else {
            return
        }
        // A link that is not there is another fault.
        let named = linkName.flatMap { try? bench.link(options.refine(bench.configuration.link($0))) }
        guard let link = options.link ?? named else { return }
        var purchase = Purchase(amount: 0, pin: .none)
        purchase.setPINFormat(transaction.pinFormat, of: link)
        guard link.zonePINKey(for: purchase.pinFormat) == nil else { return }
        faults.append(step.fault("pin", "\(TerminalError.noZonePINKey)"))
    }

    private func check(
        _ step: ScenarioStep, _ key: String, faults: inout [ScenarioError], body: () throws -> Void
    ) {
        do { try body() } catch { faults.append(step.fault(key, "\(error)")) }
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(bench.configuration.folder)/\(path)"
    }
}

extension ScenarioStep {
    fileprivate func fault(_ key: String, _ reason: String) -> ScenarioError {
        let key = key == "card" && places[key] == nil ? "name" : key
        return ScenarioError(place: places[key] ?? place, reason: reason)
    }

    /// The card that it names, and whether one has to be known.
    fileprivate var card: (String?, needed: Bool) {
        switch action {
        case .transaction(let step): (step.card, needed: step.conversation == nil)
        case .card(let step): (step.card, needed: true)
        case .issuer(let step): (step.card, needed: true)
        default: (nil, needed: false)
        }
    }

    fileprivate var chip: String? {
        if case .transaction(let step) = action { step.conversation } else { nil }
    }

    fileprivate var link: String? {
        switch action {
        case .transaction(let step): step.link
        case .again(let step): step.link
        case .reversal(let step): step.link
        case .lateAnswer(let link), .network(_, let link), .disconnect(let link): link
        case .raw(let step): step.link
        case .issuer(let step): step.link
        case .tls(let step): step.link
        case .pinEntry, .script, .card, .wait: nil
        }
    }

    /// By their keys.
    fileprivate var files: [(key: String, path: String)] {
        guard case .tls(let step) = action else { return [] }
        let named = [
            ("certificate", step.certificateFile), ("key", step.privateKeyFile), ("ca", step.trustedFile),
        ]
        return named.compactMap { key, path in path.flatMap { $0 == "none" ? nil : (key, $0) } }
    }
}
