internal import ByteCoding
internal import Foundation

/// Requirements of the standards that an issuer is held to, in own words, each with what meets it and the evidence of this
/// run. docs/controls.md is the same table without a run.
package struct ControlMapping: Codable, Sendable {
    /// Who meets a requirement.
    package enum Means: String, Codable, Sendable {
        case host, token, procedure
        case notMet = "not met"
    }

    /// One requirement.
    package struct Row: Codable, Sendable {
        /// `PCI PIN v3.1`.
        package let standard: String
        /// Its number there.
        package let requirement: String
        /// In own words.
        package let words: String
        /// Who meets it, in this run.
        package let means: Means
        /// A probe, a line of the trail, a test's name.
        package let evidence: String
    }

    /// When, UTC.
    package let time: String
    /// `CKA_LABEL`.
    package let token: String
    /// The report's verdict.
    package let verdict: String
    /// The table.
    package let rows: [Row]

    /// - Parameter report: of the same run.
    package init(_ report: AuditReport) {
        time = report.time
        token = report.token.label
        verdict = report.verdict
        rows = Self.table.map { control in
            let (means, evidence) = control.evidence(report)
            return Row(
                standard: control.standard, requirement: control.requirement, words: control.words,
                means: means, evidence: evidence)
        }
    }

    /// One page that prints: A4, no script, no other file.
    package var html: String {
        func escape(_ text: String) -> String {
            printable(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
                .replacing(">", with: "&gt;")
        }
        let lines = rows.map { row in
            """
            <tr class="\(row.means == .notMet ? "open" : "")"><td>\(escape(row.standard))</td>
            <td>\(escape(row.requirement))</td><td>\(escape(row.words))</td><td>\(row.means.rawValue)</td>
            <td>\(escape(row.evidence))</td></tr>
            """
        }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>Controls \(escape(token)) \(time)</title><style>
            @page{size:A4 landscape;margin:14mm}body{font:9pt/1.4 "DejaVu Sans",Arial,sans-serif;margin:4mm}
            table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:1mm 1.5mm;
            border-bottom:.5pt solid #ccc}thead{display:table-header-group}tr{break-inside:avoid}
            .open td{background:#fbeceb;font-weight:bold}@media print{body{margin:0;
            -webkit-print-color-adjust:exact;print-color-adjust:exact}}</style></head><body>
            <h1>Controls: \(escape(token))</h1><p>\(time). \(escape(verdict))</p>
            <table><thead><tr><th>Standard</th><th>Requirement</th><th>In own words</th><th>Met by</th>
            <th>Evidence of this run</th></tr></thead><tbody>
            \(lines.joined(separator: "\n"))
            </tbody></table></body></html>

            """
    }
}

extension ControlMapping {
    struct Control: Sendable {
        let standard: String
        let requirement: String
        let words: String
        let evidence: @Sendable (AuditReport) -> (Means, String)
    }

    /// Met by the host as a test shows.
    private static func host(_ test: String) -> @Sendable (AuditReport) -> (Means, String) {
        { _ in (.host, "test \(test)") }
    }

    /// Met by the host, shown otherwise than by a test.
    private static func shown(_ words: String) -> @Sendable (AuditReport) -> (Means, String) {
        { _ in (.host, words) }
    }

    /// Two people, where the configuration asks for them and no line lacks one.
    private static let twoPeople: @Sendable (AuditReport) -> (Means, String) = { report in
        guard report.dualControl else { return (.notMet, "keys.dualControl is off") }
        return without([.eventUnsigned], .host) { _ in "no line lacks a signature" }(report)
    }

    private static func procedure(_ words: String) -> @Sendable (AuditReport) -> (Means, String) {
        { _ in (.procedure, words) }
    }

    private static func never(_ words: String) -> @Sendable (AuditReport) -> (Means, String) {
        { _ in (.notMet, words) }
    }

    /// Met where no finding of these kinds is there, accepted or not.
    private static func without(
        _ kinds: [FindingKind], _ means: Means, seen: @escaping @Sendable (AuditReport) -> String
    ) -> @Sendable (AuditReport) -> (Means, String) {
        { report in
            let names = Set(kinds.map(\.rawValue))
            let found = report.findings.filter { names.contains($0.kind) }
            guard let first = found.first else { return (means, seen(report)) }
            return (
                .notMet,
                "\(found.count) findings, the first: \(first.kind) \(first.key ?? "") \(first.detail)"
            )
        }
    }

    private static func probes(_ tried: String) -> @Sendable (AuditReport) -> String {
        { report in
            let all = report.keys.flatMap(\.probes).filter { $0.tried == tried }
            return "probe \"\(tried)\": \(all.count { !$0.accepted }) of \(all.count) keys refused"
        }
    }

    private static let trail: @Sendable (AuditReport) -> String = { report in
        report.trail.map { "\($0.counted) lines of the trail, \($0.faults.isEmpty ? "whole" : "faults")" }
            ?? "no trail"
    }

    private static let withTrail: @Sendable (AuditReport) -> (Means, String) = { report in
        guard report.trail != nil else { return (.notMet, "audit.log is not set") }
        return without([.trailDamaged, .trailContradictory], .host, seen: trail)(report)
    }

    static let table: [Control] = [
        .init(
            standard: "PCI PIN v3.1", requirement: "1, 2",
            words: "PINs are processed in secure devices in standard formats",
            evidence: never(
                "a software token is no secure cryptographic device; formats 0, 1, 3 and 4 are taken"
            )),
        .init(
            standard: "PCI PIN v3.1", requirement: "5",
            words: "Keys are made by an approved random generator",
            evidence: never(
                "the token's generator makes them; that of a software token is not approved as a device")),
        .init(
            standard: "PCI PIN v3.1", requirement: "6",
            words: "No one person can make or learn a key; making is witnessed",
            evidence: host("Ceremony; Dual control at a terminal")),
        .init(
            standard: "PCI PIN v3.1", requirement: "8",
            words: "Keys travel as components of several people, or under another key",
            evidence: host("Any M hold everything, any fewer lack something")),
        .init(
            standard: "PCI PIN v3.1", requirement: "10", words: "A key is protected by one that is no weaker",
            evidence: host("A key is protected by one that is no weaker, and not by itself")),
        .init(
            standard: "PCI PIN v3.1", requirement: "12",
            words: "Components are loaded under dual control, and wrong ones noticed",
            evidence: host("aChangedMovedMissingRepeatedOrForeignComponentIsNamed")),
        .init(
            standard: "PCI PIN v3.1", requirement: "15",
            words: "Check values show that a key is the one meant",
            evidence: without([.keySwapped, .keyUnverified], .host) { report in
                "\(report.keys.count { $0.checkValue != nil }) of \(report.keys.count) check values read and held against the trail"
            }),
        .init(
            standard: "PCI PIN v3.1", requirement: "18-1",
            words: "Nobody can put a key of their own in place of another",
            evidence: without(
                [
                    .keyUnknown, .keyUnnoted, .keySwapped, .keyRenamed, .keyCopied, .keyChanged,
                    .objectUnknown, .labelAmbiguous,
                ], .host, seen: trail)),
        .init(
            standard: "PCI PIN v3.1", requirement: "18-3", words: "Keys are bound to their use in key blocks",
            evidence: host("A key leaves with the header that it came with")),
        .init(
            standard: "PCI PIN v3.1", requirement: "19", words: "A key is used for its one purpose",
            evidence: without(
                [
                    .tooPowerful, .probeEncrypt, .probeDecrypt, .probeSign, .probeWrap, .probeUnwrap,
                    .probeDerive,
                ], .token, seen: probes("encrypt"))),
        .init(
            standard: "PCI PIN v3.1", requirement: "19-4", words: "Test keys are not in production",
            evidence: without([.testKey], .host) { "\($0.keys.count) check values looked up" }),
        .init(
            standard: "PCI PIN v3.1", requirement: "21",
            words: "Keys exist in clear nowhere but in a secure device",
            evidence: without(
                [.probeExport, .probeRead, .probeCopyReadable, .extractable, .notSensitive], .token,
                seen: probes("export under a wrapping key"))),
        .init(
            standard: "PCI PIN v3.1", requirement: "22, 24",
            words: "Compromised and ended keys are destroyed and replaced",
            evidence: procedure("issuer-keys retire; lines key-retired of the trail")),
        .init(
            standard: "PCI PIN v3.1", requirement: "25", words: "Few have access, with dual control",
            evidence: twoPeople),
        .init(
            standard: "PCI PIN v3.1", requirement: "26", words: "Everything that happens to keys is logged",
            evidence: withTrail),
        .init(
            standard: "PCI HSM v3", requirement: "A1 to A7",
            words: "The device resists opening and probing, and erases itself",
            evidence: never("software has no case; a hardware module is needed")),
        .init(
            standard: "PCI HSM v3", requirement: "B",
            words: "The device refuses what a key's attributes forbid",
            evidence: without(
                [.probeExport, .probeDerive, .probeWiden, .probeCopyWider, .probeCopyReadable], .token,
                seen: probes("widen usage"))),
        .init(
            standard: "PCI HSM v3", requirement: "B",
            words: "Sensitive services need authentication by two people",
            evidence: twoPeople),
        .init(
            standard: "FIPS 140-3", requirement: "7.4", words: "Roles are authenticated by the module",
            evidence: never("one PIN opens a software token to whoever has it")),
        .init(
            standard: "FIPS 140-3", requirement: "7.7", words: "Physical security of level 3",
            evidence: never("software has none")),
        .init(
            standard: "FIPS 140-3", requirement: "7.9",
            words: "Sensitive parameters are kept and erased by the module",
            evidence: never("whoever may read the process or its memory can read them")),
        .init(
            standard: "FIPS 140-3", requirement: "7.10", words: "Self-tests before use",
            evidence: shown(
                "issuer-host check: known answers of every operation before it serves")),
        .init(
            standard: "PCI DSS 4", requirement: "3.6, 3.7",
            words: "Keys are made, kept, changed and ended by written procedures",
            evidence: procedure(
                "docs/keys.md; custodians sign for their duty outside this product")),
        .init(
            standard: "PCI DSS 4", requirement: "3.5", words: "PANs are unreadable where they are kept",
            evidence: shown("the store names cards by a keyed hash under pan-hash and holds no PAN")),
        .init(
            standard: "PCI DSS 4", requirement: "10.3", words: "Logs cannot be changed unnoticed",
            evidence: withTrail),
        .init(
            standard: "PCI DSS 4", requirement: "10.6", words: "Clocks are right",
            evidence: { report in
                let isSet = report.trail?.faults.contains { $0.contains("clock") } == true
                return (
                    isSet ? .notMet : .procedure,
                    isSet
                        ? "the trail's clock was set back"
                        : "no step back in the trail; a time server is the operator's"
                )
            }),
    ]
}
