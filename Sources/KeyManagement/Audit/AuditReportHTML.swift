internal import ByteCoding

extension AuditReport {
    /// One page that stands by itself and prints: A4, no script, no other file.
    package var html: String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Key audit \(Self.escape(token.label)) \(time)</title>
        <style>\(Self.style)</style></head><body>
        <header><p class="kind">Key audit</p><h1>\(Self.escape(token.label))</h1>
        <p class="verdict \(passed ? "good" : "bad")">\(Self.escape(verdict))</p>
        \(limits.map { "<p class=\"verdict bad\">\(Self.escape($0))</p>" }.joined(separator: "\n"))
        <dl><dt>Time</dt><dd>\(time)</dd><dt>Profile</dt><dd>\(profile)</dd>
        <dt>Token</dt><dd><code>\(Self.escape(token.uri))</code></dd>
        <dt>Module</dt><dd><code>\(Self.escape(token.module))</code></dd>
        <dt>Trail</dt><dd>\(Self.escape(trailWords))</dd></dl></header>
        <section><h2>What this report rests on</h2>\(trust.map { "<p>\(Self.escape($0))</p>" }.joined())</section>
        \(findingsSection)
        \(unfinishedSection)
        <section><h2>Keys</h2><table class="keys"><thead><tr><th>Key</th><th>Purpose</th><th>Type</th><th>KCV</th>
        <th>Version</th><th>Origin</th><th>Last use</th><th>May</th></tr></thead><tbody>
        \(keys.map(keyRow).joined(separator: "\n"))
        </tbody></table></section>
        \(attributesSection)
        \(probesSection)
        <footer><p>Every usage that a key's purpose does not need was tried, and so were reading its value, widening its
        usage and copying it; “refused” means that the token returned the error given. Nothing on these pages is
        secret.</p><table class="signatures"><tr><td>Auditor</td><td>Date</td><td>Signature</td></tr>
        <tr><td>Key custodian</td><td>Date</td><td>Signature</td></tr></table></footer>
        </body></html>

