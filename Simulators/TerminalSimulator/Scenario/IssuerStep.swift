internal import EMV
internal import VirtualCard

/// What the issuer is to do with a card before the scenario goes on.
struct IssuerStep: Sendable {
    var card: String?
    /// For the zone PIN key of a PIN change.
    var link: String?
    var order = Order.scripts

    enum Order: Sendable {
        /// The card as the issuer's file has it, with these changes.
        case record([RecordChange])
        /// active, lost, stolen or restricted.
        case status(String)
        /// All PIN tries back.
        case unblockPIN
        case script(ScriptOrder)
        /// Shows the scripts of the card.
        case scripts
        /// Any other command; `{pan}` and `{psn}` stand for the card's.
        case command([String])
    }

    enum RecordChange: Sendable {
        /// Nil for a card without a PIN.
        case pin(String?)
        /// Minor units.
        case available(UInt64)
        case text(key: String, String)
    }
}

/// An issuer script as it is ordered.
struct ScriptOrder: Sendable {
    /// `application-block`, `pin-change`, ….
    var name = ""
    /// Of a PIN change.
    var pin: PIN?
    /// Of PUT DATA.
    var tag: String?
    /// Of PUT DATA, hex.
    var data: String?
    /// Template 71, not 72.
    var isBeforeFinal = false
}

/// The keys of `issuer`.
enum IssuerStepReader {
    static func step(_ node: ScenarioNode) throws(ScenarioError) -> IssuerStep {
        var step = IssuerStep()
        var script = ScriptOrder()
        var orders: [IssuerStep.Order] = []
        let keys = [
            "card", "link", "record", "status", "pin-tries", "script", "pin", "tag", "data", "before",
            "scripts", "command",
        ]
        for entry in try node.entries(keys) {
            let value = entry.value
            switch entry.key {
            case "card": step.card = try value.text()
            case "link": step.link = try value.text()
            case "record": orders.append(.record(try record(value)))
            case "status": orders.append(.status(try value.text()))
            case "pin-tries":
                orders.append(try value.choice(["reset": .unblockPIN]))
            case "script":
                script.name = try value.text()
                orders.append(.script(script))
            case "pin": script.pin = try pin(value)
            case "tag": script.tag = try value.text()
            case "data": script.data = try value.text()
            case "before": script.isBeforeFinal = try value.flag()
            case "scripts": orders.append(try value.choice(["list": .scripts]))
            default:
                var words: [String] = []
                for word in try value.items() { words.append(try word.text()) }
                orders.append(.command(words))
            }
        }
        guard let order = orders.first, orders.count == 1 else {
            throw node.fault(
                "issuer does exactly one of: record, status, pin-tries, script, scripts, command")
        }
        step.order = order
        // The script's other keys may have come after its name.
        if case .script = order { step.order = .script(script) }
        return step
    }

    private static func pin(_ node: ScenarioNode) throws(ScenarioError) -> PIN {
        guard let pin = PIN(try node.text()) else { throw node.fault("4 to 12 digits are expected here") }
        return pin
    }

    private static func record(_ node: ScenarioNode) throws(ScenarioError) -> [IssuerStep.RecordChange] {
        var changes: [IssuerStep.RecordChange] = []
        for entry in try node.entries(["pin", "available", "status", "expiry", "pin-verification"]) {
            let value = entry.value
            switch entry.key {
            case "pin":
                let text = try value.text()
                if text != "none" { _ = try pin(value) }
                changes.append(.pin(text == "none" ? nil : text))
            case "available":
                changes.append(.available(try ScenarioStepReader.amount(value).lowerBound))
            case "pin-verification": changes.append(.text(key: "pinVerification", try value.text()))
            default: changes.append(.text(key: entry.key, try value.text()))
            }
        }
        return changes
    }
}

extension ScenarioRunner {
    mutating func issuer(
        _ step: IssuerStep, _ expectation: ScenarioExpectation, record: inout StepRecord
    ) throws {
        let card = try card(step.card)
        guard let desk = options.issuer else {
            throw StepError(
                "this changes a card at the issuer: no issuer-host beside this program, name one with --issuer-program"
            )
        }
        let pan = card.panDigits
        let number = card.definition.identity.panSequenceNumber.map { "\($0)" } ?? "0"
        let who = [pan, "--psn", number]
        let why = ["--reason", "scenario"]
        var answer = ""
        switch step.order {
        case .record(let changes):
            try desk.importCard(changed(card.definition.name, changes))
            answer = "the card's record is new"
        case .status(let status): answer = try desk.run(["cards", "status"] + who + [status] + why)
        case .unblockPIN: answer = try desk.run(["cards", "unblock-pin"] + who + why)
        case .script(let order):
            let arguments = try arguments(order, card, link: session(step.link).link)
            answer = try desk.run(["cards", "script"] + who + arguments + why)
        case .scripts: answer = try desk.run(["cards", "script"] + who + ["--list"])
        case .command(let words):
            answer = try desk.run(
                words.map { $0.replacing("{pan}", with: pan).replacing("{psn}", with: number) })
        }
        // The program masks account numbers; this makes sure of one that does not.
        answer = answer.replacing(pan, with: "\(card.definition.identity.pan)")
        record.summary = answer.split(separator: "\n").last.map(String.init) ?? "done"
        record.judgeWords(answer, expectation)
    }

    private func changed(_ name: String, _ changes: [IssuerStep.RecordChange]) throws -> [String: Any] {
        var card = try IssuerDesk.record(of: name, in: bench.configuration.issuerPath)
        for change in changes {
            switch change {
            case .pin(let digits): card["pin"] = digits
            case .available(let amount): card["availableMinorUnits"] = amount
            case .text(let key, let text): card[key] = text
            }
        }
        return card
    }

    private func arguments(_ order: ScriptOrder, _ card: VirtualCard, link: Link) throws -> [String] {
        var arguments = [order.name]
        if order.isBeforeFinal { arguments.append("--before") }
        if let tag = order.tag { arguments += ["--tag", tag] }
        if let data = order.data { arguments += ["--data", data] }
        guard let pin = order.pin else { return arguments }
        guard let key = link.zonePINKey, let name = link.zonePINKeyName else {
            throw TerminalError.noZonePINKey
        }
        let block = String(try card.pinBlock(pin, zonePINKey: key).rawValue, radix: 16)
        let digits = String(repeating: "0", count: 16 - block.count) + block
        return arguments + ["--pin-block", digits, "--zone-key", name]
    }
}

extension StepRecord {
    /// Words that have to be in what a program says, or a card's conversation.
    mutating func judgeWords(_ text: String, _ expectation: ScenarioExpectation) {
        for words in expectation.words where !text.contains(words) {
            complaints.append("\"\(words)\" is not in: \(text.isEmpty ? "nothing" : text)")
        }
    }
}
