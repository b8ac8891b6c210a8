/// The keys of `expect`.
enum ScenarioExpectationReader {
    private static let verdicts: KeyValuePairs<String, ExpectedVerdict> = [
        "approves": .approves, "declines": .declines, "no-approval": .noApproval, "absent": .absent,
        "wrong": .wrong,
    ]
    private static let comings: KeyValuePairs<String, ScenarioExpectation.Coming> = [
        "yes": .answer, "none": .nothing, "closed": .closed,
    ]
    private static let keys = [
        "de39", "arpc", "answer", "answers", "fields", "tags", "within", "card", "same-answer",
        "says",
    ]

    static func expectation(_ node: ScenarioNode) throws(ScenarioError) -> ScenarioExpectation {
        var result = ScenarioExpectation()
        result.place = node.place
        for entry in try node.entries(keys) {
            let value = entry.value
            switch entry.key {
            case "de39":
                for code in try value.items() {
                    let text = try code.text()
                    guard (2...3).contains(text.utf8.count) else {
                        throw code.fault(
                            "DE39 has two characters, in ISO 8583:1993 three; quote it where YAML asks for it"
                        )
                    }
                    result.responseCodes.append(text)
                }
            case "arpc": result.verdict = try value.choice(verdicts)
            case "answer": result.coming = try value.choice(comings)
            case "answers": result.answers = try value.integer(0...16)
            case "fields":
                for field in try value.entries() {
                    result.fields.append(
                        (try ScenarioStepReader.element(field.key, field.place), try content(field.value)))
                }
            case "tags":
                for tag in try value.entries() {
                    result.tags.append(
                        (try ScenarioStepReader.tag(tag.key, tag.place), try content(tag.value)))
                }
            case "within": result.within = try value.duration()
            case "says": result.words += try words(value)
            case "same-answer": result.sameAnswer = try value.flag()
            default: try card(value, &result)
            }
        }
        return result
    }

    private static func card(
        _ node: ScenarioNode, _ result: inout ScenarioExpectation
    ) throws(ScenarioError) {
        for entry in try node.entries(["atc-moved", "final", "trace", "blocked", "offline-pin-tries"]) {
            switch entry.key {
            case "final":
                result.finalCryptogram = try entry.value.choice([
                    "TC": "TC", "AAC": "AAC", "other-interface": "other-interface",
                ])
            case "blocked":
                result.blocked = try entry.value.choice([
                    "none": "none", "application": "application", "card": "card",
                ])
            case "offline-pin-tries": result.offlineTries = try entry.value.integer(0...15)
            case "trace": result.words += try words(entry.value)
            default: result.counterMoved = try entry.value.integer(0...65_535)
            }
        }
    }

    private static func words(_ node: ScenarioNode) throws(ScenarioError) -> [String] {
        var words: [String] = []
        for item in try node.items() { words.append(try item.text()) }
        return words
    }

    private static func content(_ node: ScenarioNode) throws(ScenarioError) -> ScenarioExpectation.Content {
        switch try node.text() {
        case "present": .present
        case "absent": .absent
        case let text: .text(text)
        }
    }
}
