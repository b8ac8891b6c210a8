internal import Authorisation
internal import IssuerMessages

/// Prometheus text format 0.0.4.
extension LoopMetrics {
    /// - Parameter names: of the links, by slot.
    func text(links names: [String]) -> String {
        var lines: [String] = []
        for (name, help, value) in totals {
            lines += ["# HELP \(name) \(help)", "# TYPE \(name) counter", "\(name) \(value)"]
        }
        lines += gauge("issuer_connections", "Connections that are open.", connections)
        lines += gauge("issuer_requests_in_flight", "Requests that wait for their answer.", inFlight)
        lines += abandonedLines + linkLines(names)
        lines.append("# TYPE issuer_answer_microseconds histogram")
        lines += answerTimes.lines(name: "issuer_answer_microseconds", label: nil)
        lines.append("# TYPE issuer_stage_microseconds histogram")
        for stage in Stage.allCases {
            lines += stageTimes[stage.rawValue].lines(
                name: "issuer_stage_microseconds", label: "stage=\"\(stage.name)\"")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var totals: [(name: String, help: String, value: UInt64)] {
        [
            ("issuer_undecodable_messages_total", "Messages with a fault of form.", undecodable),
            ("issuer_ignored_messages_total", "Messages that ask for nothing.", ignored),
            ("issuer_late_answers_total", "Decisions that came too late to be sent.", lateAnswers),
            ("issuer_expired_requests_total", "Requests answered with 91 at their deadline.", expired),
            ("issuer_shed_requests_total", "Requests answered with 91 on arrival.", shed),
            ("issuer_invalid_frames_total", "Lengths that no frame can have.", invalidFrames),
            ("issuer_peers_refused_total", "Connections from elsewhere or over the limit.", peersRefused),
            ("issuer_tls_refused_total", "TLS connections that came to nothing.", handshakesRefused),
            ("issuer_mac_failures_total", "Messages with a wrong MAC or none.", macFailures),
            (
                "issuer_untold_approvals_total",
                "Approvals in time whose answer did not reach the peer; the journal has a note of each.",
                untold
            ),
            (
                "issuer_sign_ons_refused_total", "Sign-ons of the host refused or not answered.",
                signOnsRefused
            ),
            ("issuer_network_requests_sent_total", "Echoes, sign-ons, sign-offs sent.", networkRequests),
        ]
    }

    private func gauge(_ name: String, _ help: String, _ value: Int) -> [String] {
        ["# HELP \(name) \(help)", "# TYPE \(name) gauge", "\(name) \(value)"]
    }

    private var abandonedLines: [String] {
        let name = "issuer_connections_abandoned_total"
        return ["# TYPE \(name) counter"]
            + AbandonReason.allCases.map {
                "\(name){reason=\"\($0.rawValue)\"} \(abandoned[$0, default: 0])"
            }
    }

    private func linkLines(_ names: [String]) -> [String] {
        var received = ["# TYPE issuer_received_total counter"]
        var answers = ["# TYPE issuer_answers_total counter"]
        var times = ["# TYPE issuer_link_answer_microseconds histogram"]
        let codes = LinkCounts.names + ["other"]
        for (name, counts) in zip(names, links) {
            for messageClass in 0..<LinkCounts.classes {
                let label = "link=\"\(name)\",class=\"0\(messageClass)\""
                if counts.received[messageClass] > 0 {
                    received.append("issuer_received_total{\(label)} \(counts.received[messageClass])")
                }
                var answered = false
                for (offset, code) in codes.enumerated() {
                    let count = counts.answers[messageClass * codes.count + offset]
                    guard count > 0 else { continue }
                    answered = true
                    answers.append("issuer_answers_total{\(label),de39=\"\(code)\"} \(count)")
                }
                guard answered else { continue }
                times += counts.answerTimes[messageClass].lines(
                    name: "issuer_link_answer_microseconds", label: label)
            }
        }
        return received + answers + times
    }
}
