/// A page that stands alone: no script, no other files. It stays below a megabyte: what passed is told step by step, what
/// failed with its messages as long as there is room.
package enum ScenarioPage {
    /// Bytes of UTF-8.
    static let bytesMax = 1_000_000
    /// Of them for head and end of the page.
    private static let frameBytes = 20_000

    private static let style = """
        :root{color-scheme:light dark;--good:#1a7f37;--bad:#c01f28;--line:#8886;--soft:#666}
        body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.4rem}h2{font-size:1.1rem;margin:1.2rem 0 .3rem}
        details{border-bottom:1px solid var(--line);padding:.3rem 0}
        summary{cursor:pointer}.good{color:var(--good)}.bad{color:var(--bad)}small{color:var(--soft)}
        pre{white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.4 ui-monospace,monospace;
        border:1px solid var(--line);padding:.5rem}
        .pair{display:grid;grid-template-columns:1fr 1fr;gap:.5rem}.pair>*{min-width:0}p{margin:.2rem 0}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dd{margin:0}
        @media(max-width:60rem){.pair{grid-template-columns:1fr}}
        @media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#ff7b72;--soft:#aaa}}
        @media print{details{break-inside:avoid}}
        """

    /// What was run, the summary, then every file with its scenarios; failed ones are open.
    /// - Parameters:
    ///   - hex: the bytes of messages as well, test data in clear.
    ///   - everything: messages of what passed too, whatever the size.
    package static func html(_ run: ScenarioRun, hex: Bool = false, everything: Bool = false) -> String {
        var lines = [
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\"><title>Scenarios</title>",
            "<style>\(style)</style><h1>Scenarios</h1>",
            "<p class=\"\(run.passed ? "good" : "bad")\">\(escaped(ScenarioText.summary(run)))</p>",
        ]
        if let about = run.about {
            let rows = (about.properties + [("seed", "\(run.seed)")]).map {
                "<dt>\(escaped($0.name))</dt><dd>\(escaped($0.value))</dd>"
            }
            lines.append("<dl>\(rows.joined())</dl>")
        }
        let steps =
            everything
            ? 0 : scenarios(run, hex, everything: false, room: 0).reduce(0) { $0 + $1.utf8.count + 1 }
        let room = everything ? Int.max : max(0, bytesMax - frameBytes - steps)
        lines += scenarios(run, hex, everything: everything, room: room)
        return lines.joined(separator: "\n") + "\n</html>\n"
    }

    /// - Parameter room: bytes that messages may take.
    private static func scenarios(
        _ run: ScenarioRun, _ hex: Bool, everything: Bool, room: Int
    ) -> [String] {
        var lines: [String] = []
        var room = room
        var files: [String] = []
        for result in run.results where !files.contains(result.place.file) { files.append(result.place.file) }
        for file in files {
            let group = run.results.filter { $0.place.file == file }
            let failed = group.count { !$0.passed }
            lines.append(
                "<h2>\(escaped(file)) <small>\(group.count) scenarios, \(failed) failed</small></h2>")
            for result in group { lines += scenario(result, hex, everything: everything, room: &room) }
        }
        return lines
    }

    private static func scenario(
        _ result: ScenarioResult, _ hex: Bool, everything: Bool, room: inout Int
    ) -> [String] {
        var lines = [
            "<details\(result.passed ? "" : " open")><summary>\(mark(result.passed)) "
                + "\(escaped(result.name)) <small>line \(result.place.line)</small></summary>"
        ]
        for step in result.steps {
            lines += head(step)
            guard everything || !step.complaints.isEmpty else { continue }
            let messages = messages(step, hex)
            let count = messages.reduce(0) { $0 + $1.utf8.count + 1 }
            if count <= room {
                lines += messages
                if room != .max { room -= count }
            } else {
                lines.append(
                    "<p><small>Messages left out for size: run this scenario alone, or with "
                        + "--report-everything.</small></p>")
            }
        }
        return lines + ["</details>"]
    }

    private static func head(_ step: StepResult) -> [String] {
        [
            "<p>\(mark(step.complaints.isEmpty)) <b>\(escaped(step.name))</b>: \(escaped(step.summary))"
                + (step.elapsed.map { " <small>\(Printing.milliseconds($0)) ms</small>" } ?? "") + "</p>"
        ] + step.complaints.map { "<p class=\"bad\">\(escaped("\(step.place)")): \(escaped($0))</p>" }
    }

    private static func messages(_ step: StepResult, _ hex: Bool) -> [String] {
        var lines: [String] = []
        if !step.why.isEmpty { lines.append("<pre>\(escaped(step.why.joined(separator: "\n")))</pre>") }
        for exchange in step.exchanges {
            lines.append(
                "<div class=\"pair\"><pre>\(escaped(exchange.request))</pre>"
                    + "<pre>\(escaped(exchange.response))</pre></div>")
            guard hex else { continue }
            lines.append("<pre>\(escaped(ScenarioText.hex(exchange).joined(separator: "\n")))</pre>")
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
