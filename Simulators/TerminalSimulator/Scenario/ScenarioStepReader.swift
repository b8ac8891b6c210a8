internal import ByteCoding
internal import EMV
internal import ISO8583
internal import VirtualCard

/// From YAML to steps.
enum ScenarioStepReader {
    private static let actions = [
        "purchase", "cash", "refund", "repeat", "reversal", "late-answer", "pin", "script", "echo", "sign-on",
        "sign-off", "raw", "card", "issuer", "tls", "disconnect", "wait", "loop",
    ]
    /// Steps that a loop comes to at most.
    private static let loopTimesMax = 10_000

    static func steps(
        _ node: ScenarioNode, _ variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> [ScenarioStep] {
        var result: [ScenarioStep] = []
        for item in try node.items() { result += try step(item, variables) }
        return result
    }

    private static func step(
        _ node: ScenarioNode, _ variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> [ScenarioStep] {
        let entries = try node.entries(actions + ["name", "expect"])
        let acting = entries.filter { actions.contains($0.key) }
        guard let acted = acting.first, acting.count == 1 else {
            throw node.fault("a step does exactly one of: \(actions.joined(separator: ", "))")
        }
        if acted.key == "loop" { return try loop(acted.value, variables) }
        var name = acted.key
        var expectation = ScenarioExpectation()
        for entry in entries {
            let value = try entry.value.substituting(variables)
            if entry.key == "name" { name = try value.text() }
            if entry.key == "expect" { expectation = try ScenarioExpectationReader.expectation(value) }
        }
        let value = try acted.value.substituting(variables)
        let action = try action(acted.key, value)
        var places: [String: ScenarioPlace] = [:]
        if case .map(let entries) = value.content {
            for entry in entries { places[entry.key] = entry.value.place }
        }
        return [
            ScenarioStep(
                name: name, place: acted.place, action: action, expectation: expectation, places: places)
        ]
    }

    /// `{times: 3, as: n, steps: […]}` or `{over: […], as: amount, steps: […]}`.
    private static func loop(
        _ node: ScenarioNode, _ variables: [String: ScenarioNode]
    ) throws(ScenarioError) -> [ScenarioStep] {
        var name = "n"
        var values: [ScenarioNode] = []
        var body: ScenarioNode?
        for entry in try node.entries(["times", "over", "as", "steps"]) {
            switch entry.key {
            case "as": name = try entry.value.text()
            case "times":
                let times = try entry.value.substituting(variables).integer(1...loopTimesMax)
                values = (1...times).map { entry.value.scalar("\($0)") }
            case "over": values = try entry.value.substituting(variables).items()
            default: body = entry.value
            }
        }
        guard let body, !values.isEmpty else { throw node.fault("a loop needs times or over, and steps") }
        var result: [ScenarioStep] = []
        for value in values {
            var inner = variables
            inner[name] = value
            result += try steps(body, inner)
        }
        return result
    }

    private static func action(
        _ key: String, _ node: ScenarioNode
    ) throws(ScenarioError) -> ScenarioAction {
        switch key {
        case "purchase": .transaction(try TransactionStepReader.transaction(node, .purchase))
        case "cash": .transaction(try TransactionStepReader.transaction(node, .cash))
        case "refund": .transaction(try TransactionStepReader.transaction(node, .refund))
        case "repeat": .again(try again(node))
        case "reversal": .reversal(try reversal(node))
        case "late-answer": .lateAnswer(link: try link(node))
        case "pin": .pinEntry(try pin(node))
        case "script": .script(count: try script(node))
        case "echo": .network(code: "301", link: try link(node))
        case "sign-on": .network(code: "001", link: try link(node))
        case "sign-off": .network(code: "002", link: try link(node))
        case "raw": .raw(try raw(node))
        case "card": .card(try card(node))
        case "issuer": .issuer(try IssuerStepReader.step(node))
        case "tls": .tls(try tls(node))
        case "disconnect": .disconnect(link: try link(node))
        default: .wait(try node.duration())
        }
    }

    private static func link(_ node: ScenarioNode) throws(ScenarioError) -> String? {
        guard let entry = try node.entries(["link"]).first else { return nil }
        return try entry.value.text()
    }

    private static func script(_ node: ScenarioNode) throws(ScenarioError) -> Int? {
        guard let entry = try node.entries(["commands"]).first else { return nil }
        return try entry.value.integer(0...99)
    }

    private static func again(_ node: ScenarioNode) throws(ScenarioError) -> RepeatStep {
        var step = RepeatStep()
        for entry in try node.entries(["link", "marked", "fields"]) {
            switch entry.key {
            case "link": step.link = try entry.value.text()
            case "marked": step.marked = try entry.value.flag()
            default: step.fields = try fields(entry.value)
            }
        }
        return step
    }

    private static func reversal(_ node: ScenarioNode) throws(ScenarioError) -> ReversalStep {
        var step = ReversalStep()
        for entry in try node.entries(["link", "advice", "marked", "completed"]) {
            switch entry.key {
            case "link": step.link = try entry.value.text()
            case "advice": step.advice = try entry.value.flag()
            case "marked": step.marked = try entry.value.flag()
            default: step.completed = try amount(entry.value).lowerBound
            }
        }
        return step
    }

    private static func raw(_ node: ScenarioNode) throws(ScenarioError) -> RawStep {
        var step = RawStep()
        for entry in try node.entries(["link", "hex", "text", "framed", "wait"]) {
            switch entry.key {
            case "link": step.link = try entry.value.text()
            case "hex": step.bytes = try hex(entry.value)
            case "text": step.bytes = Array(try entry.value.text().utf8)
            case "framed": step.framed = try entry.value.flag()
            default: step.waits = try entry.value.flag()
            }
        }
        guard !step.bytes.isEmpty else { throw node.fault("raw needs hex or text") }
        return step
    }

    private static func card(_ node: ScenarioNode) throws(ScenarioError) -> CardStep {
        var step = CardStep()
        for entry in try node.entries(["name", "atc", "new"]) {
            switch entry.key {
            case "name": step.card = try entry.value.text()
            case "new": step.isNew = try entry.value.flag()
            default: step.counter = try TransactionStepReader.counter(entry.value)
            }
        }
        guard step.counter != nil || step.isNew else { throw node.fault("card needs atc or new") }
        return step
    }

    private static func tls(_ node: ScenarioNode) throws(ScenarioError) -> TLSStep {
        var step = TLSStep()
        for entry in try node.entries(["link", "certificate", "key", "ca", "name"]) {
            let text = try entry.value.text()
            switch entry.key {
            case "link": step.link = text
            case "certificate": step.certificateFile = text
            case "key": step.privateKeyFile = text
            case "ca": step.trustedFile = text
            default: step.serverName = text
            }
        }
        return step
    }
}

extension ScenarioStepReader {
    static func hex(_ node: ScenarioNode) throws(ScenarioError) -> [UInt8] {
        let digits = try node.text().filter { !$0.isWhitespace }
        guard let bytes = try? Hex.decode(digits) else { throw node.fault("hex digits are expected here") }
        return bytes
    }

    static func tag(_ text: String, _ place: ScenarioPlace) throws(ScenarioError) -> Tag {
        guard let tag = Tag(hex: text) else { throw ScenarioError(place: place, reason: "\(text) is no tag") }
        return tag
    }

    static func element(_ text: String, _ place: ScenarioPlace) throws(ScenarioError) -> DataElement {
        guard let number = UInt8(text), number > 1, let element = DataElement(rawValue: number) else {
            throw ScenarioError(place: place, reason: "\(text) is no data element of 2 to 128")
        }
        return element
    }

    /// `{39: "00", 38: absent}`.
    static func fields(
        _ node: ScenarioNode
    ) throws(ScenarioError) -> [(element: DataElement, text: String?)] {
        var result: [(element: DataElement, text: String?)] = []
        for entry in try node.entries() {
            let text = try entry.value.text()
            result.append((try element(entry.key, entry.place), text == "absent" ? nil : text))
        }
        return result
    }

    /// `42.50` or `1.00..99.99`.
    static func amount(_ node: ScenarioNode) throws(ScenarioError) -> ClosedRange<UInt64> {
        let text = try node.text()
        let parts = text.firstRange(of: "..").map {
            [String(text[..<$0.lowerBound]), String(text[$0.upperBound...])]
        }
        let numbers = (parts ?? [text]).compactMap { MoneyText.minorUnits($0) }
        guard numbers.count == (parts?.count ?? 1), let first = numbers.first, let last = numbers.last,
            first <= last
        else { throw node.fault("an amount such as 42.50 or 1.00..99.99 is expected here") }
        return first...last
    }

    static func pin(_ node: ScenarioNode) throws(ScenarioError) -> PINEntry {
        switch try node.text() {
        case "right": return .right
        case "wrong": return .wrong
        case "none": return .none
        case let digits:
            guard let pin = PIN(digits) else {
                throw node.fault("right, wrong, none or 4 to 12 digits are expected here")
            }
            return .typed(pin)
        }
    }
}
