internal import ByteCoding

extension AuditReport {
    /// For a terminal: what the token does not hold to, the keys as a table, then what is wrong.
    package var text: String {
        var lines = limits
        lines += [
            "Audit of token \(token.label), profile \(profile), \(time)", "module \(token.module)",
            trailWords, "",
        ]
        lines += trust + [""]
        lines += table
        lines.append("")
        let groups = groupedFindings
        for accepted in [false, true] {
            let group = groups.filter { $0.accepted == accepted }
            guard !group.isEmpty else { continue }
            lines.append(accepted ? "Accepted by configuration:" : "Findings:")
            for finding in group {
                lines.append("  \(finding.kind) (\(finding.causedBy)): \(finding.words)")
                lines += finding.places.map { "      \(printable($0))" }
            }
            lines.append("")
        }
        lines += unfinished.map { "Not ended: \($0)" }
        lines += acceptedInVain.map { "Accepted, but not found: \($0)" }
        lines.append(verdict)
        return lines.joined(separator: "\n") + "\n"
    }

    /// The first lines: what nobody can rely on with this token.
    var limits: [String] {
        let silent = keys.count { $0.checkValue == nil && $0.purpose != "audit trail's count" }
        guard silent > 0 else { return tokenLimits }
        return tokenLimits + [
            "THIS TOKEN GIVES NO CHECK VALUE OF \(silent) KEYS: one that was swapped for another value looks the same."
        ]
    }

    /// The last line: whether all is as it should be.
    package var verdict: String {
        let open = findings.count { !$0.accepted }
        let accepted = findings.count - open
        let probes = keys.reduce(0) { $0 + $1.probes.count }
        let seen = "\(keys.count) keys, \(probes) probes"
        return open == 0
            ? "PASSED: \(seen), nothing found that is not accepted (\(accepted) accepted)"
            : "FAILED: \(seen), \(open) findings, \(accepted) more accepted"
    }

    var trailWords: String {
        guard let trail else { return "audit trail: none configured" }
        return "audit trail \(trail.path): \(trail.counted) lines counted by the token, "
            + (trail.faults.isEmpty ? "whole" : "\(trail.faults.count) faults")
    }

    private var table: [String] {
        let rows =
            [["key", "purpose", "type", "KCV", "ver", "origin", "last use", "may", "probes"]]
            + keys.map { key in
                let accepted = key.probes.count(where: \.accepted)
                return [
                    printable(key.label), key.purpose ?? "?", key.type ?? "?", key.checkValue ?? "-",
                    "\(key.version)",
                    key.origin ?? "-", key.lastUse ?? "-", key.usageWords,
                    key.probes.isEmpty ? "-" : "\(key.probes.count - accepted)/\(key.probes.count) refused",
                ]
            }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ")
        }
    }

    /// One line of findings of one kind.
    struct FindingGroup {
        let kind: String
        let causedBy: String
        let words: String
        let accepted: Bool
        var places: [String]
    }

    /// By kind: sixteen keys with one limit of the token read as one finding.
    var groupedFindings: [FindingGroup] {
        var groups: [FindingGroup] = []
        for finding in findings {
            let key = finding.key ?? ""
            let place = [key, finding.detail].filter { !$0.isEmpty }.joined(separator: ": ")
            if let index = groups.firstIndex(where: {
                $0.kind == finding.kind && $0.accepted == finding.accepted
                    && $0.causedBy == finding.causedBy
            }) {
                groups[index].places.append(place)
            } else {
                let words = FindingKind(rawValue: finding.kind)?.words ?? ""
                groups.append(
                    FindingGroup(
                        kind: finding.kind, causedBy: finding.causedBy, words: words,
                        accepted: finding.accepted,
                        places: place.isEmpty ? [] : [place]))
            }
        }
        return groups
    }
}

extension AuditedKey {
    /// The usages it has, in lower case.
    var usageWords: String {
        let order = ["DERIVE", "ENCRYPT", "DECRYPT", "SIGN", "VERIFY", "WRAP", "UNWRAP"]
        let has = order.filter { attributes["CKA_\($0)"] == true }.map { $0.lowercased() }
        return has.isEmpty ? "nothing" : has.joined(separator: " ")
    }
}
