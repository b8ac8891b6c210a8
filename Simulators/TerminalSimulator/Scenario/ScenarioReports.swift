/// A run as text for a terminal.
package enum ScenarioText {
    /// One scenario: a line, and a line for each step where asked for or where something is wrong.
    package static func lines(_ result: ScenarioResult, allSteps: Bool) -> [String] {
        let time = Printing.milliseconds(result.elapsed)
        var lines = ["\(result.passed ? "✓" : "✗") \(result.name)  (\(time) ms)"]
        guard allSteps || !result.passed else { return lines }
        for step in result.steps {
            lines.append(
                "    \(step.complaints.isEmpty ? "✓" : "✗") \(step.name): \(step.summary)"
                    + (step.elapsed.map { "  (\(Printing.milliseconds($0)) ms)" } ?? ""))
            lines += step.complaints.map { "        \(step.place): \($0)" }
        }
        if result.skipped > 0 { lines.append("    \(result.skipped) steps not run") }
        return lines
    }

    /// The messages, and the card's conversation, of the steps that went wrong, or of all.
    /// - Parameter hex: the bytes as well, test data in clear.
    package static func messages(
        _ result: ScenarioResult, allSteps: Bool = false, hex: Bool = false
    ) -> [String] {
        result.steps.filter { allSteps || !$0.complaints.isEmpty }.flatMap { step in
            step.why
                + step.exchanges.flatMap { exchange in
                    [exchange.request, exchange.response] + (hex ? ScenarioText.hex(exchange) : [])
                } + step.cardTrace
        }
    }

    static func hex(_ exchange: DecodedExchange) -> [String] {
        exchange.bytes.map { "\($0.direction.rawValue) \($0.hex)" }
    }

    /// The last line.
    package static func summary(_ run: ScenarioRun) -> String {
        let failed = run.failed.count
        return "\(run.results.count) scenarios in \(Printing.milliseconds(run.elapsed)) ms, "
            + "\(run.results.count - failed) passed, \(failed) failed (seed \(run.seed))"
    }
}

/// The form that CI systems read.
package enum JUnitReport {
    /// One suite a file, one case a scenario.
    package static func xml(_ run: ScenarioRun) -> String {
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites name=\"terminal-simulator\" tests=\"\(run.results.count)\" "
                + "failures=\"\(run.failed.count)\" time=\"\(seconds(run.elapsed))\">",
        ]
        var files: [String] = []
        for result in run.results where !files.contains(result.place.file) { files.append(result.place.file) }
        for file in files {
            let cases = run.results.filter { $0.place.file == file }
            let failures = cases.count { !$0.passed }
            let time = cases.reduce(Duration.zero) { $0 + $1.elapsed }
            lines.append(
                "  <testsuite name=\"\(escaped(file))\" tests=\"\(cases.count)\" failures=\"\(failures)\" "
                    + "errors=\"0\" skipped=\"0\" time=\"\(seconds(time))\"\(timestamp(run))>")
            lines += properties(run)
            lines += cases.flatMap { testCase($0, suite: file) }
            lines.append("  </testsuite>")
        }
        lines.append("</testsuites>")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func timestamp(_ run: ScenarioRun) -> String {
        run.about.map { " timestamp=\"\(escaped($0.startedAt))\"" } ?? ""
    }

    private static func properties(_ run: ScenarioRun) -> [String] {
        guard let about = run.about else { return [] }
        let named = about.properties + [("seed", "\(run.seed)")]
        return ["    <properties>"]
            + named.map {
                "      <property name=\"\(escaped($0.name))\" value=\"\(escaped($0.value))\"/>"
            } + ["    </properties>"]
    }

    private static func testCase(_ result: ScenarioResult, suite: String) -> [String] {
        let head =
            "    <testcase classname=\"\(escaped(suite))\" name=\"\(escaped(result.name))\" "
            + "file=\"\(escaped(suite))\" line=\"\(result.place.line)\" time=\"\(seconds(result.elapsed))\""
        guard !result.passed else { return [head + "/>"] }
        let complaints = result.steps.flatMap { step in
            step.complaints.map { "\(step.place): \(step.name): \($0)" }
        }
        return [
            head + ">",
            "      <failure message=\"\(escaped(complaints.first ?? ""))\">"
                + escaped((complaints + ScenarioText.messages(result)).joined(separator: "\n"))
                + "</failure>",
            "    </testcase>",
        ]
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = UInt64(max(0, duration / .milliseconds(1)))
        return "\(milliseconds / 1_000).\(MoneyText.digits(milliseconds % 1_000, count: 3))"
    }

    /// XML 1.0: the five, and no control characters but line ends.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n": result += "&#10;"
            case _ where character.value < 0x20: result += "?"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