        """
    }

    private var findingsSection: String {
        let groups = groupedFindings.sorted { !$0.accepted && $1.accepted }
        guard !groups.isEmpty else { return "<section><h2>Findings</h2><p>None.</p></section>" }
        let rows = groups.map { group in
            """
            <tr class="\(group.accepted ? "accepted" : "open")"><td>\(group.accepted ? "accepted" : "OPEN")</td>
            <td><code>\(group.kind)</code> (\(group.causedBy))<br>\(Self.escape(group.words))</td>
            <td>\(group.places.map { "<code>\(Self.escape($0))</code>" }.joined(separator: "<br>"))</td></tr>
            """
        }
        let inVain =
            acceptedInVain.isEmpty
            ? ""
            : "<p>Accepted by configuration, but not found: \(Self.escape(acceptedInVain.joined(separator: ", "))).</p>"
        return """
            <section><h2>Findings</h2><table class="findings"><thead><tr><th>State</th><th>What</th><th>Where</th></tr>
            </thead><tbody>\(rows.joined(separator: "\n"))</tbody></table>\(inVain)</section>
            """
    }

    private var unfinishedSection: String {
        guard !unfinished.isEmpty else { return "" }
        let lines = unfinished.map { "<p>\(Self.escape($0)).</p>" }
        return "<section><h2>Batches that have not ended</h2>\(lines.joined())</section>"
    }

    private func keyRow(_ key: AuditedKey) -> String {
        let origin = [key.origin ?? "not recorded", key.since ?? ""].filter { !$0.isEmpty }
            .map(Self.escape).joined(separator: "<br>")
        return """
            <tr><td><code>\(Self.escape(key.label))</code></td><td>\(Self.escape(key.purpose ?? "unknown"))</td>
            <td>\(key.type ?? "unknown")</td><td><code>\(key.checkValue ?? "–")</code></td><td>\(key.version)</td>
            <td>\(origin)</td><td>\(key.lastUse ?? "not recorded")</td><td>\(key.usageWords)</td></tr>
            """
    }

    private var attributesSection: String {
        let names = [
            "CKA_PRIVATE", "CKA_SENSITIVE", "CKA_ALWAYS_SENSITIVE", "CKA_EXTRACTABLE",
            "CKA_NEVER_EXTRACTABLE",
            "CKA_MODIFIABLE", "CKA_DERIVE", "CKA_ENCRYPT", "CKA_DECRYPT", "CKA_SIGN", "CKA_VERIFY",
            "CKA_WRAP",
            "CKA_UNWRAP",
        ]
        let head = names.map { name in
            "<th>\(name.dropFirst(4).split(separator: "_").map { $0.lowercased() }.joined(separator: " "))</th>"
        }
        let rows = keys.map { key in
            let cells = names.map { name -> String in
                guard let value = key.attributes[name] else { return "<td>?</td>" }
                return value ? "<td class=\"yes\">yes</td>" : "<td>no</td>"
            }
            return "<tr><td><code>\(Self.escape(key.label))</code></td>\(cells.joined())</tr>"
        }
        return """
            <section class="new"><h2>Attributes</h2><table class="matrix"><thead><tr><th>Key</th>\(head.joined())</tr>
            </thead><tbody>\(rows.joined(separator: "\n"))</tbody></table></section>
            """
    }

    private var probesSection: String {
        let rows = keys.filter { !$0.probes.isEmpty }.map { key in
            let lines = key.probes.map { probe in
                """
                <tr class="\(probe.accepted ? "open" : "")"><td>\(Self.escape(probe.tried))</td>
                <td>\(probe.accepted ? "" : "refused: ")\(Self.escape(probe.answer))</td></tr>
                """
            }
            return """
                <div class="probe"><h3><code>\(Self.escape(key.label))</code> \(key.purpose ?? "")</h3>
                <table>\(lines.joined(separator: "\n"))</table></div>
                """
        }
        return
            "<section class=\"new\"><h2>Negative probes</h2><div class=\"probes\">\(rows.joined())</div></section>"
    }

    private static func escape(_ text: String) -> String {
        printable(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(
            ">", with: "&gt;"
        )
        .replacing("\"", with: "&quot;")
    }

    private static let style = """
        @page{size:A4;margin:16mm 14mm}
        *{box-sizing:border-box}
        body{font:10pt/1.4 "DejaVu Sans",Arial,sans-serif;color:#1a1a1a;max-width:190mm;margin:0 auto;padding:4mm}
        code{font:9pt "DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
        .kind{text-transform:uppercase;letter-spacing:.12em;color:#666;margin:0}
        h1{margin:0 0 2mm;font-size:20pt}h2{font-size:13pt;margin:6mm 0 2mm;border-bottom:1pt solid #999}
        h3{font-size:10pt;margin:2mm 0 1mm}
        .verdict{font-weight:bold;padding:2mm 3mm;border-left:3mm solid}
        .good{border-color:#1d7a3a;background:#eaf5ed}.bad{border-color:#b3261e;background:#fbeceb}
        dl{display:grid;grid-template-columns:24mm 1fr;margin:0}dt{color:#666}dd{margin:0}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:1mm 1.5mm;
        border-bottom:.5pt solid #ccc}th{font-size:8.5pt;color:#444}thead{display:table-header-group}
        tr,.probe{break-inside:avoid}.keys,.findings{font-size:8.5pt}
        .keys code{overflow-wrap:normal;white-space:nowrap;font-size:8pt}
        .matrix{font-size:7.5pt}.matrix code{white-space:nowrap;font-size:7.5pt}.matrix th{font-size:7pt}
        .matrix .yes{font-weight:bold}
        .open td{background:#fbeceb;font-weight:bold}.accepted td:first-child{color:#666}
        .probes{columns:2;column-gap:6mm;font-size:7.5pt}.probe{margin-bottom:3mm}
        .probe td:first-child{width:40%}.probe td{padding:.5mm 1mm}
        footer{margin-top:8mm;color:#444;font-size:8.5pt;break-inside:avoid}
        .signatures td{height:16mm;width:33%;vertical-align:top;border:.5pt solid #999}
        @media print{body{max-width:none;padding:0}.new{break-before:page}
        body{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
        """
}
