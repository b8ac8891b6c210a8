/// A run as text for a terminal.
public enum ScenarioText {
    /// One scenario: a line, and a line for each step where asked for or where something is wrong.
    public static func lines(_ result: ScenarioResult, allSteps: Bool) -> [String] {
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
    public static func messages(_ result: ScenarioResult, allSteps: Bool = false) -> [String] {
        result.steps.filter { allSteps || !$0.complaints.isEmpty }.flatMap { step in
            step.why + step.exchanges.flatMap { [$0.request, $0.response] } + step.cardTrace
        }
    }

    /// The last line.
    public static func summary(_ run: ScenarioRun) -> String {
        let failed = run.failed.count
        return "\(run.results.count) scenarios in \(Printing.milliseconds(run.elapsed)) ms, "
            + "\(run.results.count - failed) passed, \(failed) failed (seed \(run.seed))"
    }
}

/// The form that CI systems read.
public enum JUnitReport {
    /// One suite a file, one case a scenario.
    public static func xml(_ run: ScenarioRun) -> String {
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
                    + "errors=\"0\" skipped=\"0\" time=\"\(seconds(time))\">")
            lines += cases.flatMap { testCase($0, suite: file) }
            lines.append("  </testsuite>")
        }
        lines.append("</testsuites>")
        return lines.joined(separator: "\n") + "\n"
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

/// A page that stands alone: no script, no other files.
public enum ScenarioPage {
    private static let style = """
        :root{color-scheme:light dark;--good:#1a7f37;--bad:#cf222e;--line:#8886}
        body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.4rem}details{border-bottom:1px solid var(--line);padding:.3rem 0}
        summary{cursor:pointer}.good{color:var(--good)}.bad{color:var(--bad)}
        pre{overflow:auto;font:12px/1.4 ui-monospace,monospace;border:1px solid var(--line);padding:.5rem}
        .pair{display:grid;grid-template-columns:1fr 1fr;gap:.5rem}.pair>*{min-width:0}
        @media(max-width:60rem){.pair{grid-template-columns:1fr}}
        @media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#ff7b72}}
        """

    /// Summary, then every scenario with its steps and messages; failed ones are open.
    public static func html(_ run: ScenarioRun) -> String {
        var lines = [
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\"><title>Scenarios</title>",
            "<style>\(style)</style><h1>Scenarios</h1>",
            "<p class=\"\(run.passed ? "good" : "bad")\">\(escaped(ScenarioText.summary(run)))</p>",
        ]
        for result in run.results {
            lines.append(
                "<details\(result.passed ? "" : " open")><summary>\(mark(result.passed)) "
                    + "\(escaped(result.name)) <small>\(escaped("\(result.place)"))</small></summary>")
            lines += result.steps.flatMap(step)
            lines.append("</details>")
        }
        return lines.joined(separator: "\n") + "\n</html>\n"
    }

    private static func step(_ step: StepResult) -> [String] {
        var lines = [
            "<p>\(mark(step.complaints.isEmpty)) <b>\(escaped(step.name))</b>: \(escaped(step.summary))"
                + (step.elapsed.map { " <small>\(Printing.milliseconds($0)) ms</small>" } ?? "") + "</p>"
        ]
        lines += step.complaints.map { "<p class=\"bad\">\(escaped("\(step.place)")): \(escaped($0))</p>" }
        if !step.why.isEmpty { lines.append("<pre>\(escaped(step.why.joined(separator: "\n")))</pre>") }
        for exchange in step.exchanges {
            lines.append(
                "<div class=\"pair\"><pre>\(escaped(exchange.request))</pre>"
                    + "<pre>\(escaped(exchange.response))</pre></div>")
        }
        if !step.cardTrace.isEmpty {
            lines.append("<pre>\(escaped(step.cardTrace.joined(separator: "\n")))</pre>")
        }
        return lines
    }

    private static func mark(_ good: Bool) -> String {
        good ? "<span class=\"good\">✓</span>" : "<span class=\"bad\">✗</span>"
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
