internal import ByteCoding
internal import EMV
internal import ISO8583
package import VirtualCard

/// Live exchanges as steps of a scenario. PINs become `right` or `wrong`: no digit of one is written.
package struct ScenarioRecording: Sendable {
    /// Step lines in order, each with its expectation; no indentation.
    package private(set) var steps: [[String]] = []

    /// Nothing yet.
    package init() {}

    /// One purchase.
    /// - Parameters:
    ///   - pin: of the card, to tell right from wrong.
    ///   - named: the link is one of the configuration: the scenario names it.
    package init(_ order: TillOrder, _ outcome: PurchaseOutcome, pin: PIN, named: Bool) {
        steps = [
            [
                ScenarioRecording.purchase(order, pin: pin, isChip: false, namesLink: named),
                ScenarioRecording.expectation(code: outcome.responseCode, verdict: outcome.verdict),
            ]
        ]
    }

    /// True before the first step.
    package var isEmpty: Bool { steps.isEmpty }

    /// Adds what a receipt brought.
    package mutating func add(_ receipt: TillReceipt) {
        if !receipt.recorded.isEmpty { steps.append(receipt.recorded) }
    }

    /// A file of one scenario.
    /// - Parameter name: of the scenario.
    package func yaml(name: String) -> String {
        var lines = [
            "name: Recorded", "scenarios:", "  - name: \(ScenarioRecording.quoted(name))", "    steps:",
        ]
        for step in steps {
            for (index, line) in step.enumerated() {
                lines.append((index == 0 ? "      - " : "        ") + line)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// - Parameters:
    ///   - pin: of the card, to tell right from wrong.
    ///   - isChip: the name is that of a personalised chip.
    static func purchase(_ order: TillOrder, pin: PIN?, isChip: Bool, namesLink: Bool = true) -> String {
        var keys = [
            "\(isChip ? "chip" : "card"): \(quoted(order.card))", "amount: \(money(order.amount))",
            "pin: \(order.pin == nil ? "none" : order.pin == pin ? "right" : "wrong")",
        ]
        if namesLink { keys.append("link: \(quoted(order.link))") }
        if order.presentation != .chip { keys.append("entry: \(order.presentation.rawValue)") }
        if order.presentation == .stripe { keys.append("service-code: \"101\"") }
        var fields = fields(order.edits)
        var faults = order.deed.faults + tags(order.edits)
        if order.deed == .amountRaised {
            let raised = MoneyText.digits(order.amount + 100_000, count: 12)
            fields.append("4: \"\(raised)\"")
            faults.append("tags: {\"9F02\": \"\(raised)\"}")
        }
        if !fields.isEmpty { keys.append("fields: {\(fields.joined(separator: ", "))}") }
        if !faults.isEmpty { keys.append("fault: {\(faults.joined(separator: ", "))}") }
        return "\(order.kind.words): {\(keys.joined(separator: ", "))}"
    }

    private static func fields(_ edits: [TillEdit]) -> [String] {
        edits.compactMap { edit in
            guard case .element(let element) = edit.place else { return nil }
            return "\(element.rawValue): \(edit.content.map(quoted) ?? "absent")"
        }
    }

    private static func tags(_ edits: [TillEdit]) -> [String] {
        var changed: [String] = []
        var removed: [String] = []
        for edit in edits {
            guard case .tag(let tag) = edit.place else { continue }
            if let content = edit.content {
                changed.append("\"\(tag)\": \"\(content.filter { !$0.isWhitespace })\"")
            } else {
                removed.append("\"\(tag)\"")
            }
        }
        return (changed.isEmpty ? [] : ["tags: {\(changed.joined(separator: ", "))}"])
            + (removed.isEmpty ? [] : ["remove-tags: [\(removed.joined(separator: ", "))]"])
    }

    /// - Parameters:
    ///   - code: DE39; nil where no answer came.
    ///   - verdict: the card's; nil where it was not asked.
    static func expectation(code: String?, verdict: IssuerAuthenticationVerdict?) -> String {
        guard let code else { return "expect: {answer: none}" }
        var keys = ["de39: \(quoted(code))"]
        switch verdict {
        case nil: break
        case .absent: keys.append("arpc: absent")
        case .wrong, .malformed: keys.append("arpc: wrong")
        case let verdict?: keys.append("arpc: \(verdict.approves ? "approves" : "declines")")
        }
        return "expect: {\(keys.joined(separator: ", "))}"
    }

    private static func money(_ amount: UInt64) -> String {
        "\(amount / 100).\(MoneyText.digits(amount % 100, count: 2))"
    }

    /// In double quotes, as YAML and JSON have them.
    static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

extension Deed {
    /// As scenarios write it; the raised amount depends on the amount and is written where that is known.
    fileprivate var faults: [String] {
        switch self {
        case .nothing, .amountRaised: []
        case .cryptogramBitFlipped: ["flip: {\"9F26\": 0}"]
        case .verificationResultsChanged: ["tags: {\"95\": \"0000000000\"}"]
        case .counterReplayed: ["atc: replay"]
        case .counterFarAhead: ["atc: +2000"]
        case .chipDataMalformed: ["chip-data: length-beyond-end"]
        case .messageCutShort: ["cut-bytes: 20"]
        }
    }
}
